"""A session of PostgreSQL, as the store's modules know a database."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from psycopg.pq import TransactionStatus

from syncd.ports.trail import Altered
from syncd.store.db import Given, Rows
from syncd.store.postgres import sealing
from syncd.store.postgres.dialect import Places, Rendered, render
from syncd.store.postgres.sessions import Session

_PAGE = 500
_READING_LASTS = "30min"
"""So long may a reader stand still in its snapshot: it keeps no row locked, and a report may be slow to be written."""
_NAMES = itertools.count(1)


class Stream:
    """A long answer, which stays at the server; rows come by the page. Closed at its end, or with its session."""

    rowcount = -1

    def __init__(self, session: Session, rendered: Rendered, values: Sequence[Any]) -> None:
        self._session = session
        self._name = f"stream_{next(_NAMES)}"
        # Outside of a transaction it is worked out whole before the first row is asked for, and outlives that.
        held = session.conn.info.transaction_status == TransactionStatus.IDLE
        hold = "WITH HOLD " if held else ""
        session.conn.execute(
            f"DECLARE {self._name} NO SCROLL CURSOR {hold}FOR ".encode() + rendered.text, values
        )
        self._over = False

    def fetchmany(self, size: int = _PAGE, /) -> list[Any]:
        """No more than `size` rows, none at the end."""
        if self._over:
            return []
        rows = self._session.conn.execute(f"FETCH {size} FROM {self._name}".encode()).fetchall()
        if len(rows) < size:
            self.close()
        return rows

    def fetchone(self) -> Any:
        """The next row, None at the end."""
        rows = self.fetchmany(1)
        return rows[0] if rows else None

    def fetchall(self) -> list[Any]:
        """The rest."""
        return list(self)

    def __iter__(self) -> Iterator[Any]:
        while rows := self.fetchmany(_PAGE):
            yield from rows

    def close(self) -> None:
        """Frees what the server keeps for it. May be called twice."""
        if not self._over:
            self._over = True
            self._session.conn.execute(f"CLOSE {self._name}".encode())


class PostgresDb:
    """Implements `store.db.Db` for whoever has borrowed the session."""

    def __init__(self, session: Session, places: Places) -> None:
        self.session = session
        self._places = places
        self._changed = 0
        self._unanswered: list[Rows] = []

    @property
    def total_changes(self) -> int:
        """See `Db.total_changes`."""
        if self._unanswered:
            self.session.conn.execute("SELECT 1").fetchone()  # behind what was sent before
            self.answered()
        return self._changed

    def answered(self) -> None:
        """The session has answered whatever was sent to it."""
        self._changed += sum(max(each.rowcount, 0) for each in self._unanswered)
        self._unanswered.clear()

    def _count(self, cursor: Rows) -> None:
        """Adds what a statement changed, as soon as it is known: in a pipeline it is not yet."""
        if self.session.conn.pgconn.pipeline_status:
            self._unanswered.append(cursor)
        else:
            self._changed += max(cursor.rowcount, 0)

    def _rendered(self, sql: str, given: Given) -> tuple[Rendered, list[Any]]:
        rendered = render(sql, self._places)
        values = [given[key] for key in rendered.order]  # type: ignore[index]
        for place in rendered.lists:
            values[place] = json.loads(values[place])
        return rendered, values

    def execute(self, sql: str, given: Given = (), /) -> Rows:
        """See `Db.execute`."""
        rendered, values = self._rendered(sql, given)
        cursor = self.session.conn.execute(rendered.text, values)
        if rendered.writes:
            self._count(cursor)
        return cursor

    def executemany(self, sql: str, rows: Iterable[Given], /) -> Rows:
        """See `Db.executemany`: sent together, answered together."""
        cursor = self.session.conn.cursor()
        all_values = [self._rendered(sql, given)[1] for given in rows]
        if all_values:
            rendered = render(sql, self._places)
            cursor.executemany(rendered.text, all_values)
            self._count(cursor)
        return cursor

    def stream(self, sql: str, given: Given = (), /) -> Stream:
        """See `Db.stream`."""
        return Stream(self.session, *self._rendered(sql, given))

    @contextmanager
    def one_moment(self) -> Iterator[None]:
        """See `Db.one_moment`."""
        conn = self.session.conn
        if conn.info.transaction_status != TransactionStatus.IDLE:
            yield
            return
        conn.execute("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        try:
            conn.execute(f"SET LOCAL idle_in_transaction_session_timeout = '{_READING_LASTS}'".encode())
            yield
        finally:
            if not conn.closed:
                conn.execute("ROLLBACK")

    def snapshot(self) -> Any:
        """See `Db.snapshot`: nobody can put what is no text into a column of text."""
        return self.one_moment()

    def version(self) -> object:
        """See `Db.version`: counted by the triggers, for writes of whoever is none of syncd's."""
        asked = "SELECT times FROM touched WHERE connection = current_setting('syncd.connection')::bigint"
        row = self.session.conn.execute(asked).fetchone()
        return 0 if row is None else row[0]

    def altered(self) -> list[Altered]:
        """See `Db.altered`: triggers that are missing or switched off."""
        found = {name for (name,) in self.session.conn.execute(sealing.TRIGGERS_THERE)}
        return [
            Altered(f"trigger {name}", "it is missing or switched off")
            for name in sorted(sealing.NAMES - found)
        ]
