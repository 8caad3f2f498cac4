"""The store of one connection of a fleet on PostgreSQL: implements `ports.Store`.

Who may write says the row in `owner`: each transaction that writes begins with a look at it that a takeover waits for
(FOR SHARE), and after a takeover finds its own epoch and token no more. No clock is asked. What was written to the
target is recorded by whoever wrote it, as long as nobody else has settled it.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeVar

import psycopg
from psycopg.pq import TransactionStatus

from syncd.closing import Closing
from syncd.errors import LockHeld, LockLost, SyncdError
from syncd.ports.stage import Stage
from syncd.redact import Redactor
from syncd.store import journal, lock, process
from syncd.store.acts import StoreActs
from syncd.store.db import Db, Rows
from syncd.store.history_reads import PAGE
from syncd.store.postgres.connection import PostgresDb
from syncd.store.postgres.dialect import IN_STORE
from syncd.store.postgres.faults import explained
from syncd.store.postgres.seals import PostgresSeals, watch
from syncd.store.postgres.sessions import Sessions
from syncd.store.postgres.stage import PostgresStage
from syncd.store.process import Holder
from syncd.store.rows import Row

T = TypeVar("T")

WRITERS = 0x53594E44
"""Of pg_advisory_xact_lock, with the connection: one transaction after the other appends to a connection's trail."""
_FENCE = "SELECT 1 FROM owner WHERE connection = $1 AND epoch = $2 AND token = $3::uuid FOR SHARE"
ANALYZE_AFTER = 5_000
"""Rows: PostgreSQL looks by itself, and later than the next question, which would be planned for empty tables."""
ANALYZE = b"ANALYZE (SKIP_LOCKED) syncd.users_t, syncd.groups_t, syncd.members_t"
"""Without statistics PostgreSQL takes each connection for one of two hundred that are equally large."""


@dataclass(frozen=True, slots=True)
class StoreClaim:
    """The right to write, as the row in `owner` has it. `permit` raises LockLost once it may have ended. `history`: the
    course of the database in which it was given, where that is known.
    """

    epoch: int
    token: str
    permit: Callable[[], None]
    history: str = ""


