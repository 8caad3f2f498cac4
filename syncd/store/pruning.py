"""Lets the oldest rows of the audit trail go, behind a checkpoint row that carries the chain on, and what is as old.

Only whole settled beginnings go: an intent never without its outcome, an approval not before whatever it approved,
and nothing of the last 24 hours, which the safety limits count.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from heapq import merge
from operator import itemgetter
from typing import Any

from syncd.errors import PermanentError
from syncd.store import decisions, expected, holds, packs
from syncd.store.db import Db
from syncd.store.decisions import Rulings
from syncd.store.holds import EXPIRES_AFTER
from syncd.store.journal import append_note, head, next_sequence, open_intents
from syncd.store.rows import moment
from syncd.store.seals import Seals
from syncd.store.verifying import (
    CHANGED,
    CHECKPOINT_KEY,
    Fault,
    fault_in_mark,
    walk_chain,
    youngest_checkpoint,
)

COUNTED_BY_LIMITS = timedelta(hours=24)

_FIRST_YOUNG = """
SELECT min(sequence) FROM (
    SELECT sequence FROM (SELECT sequence FROM journal WHERE at >= ?1 ORDER BY sequence LIMIT 1) j
    UNION ALL SELECT first FROM (SELECT first FROM packs WHERE at >= ?1 ORDER BY first LIMIT 1) k) young
"""
# An approval may be used until its hold expires: it stays as long as what it may have approved.
_FIRST_YOUNG_APPROVAL = """
SELECT min(sequence) FROM journal
WHERE entry = 'note' AND sequence < ? AND at >= ? AND json_valid(body)
    AND json_extract(body, '$.decision') = 'approve'
"""
_SINGLE = "SELECT sequence, entry, refers FROM journal WHERE sequence < ? ORDER BY sequence"
_PACKS = f"{packs.SELECT} WHERE first < ? ORDER BY first"
_MORE_THAN_CHECKPOINTS = """
SELECT EXISTS (SELECT 1 FROM packs WHERE last < ?1) OR EXISTS (SELECT 1 FROM journal WHERE sequence < ?1 AND NOT (
    entry = 'note' AND json_valid(body) AND json_extract(body, '$.checkpoint') IS NOT NULL))
"""
_HELD = "SELECT first, last FROM packs WHERE last < ?"
_OLD_RUNS = """
DELETE FROM runs WHERE started < ?1
    AND NOT EXISTS (SELECT 1 FROM journal j WHERE j.run_id = runs.run_id AND j.sequence >= ?2)
    AND NOT EXISTS (SELECT 1 FROM packs k WHERE k.run_id = runs.run_id AND k.last >= ?2)
"""

# Nothing at the target is theirs, no list names them, nothing about them is open or still told by the trail.
_FORGOTTEN_PEOPLE = """
DELETE FROM users
WHERE standing = 'absent' AND standing <> 'active' AND scim_id IS NULL AND left_at < ?1
    AND NOT EXISTS (SELECT 1 FROM members m WHERE m.user_id = users.okta_id)
    AND NOT EXISTS (SELECT 1 FROM journal j
        WHERE j.okta_id = users.okta_id AND j.entry = 'outcome' AND j.sequence >= ?3)
    AND NOT EXISTS (SELECT 1 FROM packed p WHERE p.okta_id = users.okta_id AND p.sequence >= ?3)
    AND okta_id NOT IN (SELECT value FROM json_each(?4))
    AND okta_id NOT IN (SELECT f.okta_id FROM failures f)
    AND okta_id NOT IN (SELECT c.okta_id FROM holds h JOIN hold_changes c ON c.hold_id = h.id
        WHERE h.state = 'open' AND h.expires_at > ?2 AND c.state = 'held')
    AND 'user:' || okta_id NOT IN (SELECT d.object_key FROM decisions d)
    AND okta_id NOT IN (SELECT p.okta_id FROM unproven p WHERE p.kind = 'user')
