"""Rows of the audit trail that were written together and are alike, kept in one row of the database.

A first sync writes hundreds of thousands of rows that differ in little. `FROM` of them or more that follow each other
in one transaction, and are of one run, kind and group, are one pack: compressed, with what they share in columns. A row
of the trail is the same in a pack as beside one, with its number, its body and its hash, which is worked out anew from
them: only `hash`, that of the last one, is kept. The table `packed` says who is told of in which pack of outcomes.

No limit counts what is in a pack, nothing of it was approved by a person, and its outcomes are all applied: whoever
asks for anything else finds it in `journal` alone.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from heapq import merge
from itertools import chain, zip_longest
from json.encoder import encode_basestring_ascii as quoted
from operator import itemgetter
from typing import Any

from syncd.core.canonical import canonical, canonical_plain
from syncd.errors import PermanentError
from syncd.store.db import Db
from syncd.store.rows import Row

FROM = 32
"""So many rows at least are a pack."""
AT_MOST = 256
"""And so many at most: who asks for one row reads its pack."""
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
"""Of a row of the trail, before its hash."""
ROWS = f"SELECT {', '.join(COLUMNS)}, hash FROM journal"  # noqa: S608  (constants)
"""Those of the trail that are in no pack."""
_AT = f"{ROWS} WHERE sequence IN (SELECT CAST(value AS BIGINT) FROM json_each(?))"  # noqa: S608  (constants)
_PACK = "first, last, at, run_id, entry, kind, group_id, refers, previous, hash, rows"
SELECT = f"SELECT {_PACK} FROM packs"  # noqa: S608  (constants)
_INSERT = f"INSERT INTO packs ({_PACK}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608  (constants)
_LARGEST = 1 << 28
"""Bytes: what somebody else put there may unpack to anything."""
_LEVEL = 1
"""Of zlib: higher ones take twice the time for a tenth of the room."""
OUTCOMES = """(
    SELECT sequence, at, run_id, kind, okta_id, group_id, applied, body FROM journal WHERE entry = 'outcome'
    UNION ALL
    SELECT p.sequence, k.at, k.run_id, k.kind, p.okta_id, k.group_id, 1, ''
    FROM packed p JOIN packs k ON k.first = p.first
)"""
"""All outcomes, for a FROM; of packed ones `rows_at` has the bodies."""
_COLUMN_TYPES = frozenset((str, int, type(None)))
_UNREADABLE = (json.JSONDecodeError, UnicodeDecodeError, ValueError, TypeError, zlib.error, AttributeError)


def row_hash(values: Sequence[Any]) -> str:
    """SHA-256 over the canonical JSON of the columns before `hash`, in their order. Raises TypeError for bytes."""
    as_written = _COLUMN_TYPES.issuperset(map(type, values))
    text = canonical_plain(list(values)) if as_written else canonical(list(values))
    return hashlib.sha256(text.encode("ascii")).hexdigest()


@dataclass(frozen=True, slots=True)
class Pack:
    """A row of `packs`. `refers`: the lowest that one of its rows refers to, of outcomes."""

    first: int
    last: int
    at: str
    run_id: str | None
    entry: str
    kind: str | None
    group_id: str | None
    refers: int | None
    previous: str
    hash: str
    rows: bytes


def pack_of(row: Row) -> Pack:
    """What somebody else put there as its last number is none of ours: such a pack is unreadable."""
    first, last, *rest = row
    return Pack(first, last if isinstance(last, int) else first - 1, *rest)


@lru_cache(maxsize=16)
def _told(rows: bytes) -> tuple[tuple[int | None, str | None, str], ...]:
    """What each row refers to, whom it is about, and its body. Raises one of `_UNREADABLE`."""
    found = []
    whole = zlib.decompressobj()
    text = whole.decompress(rows, _LARGEST)
    if not whole.eof or whole.unused_data:
        raise ValueError("it is cut off, too large, or more than was packed")
    for line in text.decode("ascii").split("\n"):
        refers, okta_id, body = line.split("\t")
        found.append((json.loads(refers), json.loads(okta_id), body))
    return tuple(found)


def told(pack: Pack) -> Sequence[tuple[int | None, str | None, str]]:
    """The same, a row for each number of the pack. Raises PermanentError for an unreadable one."""
    try:
        found = _told(pack.rows)
    except _UNREADABLE:
        found = ()
    if len(found) != pack.last - pack.first + 1 or pack.refers != _lowest(found):
        raise PermanentError(
            f"row {pack.first} of the audit trail cannot be read: it was changed behind syncd's back",
            hint="`syncd audit verify` names the first broken row; keep a copy of the store",
        )
    return found


def _lowest(found: Sequence[tuple[int | None, str | None, str]]) -> int | None:
    return min((refers for refers, _, _ in found if refers is not None), default=None)


def unpacked(pack: Pack) -> Iterator[Row]:
    """The rows, with their hashes. Raises PermanentError for an unreadable pack."""
    applied = 1 if pack.entry == "outcome" else None
    shared = pack.at, pack.run_id, pack.entry
    previous = pack.previous
    for sequence, (refers, okta_id, body) in enumerate(told(pack), pack.first):
        values = (
            *(sequence, *shared, refers, pack.kind, okta_id, pack.group_id, applied, body),
            previous,
        )
        previous = row_hash(values)
        yield (*values, previous if sequence < pack.last else pack.hash)


def saying(pack: Pack, said: str) -> set[str]:
    """Whom those of its rows are about that have this text in their bodies. Raises PermanentError."""
    return {okta_id for _, okta_id, body in told(pack) if okta_id is not None and said in body}


def insert(conn: Db, rows: Sequence[Row]) -> None:
    """As one pack: rows of the trail with their hashes, alike and one after the other."""
    first, last = rows[0], rows[-1]
    _, at, run_id, entry, _, kind, _, group_id, *_ = first
    lines = [f"{'null' if row[4] is None else row[4]}\t{quoted(row[6])}\t{row[9]}" for row in rows]
    packed = zlib.compress("\n".join(lines).encode("ascii"), _LEVEL)
    refers = min((row[4] for row in rows if row[4] is not None), default=None)
    conn.execute(
        _INSERT,
        (*(first[0], last[0], at, run_id, entry, kind, group_id, refers, first[10], last[11]), packed),
    )
    if entry == "outcome":
        conn.executemany(
            "INSERT INTO packed (okta_id, sequence, first) VALUES (?, ?, ?)",
            [(row[6], row[0], first[0]) for row in rows],
        )


def in_order(conn: Db) -> Iterator[Row]:
    """All rows of the trail, with their hashes. Of an unreadable pack one row that does not fit its hash."""
    held = map(pack_of, conn.stream(f"{SELECT} ORDER BY first"))
    single = conn.stream(f"{ROWS} ORDER BY sequence")
    yield from merge(single, chain.from_iterable(map(_checked, held)), key=itemgetter(0))


def _checked(pack: Pack) -> Iterator[Row]:
    try:
        told(pack)
    except PermanentError:
        yield (pack.first, *(None,) * 9, pack.previous, "")
    else:
        yield from unpacked(pack)


def misnamed(conn: Db) -> Iterator[int]:
    """The first of the packs about which `packed` says something else than they do. Raises PermanentError."""
    there = conn.stream("SELECT first, sequence, okta_id FROM packed ORDER BY first, sequence")
    held = map(pack_of, conn.stream(f"{SELECT} WHERE entry = 'outcome' ORDER BY first"))
    said = (
        (pack.first, sequence, okta_id)
        for pack in held
        for sequence, (_, okta_id, _) in enumerate(told(pack), pack.first)
    )
    for one, other in zip_longest(there, said):
        if one != other:
            yield min(each[0] for each in (one, other) if each is not None)
            return


def around(conn: Db, sequence: int) -> Pack | None:
    """The pack that holds the row with this number."""
    row = conn.execute(f"{SELECT} WHERE first <= ? ORDER BY first DESC LIMIT 1", (sequence,)).fetchone()
    pack = None if row is None else pack_of(row)
    return pack if pack is not None and sequence <= pack.last else None


def rows_at(conn: Db, sequences: Iterable[int]) -> dict[int, Row]:
    """Rows of the trail with these numbers, with their hashes, wherever they are kept; what is nowhere is left out.
    Raises PermanentError for an unreadable pack.
    """
    wanted = sorted(set(sequences))
    given = json.dumps(wanted)
    found: dict[int, Row] = {row[0]: row for row in conn.execute(_AT, (given,))}
    for sequence in wanted:
        if sequence not in found and (pack := around(conn, sequence)) is not None:
            found.update((row[0], row) for row in unpacked(pack))
    return {sequence: found[sequence] for sequence in wanted if sequence in found}
