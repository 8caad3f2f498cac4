"""Where another version left off: what it did not seal, or sealed otherwise, is sealed as it is found."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from functools import partial

from syncd.store import decisions
from syncd.store.db import Db
from syncd.store.decisions import Ruling
from syncd.store.journal import append_note, next_sequence
from syncd.store.seals import GUARDS, Seals, any_sealed, never_sealed, sum_of
from syncd.store.state import set_meta

STARTED = "sealed_since"
"""In `meta`: the row from which on tables are sealed; a store without it was never opened by a version that seals."""

_OLD_DECISIONS = """
SELECT change_id, decision, decided_by, at, object_key, hold_id, expires_at FROM decisions ORDER BY id
"""
_NOTES = "SELECT at, body FROM journal WHERE entry = 'note' AND instr(body, '\"decision\":')"


def start(conn: Db, now: datetime) -> None:
    """Inside the caller's transaction. Only once in the life of a trail: what the seals of an older moment say is not
    to be forgotten because somebody removed the mark.
    """
    sequence = next_sequence(conn)
    if not any_sealed(conn):
        backed = list(_backed(conn))
        conn.execute("DELETE FROM decisions")
        for decision in backed:
            decisions.insert(conn, decision, sequence)
        if sequence > 1 or any(sum_of(conn, guard) for guard in GUARDS):
            body = {"starting_point": {"rows": sequence - 1}, **(decisions.said(backed) if backed else {})}
            append_note(conn, body, now, seal=Seals(conn).start)
    set_meta(conn, STARTED, str(sequence))


def go_on(conn: Db, now: datetime) -> None:
    """Inside the caller's transaction. What this version seals otherwise than the one before is sealed as it is found,
    in a row `sealed_anew`; words of the trail go on counting. Not what was sealed already, whatever `seals` remembers.
    """
    new = never_sealed(conn)
    if new:
        seal = partial(Seals(conn).start, guards=new)
        append_note(conn, {"sealed_anew": sorted({guard.table for guard in new})}, now, seal=seal)
        ours = json.dumps([guard.name for guard in GUARDS])
        conn.execute("DELETE FROM seals WHERE name NOT IN (SELECT value FROM json_each(?))", (ours,))


def _backed(conn: Db) -> Iterator[Ruling]:
    """Decisions of which the trail has a note: who decided what when. The others were never made."""
    rows = [Ruling(*row) for row in conn.execute(_OLD_DECISIONS)]
    if not rows:
        return
    noted: set[tuple[object, ...]] = set()
    for at, body in conn.execute(_NOTES):
        read = json.loads(body)
        changes = read.get("changes", ())
        noted.update((at, read.get("decision"), read.get("by"), change) for change in changes)
    for each in rows:
        if (each.at, each.decision, each.by, each.change_id) in noted:
            yield each
