"""Copies of a store: made whole while others write, judged before they are believed, put in the place of a store.

A copy is a store like any other (one file, no write-ahead log beside it) that nobody has the lock of.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from syncd.errors import (
    ConfigurationError,
    PermanentError,
    RefusedError,
    SyncdError,
    TemporaryError,
    UsageError,
)
from syncd.files import NotRegularError, copy_regular
from syncd.ports.trail import ChainReport
from syncd.store import lock, process
from syncd.store.file_lock import FileLock
from syncd.store.file_lock import place as lock_of
from syncd.store.ownership import refuse_unsafe
from syncd.store.private import Scratch, make_directory, make_file
from syncd.store.restoring import EndedByRestore, Entries
from syncd.store.sqlite.connection import SqliteDb
from syncd.store.sqlite.faults import explained
from syncd.store.sqlite.opening import open_for_reading, open_store
from syncd.store.sqlite.store import SqliteStore
from syncd.store.unusable import not_readable, not_writable

_LOGS = ("-wal", "-shm", "-journal")
_WAIT_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Copied:
    """What is in a copy that was found whole; `size` in bytes."""

    report: ChainReport
    size: int


def back_up(path: Path, into: Path, *, connection: str, clock: Callable[[], datetime]) -> Copied:
    """Copies the store as it is at one moment, also while another process writes, and checks the copy: pages, chain and
    seals. `into` is not there before, and afterwards whole (mode 0600), or not there.

    Raises PermanentError (no store yet, or one that is not whole; `into` exists or cannot be written), and what
    `open_for_reading` raises.
    """
    try:
        refuse_unsafe(path, writing=False)
        there = path.exists()
    except OSError as error:
        raise not_readable(path, error) from error
    if not there:
        raise PermanentError(
            f"there is no store {path} yet: there is nothing to copy", hint="The first sync makes it."
        )
    beside = into.with_name(f".{into.name}.{secrets.token_hex(4)}")
    try:
        _copy(path, beside)
        with closing(open_for_reading(beside, connection=connection, clock=clock)) as store:
            report = store.verify_journal()
        if not report.intact:
            raise PermanentError(
                f"no backup was made: the store {path} is not what its audit trail says",
                hint="`syncd audit verify` names what is wrong; keep the file itself, and go back to an older backup.",
            )
        _name(beside, into)
        return Copied(report, into.stat().st_size)
    except OSError as error:
        raise PermanentError(
            f"the backup cannot be written to {into}: {error.strerror or error}", hint="Name another file."
        ) from error
    finally:
        for end in ("", *_LOGS):
            beside.with_name(beside.name + end).unlink(missing_ok=True)


def _copy(path: Path, beside: Path) -> None:
    """In one read transaction of SQLite: what others write meanwhile is not in it."""
    with explained(path), closing(connection_to(path, "ro")) as source:
        make_file(beside)
        with closing(connection_to(beside, "rw")) as copy:
            source.backup(copy)
            alone(copy)


def alone(copy: sqlite3.Connection) -> None:
    """Nobody has the lock of a copy, and it needs no log beside it."""
    if copy.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'writer'").fetchone():
        copy.execute("DELETE FROM writer")
    if copy.execute("PRAGMA journal_mode = DELETE").fetchone()[0] != "delete":
        raise TemporaryError("the copy is in use by another process", hint="Run it again.")


def connection_to(path: Path, mode: str) -> SqliteDb:
    uri = f"{path.absolute().as_uri()}?mode={mode}"
    return sqlite3.connect(uri, uri=True, isolation_level=None, timeout=_WAIT_SECONDS, factory=SqliteDb)


def _name(beside: Path, into: Path) -> None:
    """Gives the whole file its name, unless that is somebody's."""
    _durable(beside)
    try:
        os.link(beside, into, follow_symlinks=False)
    except FileExistsError:
        raise exists(into) from None
    except OSError:  # a file system without hard links
        if os.path.lexists(into):
            raise exists(into) from None
        beside.rename(into)
    _durable(into.parent)


def exists(into: Path) -> PermanentError:
    """What to raise where a copy would overwrite a file."""
    return PermanentError(
        f"{into} exists and is left as it is", hint="Name another file; nothing is overwritten."
    )


