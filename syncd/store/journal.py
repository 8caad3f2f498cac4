"""The audit trail: append-only rows of intents, outcomes and notes, each carrying the hash of the one before.

A row's hash is SHA-256 over the canonical JSON of all its other columns, the previous hash among them. Sequence
numbers begin at 1 and have no gaps, so the last one is also the length of the chain, pruned rows included. The last
sequence and hash are also kept in `meta`, so that a cut-off tail shows. How the chain is checked: `verifying`; how
it loses its oldest rows: `pruning`; how many that are alike share one row of the database: `packs`.
"""

from __future__ import annotations

import json
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from itertools import groupby
from typing import Any

from syncd.core.canonical import canonical, canonical_plain
from syncd.core.change import Change, ChangeKind, change_text
from syncd.errors import PermanentError
from syncd.ports.outcomes import Intent, Settled
from syncd.ports.trail import GENESIS, Head
from syncd.redact import Redactor
from syncd.store import packs
from syncd.store.db import Db
from syncd.store.packs import COLUMNS, contents_at, row_hash
from syncd.store.recent import UNCOUNTED, counts, raised_for
from syncd.store.rows import Row, at_moment, change_of, moment

_INSERT = f"INSERT INTO journal ({', '.join(COLUMNS)}, hash) VALUES ({', '.join('?' * 12)})"  # noqa: S608  (constants)
# Whether a person, or what is only just being made, is the reason that no limit counts it.
_INTENDED = """
SELECT sequence, run_id, CASE WHEN json_valid(body) THEN json_type(body, '$.approved') IS NOT NULL END,
    CASE WHEN json_valid(body) THEN json_type(body, '$.exempt') IS NOT NULL END
FROM journal WHERE sequence IN (SELECT CAST(value AS BIGINT) FROM json_each(?))
"""
_INTENDED_IN_PACKS = (
    "SELECT first, last, run_id FROM packs WHERE entry = 'intent' AND first <= ? AND last >= ?"
)

_OPENED = "INSERT INTO open_intents (sequence) SELECT CAST(value AS BIGINT) FROM json_each(?)"
_SETTLED = "DELETE FROM open_intents WHERE sequence IN (SELECT CAST(value AS BIGINT) FROM json_each(?))"

Seal = Callable[[int], Mapping[str, Any]]
"""What the row with this sequence number carries besides (`seals`)."""


_Said = tuple[str | None, str, int | None, str | None, str | None, str | None, int | None, str]
"""What a row says: `COLUMNS` from `run_id` to `body`."""


def head(conn: Db) -> Head:
    """The last row as `meta` remembers it. Raises PermanentError when that was made unreadable."""
    row = conn.execute("SELECT value FROM meta WHERE key = 'journal_head'").fetchone()
    try:
        return Head(0, GENESIS) if row is None else Head.parse(str(row[0]))
    except ValueError as error:
        raise PermanentError(
            "what the store remembers as the last row of the audit trail was changed behind syncd's back",
            hint="keep a copy of the store, and restore a backup of it; `syncd audit verify` says more",
        ) from error


def next_sequence(conn: Db) -> int:
    """The number that the next row of the trail gets: one more than its head's."""
    return head(conn).sequence + 1


def _append(
    conn: Db,
    at: datetime,
    said: Sequence[_Said],
    packable: Sequence[bool],
    sealed: tuple[Mapping[str, Any], Seal] | None = None,
) -> Sequence[int]:
    """Inside the caller's transaction; returns the sequence numbers. `packable`: of each row, see `packs`. `sealed`:
    what the last row says, as a mapping, and what gives the seals that it carries besides.
    """
    last = head(conn)
    numbers = range(last.sequence + 1, last.sequence + 1 + len(said))
    if sealed is not None:
        body, seal = sealed
        said = [*said[:-1], (*said[-1][:-1], canonical({**body, **seal(numbers[-1])}))]
    previous, stamp = last.hash, moment(at)
    rows = []
    for sequence, each in zip(numbers, said, strict=True):
        values = (sequence, stamp, *each, previous)
        previous = row_hash(values)
        rows.append((*values, previous))
    # The last row is asked for by its number when it carries seals: that one is in no pack.
    _store(conn, rows, packable if sealed is None else [*packable[:-1], False])
    conn.execute(
        "INSERT INTO meta (key, value) VALUES ('journal_head', ?)"
        " ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        (f"{numbers[-1]}:{previous}",),
    )
    return numbers


def _store(conn: Db, rows: Sequence[Row], packable: Sequence[bool]) -> None:
    single: list[Row] = []
    for shared, some in groupby(zip(packable, rows, strict=True), key=_shared):
        together = [row for _, row in some]
        if shared is None:
            single += together
            continue
        for start in range(0, len(together), packs.AT_MOST):
            part = together[start : start + packs.AT_MOST]
            if len(part) < packs.FROM:
                single += part
            else:
                packs.insert(conn, part)
    conn.executemany(_INSERT, single)


def _shared(row: tuple[bool, Row]) -> tuple[object, ...] | None:
    """What it shares with the rows with which it is packed; None: with nobody."""
    packable, (_, _, run_id, entry, _, kind, _, group_id, *_) = row
    return (run_id, entry, kind, group_id) if packable else None


