"""Rows of the audit trail as they are asked for, those in packs among them."""

from __future__ import annotations

import heapq
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from operator import itemgetter

from syncd.core.canonical import canonical
from syncd.ports.trail import JournalEntry
from syncd.store import packs
from syncd.store.db import Db
from syncd.store.packs import ROWS, contents_at, outcomes_at, pack_of, unpacked, unreadable
from syncd.store.rows import Row, at_moment, moment

PAGE = 500
_PACKS_IN_PAGE = 4
_LAST = (
    "SELECT sequence FROM journal WHERE entry = 'outcome' AND okta_id = ? ORDER BY sequence DESC LIMIT ?",
    "SELECT sequence FROM journal WHERE entry = 'outcome' AND group_id = ? ORDER BY sequence DESC LIMIT ?",
    "SELECT sequence FROM packed WHERE okta_id = ? ORDER BY sequence DESC LIMIT ?",
)
_LAST_PACKS = (
    "SELECT first, last FROM packs WHERE entry = 'outcome' AND group_id = ? ORDER BY first DESC LIMIT ?"
)


def entries(
    conn: Db,
    *,
    after: int = 0,
    until: int | None = None,
    run_id: str | None = None,
    since: datetime | None = None,
) -> list[JournalEntry]:
    """The next rows in order from behind `after` to `until`, `PAGE` of them or some more or fewer; none: there are no
    more. Raises PermanentError for an unreadable one.
    """
    shared: dict[str, object] = {}
    if run_id is not None:
        shared["run_id = ?"] = run_id
    if since is not None:
        shared["at >= ?"] = moment(since)
    upto = {} if until is None else {"sequence <= ?": until}
    single = _found(conn, ROWS, {"sequence > ?": after, **upto, **shared}, "sequence", PAGE)
    upto = {} if until is None else {"first <= ?": until}
    held = _found(conn, packs.SELECT, {"last > ?": after, **upto, **shared}, "first", _PACKS_IN_PAGE)
    found = [pack_of(row) for row in held]
    # Behind the last one that was read of either there may be others.
    ends = [single[-1][0]] if len(single) == PAGE else []
    ends += [found[-1].last] if len(found) == _PACKS_IN_PAGE else []
    last = min([*ends, *([] if until is None else [until])], default=None)
    rows = single + [row for pack in found for row in unpacked(pack)]
    rows = sorted(
        (row for row in rows if row[0] > after and (last is None or row[0] <= last)), key=itemgetter(0)
    )
    return with_intents(conn, rows)


def _found(conn: Db, query: str, wheres: Mapping[str, object], order: str, limit: int) -> list[Row]:
    text = f"{query} WHERE {' AND '.join(wheres)} ORDER BY {order} LIMIT {limit}"
    return conn.execute(text, tuple(wheres.values())).fetchall()


def with_intents(conn: Db, rows: Sequence[Row]) -> list[JournalEntry]:
    """Of rows of the trail with their hashes; an outcome has the body of its intent besides."""
    asked = contents_at(conn, [row[4] for row in rows if row[3] == "outcome" and row[4] is not None])
    found = []
    for row in rows:
        intent = asked.get(row[4]) if row[3] == "outcome" else None
        body = intent[9] if intent is not None and intent[3] == "intent" else None
        found.append(entry_of((*row, body)))
    return found


def last_outcomes(conn: Db, okta_id: str, limit: int) -> list[JournalEntry]:
    """The youngest outcomes about one user or group, youngest first. Raises PermanentError for an unreadable row."""
    asked = okta_id, limit
    found = {sequence for query in _LAST for (sequence,) in conn.execute(query, asked).fetchall()}
    found = {sequence for sequence in found if isinstance(sequence, int)}
    for first, last in conn.execute(_LAST_PACKS, asked).fetchall():
        found.update(range(max(first, last - limit + 1), last + 1))
    rows = outcomes_at(conn, heapq.nlargest(limit, found))
    youngest = sorted(rows, reverse=True)
    return with_intents(conn, [rows[sequence] for sequence in youngest])


def once_called(conn: Db, user_name: str) -> list[str]:
    """Okta ids of users for whom this userName was written once, or left. Looks through the whole trail."""
    said = f'"userName":{canonical(user_name)}'
    rows = conn.execute(
        "SELECT DISTINCT okta_id FROM journal WHERE entry = 'intent' AND group_id IS NULL AND instr(body, ?)",
        (said,),
    )
    found = {okta_id for (okta_id,) in rows.fetchall() if okta_id is not None}
    for row in conn.stream(f"{packs.SELECT} WHERE entry = 'intent' AND group_id IS NULL"):
        found |= packs.saying(pack_of(row), said)
    return sorted(found)


def entry_of(row: Row) -> JournalEntry:
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
        raise unreadable(sequence) from error
