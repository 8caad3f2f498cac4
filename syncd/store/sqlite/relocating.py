"""A store in a file, for who moves it to another place or from there: nobody else has it meanwhile."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from syncd.errors import LockHeld, StoreMoved, UsageError
from syncd.ports.trail import Head
from syncd.store.sqlite.connection import SqliteDb
from syncd.store.sqlite.copies import alone, connection_to, nobodys, scratch_beside, swap
from syncd.store.sqlite.faults import explained
from syncd.store.sqlite.opening import open_for_reading, open_store
from syncd.store.sqlite.transaction import transaction

Clock = Callable[[], datetime]


@contextmanager
def leaving(path: Path, place: str, *, connection: str, clock: Clock) -> Iterator[SqliteDb]:
    """The store at `path` in one transaction, committed at the end of the block; also one that was left behind for this
    very `place`: it may not have arrived. Raises UsageError without a file, LockHeld while somebody writes with it,
    StoreMoved, and what `open_store` raises.
    """
    if not os.path.lexists(path):
        raise UsageError(
            f"there is no store {path}",
            hint="name the store's file: syncd -c SETTINGS check says where it is",
        )
    with _alone_with(path, connection, clock):
        try:
            open_store(
                path, connection=connection, clock=clock
            ).close()  # of this version, and of this connection
        except StoreMoved as moved:
            if moved.place != place:
                raise
        with explained(path), closing(connection_to(path, "rw")) as conn, transaction(conn):
            yield conn


@dataclass(frozen=True, slots=True)
class Arrival:
    """Where a store arrives. `there` is the head of the trail of a living store that has the name already."""

    path: Path
    staged: Path
    there: Head | None
    _connection: str
    _clock: Clock

    @contextmanager
    def filling(self) -> Iterator[SqliteDb]:
        """An empty store beside the file, in one transaction; at the end of the block it is one whole file."""
        open_store(self.staged, connection=self._connection, clock=self._clock).close()
        with explained(self.staged), closing(connection_to(self.staged, "rw")) as conn:
            with transaction(conn):
                yield conn
            alone(conn)

    def put(self) -> Path | None:
        """Gives it the name; where the one lies that had it before, None when there was none."""
        return swap(self.staged, self.path, self._clock())


@contextmanager
def arriving(path: Path, *, connection: str, clock: Clock) -> Iterator[Arrival]:
    """Nobody else has a store at `path` until the end of the block. One that was left behind there makes room. Raises
    ConfigurationError for a place that may not be used or has another file, RefusedError while somebody writes with it.
    """
    with closing(scratch_beside(path)) as scratch, _alone_with(path, connection, clock):
        yield Arrival(path, scratch.path / path.name, _there(path, connection, clock), connection, clock)


@contextmanager
def _alone_with(path: Path, connection: str, clock: Clock) -> Iterator[None]:
    with ExitStack() as stack:
        try:
            stack.enter_context(nobodys(path, connection, clock))
        except LockHeld as held:
            raise LockHeld(
                held.message,
                hint=f"stop it first (a daemon: systemctl stop syncd), then again; {held.hint}",
                stands_still=held.stands_still,
            ) from held
        yield


def _there(path: Path, connection: str, clock: Clock) -> Head | None:
    if not os.path.lexists(path):
        return None
    try:
        with closing(open_for_reading(path, connection=connection, clock=clock)) as store:
            return Head.parse(store.journal_head()[1])
    except StoreMoved:
        return None
