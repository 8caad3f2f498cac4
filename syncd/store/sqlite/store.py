"""The store of one connection on SQLite: implements `ports.Store`."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime, timedelta
from pathlib import Path

from syncd.closing import Closing
from syncd.ports.stage import Stage
from syncd.redact import Redactor
from syncd.store import journal
from syncd.store.acts import StoreActs
from syncd.store.db import Db
from syncd.store.private import Scratch, make_file
from syncd.store.seals import Seals
from syncd.store.sqlite.connection import SqliteDb
from syncd.store.sqlite.faults import explained, explained_beside, no_scratch
from syncd.store.sqlite.sealing import Watch
from syncd.store.sqlite.soundness import refuse_foreign_acts
from syncd.store.sqlite.stage import SqliteStage
from syncd.store.sqlite.transaction import transaction
from syncd.store.stage.tables import views
from syncd.store.writership import Writership


class SqliteStore(StoreActs, Closing):
    """Opened by `opening`. Safe to share between threads: one of them is inside at a time."""

    def __init__(
        self,
        conn: SqliteDb,
        path: Path,
        clock: Callable[[], datetime],
        *,
        place: Path | None = None,
        scratch: Scratch | None = None,
        scratch_home: Path | None = None,
        redactor: Redactor | None = None,
    ) -> None:
        """`place` is the file that is read when it is a copy of `path`."""
        super().__init__(clock, Seals(conn))
        self.path = path
        self._conn = conn
        self._place = place or path
        self._scratch, self._scratch_home = scratch, scratch_home
        self._stages: weakref.WeakSet[SqliteStage] = weakref.WeakSet()
        self._stage_number = 0
        self._writer = Writership(path, clock, self._reading, self._transaction, self._unwatched)
        self._redactor = redactor or Redactor()
        self._watch = None if scratch_home is None else Watch(conn, self._seals)
        self._rests = False
        self.rest()  # every page was looked at
        self._schema_version: int | None = None
        self._seen_version: object = None
        self._closed = False

    # plumbing

    @contextmanager
    def _reading(self) -> Iterator[SqliteDb]:
        with self._lock, explained(self.path):
            self._wake()
            yield self._conn

    def _wake(self) -> None:
        if self._rests:
            self._conn.widen()
            self._rests = False

    @contextmanager
    def _transaction(self) -> Iterator[SqliteDb]:
        """One durable transaction; nothing of it stays when the block fails."""
        with self._lock, explained(self.path):
            self._wake()
            if self._watch is not None:
                self._watch.begin()
            try:
                with transaction(self._conn) as conn:
                    self._seals.began()
                    self._same_schema(conn)
                    yield conn
                    if self._seals.pending:
                        journal.append_note(conn, {}, self._clock(), seal=self._seals.handed_over)
            except BaseException:
                self._seals.undone()
                raise

    @contextmanager
    def _unwatched(self) -> Iterator[SqliteDb]:
        """As `_transaction`, for the row of the writer's lock alone, which no guard is over: what rests goes on so."""
        with self._lock, explained(self.path), transaction(self._conn) as conn:
            self._same_schema(conn)
            yield conn

    def _same_schema(self, conn: SqliteDb) -> None:
        """Raises ConfigurationError when somebody put what acts in our transactions into the file meanwhile."""
        (version,) = conn.execute("PRAGMA schema_version").fetchone()
        if version != self._schema_version:
            refuse_foreign_acts(conn)
            self._schema_version = version

    def _writing(self) -> AbstractContextManager[Db]:
        """As `_transaction`; raises LockLost, and writes nothing, when another process took this one's lock over."""
        return self._writer.writing()

    def rest(self) -> None:
        """See `ports.Store.rest`."""
        with self._lock, explained(self.path):
            if self._conn.in_transaction:
                return
            if self._watch is not None:
                self._watch.end()
            self._conn.shrink()
            self._rests = True

    def requests_moved(self) -> bool:
        """See `ports.RequestRecords.requests_moved`."""
        if not self._lock.acquire(blocking=False):
            return False
        try:
            version = self._conn.version()
        finally:
            self._lock.release()
        moved = version != self._seen_version
        self._seen_version = version
        return moved

    # single writer

    def lock(self, owner: str, *, expires_in: timedelta, serves: bool = False) -> None:
        """See `ports.Store.lock`."""
        self._writer.take(owner, expires_in, serves=serves)

    def renew_lock(self) -> None:
        """See `ports.Store.renew_lock`."""
        self._writer.renew()

    def permit(self) -> None:
        """See `ports.Store.permit`."""
        self._writer.permit()

    def unlock(self) -> None:
        """See `ports.Store.unlock`."""
        self._writer.give_back()

    # state

    def stage(self) -> Stage:
        """See `ports.Store.stage`."""
        with self._lock:
            if self._scratch is None:
                try:
                    self._scratch = Scratch(self._scratch_home)
                except OSError as error:
                    raise no_scratch(self._scratch_home, error) from error
            self._stage_number += 1
            file = self._scratch.path / f"stage-{self._stage_number}.db"
            with explained_beside(self._scratch.home, self.path):
                make_file(file)
            stage = SqliteStage(file, f"{self._place.absolute().as_uri()}?mode=ro", self.path, self._clock)
            self._stages.add(stage)
            return stage

    def absorb(self, stage: Stage, *, confirmed_absent: Mapping[str, datetime]) -> None:
        """Raises TypeError for a stage of another kind of store."""
        if not isinstance(stage, SqliteStage):
            raise TypeError("a stage belongs to the store that made it")
        with self._reading():
            self._conn.execute("ATTACH ? AS stage", (f"{stage.path.absolute().as_uri()}?mode=ro",))
            try:
                with self._writing() as conn:
                    for view in views("stage", "main"):
                        conn.execute(view)
                    self._absorb(conn, stage, confirmed_absent)
            finally:
                self._conn.execute("DETACH stage")

    def close(self) -> None:
        """Gives the lock back, removes what is private, closes the file. May be called twice."""
        with self._lock:
            if self._closed:
                return
            try:
                self.unlock()
            finally:
                self._closed = True
                self._writer.close()
                for stage in list(self._stages):
                    stage.close()
                self._conn.close()
                if self._scratch is not None:
                    self._scratch.close()
