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
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from itertools import groupby
from operator import itemgetter
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
from syncd.store.rows import at_moment, change_of, moment

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

Seal = Callable[[int], Mapping[str, Any]]
"""What the row with this sequence number carries besides (`seals`)."""


@dataclass(frozen=True, slots=True)
class _Draft:
    entry: str
    run_id: str | None = None
    refers: int | None = None
    change: Change | None = None
    applied: bool | None = None
    body: Mapping[str, Any] = field(default_factory=dict)
    written: str | None = None
    """The body as canonical text, where that is at hand."""
    packable: bool = False
    """See `packs`."""

    @property
    def pack(self) -> tuple[object, ...] | None:
        """What it shares with the rows with which it may be packed."""
        if not self.packable or self.change is None:
            return None
        return self.entry, self.run_id, self.change.kind, self.change.group_id


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


def _append(conn: Db, at: datetime, drafts: Sequence[_Draft], seal: Seal | None = None) -> list[int]:
    """Inside the caller's transaction; returns the sequence numbers. The last row carries what `seal` gives for it."""
    last = head(conn)
    sequence, previous = last.sequence, last.hash
    stamp = moment(at)
    rows = []
    for draft in drafts:
        sequence += 1
        change, body = draft.change, draft.body
        if seal is not None and draft is drafts[-1]:
            body = {**body, **seal(sequence)}
        write = canonical_plain if draft.entry == "outcome" else canonical  # a note may hold a float
        written = write(body) if draft.written is None else draft.written
        values = (
            sequence,
            stamp,
            draft.run_id,
            draft.entry,
            draft.refers,
            str(change.kind) if change else None,
            change.okta_id if change else None,
            change.group_id if change else None,
            None if draft.applied is None else int(draft.applied),
            written,
            previous,
        )
        previous = row_hash(values)
        rows.append((*values, previous))
    _store(conn, rows, [draft.pack for draft in drafts], sealed=seal is not None)
    conn.execute(
        "INSERT INTO meta (key, value) VALUES ('journal_head', ?)"
        " ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        (f"{sequence}:{previous}",),
    )
    return [row[0] for row in rows]


def _store(
    conn: Db, rows: Sequence[tuple[Any, ...]], alike: Sequence[object | None], *, sealed: bool
) -> None:
    """The last row is asked for by its number when it carries seals: that one is in no pack."""
    single: list[tuple[Any, ...]] = []
    numbered = list(zip(alike, rows, strict=True))
    if sealed and numbered:
        numbered[-1] = (None, numbered[-1][1])
    for shared, some in groupby(numbered, key=itemgetter(0)):
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
    drafts = [
        _Draft(
            "intent",
            run_id,
            change=change,
            packable=change.id in exempt and change.id not in approved,
            written=change_text(
                change,
                allowed=allowed.get(change.kind, ()),
                approved=approved.get(change.id),
                exempt=change.id in exempt,
                spared=sorted(name for name, ids in spared.items() if change.id in ids),
            ),
        )
        for change in changes
    ]
    sequences = _append(conn, at, drafts)
    conn.executemany("INSERT INTO open_intents (sequence) VALUES (?)", [(number,) for number in sequences])
    return sequences


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
    intents = _intended(conn, [settled.sequence for settled, _ in outcomes])
    sent, said = cache(redactor.text), cache(redactor.kept)  # what travelled together has one request
    _append(
        conn,
        at,
        [
            _Draft(
                "outcome",
                intents[settled.sequence].run_id,
                refers=settled.sequence,
                change=settled.change,
                applied=settled.error is None and not settled.deferred,
                body=_outcome_body(settled, effects, sent, said)
                | ({UNCOUNTED: True} if intents[settled.sequence].is_uncounted or _is_free(settled) else {}),
                packable=intents[settled.sequence].is_packable
                and settled.error is None
                and not (settled.deferred or settled.step),
            )
            for settled, effects in outcomes
        ],
        seal,
    )
    conn.executemany(
        "DELETE FROM open_intents WHERE sequence = ?", [(settled.sequence,) for settled, _ in outcomes]
    )


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
            found.update((sequence, _Intended(run_id, approved=False, exempt=True)) for sequence in inside)
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
    return _append(conn, at, [_Draft("note", run_id, body=body)], seal)[0]


def open_intents(conn: Db) -> list[Intent]:
    """Writes that were announced and have no outcome yet, the oldest first."""
    sequences = [sequence for (sequence,) in conn.execute("SELECT sequence FROM open_intents").fetchall()]
    rows = contents_at(conn, sequences) if sequences else {}
    return [Intent(sequence, row[2], change_of(row[9]), at_moment(row[1])) for sequence, row in rows.items()]


def intended_at(conn: Db, sequence: int) -> datetime:
    """`sequence` is the intent's."""
    return at_moment(contents_at(conn, [sequence])[sequence][1])
