"""What the trail says the tables hold, gathered while its chain is walked, and where they say otherwise.

Three ways, each of which finds what the others cannot:
- the seals: no row of a guarded table came, changed or went but in a transaction that the trail knows (`seals`)
- the words: links, memberships, runs and decisions are what the rows of the trail say, whatever a seal says (`words`)
- the revisions: none is above the store's, which would make a row younger than whatever is read.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from itertools import groupby
from typing import Any

from syncd.core.counting import counted
from syncd.ports.trail import Altered
from syncd.store import decisions, packs
from syncd.store.db import Db
from syncd.store.decisions import Ruling
from syncd.store.rows import Row, moment
from syncd.store.seals import BROKEN, GUARDS, KEY, NEVER, remembered, seal_of, sum_of, table_of
from syncd.store.starting import STARTED
from syncd.store.state import get_meta
from syncd.store.words import Words

_NAMED = 5
"""So many rows of a table are named, and the others counted."""
_RUNS_MISSING = """
SELECT run_id FROM journal WHERE run_id IS NOT NULL AND run_id NOT IN (SELECT run_id FROM runs)
UNION SELECT run_id FROM packs WHERE run_id IS NOT NULL AND run_id NOT IN (SELECT run_id FROM runs) ORDER BY 1
"""
_REVISIONS = {
    "users": ("revision", "own_list_revision"),
    "groups": ("revision", "list_revision", "known_since"),
    "tombstones": ("revision",),
}
_LIVE = """
SELECT change_id, decision, decided_by, at, object_key, hold_id, expires_at, sequence FROM decisions
WHERE expires_at IS NULL OR expires_at > ?
"""


class Account:
    """Give it each row of the chain in order (`row`), then ask (`altered`)."""

    def __init__(self, begins_at: int) -> None:
        self._begins_at = begins_at
        self._words = Words(from_the_start=begins_at == 1)
        self._seals: dict[str, tuple[str, int]] = {}
        self._broken: dict[str, Altered] = {}  # the first of each kind
        self._open: set[int] = set()
        self._decided: dict[str, tuple[Ruling, int]] = {}

    def close(self) -> None:
        self._words.close()

    def row(self, row: Row) -> None:
        """A row that fits, with the columns of `packs.ROWS`."""
        sequence, entry, refers, applied, text = row[0], row[3], row[4], row[8], row[9]
        if entry == "intent":
            self._open.add(sequence)
            return
        try:
            body = json.loads(text)
            if entry == "outcome":
                self._open.discard(refers)
                self._outcome(body, sequence, applied=bool(applied))
            else:
                self._note(body, sequence, row[2])
            for name, (seal, after) in body.get(KEY, {}).items():
                self._sealed(name, seal, after, sequence)
        except (AttributeError, KeyError, RecursionError, TypeError, ValueError):
            said = Altered("journal", f"row {sequence} says what syncd never writes")
            self._broken.setdefault("journal", said)

    def _outcome(self, body: Mapping[str, Any], sequence: int, *, applied: bool) -> None:
        for said in body["effects"]:
            self._words.effect(said, sequence)
        if applied and "step" not in body:
            self._used(body["change"])

    def _note(self, body: Mapping[str, Any], sequence: int, run_id: str) -> None:
        if "starting_point" in body and not self._seals:  # a later one is not ours
            self._words.forget()
            self._decided.clear()
        decisions.tell(self._decided, body, sequence)
        for said in body.get("drift", {}).get("taken_over", ()):
            self._words.effect(said, sequence)
        if "run" in body:
            self._words.run(run_id, body["run"], sequence)
        if "release" in body:
            self._words.unlinked(body["release"], body["okta_id"], sequence)
        if body.get("decision") == "forget":
            for kind in ("user", "group"):
                for okta_id in body[f"{kind}s"]:
                    self._words.unlinked(kind, okta_id, sequence)

    def _used(self, change_id: str) -> None:
        made = self._decided.get(change_id)
        if made is not None and made[0].decision == "approve":
            del self._decided[change_id]

    def _sealed(self, name: str, seal: str, after: int, sequence: int) -> None:
        before = self._seals.get(name)
        follows = after == before[1] if before else after < self._begins_at
        if seal == BROKEN or not follows:
            problem = f"what the store remembered of it was changed before row {sequence} sealed it"
            self._broken.setdefault(name, Altered(table_of(name), problem))
        self._seals[name] = (seal, sequence)

    def altered(self, conn: Db, now: datetime) -> list[Altered]:
        """Inside the snapshot in which the chain was walked."""
        if not self._seals and get_meta(conn, STARTED) is None:
            return []  # an older version wrote it, and no newer one opened it for writing yet
        found = [*self._broken.values(), *self._disputed(conn, now)]
        named = {each.table for each in found}
        found += [each for each in self._against_seals(conn) if each.table not in named]
        return found

    def _against_seals(self, conn: Db) -> Iterator[Altered]:
        try:
            known = remembered(conn)
        except ValueError as error:
            known = {}
            yield Altered("seals", str(error))
        for guard in GUARDS:
            table = guard.table
            if self._seals and guard.name not in self._seals:
                continue  # another version sealed, and this one did not open it for writing yet
            seal, sequence = self._seals.get(guard.name, (seal_of(0), NEVER))
            if seal_of(sum_of(conn, guard)) != seal:
                since = (
                    f"since row {sequence} sealed it" if sequence else "and no row of the trail knows of them"
                )
                yield Altered(table, f"rows were added, changed or removed behind syncd's back, {since}")
            total, last = known.get(guard.name, (0, NEVER))
            if (seal_of(total), last) != (seal, sequence):
                yield Altered("seals", f"what it remembers of {guard.name} is not what row {sequence} sealed")
        for name in sorted(known.keys() - self._seals.keys() - {guard.name for guard in GUARDS}, key=str):
            yield Altered("seals", f"it remembers {name}, which nothing seals")

    def _disputed(self, conn: Db, now: datetime) -> Iterator[Altered]:
        for table, problems in groupby(self._words.disputed(conn), key=lambda each: each[0]):
            yield from _some(table, (problem for _, problem in problems))
        yield from _some("decisions", self._disputed_decisions(conn, now))
        opened = {sequence for (sequence,) in conn.execute("SELECT sequence FROM open_intents")}
        yield from _some(
            "open_intents",
            (
                f"the intent in row {sequence} is {'settled' if sequence in opened else 'open'}"
                for sequence in sorted(opened ^ self._open, key=str)
            ),
        )
        yield from _some("runs", (f"run {run_id} is missing" for (run_id,) in conn.execute(_RUNS_MISSING)))
        yield from _some(
            "packed", (f"row {first} of the trail tells of others" for first in packs.misnamed(conn))
        )
        yield from _from_the_future(conn)

    def _disputed_decisions(self, conn: Db, now: datetime) -> Iterator[str]:
        stamp = moment(now)
        told = {change_id: made for change_id, made in self._decided.items() if not made[0].expired(stamp)}
        for *values, sequence in conn.execute(_LIVE, (stamp,)):
            decision = Ruling(*values)
            if told.pop(decision.change_id, None) != (decision, sequence):
                yield f"{decision.decision} of {decision.change_id} by {decision.by} is not what the trail says"
        for change_id, (decision, sequence) in told.items():
            yield f"{decision.decision} of {change_id} by {decision.by}, in row {sequence} of the trail, is missing"


def _from_the_future(conn: Db) -> Iterator[Altered]:
    said = get_meta(conn, "revision")
    if said is None:
        said = "0"  # in a fleet people decide before anybody opened the store to write
    if not (said.isascii() and said.isdigit()):
        yield Altered("meta", "the store's revision was made unreadable")
        return
    for table, columns in _REVISIONS.items():
        above = " OR ".join(f"{column} > ?1" for column in columns)
        (found,) = conn.execute(f"SELECT count(*) FROM {table} WHERE {above}", (int(said),)).fetchone()  # noqa: S608
        if found:
            yield Altered(
                table, f"{counted(found, 'row')} would be younger than the store, whose revision is {said}"
            )


def _some(table: str, problems: Iterable[str]) -> Iterator[Altered]:
    more = 0
    for number, problem in enumerate(problems):
        if number < _NAMED:
            yield Altered(table, problem)
        else:
            more += 1
    if more:
        yield Altered(table, f"and {more:,} more like these")
