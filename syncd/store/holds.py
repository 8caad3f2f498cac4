"""Holds, and what people decided about the changes in them. Runs inside the caller's transaction."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from syncd.core.canonical import canonical
from syncd.core.change import Change, ChangeKind, change_document
from syncd.core.plan import Hold
from syncd.errors import PermanentError, UsageError
from syncd.ports.deciding import HoldRecord
from syncd.store import decisions
from syncd.store.decisions import Ruling
from syncd.store.rows import at_moment, change_of, moment

EXPIRES_AFTER = timedelta(days=7)


def raise_holds(
    conn: sqlite3.Connection, raised: Sequence[tuple[Hold, Iterable[Change]]], now: datetime, *, whole: bool
) -> list[str]:
    """The ids of those that were not open before. `whole`: of a complete plan, so that an open hold that it does not
    raise is over.
    """
    stamp = moment(now)
    fresh = []
    if whole:
        conn.execute(
            "UPDATE holds SET state = 'over' WHERE state = 'open' AND id NOT IN (SELECT value FROM json_each(?))",
            (json.dumps([hold.id for hold, _ in raised]),),
        )
    for hold, changes in raised:
        if _waits(conn, hold.id, stamp):
            continue
        fresh.append(hold.id)
        conn.execute("DELETE FROM hold_changes WHERE hold_id = ?", (hold.id,))
        conn.execute("DELETE FROM holds WHERE id = ?", (hold.id,))
        conn.execute(
            "INSERT INTO holds (id, check_name, reason, way_out, numbers, raised_at, expires_at, state)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, 'open')",
            (
                hold.id,
                hold.check,
                hold.reason,
                hold.way_out,
                canonical(dict(hold.numbers)),
                stamp,
                moment(now + EXPIRES_AFTER),
            ),
        )
        for change in changes:
            _put(conn, hold.id, change)
    conn.execute(_EMPTY)
    return fresh


def any_open(conn: sqlite3.Connection) -> bool:
    (found,) = conn.execute("SELECT EXISTS (SELECT 1 FROM holds WHERE state = 'open')").fetchone()
    return bool(found)


def _waits(conn: sqlite3.Connection, hold_id: str, stamp: str) -> bool:
    known = conn.execute(
        "SELECT 1 FROM holds h WHERE id = ? AND state = 'open' AND expires_at > ?"
        " AND EXISTS (SELECT 1 FROM hold_changes c WHERE c.hold_id = h.id AND c.state = 'held')",
        (hold_id, stamp),
    ).fetchone()
    return known is not None


_EMPTY = "DELETE FROM holds WHERE NOT EXISTS (SELECT 1 FROM hold_changes c WHERE c.hold_id = holds.id)"


def _put(conn: sqlite3.Connection, hold_id: str, change: Change) -> None:
    """A change waits in one hold: in the one that was raised last. What was decided stays where it was decided on."""
    moved = conn.execute(
        "UPDATE OR REPLACE hold_changes SET hold_id = ? WHERE change_id = ? AND state = 'held'",
        (hold_id, change.id),
    ).rowcount
    if not moved:
        conn.execute(
            "INSERT INTO hold_changes (hold_id, change_id, kind, okta_id, group_id, document, state)"
            " VALUES (?, ?, ?, ?, ?, ?, 'held')",
            (
                hold_id,
                change.id,
                change.kind.value,
                change.okta_id,
                change.group_id,
                canonical(change_document(change)),
            ),
        )


def prune(conn: sqlite3.Connection, before: datetime) -> None:
    """Holds that expired before, decided or not, and the approvals in them."""
    stamp = moment(before)
    conn.execute(
        "DELETE FROM hold_changes WHERE hold_id IN (SELECT id FROM holds WHERE expires_at < ?)", (stamp,)
    )
    conn.execute("DELETE FROM holds WHERE expires_at < ?", (stamp,))
    conn.execute("DELETE FROM decisions WHERE expires_at < ?", (stamp,))


def open_holds(conn: sqlite3.Connection, now: datetime) -> list[HoldRecord]:
    """Neither decided, over nor expired; oldest first."""
    rows = conn.execute(
        "SELECT id, check_name, reason, way_out, numbers, raised_at, expires_at FROM holds"
        " WHERE state = 'open' AND expires_at > ? ORDER BY raised_at, id",
        (moment(now),),
    ).fetchall()
    records = []
    for hold_id, check, reason, way_out, numbers, raised_at, expires_at in rows:
        changes = sorted(_held(conn, hold_id), key=lambda change: change.order)
        if changes:
            records.append(
                HoldRecord(
                    hold_id,
                    check,
                    reason,
                    way_out,
                    json.loads(numbers),
                    at_moment(raised_at),
                    at_moment(expires_at),
                    changes,
                )
            )
    return records


def _held(conn: sqlite3.Connection, hold_id: str) -> list[Change]:
    rows = conn.execute(
        "SELECT document FROM hold_changes WHERE hold_id = ? AND state = 'held'", (hold_id,)
    ).fetchall()
    try:
        return [change_of(document) for (document,) in rows]
    except (KeyError, TypeError, ValueError) as error:
        raise PermanentError(
            "a held change in the store was changed behind syncd's back",
            hint="keep a copy of the store and go back to a backup of it; `syncd audit verify` says more",
        ) from error


def decide(
    conn: sqlite3.Connection, ids: Sequence[str], decision: str, by: str, now: datetime, sequence: int
) -> tuple[list[Change], list[Ruling]]:
    """`sequence`: the row of the trail that will hold these decisions. Who is not to be deactivated keeps their
    memberships too: what is held of those is rejected with it. Raises UsageError for an id that is neither an open hold
    nor a change held in one.
    """
    decided: dict[str, Change] = {}
    made: dict[str, Ruling] = {}
    records = open_holds(conn, now)
    kept = _kept_active(records, ids) if decision == "reject" else frozenset()
    for record in records:
        for change in record.changes:
            goes_with = change.kind is ChangeKind.REMOVE_MEMBER and change.okta_id in kept
            if record.id in ids or change.id in ids or goes_with:
                decided[change.id] = change
                made[change.id] = _decide_one(conn, record, change, decision, by, now, sequence)
    known = {record_id for (record_id,) in conn.execute("SELECT id FROM holds WHERE state = 'open'")}
    unknown = [each for each in ids if each not in decided and each not in known]
    if unknown:
        raise UsageError(
            f"no open hold and no held change is called {', '.join(unknown)}",
            hint="`syncd held` lists the open holds; what is no longer wanted, or was decided, is not among them",
        )
    return sorted(decided.values(), key=lambda change: change.order), list(made.values())


def _kept_active(records: Iterable[HoldRecord], rejected: Sequence[str]) -> frozenset[str]:
    return frozenset(
        change.okta_id
        for record in records
        for change in record.changes
        if change.kind is ChangeKind.DEACTIVATE_USER and (record.id in rejected or change.id in rejected)
    )


def _decide_one(
    conn: sqlite3.Connection,
    record: HoldRecord,
    change: Change,
    decision: str,
    by: str,
    now: datetime,
    sequence: int,
) -> Ruling:
    expires = moment(record.expires_at) if decision == "approve" else None
    made = Ruling(change.id, decision, by, moment(now), change.object_key, record.id, expires, record.check)
    decisions.insert(conn, made, sequence)
    conn.execute(
        "UPDATE hold_changes SET state = ? WHERE change_id = ? AND state = 'held'", (decision, change.id)
    )
    return made