def append_intents(
    conn: Db,
    run_id: str,
    changes: Sequence[Change],
    at: datetime,
    allow: AbstractSet[str],
    approved: Mapping[str, Mapping[str, str]],
    exempt: AbstractSet[str],
    spared: Mapping[str, AbstractSet[str]],
) -> list[int]:
    """Each intent says who approved it, if a person did: `{"approved": {"by": WHO, "at": WHEN}}`, by change id; which
    of its limits were raised for the run: `{"allowed": [NAME, ...]}`; whether no limit is about it, by change id:
    `{"exempt": true}`; and which one is not: `{"spared": [NAME, ...]}`.
    """
    allowed = {kind: raised_for(kind, allow) for kind in ChangeKind} if allow else {}
    said: list[_Said] = []
    packable = []
    for change in changes:
        is_exempt, by = change.id in exempt, approved.get(change.id)
        body = change_text(
            change,
            allowed=allowed.get(change.kind, ()),
            approved=by,
            exempt=is_exempt,
            spared=sorted(name for name, ids in spared.items() if change.id in ids) if spared else (),
        )
        said.append((run_id, "intent", None, change.kind.value, change.okta_id, change.group_id, None, body))
        packable.append(is_exempt and by is None)
    sequences = _append(conn, at, said, packable)
    conn.execute(_OPENED, (json.dumps(list(sequences)),))
    return list(sequences)


def settled_before(conn: Db, sequences: Sequence[int]) -> frozenset[int]:
    """Those of these intents that have an outcome already. Raises ValueError for what is no intent."""
    opened = {
        sequence
        for (sequence,) in conn.execute(
            "SELECT sequence FROM open_intents"
            " WHERE sequence IN (SELECT CAST(value AS BIGINT) FROM json_each(?))",
            (json.dumps(list(sequences)),),
        )
    }
    settled = frozenset(sequences) - opened
    rows = contents_at(conn, settled) if settled else {}
    for sequence in settled:
        if sequence not in rows or rows[sequence][3] != "intent":
            raise ValueError(f"there is no open intent {sequence}")
    return settled


def append_outcomes(
    conn: Db,
    outcomes: Sequence[tuple[Settled, Any]],
    at: datetime,
    redactor: Redactor,
    seal: Seal,
) -> None:
    """Each outcome, of an intent that is open, comes with the document of its effects, which are stored already."""
    if not outcomes:
        return
    numbers = [settled.sequence for settled, _ in outcomes]
    intents = _intended(conn, numbers)
    sent, told = cache(redactor.text), cache(redactor.kept)  # what travelled together has one request
    said: list[_Said] = []
    packable, body = [], {}
    for settled, effects in outcomes:
        intent, change = intents[settled.sequence], settled.change
        applied = settled.error is None and not settled.deferred
        body = _outcome_body(settled, effects, sent, told)
        if intent.is_uncounted or _is_free(settled):
            body[UNCOUNTED] = True
        about = settled.sequence, change.kind.value, change.okta_id, change.group_id
        said.append((intent.run_id, "outcome", *about, int(applied), canonical_plain(body)))
        packable.append(intent.is_packable and applied and not settled.step)
    _append(conn, at, said, packable, (body, seal))
    conn.execute(_SETTLED, (json.dumps(numbers),))


@dataclass(frozen=True, slots=True)
class _Intended:
    """What the intent of an outcome says besides its change."""

    run_id: str
    approved: bool
    exempt: bool

    @property
    def is_uncounted(self) -> bool:
        return self.approved or self.exempt

    @property
    def is_packable(self) -> bool:
        """Approvals are looked for in the trail: their use is in no pack."""
        return self.exempt and not self.approved


def _intended(conn: Db, sequences: Sequence[int]) -> dict[int, _Intended]:
    """By the intent's number. Those in packs are exempt, all of them."""
    found = {
        sequence: _Intended(run_id, bool(approved), bool(exempt))
        for sequence, run_id, approved, exempt in conn.execute(_INTENDED, (json.dumps(list(sequences)),))
    }
    rest = sorted(set(sequences) - found.keys())
    if rest:
        for first, last, run_id in conn.execute(_INTENDED_IN_PACKS, (rest[-1], rest[0])).fetchall():
            inside = rest[bisect_left(rest, first) : bisect_right(rest, last)]
            found.update(dict.fromkeys(inside, _Intended(run_id, approved=False, exempt=True)))
    return found


def _is_free(settled: Settled) -> bool:
    """No limit is about such a change; of a detour only the last step counts."""
    change = settled.change
    return settled.step or not counts(change.kind, change.before, change.after)


def _outcome_body(
    settled: Settled, effects: Any, sent: Callable[[str], str], said: Callable[[str], str]
) -> dict[str, Any]:
    body: dict[str, Any] = {"change": settled.change.id, "status": settled.status, "effects": effects}
    if settled.request:
        body["request"] = sent(settled.request)
    if settled.note:
        body["note"] = said(settled.note)
    if settled.error is not None:
        body["error"] = said(settled.error)
    if settled.deferred:
        body["deferred"] = True
    if settled.step:
        body["step"] = True
    return body


def append_note(
    conn: Db,
    body: Mapping[str, Any],
    at: datetime,
    *,
    seal: Seal | None = None,
    run_id: str | None = None,
) -> int:
    """A free row: decisions of people, releases, checkpoints, seals."""
    said: _Said = (run_id, "note", None, None, None, None, None, canonical(body))
    return _append(conn, at, [said], [False], None if seal is None else (body, seal))[0]


def open_intents(conn: Db) -> list[Intent]:
    """Writes that were announced and have no outcome yet, the oldest first."""
    sequences = [sequence for (sequence,) in conn.execute("SELECT sequence FROM open_intents").fetchall()]
    rows = contents_at(conn, sequences) if sequences else {}
    return [Intent(sequence, row[2], change_of(row[9]), at_moment(row[1])) for sequence, row in rows.items()]


def intended_at(conn: Db, sequence: int) -> datetime:
    """`sequence` is the intent's."""
    return at_moment(contents_at(conn, [sequence])[sequence][1])
