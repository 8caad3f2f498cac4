"""Requests of people to whoever holds the writer's lock, as rows. Nothing in them is of one machine: who took one is
named by the token of its lock, and how far it has come stands beside it.

What is asked for, and whether it waits, is under the seals (module `seals`): a request that somebody wrote into the
file by hand is carried out by nobody. How far it has come and what came of it decides about nothing, and is not.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import Any

from syncd.core.request import (
    VERSION,
    EndedState,
    RequestRecord,
    RequestResult,
    RequestState,
    TakenState,
    WaitingState,
    WithdrawnState,
    read_result,
    result_text,
)
from syncd.ports.requests import StoreWriter
from syncd.redact import Redactor
from syncd.store import lock, process
from syncd.store.db import Db
from syncd.store.history_reads import HistoryReads
from syncd.store.rows import Row, at_moment, moment, searchable

_KEPT = timedelta(days=7)
_COLUMNS = (
    "id, version, kind, arguments, settings, asked_by, reason, asked_at, takings, state, taken_by, owner, taken_at,"
    " phase, total, done, stop_asked, ended_at, exit_code"
)
_NOT_MINE = "(state = 'waiting' OR taken_by IS NOT (SELECT token FROM writer))"
_SELECT = f"SELECT {_COLUMNS} FROM requests"  # noqa: S608  (constants)


class RequestActs(HistoryReads):
    """`ports.RequestRecords` for a store."""

    _redactor: Redactor
    _transaction: Callable[[], AbstractContextManager[Db]]
    _writing: Callable[[], AbstractContextManager[Db]]
    _note: Callable[[Db, Mapping[str, Any]], int]

    def writer(self) -> StoreWriter | None:
        """See `ports.RequestRecords.writer`."""
        with self._reading() as conn:
            holder = lock.current(conn)
        if holder is None:
            return None
        return StoreWriter(
            named=lock.named(holder),
            since=f"{holder.since[:19]}Z",
            expires=f"{holder.expires[:19]}Z",
            serves=holder.serves,
            ended=process.has_ended(holder),
            mark=holder.mark,
        )

    def ask(
        self, kind: str, arguments: str, *, settings: str, by: str, reason: str, version: int = VERSION
    ) -> RequestRecord:
        """See `ports.RequestRecords.ask`."""
        now, made = self._clock(), f"r{secrets.token_hex(6)}"
        said = self._redactor.kept(reason)
        with self._transaction() as conn:
            conn.execute(
                "DELETE FROM requests WHERE ended_at < ?1 OR (ended_at IS NULL AND asked_at < ?1)",
                (moment(now - _KEPT),),
            )
            conn.execute(
                "INSERT INTO requests"
                " (id, version, kind, arguments, settings, asked_by, reason, asked_at, state, place)"
                " SELECT ?, ?, ?, ?, ?, ?, ?, ?, 'waiting', coalesce(max(place), 0) + 1 FROM requests",
                (made, version, kind, searchable(arguments), settings, by, said, moment(now)),
            )
            self._note(conn, {"request": made, "kind": kind, "by": by, "reason": said})
            found = _one(conn, made)
        if found is None:
            raise ValueError("a request that was put is not there")
        return found

    def request(self, request_id: str) -> RequestRecord | None:
        """See `ports.RequestRecords.request`."""
        with self._reading() as conn:
            return _one(conn, request_id)

    def request_result(self, request_id: str) -> RequestResult | None:
        """See `ports.RequestRecords.request_result`."""
        with self._reading() as conn:
            row = conn.execute("SELECT outcome FROM requests WHERE id = ?", (request_id,)).fetchone()
        return read_result(row[0]) if row is not None and row[0] is not None else None

    def open_requests(self) -> Sequence[RequestRecord]:
        """See `ports.RequestRecords.open_requests`."""
        with self._reading() as conn:
            rows = conn.execute(f"{_SELECT} WHERE state IN ('waiting', 'taken') ORDER BY place").fetchall()
        return [_read(row) for row in rows]

    def requests_to_take(self) -> Sequence[RequestRecord]:
        """See `ports.RequestRecords.requests_to_take`."""
        with self._reading() as conn:
            rows = conn.execute(
                f"{_SELECT} WHERE state IN ('waiting', 'taken') AND {_NOT_MINE} ORDER BY place"
            ).fetchall()
        return [_read(row) for row in rows]

    def last_requests(self, *, limit: int) -> Sequence[RequestRecord]:
        """See `ports.RequestRecords.last_requests`."""
        with self._reading() as conn:
            rows = conn.execute(f"{_SELECT} ORDER BY place DESC LIMIT ?", (limit,)).fetchall()
        return [_read(row) for row in rows]

    def altered_requests(self) -> bool:
        """See `ports.RequestRecords.altered_requests`."""
        with self._reading():
            return bool(self._seals.altered_among({"requests"}))

    def take_request(self, request_id: str) -> RequestRecord | None:
        """See `ports.RequestRecords.take_request`."""
        with self._writing() as conn:
            holder = lock.current(conn)
            if holder is None:
                raise ValueError("requests are taken under the writer's lock")
            taken = conn.execute(
                "UPDATE requests SET state = 'taken', taken_by = ?2, owner = ?3, taken_at = ?4, takings = takings + 1,"
                " phase = '', total = NULL, done = 0"
                " WHERE id = ?1 AND (state = 'waiting' OR (state = 'taken' AND taken_by <> ?2))",
                (request_id, holder.token, lock.named(holder), moment(self._clock())),
            ).rowcount
            return _one(conn, request_id) if taken else None

    def left_at(self, request: RequestRecord) -> datetime | None:
        """See `ports.RequestRecords.left_at`."""
        if not isinstance(request.state, TakenState):
            return None
        with self._reading() as conn:
            return lock.taken_over_at(conn, request.state.by)

    def put_back_request(self, request_id: str) -> None:
        """See `ports.RequestRecords.put_back_request`."""
        with self._writing() as conn:
            conn.execute(
                "UPDATE requests SET state = 'waiting', takings = takings - 1, phase = '', total = NULL, done = 0"
                " WHERE id = ? AND state = 'taken' AND taken_by = (SELECT token FROM writer)",
                (request_id,),
            )

    def tell_progress(self, request_id: str, *, phase: str, total: int | None, done: int) -> bool:
        """See `ports.RequestRecords.tell_progress`."""
        with self._writing() as conn:
            row = conn.execute(
                "UPDATE requests SET phase = ?2, total = ?3, done = ?4 WHERE id = ?1 AND state = 'taken'"
                " RETURNING stop_asked",
                (request_id, phase, total, done),
            ).fetchone()
        return bool(row and row[0])

    def end_request(self, request_id: str, outcome: RequestResult) -> None:
        """See `ports.RequestRecords.end_request`."""
        with self._writing() as conn:
            conn.execute(
                "UPDATE requests SET state = 'ended', ended_at = ?2, exit_code = ?3, outcome = ?4"
                " WHERE id = ?1 AND state = 'taken' AND taken_by = (SELECT token FROM writer)",
                (request_id, moment(self._clock()), outcome.exit_code, result_text(outcome)),
            )

    def withdraw_request(self, request_id: str, *, stop: bool) -> bool:
        """See `ports.RequestRecords.withdraw_request`."""
        with self._transaction() as conn:
            withdrawn = conn.execute(
                "UPDATE requests SET state = 'withdrawn', ended_at = ?2 WHERE id = ?1 AND state = 'waiting'",
                (request_id, moment(self._clock())),
            ).rowcount
            if stop and not withdrawn:
                conn.execute(
                    "UPDATE requests SET stop_asked = 1 WHERE id = ? AND state = 'taken'", (request_id,)
                )
        return bool(withdrawn)


def _one(conn: Db, request_id: str) -> RequestRecord | None:
    row = conn.execute(f"{_SELECT} WHERE id = ?", (request_id,)).fetchone()
    return None if row is None else _read(row)


def _read(row: Row) -> RequestRecord:
    (identity, version, kind, arguments, settings, by, reason, asked_at, takings, *state) = row
    return RequestRecord(
        identity, version, kind, arguments, settings, by, reason, at_moment(asked_at), takings, _state(*state)
    )


def _state(
    state: str,
    taken_by: str | None,
    owner: str | None,
    taken_at: str | None,
    phase: str,
    total: int | None,
    done: int,
    stop_asked: int,
    ended_at: str | None,
    exit_code: int | None,
) -> RequestState:
    match state:
        case "taken":
            began = at_moment(taken_at or "")
            return TakenState(taken_by or "", owner or "", began, phase, total, done, bool(stop_asked))
        case "ended":
            return EndedState(at_moment(ended_at or ""), exit_code if exit_code is not None else 1)
        case "withdrawn":
            return WithdrawnState(at_moment(ended_at or ""))
        case _:
            return WaitingState()
