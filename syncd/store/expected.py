"""What people expect, as the audit trail says: there is no table that could say otherwise.

Rows of the trail hold expectations under `KEY`: the note that a person made, and for those that are not over the
checkpoint that stands in for it. One counts when its row fits its own hash and its neighbours, its window is not over,
and no later row revoked it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from syncd.core.expectation import Expectation
from syncd.store.db import Db
from syncd.store.decisions import written
from syncd.store.rows import at_moment, moment

KEY = "expected"
REVOKED = "revoked"
"""In a note: ids of expectations that a person took back."""
# Answered from the index `journal_expected`, whose condition this is.
_TOLD = """
SELECT sequence FROM journal
WHERE entry = 'note' AND (instr(body, '"expected":') OR instr(body, '"revoked":')) AND sequence > ? ORDER BY sequence
"""


class Expected:
    """Which expectations count. Reads each row of the trail that tells of some once."""

    def __init__(self) -> None:
        self._told: dict[str, tuple[Expectation, int]] = {}
        self._read = 0

    def rows(self, conn: Db, now: datetime) -> list[tuple[Expectation, int]]:
        """Those whose window is not over, the next to begin first, with the row of the trail that says so."""
        for (sequence,) in conn.execute(_TOLD, (self._read,)).fetchall():
            body = written(conn, sequence)
            for made in map(_read, body.get(KEY, ())):
                self._told[made.id] = (made, sequence)
            for each in body.get(REVOKED, ()):
                self._told.pop(each, None)
            self._read = sequence
        found = [(made, sequence) for made, sequence in self._told.values() if now < made.ends]
        return sorted(found, key=lambda row: (row[0].begins, row[0].id))

    def ahead(self, conn: Db, now: datetime) -> list[Expectation]:
        """Those whose days are not over at `now`, the next to begin first."""
        return [made for made, _ in self.rows(conn, now)]


def said(expectations: Iterable[Expectation]) -> dict[str, Any]:
    """What a row of the trail says about them."""
    return {
        KEY: [
            [
                each.id,
                each.limit,
                each.number,
                moment(each.begins),
                moment(each.ends),
                each.by,
                moment(each.at),
                each.reason,
            ]
            for each in expectations
        ]
    }


def _read(row: list[Any]) -> Expectation:
    identity, limit, number, begins, ends, by, at, reason = row
    return Expectation(identity, limit, number, at_moment(begins), at_moment(ends), by, at_moment(at), reason)
