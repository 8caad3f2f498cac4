"""The audit trail: append-only rows of intents, outcomes and notes, each carrying the hash of the one before.

A row's hash is SHA-256 over the canonical JSON of all its other columns, the previous hash among them. Sequence
numbers begin at 1 and have no gaps, so the last one is also the length of the chain, pruned rows included. The last
sequence and hash are also kept in `meta`, so that a cut-off tail shows. How the chain is checked: `verifying`; how
it loses its oldest rows: `pruning`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any

from syncd.core.canonical import canonical, canonical_plain
from syncd.core.change import Change, ChangeKind, change_text
from syncd.errors import PermanentError
from syncd.ports.outcomes import Intent, Settled
from syncd.ports.trail import GENESIS, Head, JournalEntry
from syncd.redact import Redactor
from syncd.store.db import Db
from syncd.store.recent import UNCOUNTED, counts, raised_for
from syncd.store.rows import at_moment, change_of, columns, moment

PAGE = 500
COLUMNS = (
    "sequence",
    "at",
    "run_id",
    "entry",
    "refers",
    "kind",
    "okta_id",
    "group_id",
    "applied",
    "body",
    "previous",
)
_INSERT = f"INSERT INTO journal ({', '.join(COLUMNS)}, hash) VALUES ({', '.join('?' * 12)})"  # noqa: S608  (constants)
SELECT = f"SELECT {', '.join(COLUMNS)}, hash FROM journal"  # noqa: S608  (constants)
_WITH_INTENT = (
    f"SELECT {columns(COLUMNS, 'j')}, j.hash, i.body FROM journal j"  # noqa: S608  (constants)
    " LEFT JOIN journal i ON j.entry = 'outcome' AND i.sequence = j.refers AND i.entry = 'intent'"
)
# Whether a person, or what is only just being made, is the reason that no limit counts it.
_INTENDED = """
SELECT sequence, run_id, CASE WHEN json_valid(body)
    THEN coalesce(json_type(body, '$.approved'), json_type(body, '$.exempt')) IS NOT NULL END
FROM journal WHERE sequence IN (SELECT CAST(value AS BIGINT) FROM json_each(?))
"""
_LAST = (
    "SELECT sequence FROM (SELECT sequence FROM journal"
    " WHERE entry = 'outcome' AND {} = ?1 ORDER BY sequence DESC LIMIT ?2) last"
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


_COLUMN_TYPES = frozenset((str, int, type(None)))


def row_hash(values: Sequence[Any]) -> str:
    """SHA-256 over the canonical JSON of the columns before `hash`, in their order. Raises TypeError for bytes."""
    as_written = _COLUMN_TYPES.issuperset(map(type, values))
    text = canonical_plain(list(values)) if as_written else canonical(list(values))
    return hashlib.sha256(text.encode("ascii")).hexdigest()


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
        written = canonical(body) if draft.written is None else draft.written
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
    conn.executemany(_INSERT, rows)
    conn.execute(
        "INSERT INTO meta (key, value) VALUES ('journal_head', ?)"
        " ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        (f"{sequence}:{previous}",),
    )
    return [row[0] for row in rows]


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
    found = set()
    for sequence, opened, intended in conn.execute(
        "SELECT g.given, EXISTS (SELECT 1 FROM open_intents WHERE sequence = g.given),"
        " EXISTS (SELECT 1 FROM journal WHERE sequence = g.given AND entry = 'intent')"
        " FROM (SELECT CAST(value AS BIGINT) AS given FROM json_each(?)) g",
        (json.dumps(list(sequences)),),
    ).fetchall():
        if not intended:
            raise ValueError(f"there is no open intent {sequence}")
        if not opened:
            found.add(sequence)
    return frozenset(found)


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
    given = json.dumps([settled.sequence for settled, _ in outcomes])
    intents = {
        sequence: (run_id, bool(decided)) for sequence, run_id, decided in conn.execute(_INTENDED, (given,))
    }
    sent, said = cache(redactor.text), cache(redactor.kept)  # what travelled together has one request
    _append(
        conn,
        at,
        [
            _Draft(
                "outcome",
                intents[settled.sequence][0],
                refers=settled.sequence,
                change=settled.change,
                applied=settled.error is None and not settled.deferred,
                body=_outcome_body(settled, effects, sent, said)
                | ({UNCOUNTED: True} if intents[settled.sequence][1] or _is_free(settled) else {}),
            )
            for settled, effects in outcomes
        ],
        seal,
    )
    conn.executemany(
        "DELETE FROM open_intents WHERE sequence = ?", [(settled.sequence,) for settled, _ in outcomes]
    )


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
    rows = conn.execute(
        "SELECT j.sequence, j.run_id, j.body, j.at FROM open_intents o JOIN journal j USING (sequence)"
        " ORDER BY j.sequence"
    ).fetchall()
    return [Intent(sequence, run_id, change_of(body), at_moment(at)) for sequence, run_id, body, at in rows]


def intended_at(conn: Db, sequence: int) -> datetime:
    """`sequence` is the intent's."""
    (at,) = conn.execute("SELECT at FROM journal WHERE sequence = ?", (sequence,)).fetchone()
    return at_moment(at)


