"""The audit trail: append-only rows of intents, outcomes and notes, each carrying the hash of the one before.

A row's hash is SHA-256 over the canonical JSON of all its other columns, the previous hash among them. The last
sequence and hash are also kept in `meta`, so that a cut-off tail shows. Rows below `meta.journal_checkpoint` may be
pruned; a note with `{"checkpoint": {"below": N, "previous": HASH}}` then vouches for where the chain begins.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from syncd.core.change import Change, ChangeKind, change_document
from syncd.ports.store import Intent, RecentRemovals, Settled
from syncd.redact import Redactor
from syncd.store.rows import canonical, change_of, moment

GENESIS = "0" * 64
PAGE = 500
_COLUMNS = (
    "sequence",
    "at",
    "run_id",
    "entry",
    "refers",
    "kind",
    "okta_id",
    "group_id",
    "applied",
    "body",
    "previous",
)
_INSERT = f"INSERT INTO journal ({', '.join(_COLUMNS)}, hash) VALUES ({', '.join('?' * 12)})"  # noqa: S608  (constants)
_SELECT = f"SELECT {', '.join(_COLUMNS)}, hash FROM journal"  # noqa: S608  (constants)


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """One row. `entry` is "intent", "outcome" or "note"; `refers` is the intent that an outcome settles."""

    sequence: int
    at: datetime
    run_id: str | None
    entry: str
    refers: int | None
    kind: str | None
    okta_id: str | None
    group_id: str | None
    applied: bool | None
    body: Any
    previous: str
    hash: str


@dataclass(frozen=True, slots=True)
class ChainReport:
    """What `verify_chain` found. `broken_at` is the first row that does not fit, None when all do."""

    rows: int
    broken_at: int | None
    problem: str


@dataclass(frozen=True, slots=True)
class _Draft:
    entry: str
    run_id: str | None = None
    refers: int | None = None
    change: Change | None = None
    applied: bool | None = None
    body: str = "{}"


def row_hash(values: Sequence[Any]) -> str:
    """SHA-256 over the columns before `hash`, in their order."""
    return hashlib.sha256(canonical(list(values)).encode("ascii")).hexdigest()


def _head(conn: sqlite3.Connection) -> tuple[int, str]:
    row = conn.execute("SELECT value FROM meta WHERE key = 'journal_head'").fetchone()
    if row is None:
        return 0, GENESIS
    sequence, _, digest = str(row[0]).partition(":")
    return int(sequence), digest


def _append(conn: sqlite3.Connection, at: datetime, drafts: Iterable[_Draft]) -> list[int]:
    """Inside the caller's transaction; returns the sequence numbers."""
    sequence, previous = _head(conn)
    stamp = moment(at)
    rows = []
    for draft in drafts:
        sequence += 1
        change = draft.change
        values = (
            sequence,
            stamp,
            draft.run_id,
            draft.entry,
            draft.refers,
            change.kind.value if change else None,
            change.okta_id if change else None,
            change.group_id if change else None,
            None if draft.applied is None else int(draft.applied),
            draft.body,
            previous,
        )
        previous = row_hash(values)
        rows.append((*values, previous))
    conn.executemany(_INSERT, rows)
    conn.execute(
        "INSERT INTO meta (key, value) VALUES ('journal_head', ?)"
        " ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        (f"{sequence}:{previous}",),
    )
    return [row[0] for row in rows]


def append_intents(
    conn: sqlite3.Connection, run_id: str, changes: Sequence[Change], at: datetime
) -> list[int]:
    drafts = [
        _Draft("intent", run_id, change=change, body=canonical(change_document(change))) for change in changes
    ]
    sequences = _append(conn, at, drafts)
    conn.executemany("INSERT INTO open_intents (sequence) VALUES (?)", [(number,) for number in sequences])
    return sequences


def append_outcomes(
    conn: sqlite3.Connection, outcomes: Sequence[tuple[Settled, Any]], at: datetime, redactor: Redactor
) -> None:
    """Each outcome comes with the document of its effects. Raises ValueError when an intent is not open."""
    runs: dict[int, str | None] = {}
    for settled, _ in outcomes:
        row = conn.execute(
            "SELECT j.run_id FROM open_intents o JOIN journal j USING (sequence) WHERE o.sequence = ?",
            (settled.sequence,),
        ).fetchone()
        if row is None:
            raise ValueError(f"there is no open intent {settled.sequence}")
        runs[settled.sequence] = row[0]
    _append(
        conn,
        at,
        [
            _Draft(
                "outcome",
                runs[settled.sequence],
                refers=settled.sequence,
                change=settled.change,
                applied=settled.error is None and not settled.deferred,
                body=canonical(_outcome_body(settled, effects, redactor)),
            )
            for settled, effects in outcomes
        ],
    )
    conn.executemany(
        "DELETE FROM open_intents WHERE sequence = ?", [(settled.sequence,) for settled, _ in outcomes]
    )


