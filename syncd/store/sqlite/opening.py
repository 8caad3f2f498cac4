"""Opens a store: for writing (creates, migrates, checks) or for reading (touches nothing)."""

from __future__ import annotations

import errno
import shutil
import sqlite3
import tempfile
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from syncd.errors import ConfigurationError, SyncdError
from syncd.redact import Redactor
from syncd.store import starting, state
from syncd.store.left_behind import refuse_moved
from syncd.store.ownership import refuse_replaced, refuse_unsafe
from syncd.store.place import BESIDE, Place
from syncd.store.private import Scratch, make_directory, make_file, narrow, sweep
from syncd.store.sqlite import schema
from syncd.store.sqlite.connection import FEW_PAGES, STATEMENTS_KEPT, SqliteDb
from syncd.store.sqlite.faults import (
    damaged,
    explained,
    explained_beside,
    no_scratch,
    not_a_store,
)
from syncd.store.sqlite.soundness import refuse_foreign_acts
from syncd.store.sqlite.store import SqliteStore
from syncd.store.sqlite.transaction import transaction
from syncd.store.unusable import not_readable, not_writable

_CHECKED_BYTES = 64 * 1024 * 1024
"""Up to this size every page is checked on opening; a larger store only shows damage where it is read."""
_WAIT_SECONDS = 10.0


def open_store(
    path: Path, *, connection: str, clock: Callable[[], datetime], redactor: Redactor | None = None
) -> SqliteStore:
    """Opens or creates the store of one connection for writing.

    `connection` is what the store belongs to, in words; `redactor` knows what must never be stored.

    Raises ConfigurationError (not a store, made by a newer
    syncd, another connection's, not writable), PermanentError (damaged, disk full), TemporaryError (locked).
    """
    try:
        refuse_unsafe(path, writing=True)
        make_directory(path.parent)
        make_file(path)
        for end in BESIDE:
            narrow(path.with_name(path.name + end))
        seen = refuse_unsafe(path, writing=True)  # what was made is ours too
    except OSError as error:
        raise not_writable(path, error) from error
    sweep(path.parent)
    with explained(path):
        conn = _connect(path, "rw", seen)
        try:
            _prepare_writing(path, conn, connection, clock)
        except BaseException:
            conn.close()
            raise
    return SqliteStore(conn, path, clock, scratch_home=path.parent, redactor=redactor)


def open_for_reading(
    path: Path, *, connection: str, clock: Callable[[], datetime], checked: bool = False
) -> SqliteStore:
    """Opens the store without writing to it; an empty one in a private place when there is none yet. `checked`: this
    process found the same file undamaged before, and does not read all of it again.

    A store of an older version, or one in a directory that cannot be written, is read from a private copy.
    Raises what `open_store` raises, except for not being writable.
    """
    try:
        seen = refuse_unsafe(path, writing=False)
    except OSError as error:
        raise not_readable(path, error) from error
    try:
        scratch = Scratch()
    except OSError as error:
        raise no_scratch(Path(tempfile.tempdir) if tempfile.tempdir else None, error) from error
    try:
        if not _exists(path):
            return _empty(path, scratch, connection, clock)
        try:
            with explained(path):
                conn = _connect_for_reading(path, seen)
        except SyncdError:
            refuse_replaced(path, seen)
            return _copied(path, scratch, connection, clock)
        try:
            with explained_beside(scratch.home, path):
                if _is_pending(path, conn, checked=checked):
                    conn = _migrated_copy(conn, scratch)
                    return _reader(conn, scratch.path / "store.db", path, scratch, connection, clock)
        except BaseException:
            conn.close()
            raise
        return _reader(conn, path, path, scratch, connection, clock)
    except BaseException:
        scratch.close()
        raise


def _exists(path: Path) -> bool:
    try:
        return path.stat().st_size > 0
    except FileNotFoundError:
        return False
    except OSError as error:
        raise not_readable(path, error) from error


def _connect(path: Path, mode: str, seen: Place | None = None) -> SqliteDb:
    """`seen` is what was judged: another file than that is not used."""
    conn = SqliteDb.of_file(path, mode, timeout=_WAIT_SECONDS, cached_statements=STATEMENTS_KEPT)
    if seen is not None:
        try:
            refuse_replaced(path, seen)
        except BaseException:
            conn.close()
            raise
    for pragma in (
        "foreign_keys = ON",
        "recursive_triggers = ON",
        f"cache_size = {FEW_PAGES}",
        "temp.page_size = 1024",
        "temp_store = FILE",
        "schema_version",
    ):
        conn.execute(f"PRAGMA {pragma}").fetchall()
    conn.widen()
    return conn