"""


def prune(conn: Db, now: datetime, keep: timedelta, seals: Seals) -> int:
    """Inside the caller's transaction; returns how many rows of the trail went.

    Runs that began before and have no row left go too, holds that expired before, and who left before and is nowhere
    managed any more. Raises PermanentError, and prunes nothing, when a row that would go is not what was written:
    pruning must not wash away the traces.
    """
    try:
        cutoff = now - max(keep, COUNTED_BY_LIMITS)
        approvals = cutoff - EXPIRES_AFTER
    except OverflowError:
        return 0  # longer than there are years
    below = _boundary(conn, cutoff, approvals)
    point = None if below is None else _checkpoint(conn, below)
    # Before the checkpoint, which seals what they leave; of the trail, what is to go counts as gone.
    first = 0 if below is None else below
    conn.execute(_OLD_RUNS, (moment(cutoff), first))
    holds.prune(conn, cutoff)
    written = json.dumps([intent.change.okta_id for intent in open_intents(conn)])
    conn.execute(_FORGOTTEN_PEOPLE, (moment(cutoff), moment(now), first, written))
    return 0 if point is None else _cut(conn, first, point, now, seals)


def _boundary(conn: Db, cutoff: datetime, approvals: datetime) -> int | None:
    """The first row that stays, None when all do."""
    (oldest,) = conn.execute(packs.OLDEST).fetchone()
    if oldest is None or str(oldest) >= moment(cutoff):
        return None
    (young,) = conn.execute(_FIRST_YOUNG, (moment(cutoff),)).fetchone()
    below: int = head(conn).sequence + 1 if young is None else young
    (approval,) = conn.execute(_FIRST_YOUNG_APPROVAL, (below, moment(approvals))).fetchone()
    below = below if approval is None else approval
    below = _settled_before(conn, below)
    (worth_it,) = conn.execute(_MORE_THAN_CHECKPOINTS, (below,)).fetchone()
    return below if worth_it else None


def _settled_before(conn: Db, below: int) -> int:
    """The highest number up to `below`, no pack's middle, before which each intent has its outcome. By the rows alone:
    that nothing lists an intent as open is no outcome.
    """
    settled, opened = 0, set[int]()
    for first, last, entry, refers in merge(_singles(conn, below), _packs(conn, below), key=itemgetter(0)):
        if not opened:
            settled = first
        if last >= below:
            return settled
        if entry == "intent":
            opened.update(range(first, last + 1))
        elif entry == "outcome":
            opened.difference_update(refers)
    return settled if opened else below


_Written = tuple[int, int, str, Sequence[int | None]]
"""First and last number, what it is, and which intents it refers to."""


def _singles(conn: Db, below: int) -> Iterator[_Written]:
    for sequence, entry, refers in conn.stream(_SINGLE, (below,)):
        yield sequence, sequence, entry, (refers,)


def _packs(conn: Db, below: int) -> Iterator[_Written]:
    for pack in map(packs.pack_of, conn.stream(_PACKS, (below,))):
        try:
            refers = [each for each, _, _ in packs.told(pack)]
        except PermanentError:
            raise _broken(pack.first, CHANGED) from None
        yield pack.first, pack.last, pack.entry, refers


def _checkpoint(conn: Db, below: int) -> dict[str, Any]:
    """What stands in for the rows before `below`. Raises PermanentError when they are not what was written."""
    point = youngest_checkpoint(conn)
    walk, fault = walk_chain(conn, point, below=below)
    if fault is None and point is not None and not point.intact:
        fault = Fault(point.row, CHANGED)
    if fault is None and walk.last.sequence != below - 1:
        fault = Fault(walk.last.sequence + 1, "the row is missing")
    fault = fault or fault_in_mark(conn, point)
    if fault is not None:
        raise _broken(fault.sequence, fault.problem)
    (until,) = conn.execute(
        "SELECT max(at) FROM (SELECT at FROM journal WHERE sequence < ?1"
        " UNION ALL SELECT at FROM packs WHERE last < ?1) gone",
        (below,),
    ).fetchone()
    return {"below": below, "previous": walk.last.hash, "rows": walk.rows, "until": until}


def _cut(conn: Db, below: int, checkpoint: Mapping[str, Any], now: datetime, seals: Seals) -> int:
    """The checkpoint also holds the decisions and expectations that still stand and whose row goes."""
    kept = [decision for decision, sequence in Rulings().rows(conn, now) if sequence < below]
    decisions.stand_in(conn, kept, next_sequence(conn))
    ahead = [made for made, sequence in expected.Expected().rows(conn, now) if sequence < below]
    body = {
        "checkpoint": checkpoint,
        **(decisions.said(kept) if kept else {}),
        **(expected.said(ahead) if ahead else {}),
    }
    append_note(conn, body, now, seal=seals.all_handed_over)
    conn.execute(
        "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        (CHECKPOINT_KEY, str(below)),
    )
    conn.execute("DELETE FROM packed WHERE sequence < ?", (below,))
    held: int = sum(last - first + 1 for first, last in conn.execute(_HELD, (below,)).fetchall())
    conn.execute("DELETE FROM packs WHERE last < ?", (below,))
    return held + conn.execute("DELETE FROM journal WHERE sequence < ?", (below,)).rowcount


def _broken(sequence: int, problem: str) -> PermanentError:
    return PermanentError(
        f"the audit trail is broken at row {sequence} ({problem}); nothing of it was pruned",
        hint="keep a copy of the store and look at `syncd audit verify`; provisioning goes on without it",
    )
