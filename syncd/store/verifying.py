"""Checks the audit trail: every row's hash, its place, where the chain begins, and where it ends.

The chain begins at row 1, or at the row that the youngest checkpoint names: a note
`{"checkpoint": {"below": N, "previous": HASH, "until": TIME}}`, a row of the chain like any other, which says that
the rows below N are pruned, the hash of row N - 1 was HASH, and none of them was younger than TIME.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime

from syncd.errors import PermanentError
from syncd.ports.trail import GENESIS, Altered, ChainReport, Head
from syncd.store.account import Account
from syncd.store.db import Db
from syncd.store.journal import head
from syncd.store.packs import ROWS, in_order, row_hash
from syncd.store.rows import Row, at_moment, searchable

CHECKPOINT_KEY = "journal_checkpoint"
"""In `meta`: the first row that is not pruned; below it the trigger lets rows go."""

CHANGED = "its content was changed"
_LONGEST = 500


@dataclass(frozen=True, slots=True)
class Fault:
    """The first row that does not fit, and what is wrong with it."""

    sequence: int
    problem: str


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """`row` is the checkpoint's own sequence number; rows below `below` are pruned."""

    row: int
    below: int
    previous: str
    until: datetime | None
    intact: bool


@dataclass(slots=True)
class Walk:
    """Where a walk along the chain is: `last` is the row before the next one."""

    last: Head
    rows: int = 0
    noted: Head | None = None
    """A row to look out for; `met` is the hash it really has."""
    met: str | None = None

    def step(self, row: Row) -> Fault | None:
        """`row` holds the columns of `packs.ROWS`."""
        sequence, claimed, digest = row[0], row[-2], row[-1]
        if sequence != self.last.sequence + 1:
            return Fault(self.last.sequence + 1, "the row is missing")
        if claimed != self.last.hash:
            return Fault(sequence, "it does not continue the row before it")
        if not _fits(row):
            return Fault(sequence, CHANGED)
        self.last, self.rows = Head(sequence, digest), self.rows + 1
        if self.noted is not None and sequence == self.noted.sequence:
            self.met = digest
        return None


def verify(conn: Db, now: datetime, noted: Head | None = None) -> ChainReport:
    """Checks the whole trail as it is at this moment, also while another process writes, and the tables against it.

    `noted` is a head from an earlier time: it must still be a row of the chain, or lie below a checkpoint.
    """
    with conn.snapshot():
        try:
            remembered = head(conn)
        except PermanentError:
            remembered = None
        point = youngest_checkpoint(conn)
        beginning = _beginning(point)
        altered = conn.altered()
        with closing(Account(beginning.sequence + 1)) as account:
            walk, fault = walk_chain(conn, point, noted=noted, listener=account.row)
            fault = fault or fault_in_mark(conn, point) or _fault_at_end(walk.last, remembered)
            if fault is None and noted is not None:
                fault = _fault_in_noted(noted, walk, beginning)
            if fault is None:
                altered += account.altered(conn, now)
    below = beginning.sequence
    return ChainReport(
        rows=walk.rows if fault is None else max(0, min(walk.rows, fault.sequence - 1 - below)),
        broken_at=fault.sequence if fault else None,
        problem=fault.problem if fault else "",
        head=remembered,
        pruned=below,
        pruned_until=point.until if point else None,
        noted_pruned=fault is None and noted is not None and noted.sequence < below,
        altered=[Altered(_shown(each.table), _shown(each.problem)) for each in altered],
    )


def _shown(said: str) -> str:
    """Names in it may be anything that somebody wrote into the file."""
    return searchable(said[:_LONGEST])