def entries(
    conn: Db,
    *,
    after: int = 0,
    until: int | None = None,
    run_id: str | None = None,
    since: datetime | None = None,
) -> list[JournalEntry]:
    """At most `PAGE` rows in order from behind `after` to `until`. Raises PermanentError for an unreadable one."""
    wheres: dict[str, object] = {"j.sequence > ?": after}
    if until is not None:
        wheres["j.sequence <= ?"] = until
    if run_id is not None:
        wheres["j.run_id = ?"] = run_id
    if since is not None:
        wheres["j.at >= ?"] = moment(since)
    query = f"{_WITH_INTENT} WHERE {' AND '.join(wheres)} ORDER BY j.sequence LIMIT {PAGE}"
    return [entry_of(row) for row in conn.execute(query, tuple(wheres.values())).fetchall()]


def last_outcomes(conn: Db, okta_id: str, limit: int) -> list[JournalEntry]:
    """The youngest outcomes about one user or group, youngest first. Raises PermanentError for an unreadable row."""
    rows = conn.execute(
        f"{_WITH_INTENT} WHERE j.sequence IN ({_LAST.format('okta_id')} UNION {_LAST.format('group_id')})"
        " ORDER BY j.sequence DESC LIMIT ?2",
        (okta_id, limit),
    )
    return [entry_of(row) for row in rows.fetchall()]


def once_called(conn: Db, user_name: str) -> list[str]:
    """Okta ids of users for whom this userName was written once, or left. Looks through the whole trail."""
    said = f'"userName":{canonical(user_name)}'
    rows = conn.execute(
        "SELECT DISTINCT okta_id FROM journal WHERE entry = 'intent' AND group_id IS NULL AND instr(body, ?)"
        " ORDER BY okta_id",
        (said,),
    )
    return [okta_id for (okta_id,) in rows.fetchall() if okta_id is not None]


def entry_of(row: tuple[Any, ...]) -> JournalEntry:
    """From `COLUMNS`, the hash, and the body of the intent. Raises PermanentError for an unreadable row."""
    sequence, at, run_id, entry, refers, kind, okta_id, group_id, applied, body, previous, digest, asked = row
    try:
        return JournalEntry(
            *(sequence, at_moment(at), run_id, entry, refers, kind, okta_id, group_id),
            applied=None if applied is None else bool(applied),
            body=json.loads(body),
            previous=previous,
            hash=digest,
            asked=None if asked is None else json.loads(asked),
        )
    except (TypeError, ValueError) as error:
        raise PermanentError(
            f"row {sequence} of the audit trail cannot be read: it was changed behind syncd's back",
            hint="`syncd audit verify` names the first broken row; keep a copy of the store",
        ) from error