def _durable(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


# back again


@dataclass(frozen=True, slots=True)
class Restored:
    """What is in the store now; `kept` is where the one lies that was there before, None when there was none; `ended`
    what of the copy does not count any more.
    """

    report: ChainReport
    kept: Path | None
    ended: EndedByRestore


Judge = Callable[[SqliteStore], str]
"""Says in words to whom else a copy belongs; "" when it is the right one."""


def restore(
    source: Path,
    path: Path,
    *,
    connection: str,
    by: str,
    judge: Judge,
    entries: Entries,
    clock: Callable[[], datetime],
) -> Restored:
    """Puts a copy in the place of the store, which is kept beside it, paused; the audit trail goes on with a row that
    says so. What people had asked for in the copy is ended in the same transaction (module `restoring`).

    Raises RefusedError, and has changed nothing then: the copy is none, is damaged, was made by a newer version,
    belongs elsewhere, or somebody has the writer's lock. Raises ConfigurationError for a place that may not be used,
    PermanentError when it cannot be written.
    """
    with closing(scratch_beside(path)) as scratch:
        staged = scratch.path / path.name
        _fetch(source, staged)
        report = _judged(source, staged, connection, judge, clock)
        with nobodys(path, connection, clock):
            with closing(open_store(staged, connection=connection, clock=clock)) as store:
                ended = store.begin_again(report.head, by, entries, goes_on="syncd resume")
            with explained(staged), closing(connection_to(staged, "rw")) as copy:
                alone(copy)
            kept = swap(staged, path, clock())
    return Restored(report, kept, ended)


def _fetch(source: Path, staged: Path) -> None:
    """The file, with a log that lies beside it: somebody copied both. Raises UsageError, PermanentError."""
    try:
        for end in ("", "-wal"):
            beside, into = source.with_name(source.name + end), staged.with_name(staged.name + end)
            if end == "" or beside.is_file():
                make_file(into)
                with into.open("r+b") as file:
                    copy_regular(beside, file)
    except FileNotFoundError:
        raise UsageError(f"there is no file {source}", hint=_WHICH) from None
    except NotRegularError as error:
        raise UsageError(f"{source} is no backup: {error.strerror}", hint=_WHICH) from None
    except (OSError, ValueError) as error:
        raise PermanentError(
            f"{source} cannot be copied beside the store: {getattr(error, 'strerror', None) or error}",
            hint="Check the rights of both, and the room on the disk.",
        ) from error


_WHICH = "Name a file that was made as a backup of a store."


def _judged(
    source: Path, staged: Path, connection: str, judge: Judge, clock: Callable[[], datetime]
) -> ChainReport:
    """Raises RefusedError unless it is a whole store of this connection that this version can use."""
    if not staged.stat().st_size:
        raise RefusedError(f"{source} is empty: it is no backup", hint=_WHICH)
    try:
        with closing(open_for_reading(staged, connection=connection, clock=clock)) as store:
            elsewhere, report = judge(store), store.verify_journal()
    except (ConfigurationError, PermanentError) as error:
        said = error.message.replace(str(staged), str(source))
        raise RefusedError(f"{source} is not restored: {said}", hint=_WHICH) from error
    if elsewhere:
        raise RefusedError(
            f"{source} is not restored: it belongs to {elsewhere}",
            hint="Name the settings of that connection with --config; the store was not touched.",
        )
    if not report.intact:
        what = report.problem or ", ".join(each.table for each in report.altered)
        raise RefusedError(
            f"{source} is not restored: it is damaged or was changed by hand ({what})",
            hint="Take another backup; the store was not touched.",
        )
    return report


@contextmanager
def nobodys(path: Path, connection: str, clock: Callable[[], datetime]) -> Iterator[None]:
    """Nobody else has the lock of the store at `path`, nor its file open, until the end. Raises RefusedError,
    TemporaryError.
    """
    guard = FileLock.take(path)
    if guard is None:
        raise _owner(path) or lock.refused_by_nobody(lock_of(path).name)
    try:
        if path.exists():
            _refuse_living_owner(path, guard)
            _settle(path, connection, clock)
        yield
    finally:
        guard.close()


def _owner(path: Path) -> RefusedError | None:
    """The error that names who writes, as far as the store tells."""
    with (
        contextlib.suppress(SyncdError, sqlite3.Error, TypeError),
        closing(connection_to(path, "ro")) as conn,
    ):
        other = lock.current(conn)
        if other is not None and not process.has_ended(other):
            return lock.refused(other)
    return None


def _refuse_living_owner(path: Path, guard: FileLock) -> None:
    """Raises RefusedError when the store names an owner of whom nothing proves that it has ended."""
    with contextlib.suppress(sqlite3.Error, TypeError), closing(connection_to(path, "ro")) as conn:
        other = lock.current(conn)
        if other is not None and not lock.why_it_ended(other, guard):
            raise lock.refused(other)


def _settle(path: Path, connection: str, clock: Callable[[], datetime]) -> None:
    """Brings the store that is there into one file, so that nothing of it is left under its name. One that is no store,
    or a damaged one, is moved as it is. Raises TemporaryError when another process has it open.
    """
    try:
        with closing(open_for_reading(path, connection=connection, clock=clock)):
            pass
        with explained(path), closing(connection_to(path, "rw")) as conn:
            conn.execute("PRAGMA journal_mode = DELETE")
    except (ConfigurationError, PermanentError):
        return


def scratch_beside(path: Path) -> Scratch:
    """Where a store is made that is to lie at `path`. Raises ConfigurationError for a place that may not be used."""
    try:
        refuse_unsafe(path, writing=True)
        make_directory(path.parent)
        return Scratch(path.parent)
    except OSError as error:
        raise not_writable(path, error) from error


def swap(staged: Path, path: Path, now: datetime) -> Path | None:
    """Gives a store made there the name, and says where the one lies that had it before; None when there was none. At
    each moment a whole one has it. Raises ConfigurationError when it cannot be written.
    """
    try:
        return _swapped(staged, path, now)
    except OSError as error:
        raise not_writable(path, error) from error


def _swapped(staged: Path, path: Path, now: datetime) -> Path | None:
    os.chmod(staged, 0o600)  # noqa: PTH101  (beside the other calls on descriptors and names)
    _durable(staged)
    kept = None
    if os.path.lexists(path):
        kept = path.with_name(f"{path.name}.replaced-{now:%Y%m%dT%H%M%SZ}-{secrets.token_hex(2)}")
        for end in _LOGS:
            with contextlib.suppress(FileNotFoundError):
                path.with_name(path.name + end).rename(kept.with_name(kept.name + end))
        try:
            os.link(path, kept, follow_symlinks=False)
        except OSError:  # a file system without hard links
            path.rename(kept)
    staged.replace(path)
    _durable(path.parent)
    return kept
