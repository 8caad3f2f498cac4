"""The writer's lock in the hands of one open store: the file lock, the row, the lease."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime, timedelta
from pathlib import Path

from syncd.errors import LockLost, LockWatched
from syncd.store import lease, lock, process
from syncd.store.db import Db
from syncd.store.file_lock import FileLock, place
from syncd.store.lease import Lease, Sighting
from syncd.store.process import Holder

Opened = Callable[[], AbstractContextManager[Db]]
_TRIES, _BETWEEN = 20, 0.05
"""How often, and after how many seconds, a file lock is asked for that its owner is just taking or giving back."""
_LONGEST = 3600.0
"""So many seconds is the longest silence that a row can ask for."""


class Writership:
    """Whether, and since when, this store may write."""

    def __init__(
        self,
        path: Path,
        clock: Callable[[], datetime],
        reading: Opened,
        transaction: Opened,
        row_alone: Opened,
    ) -> None:
        """`reading` and `transaction` are the store's; so is `row_alone`, in which the lock's row alone may change."""
        self._path = path
        self._clock = clock
        self._reading, self._transaction, self._row_alone = reading, transaction, row_alone
        self._guard: FileLock | None = None
        self._sighting: Sighting | None = None
        self._lease: Lease | None = None

    def take(self, owner: str, lasts: timedelta, *, serves: bool = False) -> None:
        """As `ports.Store.lock`."""
        if self._lease is not None:
            self.renew()
            return
        try:
            self._guard = self._guard or self._guarded()
            self._take(self._guard, owner, lasts, serves=serves)
        except LockWatched:  # the file lock is kept meanwhile: one process is enough to watch
            raise
        except BaseException:
            self._let_go()
            raise
        self._sighting = None

    def _guarded(self) -> FileLock:
        for _ in range(_TRIES):
            guard = FileLock.take(self._path)
            if guard is not None:
                return guard
            with self._reading() as conn:
                other = lock.current(conn)
            if other is not None and not process.has_ended(other):
                raise lock.refused(other)
            time.sleep(_BETWEEN)
        raise lock.refused_by_nobody(place(self._path).name)

    def _take(self, guard: FileLock, owner: str, lasts: timedelta, *, serves: bool) -> None:
        reading = lease.elapsed()
        with self._reading() as conn:
            other = lock.current(conn)
        because = ""
        if other is not None:
            because = lock.why_it_ended(other, guard) or self._no_renewal(other, guard, lasts)
        with self._transaction() as conn:
            found = lock.current(conn)
            if found is not None and (other is None or found.mark != other.mark):
                raise lock.refused(found)
            now = self._clock()
            mine = process.this_process(owner, now, lasts, guard.identity, serves=serves)
            lock.write(conn, mine, found, because, now)
        self._lease = Lease(mine, lasts, now, reading)

    def _no_renewal(self, other: Holder, guard: FileLock, lasts: timedelta) -> str:
        """Raises LockWatched until it was not renewed for as long as it lasts, RefusedError once it was."""
        looked, before = lease.steady(), self._sighting
        if before is not None and before.mark != other.mark:
            raise lock.refused(other)
        seen = self._sighting = before.again(looked) if before else Sighting(other.mark, looked)
        needed = min(max(other.lasts, lasts.total_seconds()), _LONGEST)
        if seen.missing < needed:
            raise lock.watched(other, guard, timedelta(seconds=needed - seen.missing))
        return f"no renewal of it had been seen for {seen.missing:.0f} s"

    def renew(self) -> None:
        """Raises LockLost when it is another's, ValueError when it was never taken."""
        mine = self._lease
        if mine is None:
            raise ValueError("there is no lock to renew")
        reading, now = lease.elapsed(), self._clock()
        with self._row_alone() as conn:
            self._require(conn, mine)
            lock.renew(conn, now + mine.lasts)
        mine.renewed(now, reading)

    def permit(self) -> None:
        """As `ports.Store.permit`."""
        mine = self._lease
        if mine is None:
            raise LockLost("the store's lock was given back; nothing more is sent")
        if mine.ended is not None:
            raise LockLost(mine.ended.message, hint=mine.ended.hint)  # a new one for each who asks
        if mine.in_doubt(self._clock()):
            self.renew()

    @contextmanager
    def writing(self) -> Iterator[Db]:
        """A transaction; raises LockLost, and writes nothing, when another process took this one's lock over. A long
        one renews the lock at its end: nobody could while it lasted.
        """
        mine, renewed = self._lease, None
        with self._transaction() as conn:
            if mine is not None:
                self._require(conn, mine)
            yield conn
            if mine is not None and mine.is_due():
                renewed = self._clock(), lease.elapsed()
                lock.renew(conn, renewed[0] + mine.lasts)
        if mine is not None and renewed is not None:
            mine.renewed(*renewed)

    @staticmethod
    def _require(conn: Db, mine: Lease) -> None:
        try:
            lock.require(conn, mine.holder, mine.age)
        except LockLost as lost:
            mine.ended = lost
            raise

    def give_back(self) -> None:
        """First the row, then the file: who comes between waits a moment."""
        if self._lease is not None:
            with self._row_alone() as conn:
                lock.release(conn, self._lease.holder)
            self._lease = None
        self._let_go()

    def close(self) -> None:
        """What is left when giving back failed, or there was nothing to give back yet."""
        self._let_go()

    def _let_go(self) -> None:
        if self._guard is not None:
            self._guard.close()
            self._guard = None
        self._sighting = None