class PostgresStore(StoreActs, Closing):
    """Opened by `opening`. Safe to share between threads: one of them is inside at a time."""

    def __init__(
        self,
        sessions: Sessions,
        stages: Sessions,
        connection: int,
        clock: Callable[[], datetime],
        *,
        claim: StoreClaim | None = None,
        decides: bool = False,
        redactor: Redactor | None = None,
    ) -> None:
        """`stages` lends the sessions that stages have for themselves; both pools are the caller's to close. Without a
        claim nothing is written but what everybody may write: requests; and what people decide, if it `decides`.
        """
        with sessions.borrow(connection) as session:
            super().__init__(clock, PostgresSeals(PostgresDb(session, IN_STORE)))
        self._sessions, self._stage_sessions = sessions, stages
        self._connection, self._url = connection, sessions.url
        self._claim, self._decides = claim, decides
        self._redactor = redactor or Redactor()
        self._held: PostgresDb | None = None
        self._stages: weakref.WeakSet[PostgresStage] = weakref.WeakSet()
        self._mine: Holder | None = None
        self._seen: object = None
        self._closed = False

    # plumbing

    @contextmanager
    def _reading(self) -> Iterator[PostgresDb]:
        with self._lock, explained(self._url):
            if self._held is not None:
                yield self._held
                return
            with self._sessions.borrow(self._connection) as session:
                self._held = self._seals.conn = PostgresDb(session, IN_STORE)
                try:
                    yield self._held
                finally:
                    self._held = None

    @contextmanager
    def _on(self, db: PostgresDb) -> Iterator[None]:
        """Everything in the block happens in this session."""
        with self._lock:
            before, self._held = self._held, db
            self._seals.conn = db
            try:
                yield
            finally:
                self._held = before

    @contextmanager
    def _transaction(self) -> Iterator[PostgresDb]:
        with self._reading() as db:
            watch(db.session)
            conn = db.session.conn
            try:
                conn.execute("BEGIN")
                conn.execute("SELECT pg_advisory_xact_lock($1::int, $2::int)", (WRITERS, self._connection))
                self._seals.began()
                yield db
                if self._seals.pending:
                    journal.append_note(db, {}, self._clock(), seal=self._seals.handed_over)
                conn.execute("COMMIT")
            except BaseException:
                self._seals.undone()
                with suppress(psycopg.Error):
                    if not conn.closed and conn.info.transaction_status != TransactionStatus.IDLE:
                        conn.execute("ROLLBACK")
                raise

    @contextmanager
    def _writing(self) -> Iterator[PostgresDb]:
        if self._decides:  # a person's word counts whoever the owner is; writers come one after the other
            with self._transaction() as db:
                yield db
            return
        claim = self._claimed()
        with self._transaction() as db:
            if claim.history and db.session.history not in ("", claim.history):
                raise LockLost(
                    "the database failed over, or was put back: its store may know less than this process, which"
                    " writes nothing more",
                    hint="whoever has the connection next begins with what the store knows",
                )
            fence = (self._connection, claim.epoch, claim.token)
            if db.session.conn.execute(_FENCE, fence).fetchone() is None:
                raise self._lost(db)
            yield db

    def writing(self) -> AbstractContextManager[PostgresDb]:
        """A transaction for what belongs to opening, under the claim."""
        return self._writing()

    def reading(self) -> AbstractContextManager[PostgresDb]:
        """For what belongs to opening, of who only reads."""
        return self._reading()

    def _settling(self) -> AbstractContextManager[Db]:
        """Also by who lost the claim: it is what happened at the target. What the new owner settled stays."""
        self._claimed()
        return self._transaction()

    def _claimed(self) -> StoreClaim:
        if self._claim is None:
            raise LockHeld(
                "this store was opened to be read: the worker that owns the connection writes",
                hint="syncd fleet status names it",
            )
        return self._claim

    def _lost(self, db: PostgresDb) -> LockLost:
        asked = "SELECT worker, since FROM owner WHERE connection = $1"
        row = db.session.conn.execute(asked, (self._connection,)).fetchone()
        worker, since = row if row is not None else (None, None)
        who = f"worker {worker} owns it since {since:%Y-%m-%dT%H:%M:%SZ}" if worker else "nobody owns it now"
        return LockLost(
            f"this process has lost the connection: {who}; it writes nothing more",
            hint="what it left undone, the owner does",
        )

    def _rows(
        self, ask: Callable[[Db], Rows], tell: Callable[[Db, Sequence[Row]], Iterable[T]], page: int = PAGE
    ) -> Iterator[T]:
        """A long answer has a session for itself until its end, but within one moment."""
        if self._held is not None:
            yield from _told(self._held, ask, tell, page)
            return
        with self._sessions.borrow(self._connection) as session, explained(self._url):
            yield from _told(PostgresDb(session, IN_STORE), ask, tell, page)

    def rest(self) -> None:
        """See `ports.Store.rest`: idle sessions are the pool's."""

    def requests_moved(self) -> bool:
        """See `ports.RequestRecords.requests_moved`."""
        if not self._lock.acquire(blocking=False):
            return False
        try:
            with self._reading() as db:
                seen = db.execute(
                    "SELECT count(*), max(place), sum(stop_asked) FROM requests WHERE state IN ('waiting', 'taken')"
                ).fetchone()
        finally:
            self._lock.release()
        moved = bool(seen != self._seen)
        self._seen = seen
        return moved

    # single writer

    def lock(self, owner: str, *, expires_in: timedelta, serves: bool = False) -> None:
        """See `ports.Store.lock`: who owns the connection has it."""
        claim = self._claimed()
        with self._writing() as db:
            now, before = self._clock(), lock.current(db)
            made = process.this_process(owner, now, expires_in, "", serves=serves)
            mine = replace(made, token=f"{claim.epoch}:{claim.token}")
            taken = before if before is not None and before.token != mine.token else None
            lock.write(db, mine, taken, "it owns the connection no more", now)
        self._mine = mine

    def renew_lock(self) -> None:
        """See `ports.Store.renew_lock`."""
        if self._mine is None:
            raise ValueError("there is no lock to renew")
        with self._writing() as db:
            lock.renew(db, self._clock() + timedelta(seconds=self._mine.lasts))

    def permit(self) -> None:
        """See `ports.Store.permit`."""
        if self._mine is None:
            raise LockLost("the store's lock was given back; nothing more is sent")
        self._claimed().permit()

    def unlock(self) -> None:
        """See `ports.Store.unlock`."""
        if self._mine is not None:
            with self._transaction() as db:
                lock.release(db, self._mine)
            self._mine = None

    # state

    def stage(self) -> Stage:
        """See `ports.Store.stage`."""
        stage = PostgresStage(self._stage_sessions, self._connection, self._clock)
        self._stages.add(stage)
        return stage

    def absorb(self, stage: Stage, *, confirmed_absent: Mapping[str, datetime]) -> None:
        """Raises TypeError for a stage of another kind of store. Happens in the stage's session, which sees both."""
        if not isinstance(stage, PostgresStage):
            raise TypeError("a stage belongs to the store that made it")
        with self._lock, stage.tables.asking():
            stage.tables.analyze()
            db = PostgresDb(stage.tables.session, IN_STORE)
            with self._on(db), self._writing() as conn:
                self._absorb(conn, stage, confirmed_absent)
            if db.total_changes > ANALYZE_AFTER:
                db.session.conn.execute(ANALYZE)

    def close(self) -> None:
        """Gives the lock back and the sessions of its stages. May be called twice."""
        with self._lock:
            if self._closed:
                return
            try:
                with suppress(SyncdError):  # a lock of who does not live is no lock
                    self.unlock()
            finally:
                self._closed = True
                for stage in list(self._stages):
                    stage.close()


def _told(
    db: PostgresDb,
    ask: Callable[[Db], Rows],
    tell: Callable[[Db, Sequence[Row]], Iterable[T]],
    page: int,
) -> Iterator[T]:
    cursor = ask(db)
    while rows := cursor.fetchmany(page):
        yield from tell(db, rows)
