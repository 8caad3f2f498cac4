"""The staging area of one cycle on PostgreSQL: temporary tables of a session that the stage has for itself."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import psycopg
from psycopg.pq import TransactionStatus

from syncd.store.db import Db
from syncd.store.postgres import stage_tables
from syncd.store.postgres.connection import PostgresDb
from syncd.store.postgres.dialect import IN_STAGE, render
from syncd.store.postgres.faults import explained
from syncd.store.postgres.sessions import Session, Sessions
from syncd.store.rows import Row
from syncd.store.stage.questions import StageQuestions
from syncd.store.stage.tables import MEMBER_CASES, MEMBER_REMOVALS, WHOLE_READ

PAGE = 500
_ANALYZE_AFTER = 2_000
"""Rows: PostgreSQL looks at no temporary table by itself, and without statistics plans for a few rows."""
_JOINED_IN_ORDER = frozenset({MEMBER_CASES, MEMBER_REMOVALS})
"""From the candidates on each join looks up by a key. To look for another order among twenty took PostgreSQL a hundred
times as long as to answer for one candidate, and made no answer for a hundred thousand quicker.
"""
_TYPES = {int: "bigint", str: "text"}


class StageTables:
    """Implements `StageSession`. Safe to share between threads: one of them is inside at a time."""

    def __init__(self, sessions: Sessions, connection: int) -> None:
        self._url = sessions.url
        self._lock = threading.RLock()
        self.session: Session = sessions.take(connection)
        # Whoever forgets to close a stage has no session for ever.
        self._end = weakref.finalize(self, sessions.give_back, self.session)
        self._closed = False
        self._analyzed = 0
        try:
            with explained(self._url):
                self._prepare()
        except BaseException:
            self.close()
            raise
        self.db = PostgresDb(self.session, IN_STAGE)

    def _prepare(self) -> None:
        conn = self.session.conn
        if self.session.has_stage:
            conn.execute(stage_tables.EMPTIED.encode())
            return
        with conn.transaction():
            for statement in stage_tables.made():
                conn.execute(statement.encode())
            for view in stage_tables.laid_over():
                conn.execute(render(view, IN_STAGE).text)
        self.session.has_stage = True

    @contextmanager
    def short(self) -> Iterator[Db]:
        """See `StageSession.short`."""
        with self._lock, explained(self._url):
            self._refuse_if_closed()
            conn = self.session.conn
            try:
                with conn.pipeline():  # who is not asked for an answer waits for none
                    conn.execute("BEGIN")
                    yield self.db
                    conn.execute("COMMIT")
                self.db.answered()
            except BaseException:
                if not conn.closed and conn.info.transaction_status != TransactionStatus.IDLE:
                    conn.execute("ROLLBACK")
                raise

    @contextmanager
    def asking(self) -> Iterator[Db]:
        """See `StageSession.asking`."""
        with self._lock, explained(self._url):
            self._refuse_if_closed()
            yield self.db

    asking_beside = asking
    """Temporary tables are of one session: who asks waits for its turn."""

    def _refuse_if_closed(self) -> None:
        """Its session may be another stage's by now: whoever still reads for it must not touch that one."""
        if self._closed:
            raise psycopg.InterfaceError("the stage is closed")

    def revision(self) -> int:
        """See `StageSession.revision`."""
        return self._number("revision")

    def whole_read(self) -> int:
        """See `StageSession.whole_read`."""
        return self._number(WHOLE_READ)

    def _number(self, key: str) -> int:
        with self.asking() as db:
            row = db.execute("SELECT value FROM store.meta WHERE key = ?", (key,)).fetchone()
        return int(row[0]) if row else 0

    def pages(
        self,
        select: str,
        given: Sequence[Any],
        handed_out: str,
        *,
        prepare: Callable[[Db], None] | None = None,
    ) -> Iterator[list[Row]]:
        """See `StageSession.pages`: the queue is a cursor, and each page of it goes back with the question about it."""
        with self.short() as db:
            if prepare is not None:
                prepare(db)
            self.analyze()
        with self.asking(), self._in_order(select):
            queue = self.db.stream(select, given)
        first = 1
        try:
            while True:
                with self.asking() as db:
                    ids = queue.fetchmany(PAGE)
                    rows = self._handed_out(handed_out, first, ids) if ids else []
                if rows:
                    yield rows
                if len(ids) < PAGE:
                    return
                first += len(ids)
        finally:
            with self._lock, explained(self._url):
                if not self._closed and not self.session.conn.closed:
                    queue.close()

    @contextmanager
    def _in_order(self, select: str) -> Iterator[None]:
        """A question in whose text the order of the joins is the one to take: nobody looks for another."""
        if select not in _JOINED_IN_ORDER:
            yield
            return
        conn = self.session.conn
        conn.execute("SET join_collapse_limit = 1")
        try:
            yield
        finally:
            if not conn.closed:
                conn.execute("RESET join_collapse_limit")

    def _handed_out(self, handed_out: str, first: int, ids: Sequence[Row]) -> list[Row]:
        columns = list(zip(*ids, strict=True))
        values: list[Sequence[Any]] = [range(first, first + len(ids)), *columns]
        types = ["bigint", *(_type_of(column) for column in columns)]
        given = ", ".join(f"${at}::{kind}[]" for at, kind in enumerate(types, start=1))
        queue = f"unnest({given}) AS q(n, {', '.join('abcd'[: len(columns)])})"
        text = render(handed_out.replace("{queue} q", "queued_here"), IN_STAGE).text.decode()
        query = f"{text.replace('queued_here', queue)} ORDER BY q.n"
        return self.session.conn.execute(query.encode(), [list(each) for each in values]).fetchall()

    def analyze(self) -> None:
        """Has PostgreSQL know how much there is, if much has come since it last looked."""
        if self.db.total_changes > 2 * self._analyzed + _ANALYZE_AFTER:
            self._analyzed = self.db.total_changes
            self.session.conn.execute(stage_tables.analyzed().encode())

    def index_spool(self, names: Iterable[str]) -> None:
        """See `StageSession.index_spool`: they are there from the beginning."""

    def close(self) -> None:
        """See `StageSession.close`."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._end()


def _type_of(column: Sequence[Any]) -> str:
    """Of what a page of the queue holds in a column."""
    known = {type(value) for value in column} - {type(None)}
    if len(known) > 1:
        raise TypeError(f"a queue holds {known}")
    return _TYPES[known.pop()] if known else "text"


class PostgresStage(StageQuestions):
    """Implements `ports.Stage`."""

    def __init__(self, sessions: Sessions, connection: int, clock: Callable[[], datetime]) -> None:
        """Raises SyncdError."""
        self.tables = StageTables(sessions, connection)
        try:
            super().__init__(self.tables, clock)
        except BaseException:
            self.tables.close()
            raise
