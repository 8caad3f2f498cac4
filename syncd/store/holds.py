"""Holds, and what people decided about the changes in them. Runs inside the caller's transaction."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime, timedelta

from syncd.core.canonical import canonical
from syncd.core.change import Change, ChangeKind, change_document
from syncd.core.plan import Hold
from syncd.errors import PermanentError, UsageError
from syncd.ports.deciding import HoldRecord
from syncd.store import decisions
from syncd.store.db import Db
from syncd.store.decisions import Ruling
from syncd.store.rows import at_moment, change_of, moment

EXPIRES_AFTER = timedelta(days=7)


def raise_holds(
    conn: Db, raised: Sequence[tuple[Hold, Iterable[Change]]], now: datetime, *, whole: bool
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
            _refresh(conn, hold)
            if whole and _count(conn, hold.id) != hold.changes:
                _drop_others(conn, hold.id, changes)
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


def any_open(conn: Db) -> bool:
    """Whether any hold waits for a decision."""
    (found,) = conn.execute("SELECT EXISTS (SELECT 1 FROM holds WHERE state = 'open')").fetchone()
    return bool(found)


def _waits(conn: Db, hold_id: str, stamp: str) -> bool:
    known = conn.execute(
        "SELECT 1 FROM holds h WHERE id = ? AND state = 'open' AND expires_at > ?"
        " AND EXISTS (SELECT 1 FROM hold_changes c WHERE c.hold_id = h.id AND c.state = 'held')",
        (hold_id, stamp),
    ).fetchone()
    return known is not None


def _count(conn: Db, hold_id: str) -> int:
    counted = "SELECT count(*) FROM hold_changes WHERE hold_id = ? AND state = 'held'"
    (found,) = conn.execute(counted, (hold_id,)).fetchone()
    return int(found)


def _drop_others(conn: Db, hold_id: str, changes: Iterable[Change]) -> None:
    """Of a hold that a person decided on in part: what else waited in it and is not planned any more."""
    conn.execute(
        "DELETE FROM hold_changes WHERE hold_id = ? AND state = 'held'"
        " AND change_id NOT IN (SELECT value FROM json_each(?))",
        (hold_id, json.dumps([change.id for change in changes])),
    )


def _refresh(conn: Db, hold: Hold) -> None:
    """The same changes wait for the same check; among how many people or members may be otherwise by now."""
    said = (hold.reason, hold.way_out, canonical(dict(hold.numbers)))
    conn.execute(
        "UPDATE holds SET reason = ?2, way_out = ?3, numbers = ?4"
        " WHERE id = ?1 AND (reason, way_out, numbers) <> (?2, ?3, ?4)",
        (hold.id, *said),
    )


_EMPTY = "DELETE FROM holds WHERE NOT EXISTS (SELECT 1 FROM hold_changes c WHERE c.hold_id = holds.id)"


def _put(conn: Db, hold_id: str, change: Change) -> None:
    """A change waits in one hold: in the one that was raised last. What was decided stays where it was decided on."""
    waits_elsewhere = "change_id = ?2 AND hold_id <> ?1 AND state = 'held'"
    conn.execute(
        "DELETE FROM hold_changes WHERE hold_id = ?1 AND change_id = ?2 AND EXISTS"  # noqa: S608  (constants)
        f" (SELECT 1 FROM hold_changes c WHERE {waits_elsewhere})",
        (hold_id, change.id),
    )
    moved = conn.execute(
        "UPDATE hold_changes SET hold_id = ?1 WHERE change_id = ?2 AND state = 'held'", (hold_id, change.id)
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


def prune(conn: Db, before: datetime) -> None:
    """Holds that expired before, decided or not, and the approvals in them."""
    stamp = moment(before)
    conn.execute(
        "DELETE FROM hold_changes WHERE hold_id IN (SELECT id FROM holds WHERE expires_at < ?)", (stamp,)
    )
    conn.execute("DELETE FROM holds WHERE expires_at < ?", (stamp,))
    conn.execute("DELETE FROM decisions WHERE expires_at < ?", (stamp,))


def open_holds(conn: Db, now: datetime) -> list[HoldRecord]:
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


def _held(conn: Db, hold_id: str) -> list[Change]:
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


@dataclass(frozen=True, slots=True)
class Word:
    """What a person says now; `sequence`: the row of the trail that will hold it."""

    decision: str
    by: str
    reason: str | None
    at: datetime
    sequence: int

    def of(self, change: Change, hold_id: str | None, check: str | None, expires_at: datetime) -> Ruling:
        """An approval ends with its hold; a rejection when the world moves."""
        expires = moment(expires_at) if self.decision == "approve" else None
        said = (self.by, moment(self.at), change.object_key, hold_id, expires, check, self.reason)
        return Ruling(change.id, self.decision, *said)


def decide(
    conn: Db, ids: Sequence[str], said: Word, standing: Iterable[Ruling]
) -> tuple[list[Change], list[Ruling]]:
    """Who is not to be deactivated keeps their memberships too: what is held of those is rejected with it. `standing`:
    what was decided before, and is taken back where somebody now says the opposite, with those memberships. Raises
    UsageError for an id that is neither an open hold, nor a change held in one, nor one of these.
    """
    decided: dict[str, Change] = {}
    made: dict[str, Ruling] = {}
    records = open_holds(conn, said.at)
    kept = _kept_active(records, ids) if said.decision == "reject" else frozenset()
    for record in records:
        for change in record.changes:
            goes_with = change.kind is ChangeKind.REMOVE_MEMBER and change.okta_id in kept
            if record.id in ids or change.id in ids or goes_with:
                decided[change.id] = change
                made[change.id] = said.of(change, record.id, record.check, record.expires_at)
    # The id of a hold means what waits in it; what was decided in it is meant once nothing waits.
    meant = set(ids) - {record.id for record in records}
    for change, ruling in _taken_back(conn, meant, said.decision, standing):
        decided[change.id] = change
        made[change.id] = said.of(change, ruling.hold_id, ruling.check, said.at + EXPIRES_AFTER)
    for ruling in made.values():
        decisions.insert(conn, ruling, said.sequence)
        conn.execute(
            "UPDATE hold_changes SET state = ? WHERE change_id = ? AND (state = 'held' OR hold_id = ?)",
            (said.decision, ruling.change_id, ruling.hold_id),
        )
    known = {record_id for (record_id,) in conn.execute("SELECT id FROM holds WHERE state = 'open'")}
    known |= {ruling.hold_id or "" for ruling in made.values()}
    unknown = [each for each in ids if each not in decided and each not in known]
    if unknown:
        raise UsageError(
            f"no open hold and no held change is called {', '.join(unknown)}",
            hint="`syncd held` lists the open holds, `syncd held --decided` what was decided and counts",
        )
    return sorted(decided.values(), key=lambda change: change.order), list(made.values())


def _kept_active(records: Iterable[HoldRecord], rejected: Sequence[str]) -> frozenset[str]:
    return frozenset(
        change.okta_id
        for record in records
        for change in record.changes
        if change.kind is ChangeKind.DEACTIVATE_USER and (record.id in rejected or change.id in rejected)
    )


def _taken_back(
    conn: Db, ids: AbstractSet[str], decision: str, standing: Iterable[Ruling]
) -> list[tuple[Change, Ruling]]:
    """What counts until now and is named, by its change or its hold, to be decided the other way."""
    others = {each.change_id: each for each in standing if each.decision != decision}
    named = {each.change_id for each in others.values() if each.change_id in ids or each.hold_id in ids}
    known = {change.id: change for change in _documents(conn, others) if named}
    people = {
        known[each].okta_id for each in named & known.keys() if known[each].kind is ChangeKind.DEACTIVATE_USER
    }
    return [
        (change, others[change.id])
        for change in known.values()
        if change.id in named or (change.kind is ChangeKind.REMOVE_MEMBER and change.okta_id in people)
    ]


def _documents(conn: Db, change_ids: Iterable[str]) -> list[Change]:
    """Of changes that were held once, as far as they are remembered."""
    rows = conn.execute(
        "SELECT DISTINCT document FROM hold_changes WHERE change_id IN (SELECT value FROM json_each(?))",
        (json.dumps(sorted(change_ids)),),
    ).fetchall()
    return [change_of(document) for (document,) in rows]