def walk_chain(
    conn: Db,
    point: Checkpoint | None,
    *,
    below: int | None = None,
    noted: Head | None = None,
    listener: Callable[[Row], None] | None = None,
) -> tuple[Walk, Fault | None]:
    """Walks from where the chain begins to its end, or to the row before `below`; `listener` gets what fits."""
    start = _beginning(point)
    walk = Walk(start, noted=noted)
    for row in in_order(conn):
        if below is not None and row[0] >= below:
            break
        if walk.rows == 0 and walk.last is start:
            fault = _fault_at_start(row, start, point)
            if fault is not None:
                if point is None or point.intact:
                    return walk, fault
                # The checkpoint itself was changed: it can say nothing about where the chain begins.
                walk.last = Head(row[0] - 1, str(row[-2]))
        fault = walk.step(row)
        if fault is not None:
            return walk, fault
        if listener is not None:
            listener(row)
    return walk, None


def youngest_checkpoint(conn: Db) -> Checkpoint | None:
    """What stands for the rows that were pruned last; None where none ever were."""
    for row in conn.execute(f"{ROWS} WHERE entry = 'note' ORDER BY sequence DESC"):
        found = _checkpoint(row)
        if found is not None:
            return found
    return None


def _checkpoint(row: Row) -> Checkpoint | None:
    try:
        body = json.loads(row[-3])
        point = body.get("checkpoint") if isinstance(body, dict) else None
        if point is None:
            return None
        until = point.get("until")
        return Checkpoint(
            row=row[0],
            below=int(point["below"]),
            previous=str(point["previous"]),
            until=None if until is None else at_moment(until),
            intact=_fits(row),
        )
    except (AttributeError, KeyError, RecursionError, TypeError, ValueError):
        return None  # not written by us: the walk finds the row changed


def _beginning(point: Checkpoint | None) -> Head:
    """The row before the first one that must be there."""
    return Head(0, GENESIS) if point is None else Head(point.below - 1, point.previous)


def _fits(row: Row) -> bool:
    try:
        return bool(row[-1] == row_hash(row[:-1]))
    except (TypeError, ValueError):
        return False  # values of a type that we never write


def _fault_at_start(row: Row, start: Head, point: Checkpoint | None) -> Fault | None:
    first, claimed = row[0], row[-2]
    if first <= start.sequence:
        known = f"the checkpoint in row {point.row} says that it was pruned" if point else "rows begin at 1"
        return Fault(first, known)
    if first > start.sequence + 1:
        return Fault(first, "rows before it are missing and no checkpoint vouches for that")
    if point is not None and claimed != start.hash:
        return Fault(first, f"it does not continue what the checkpoint in row {point.row} vouches for")
    return None


def fault_in_mark(conn: Db, point: Checkpoint | None) -> Fault | None:
    """The mark in `meta` opens the trigger: without its checkpoint somebody else made it."""
    row = conn.execute("SELECT value FROM meta WHERE key = ?", (CHECKPOINT_KEY,)).fetchone()
    mark = None if row is None else str(row[0])
    if mark == (None if point is None else str(point.below)):
        return None
    if point is None:
        return Fault(1, f"the store marks rows below {mark:.40} as pruned, and no checkpoint says so")
    return Fault(
        point.row, f"the store marks rows below {mark} as pruned, this checkpoint says {point.below}"
    )


def _fault_at_end(last: Head, remembered: Head | None) -> Fault | None:
    if remembered is None:
        return Fault(last.sequence, "what the store remembers as the last row was made unreadable")
    if last.sequence < remembered.sequence:
        return Fault(
            last.sequence + 1,
            f"rows at the end are missing: the store remembers {remembered.sequence} as the last",
        )
    if last.sequence > remembered.sequence:
        return Fault(remembered.sequence + 1, "the store does not remember to have written it")
    if last.hash != remembered.hash:
        return Fault(last.sequence, "it is not the row that the store remembers as the last")
    return None


def _fault_in_noted(noted: Head, walk: Walk, beginning: Head) -> Fault | None:
    if noted.sequence > walk.last.sequence:
        return Fault(
            walk.last.sequence + 1,
            f"rows at the end are missing: the trail had {noted.sequence} rows when the given head was noted",
        )
    known = beginning.hash if noted.sequence == beginning.sequence else walk.met
    if noted.sequence >= beginning.sequence and known != noted.hash:
        return Fault(
            noted.sequence,
            "it has another hash than the given head: this row or some before it were rewritten",
        )
    return None