def _prepare_writing(path: Path, conn: SqliteDb, connection: str, clock: Callable[[], datetime]) -> None:
    pages = conn.execute("PRAGMA page_count").fetchone()[0]
    if pages:
        _refuse_foreign(path, conn)
        _refuse_damaged(path, conn)
    if conn.execute("PRAGMA journal_mode = WAL").fetchone()[0] != "wal":
        raise not_writable(path, sqlite3.OperationalError("write-ahead logging is not possible there"))
    for pragma in ("synchronous = FULL", "journal_size_limit = 67108864"):
        conn.execute(f"PRAGMA {pragma}")
    # A write that changes nothing shows now whether the file takes writes at all.
    with transaction(conn):
        conn.execute(f"PRAGMA application_id = {schema.APPLICATION_ID}")
    database = schema.database(conn)
    if schema.pending_migrations(database):
        schema.migrate(database)
    refuse_foreign_acts(conn)
    if state.get_meta(conn, starting.STARTED) is None:
        with transaction(conn):
            starting.start(conn, clock())
    with transaction(conn):
        starting.go_on(conn, clock())
    refuse_moved(conn, f"the store {path}")
    owner = state.get_meta(conn, "identity")
    if owner is None:
        with transaction(conn):
            state.set_meta(conn, "identity", connection)
    else:
        _refuse_other_owner(path, owner, connection)


def _refuse_foreign(path: Path, conn: SqliteDb) -> None:
    tables = conn.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    ours = conn.execute("PRAGMA application_id").fetchone()[0] == schema.APPLICATION_ID
    if tables and not ours:
        raise not_a_store(path)
    unknown = schema.unknown_migrations(schema.database(conn)) if tables else []
    if unknown:
        raise ConfigurationError(
            f"the store {path} was made by a newer syncd (it knows the schema step {unknown[-1]})",
            hint="run that newer version, or give this one another state directory",
        )


def _refuse_damaged(path: Path, conn: SqliteDb) -> None:
    if path.stat().st_size > _CHECKED_BYTES:
        return
    found = conn.execute("PRAGMA quick_check(1)").fetchone()[0]
    if found != "ok":
        raise damaged(path, str(found).splitlines()[0])


def _refuse_other_owner(path: Path, owner: str, connection: str) -> None:
    if owner != connection:
        raise ConfigurationError(
            f"the store {path} belongs to {owner}, not to {connection}",
            hint="two connections cannot share a store: give this one another name or state directory;"
            " if the app or the target really moved, move the old store away first",
        )


# reading


def _connect_for_reading(path: Path, seen: Place) -> SqliteDb:
    """A connection that is not allowed to write.

    Without a write-ahead log beside the file, opening it read-write (and never writing) leaves no -wal and -shm
    behind; with one, opening it read-only leaves them as they are.
    """
    log = path.with_name(f"{path.name}-wal")
    conn = _connect(path, "ro" if log.exists() else "rw", seen)
    try:
        conn.execute("PRAGMA query_only = ON")
        conn.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except BaseException:
        conn.close()
        raise
    return conn


def _is_pending(path: Path, conn: SqliteDb, *, checked: bool = False) -> bool:
    _refuse_foreign(path, conn)
    if not checked:
        _refuse_damaged(path, conn)
    return bool(schema.pending_migrations(schema.database(conn)))


def _migrated_copy(conn: SqliteDb, scratch: Scratch) -> SqliteDb:
    place = scratch.path / "store.db"
    make_file(place)
    copy = _connect(place, "rw")
    conn.backup(copy)
    conn.close()
    schema.migrate(schema.database(copy))
    return copy


def _copied(path: Path, scratch: Scratch, connection: str, clock: Callable[[], datetime]) -> SqliteStore:
    """The file and its log in a private place: SQLite needs a writable directory even to read in WAL mode."""
    place = scratch.path / "store.db"
    try:
        for suffix in ("", "-wal"):
            original = path.with_name(path.name + suffix)
            if original.exists():
                shutil.copyfile(original, place.with_name(place.name + suffix))
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise no_scratch(scratch.home, error) from error
        raise not_readable(path, error) from error
    with explained_beside(scratch.home, path):
        conn = _connect(place, "rw")
        try:
            if _is_pending(path, conn):
                schema.migrate(schema.database(conn))
        except BaseException:
            conn.close()
            raise
    return _reader(conn, place, path, scratch, connection, clock)


def _empty(path: Path, scratch: Scratch, connection: str, clock: Callable[[], datetime]) -> SqliteStore:
    place = scratch.path / "store.db"
    with explained_beside(scratch.home, path):
        make_file(place)
        conn = _connect(place, "rw")
        conn.execute("PRAGMA journal_mode = WAL")
        schema.migrate(schema.database(conn))
    return _reader(conn, place, path, scratch, connection, clock)


def _reader(
    conn: SqliteDb,
    place: Path,
    path: Path,
    scratch: Scratch,
    connection: str,
    clock: Callable[[], datetime],
) -> SqliteStore:
    """`place` is what is read, `path` what it stands for."""
    with explained(path):
        owner = state.get_meta(conn, "identity")
        conn.execute("PRAGMA query_only = ON")
        try:
            refuse_moved(conn, f"the store {path}")
            if owner is not None:
                _refuse_other_owner(path, owner, connection)
        except ConfigurationError:
            conn.close()
            raise
    return SqliteStore(conn, path, clock, place=place, scratch=scratch)
