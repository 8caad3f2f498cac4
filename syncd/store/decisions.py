"""What people decided, as the audit trail says: the table only tells a delta where to look.

Rows of the trail hold decisions under `KEY`: the note that a person made, and for those that still stand the row that
stands in for it (a checkpoint, the starting point of a store that an older version made). A decision counts when its
row fits its own hash and its neighbours, and nothing after it ended it: another one about the same change, a cycle that
no longer wanted the change (`OVER`), or the approved change itself.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass, field
from datetime import datetime
from typing import Any

from syncd.core.change import Change
from syncd.errors import PermanentError
from syncd.ports.deciding import Approval, Decided, Rejection
from syncd.store.db import Db
from syncd.store.packs import COLUMNS, around, contents_at, row_hash
from syncd.store.rows import Row, at_moment, moment

KEY = "decided"
OVER = "over"
"""In a note: changes that nobody wants any more, so that what was decided about them is over."""

_COLUMNS = "change_id, decision, decided_by, at, object_key, hold_id, expires_at"
# Answered from the index `journal_decisions`, whose condition this is.
_TOLD = """
SELECT sequence FROM journal
WHERE entry = 'note' AND (instr(body, '"decided":') OR instr(body, '"over":')) AND sequence > ? ORDER BY sequence
"""
_NEIGHBOURS = f"""
SELECT {", ".join(COLUMNS)}, hash, (SELECT value FROM meta WHERE key = 'journal_head') FROM journal
WHERE sequence BETWEEN ?1 - 1 AND ?1 + 1
"""  # noqa: S608  (constants)
_APPLIED = """
SELECT EXISTS (SELECT 1 FROM journal WHERE entry = 'outcome' AND applied = 1 AND okta_id = ? AND sequence > ?
    AND json_valid(body) AND json_extract(body, '$.change') = ? AND json_extract(body, '$.step') IS NULL)
"""
_PACKED = "SELECT sequence FROM packed WHERE okta_id = ? AND sequence > ?"


@dataclass(frozen=True, slots=True)
class Ruling:
    """One row of the table, and one entry under `KEY`, in this order."""

    change_id: str
    decision: str
    by: str
    at: str
    object_key: str
    hold_id: str | None
    expires_at: str | None
    check: str | None = field(default=None, compare=False)
    """Of the hold that a person saw, where the row of the trail says it; the table does not."""
    reason: str | None = field(default=None, compare=False)
    """The person's own, likewise."""

    def expired(self, stamp: str) -> bool:
        """`stamp` is a stored moment."""
        return self.expires_at is not None and self.expires_at <= stamp

    @property
    def okta_id(self) -> str:
        """Of the user or group: what `object_key` ends with."""
        return self.object_key.rpartition(":")[2]


def insert(conn: Db, decision: Ruling, sequence: int) -> None:
    """Replaces what was decided about the change before. `sequence`: the row of the trail that says so."""
    conn.execute("DELETE FROM decisions WHERE change_id = ?", (decision.change_id,))
    conn.execute(
        f"INSERT INTO decisions ({_COLUMNS}, sequence) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608  (constants)
        (*astuple(decision)[: len(_COLUMNS.split())], sequence),
    )


def forget(conn: Db, change_ids: Iterable[str]) -> list[str]:
    """Returns those that the table had."""
    query = "DELETE FROM decisions WHERE change_id = ?"
    return [each for each in change_ids if conn.execute(query, (each,)).rowcount > 0]


def used(conn: Db, changes: Sequence[Change]) -> None:
    """An approval is good for one application."""
    if conn.execute("SELECT 1 FROM decisions LIMIT 1").fetchone() is not None:
        conn.execute(
            "DELETE FROM decisions WHERE change_id IN (SELECT value FROM json_each(?)) AND decision = 'approve'",
            (json.dumps([change.id for change in changes]),),
        )


def said(decisions: Iterable[Ruling]) -> dict[str, Any]:
    """What a row of the trail says about them."""
    return {KEY: [list(astuple(each)) for each in decisions]}


def stand_in(conn: Db, found: Sequence[Ruling], sequence: int) -> None:
    """Names the row that now says what the rows before it said."""
    conn.executemany(
        "UPDATE decisions SET sequence = ? WHERE change_id = ?",
        [(sequence, each.change_id) for each in found],
    )


