"""A store that moves from one database into another, either way: every row as it is, with the trail and its seals.

Inside a transaction of each side that lets nobody else write. What arrived is compared with what was sent before either
side is told: rows, the revision, the head of the trail, and the whole chain with what it says of the tables.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from syncd.errors import PermanentError, RefusedError
from syncd.ports.trail import Head
from syncd.store import journal, packs, state, verifying
from syncd.store.db import Db
from syncd.store.left_behind import leave_behind, refuse_moved, take_up_again, went_to
from syncd.store.postgres.tables import TABLES, Table
from syncd.store.stage.writer import AT_ONCE, insert_rows

_NOT_MOVED = frozenset({"writer"})
"""Who writes is of one place."""
_IN_ORDER = frozenset({"runs", "doubts"})
"""Tables whose order of arrival counts, and has no column of its own on SQLite."""


_PRUNED = str(2**62)


@dataclass(frozen=True, slots=True)
class Moved:
    """What arrived: rows by table, rows of the trail, and its head."""

    counts: Mapping[str, int]
    rows: int
    head: Head


def relocate(source: Db, target: Db, *, named: str, place: str, now: datetime) -> Moved:
    """Moves the store `named`, and leaves it behind for `place`, where `target` is. The caller commits `source` first.

    Whoever was interrupted between the two commits does it again: what says that it is at `place`, which is still
    empty, moves; what has arrived is counted. Raises StoreMoved when it is elsewhere or was worked with since, and what
    `move` raises.
    """
    left = went_to(source)
    if left is not None:
        if left != place:
            refuse_moved(source, named)
        if journal.head(target).sequence and went_to(target) is None:
            return arrived_before(source, journal.head(target), named)
        take_up_again(source)
    _make_room(source, target, now)
    counts = move(source, target, now)
    leave_behind(source, place)
    return Moved(counts, _length(target), journal.head(target))


def arrived_before(source: Db, there: Head, named: str) -> Moved:
    """What was moved by an earlier try, whose trail ends `there`. Raises StoreMoved when it went on since."""
    if there != journal.head(source):
        refuse_moved(source, named)
    counts = {}
    for table in TABLES:
        if table.name not in _NOT_MOVED:
            (counts[table.name],) = source.execute(f"SELECT count(*) FROM main.{table.name}").fetchone()
    counts["meta"] -= 1  # that it went has not come along
    return Moved(counts, _length(source), there)


def _length(store: Db) -> int:
    (rows,) = store.execute(packs.LENGTH).fetchone()
    return int(rows)


def _make_room(source: Db, target: Db, now: datetime) -> None:
    """A store that was left behind makes room for the one that it became: its trail goes on from there."""
    if went_to(target) is None:
        return
    old = journal.head(target)
    if not verifying.verify(source, now, old).intact:
        raise RefusedError(
            "the store that was left behind where this one is to go is not an earlier state of it",
            hint="`syncd audit verify` says whether this one is whole; the other one stays as it is",
        )
    state.set_meta(target, verifying.CHECKPOINT_KEY, _PRUNED)  # else its rows are append-only
    for table in ("journal", "packs", "packed"):
        target.execute(f"DELETE FROM main.{table}")
    target.execute("DELETE FROM main.meta")


def move(source: Db, target: Db, now: datetime) -> Mapping[str, int]:
    """Copies all rows into the empty store `target`; how many, by table. `target` is not watched for its seals: they
    come along. Raises RefusedError for a target that is not empty, PermanentError for a source that is not whole and
    when something else arrived than was sent.
    """
    _refuse_filled(target)
    sent = verifying.verify(source, now)
    if not sent.intact:
        raise PermanentError(
            f"the store is not whole, and is not moved: {sent.problem or 'its tables are not what its trail says'}",
            hint="`syncd audit verify` says more; go back to a backup of it first",
        )
    counts = {}
    for table in TABLES:
        if table.name not in _NOT_MOVED:
            counts[table.name] = copy_table(source, target, table)
    _compare(source, target, counts)
    arrived = verifying.verify(target, now)
    if (arrived.rows, str(arrived.head), arrived.intact) != (sent.rows, str(sent.head), True):
        raise PermanentError(
            "the trail that arrived is not the one that was sent; nothing was moved", hint="run it again"
        )
    return counts


def _refuse_filled(target: Db) -> None:
    if state.revision(target) or journal.head(target).sequence:
        raise RefusedError(
            "there is a store already where this one is to go", hint="only an empty place takes a store"
        )


def copy_table(source: Db, target: Db, table: Table) -> int:
    """Its rows take the place of those of `target`; how many."""
    names = [name for name in table.names if name != "rowid"]
    order = " ORDER BY rowid" if table.name in _IN_ORDER else ""
    target.execute(f"DELETE FROM main.{table.name}")
    rows = iter(source.stream(f"SELECT {', '.join(names)} FROM main.{table.name}{order}"))
    count = 0
    while some := list(islice(rows, AT_ONCE)):
        insert_rows(target, f"INSERT INTO main.{table.name} ({', '.join(names)})", some)
        count += len(some)
    return count


def _compare(source: Db, target: Db, sent: Mapping[str, int]) -> None:
    for table, count in sent.items():
        (arrived,) = target.execute(f"SELECT count(*) FROM main.{table}").fetchone()
        if arrived != count:
            raise PermanentError(
                f"{arrived} rows of {table} arrived of {count}; nothing was moved", hint="run it again"
            )
    if state.revision(source) != state.revision(target) or journal.head(source) != journal.head(target):
        raise PermanentError("another state arrived than was sent; nothing was moved", hint="run it again")