def _outcome_body(settled: Settled, effects: Any, redactor: Redactor) -> dict[str, Any]:
    body: dict[str, Any] = {"change": settled.change.id, "status": settled.status, "effects": effects}
    if settled.note:
        body["note"] = redactor.text(settled.note)
    if settled.error is not None:
        body["error"] = redactor.text(settled.error)
    if settled.deferred:
        body["deferred"] = True
    return body


def append_note(
    conn: sqlite3.Connection, body: dict[str, Any], at: datetime, *, run_id: str | None = None
) -> int:
    """A free row: decisions of people, releases, checkpoints."""
    return _append(conn, at, [_Draft("note", run_id, body=canonical(body))])[0]


def open_intents(conn: sqlite3.Connection) -> list[Intent]:
    rows = conn.execute(
        "SELECT j.sequence, j.run_id, j.body FROM open_intents o JOIN journal j USING (sequence)"
        " ORDER BY j.sequence"
    ).fetchall()
    return [Intent(sequence, run_id, change_of(body)) for sequence, run_id, body in rows]


def removals_since(conn: sqlite3.Connection, since: datetime) -> RecentRemovals:
    rows = conn.execute(
        "SELECT kind, group_id, count(*) FROM journal WHERE applied = 1 AND at >= ? AND kind IN (?, ?, ?)"
        " GROUP BY kind, group_id",
        (moment(since), ChangeKind.DEACTIVATE_USER, ChangeKind.DELETE_GROUP, ChangeKind.REMOVE_MEMBER),
    ).fetchall()
    by_group = {group: count for kind, group, count in rows if kind == ChangeKind.REMOVE_MEMBER}
    return RecentRemovals(
        deactivations=sum(count for kind, _, count in rows if kind == ChangeKind.DEACTIVATE_USER),
        group_deletions=sum(count for kind, _, count in rows if kind == ChangeKind.DELETE_GROUP),
        member_removals=sum(by_group.values()),
        by_group=by_group,
    )


def entries(conn: sqlite3.Connection, *, after: int = 0, run_id: str | None = None) -> list[JournalEntry]:
    """At most `PAGE` rows in order from behind `after`."""
    narrow, given = ("", ()) if run_id is None else (" AND run_id = ?", (run_id,))
    rows = conn.execute(
        f"{_SELECT} WHERE sequence > ?{narrow} ORDER BY sequence LIMIT {PAGE}", (after, *given)
    ).fetchall()
    return [_entry(row) for row in rows]


def _entry(row: tuple[Any, ...]) -> JournalEntry:
    sequence, at, run_id, entry, refers, kind, okta_id, group_id, applied, body, previous, digest = row
    return JournalEntry(
        sequence=sequence,
        at=datetime.fromisoformat(at),
        run_id=run_id,
        entry=entry,
        refers=refers,
        kind=kind,
        okta_id=okta_id,
        group_id=group_id,
        applied=None if applied is None else bool(applied),
        body=json.loads(body),
        previous=previous,
        hash=digest,
    )


def verify_chain(conn: sqlite3.Connection) -> ChainReport:
    """Checks every row's hash, its place, and that the tail is the one that `meta` remembers."""
    count, expected, previous = 0, 1, GENESIS
    vouched = _vouched_start(conn)
    for row in conn.execute(f"{_SELECT} ORDER BY sequence"):
        sequence, claimed = row[0], row[-2]
        if count == 0 and sequence > 1:
            if vouched != (sequence, claimed):
                return ChainReport(
                    0, sequence, "rows before it are missing and no checkpoint vouches for that"
                )
            expected, previous = sequence, claimed
        if sequence != expected:
            return ChainReport(count, expected, "the row is missing")
        if claimed != previous:
            return ChainReport(count, sequence, "it does not continue the row before it")
        if row[-1] != row_hash(row[:-1]):
            return ChainReport(count, sequence, "its content was changed")
        count, expected, previous = count + 1, sequence + 1, row[-1]
    if _head(conn) != (expected - 1, previous):
        return ChainReport(count, expected, "rows at the end are missing")
    return ChainReport(count, None, "")


def _vouched_start(conn: sqlite3.Connection) -> tuple[int, str] | None:
    """The youngest checkpoint note: the first row that must be there, and the hash of the one before it."""
    for (body,) in conn.execute("SELECT body FROM journal WHERE entry = 'note' ORDER BY sequence DESC"):
        checkpoint = json.loads(body).get("checkpoint")
        if checkpoint is not None:
            return int(checkpoint["below"]), str(checkpoint["previous"])
    return None