class Rulings:
    """Which decisions count. Reads each row of the trail that tells of some once."""

    def __init__(self) -> None:
        self._told: dict[str, tuple[Ruling, int]] = {}
        self._read = 0

    def among(self, conn: Db, now: datetime, change_ids: Iterable[str] | None = None) -> list[Ruling]:
        """Those about these changes, or all."""
        return [decision for decision, _ in self.rows(conn, now, change_ids)]

    def rows(
        self, conn: Db, now: datetime, change_ids: Iterable[str] | None = None
    ) -> list[tuple[Ruling, int]]:
        """With the row of the trail that says so."""
        for (sequence,) in conn.execute(_TOLD, (self._read,)).fetchall():
            tell(self._told, written(conn, sequence), sequence)
            self._read = sequence
        stamp = moment(now)
        asked = self._told if change_ids is None else change_ids
        found = [self._told[each] for each in asked if each in self._told]
        return [
            (decision, sequence)
            for decision, sequence in found
            if not decision.expired(stamp) and not _is_used(conn, decision, sequence)
        ]


def tell(told: dict[str, tuple[Ruling, int]], body: Any, sequence: int) -> None:
    """What the trail says after this row. Raises TypeError or AttributeError for one that we did not write."""
    for made in [Ruling(*each) for each in body.get(KEY, ())]:
        told[made.change_id] = (made, sequence)
    for change_id in body.get(OVER, ()):
        told.pop(change_id, None)


def decided(found: Iterable[Ruling]) -> Decided:
    """Approved and rejected ids of changes, and whose they are."""
    known = list(found)
    return Decided(
        approved=frozenset(each.change_id for each in known if each.decision == "approve"),
        rejected=frozenset(each.change_id for each in known if each.decision == "reject"),
        objects={each.change_id: each.object_key for each in known},
        rejections={
            each.change_id: Rejection(each.object_key, each.by, at_moment(each.at), each.reason)
            for each in known
            if each.decision == "reject"
        },
        approvals={
            each.change_id: Approval(
                each.object_key,
                each.by,
                at_moment(each.at),
                each.reason,
                None if each.expires_at is None else at_moment(each.expires_at),
            )
            for each in known
            if each.decision == "approve"
        },
    )


def approvals(found: Iterable[Ruling]) -> dict[str, dict[str, str]]:
    """What approved changes add to their intents, by change id."""
    return {each.change_id: {"by": each.by, "at": each.at} for each in found if each.decision == "approve"}


def written(conn: Db, sequence: int) -> Mapping[str, Any]:
    """The body of the row with this number, when it fits its hash and its neighbours; else it tells nothing."""
    rows: dict[int, Row] = {row[0]: row for row in conn.execute(_NEIGHBOURS, (sequence,))}
    row, before, after = rows.get(sequence), rows.get(sequence - 1), rows.get(sequence + 1)
    if row is None:
        return {}
    *values, body, previous, digest, remembered = row
    follows = after[-3] if after is not None else _packed_after(conn, sequence)
    goes_on = follows == digest if follows is not None else remembered == f"{sequence}:{digest}"
    precedes = before[-2] if before is not None else _packed_before(conn, sequence)
    if not goes_on or (precedes is not None and previous != precedes):
        return {}
    try:
        fits = row_hash((*values, body, previous)) == digest
    except (TypeError, ValueError):  # values of a type that we never write
        return {}
    read: Mapping[str, Any] = json.loads(body) if fits else {}
    return read


def _packed_before(conn: Db, sequence: int) -> str | None:
    pack = around(conn, sequence - 1)
    return None if pack is None else pack.hash


def _packed_after(conn: Db, sequence: int) -> str | None:
    pack = around(conn, sequence + 1)
    return None if pack is None else pack.previous


def _is_used(conn: Db, decision: Ruling, sequence: int) -> bool:
    """What is in packs was applied, all of it; an approval whose use somebody made unreadable counts no more."""
    if decision.decision != "approve":
        return False
    asked = (decision.okta_id, sequence, decision.change_id)
    if conn.execute(_APPLIED, asked).fetchone()[0]:
        return True
    packed = [number for (number,) in conn.execute(_PACKED, asked[:2]).fetchall()]
    try:
        told = [json.loads(row[9])["change"] for row in contents_at(conn, packed).values()]
    except (PermanentError, LookupError, TypeError, ValueError):
        return True
    return decision.change_id in told
