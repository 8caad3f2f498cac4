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
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from heapq import merge
from itertools import chain, zip_longest
from json.encoder import encode_basestring_ascii as quoted
from operator import itemgetter
from typing import Any

from syncd.core.canonical import canonical, canonical_ascii
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
_PACK = "first, last, at, run_id, entry, kind, group_id, previous, hash, rows"
SELECT = f"SELECT {_PACK} FROM packs"  # noqa: S608  (constants)
_INSERT = f"INSERT INTO packs ({_PACK}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608  (constants)
_LARGEST = 1 << 28
"""Bytes: what somebody else put there may unpack to anything."""
_DIGITS = 18
"""Of the number of a row, at most."""
_LEVEL = 1
"""Of zlib: higher ones take twice the time for a tenth of the room."""
OUTCOMES = """(
    SELECT sequence, at, run_id, kind, okta_id, group_id, applied, body FROM journal WHERE entry = 'outcome'
    UNION ALL
    SELECT p.sequence, k.at, k.run_id, k.kind, p.okta_id, k.group_id, 1, ''
    FROM packed p JOIN packs k ON k.first = p.first
)"""
"""All outcomes, for a FROM; of packed ones `outcomes_at` has the bodies."""
OLDEST = """
SELECT min(at) FROM (SELECT at FROM (SELECT at FROM journal ORDER BY sequence LIMIT 1) j
    UNION ALL SELECT at FROM (SELECT at FROM packs ORDER BY first LIMIT 1) k) oldest
"""
"""When the oldest row of the trail was written, that there is."""
LENGTH = """
SELECT (SELECT count(*) FROM main.journal) + (SELECT coalesce(sum(last - first + 1), 0) FROM main.packs)
"""
"""How many rows of the trail there are."""
_COLUMN_TYPES = frozenset((str, int, type(None)))
_UNREADABLE = (ValueError, TypeError, zlib.error)
_Line = tuple[int | None, str, str]
"""What a row refers to, whom it is about, and its body."""


def row_hash(values: Sequence[Any]) -> str:
    """SHA-256 over the canonical JSON of the columns before `hash`, in their order. Raises TypeError for bytes."""
    as_written = _COLUMN_TYPES.issuperset(map(type, values))
    text = canonical_ascii(values) if as_written else canonical(list(values)).encode("ascii")
    return hashlib.sha256(text).hexdigest()


@dataclass(frozen=True, slots=True)
class Pack:
    """A row of `packs`."""

    first: int
    last: int
    at: str
    run_id: str | None
    entry: str
    kind: str | None
    group_id: str | None
    previous: str
    hash: str
    rows: bytes


def pack_of(row: Row) -> Pack:
    """What somebody else put there as its last number is none of ours: such a pack is unreadable."""
    first, last, *rest = row
    return Pack(first, last if isinstance(last, int) else first - 1, *rest)


@lru_cache(maxsize=16)
def _lines(rows: bytes) -> tuple[str, ...]:
    """The text of each row. Raises one of `_UNREADABLE`."""
    whole = zlib.decompressobj()
    text = whole.decompress(rows, _LARGEST)
    if not whole.eof or whole.unused_data:
        raise ValueError("it is cut off, too large, or more than was packed")
    return tuple(text.decode("ascii").split("\n"))


def _line(text: str) -> _Line:
    """Raises ValueError for what we never write."""
    refers, okta_id, body = text.split("\t")
    if not (refers == "null" or (refers.isdigit() and len(refers) <= _DIGITS)) or okta_id[:1] != '"':
        raise ValueError("it refers to no number, or is about nobody")
    return None if refers == "null" else int(refers), json.loads(okta_id), body


def _told_of(pack: Pack, sequences: Iterable[int]) -> list[_Line]:
    """These of its rows. Raises PermanentError where anybody else put what the columns or rows never hold."""
    shared = pack.at, pack.run_id, pack.kind, pack.group_id, pack.previous, pack.hash
    try:
        lines = _lines(pack.rows)
        if len(lines) == pack.last - pack.first + 1 and _COLUMN_TYPES.issuperset(map(type, shared)):
            return [_line(lines[sequence - pack.first]) for sequence in sequences]
    except _UNREADABLE:
        pass
    raise unreadable(pack.first)


def told(pack: Pack) -> Sequence[_Line]:
    """A line for each number of the pack. Raises PermanentError for an unreadable one."""
    return _told_of(pack, range(pack.first, pack.last + 1))


def unreadable(sequence: int) -> PermanentError:
    """Of a row that is not as it was written."""
    return PermanentError(
        f"row {sequence} of the audit trail cannot be read: it was changed behind syncd's back",
        hint="`syncd audit verify` names the first broken row; keep a copy of the store",
    )


def unpacked(pack: Pack) -> Iterator[Row]:
    """The rows, with their hashes. Raises PermanentError for an unreadable pack."""
    previous = pack.previous
    for sequence, line in enumerate(told(pack), pack.first):
        values = (*_content(pack, sequence, line), previous)
        previous = row_hash(values)
        yield (*values, previous if sequence < pack.last else pack.hash)


def _content(pack: Pack, sequence: int, line: _Line) -> Row:
    refers, okta_id, body = line
    applied = 1 if pack.entry == "outcome" else None
    shared = pack.at, pack.run_id, pack.entry
    return (sequence, *shared, refers, pack.kind, okta_id, pack.group_id, applied, body)


def saying(pack: Pack, said: str) -> set[str]:
    """Whom those of its rows are about that have this text in their bodies. Raises PermanentError."""
    return {okta_id for _, okta_id, body in told(pack) if said in body}


def insert(conn: Db, rows: Sequence[Row]) -> None:
    """As one pack: rows of the trail with their hashes, alike and one after the other."""
    first, last = rows[0], rows[-1]
    _, at, run_id, entry, _, kind, _, group_id, *_ = first
    lines = [f"{'null' if row[4] is None else row[4]}\t{quoted(row[6])}\t{row[9]}" for row in rows]
    packed = zlib.compress("\n".join(lines).encode("ascii"), _LEVEL)
    conn.execute(_INSERT, (first[0], last[0], at, run_id, entry, kind, group_id, first[10], last[11], packed))
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


def misnamed(conn: Db) -> Iterator[object]:
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
            yield (other or one)[0]
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
    return _at(conn, sequences, _hashed)


def contents_at(conn: Db, sequences: Iterable[int]) -> dict[int, Row]:
    """As `rows_at`, and much cheaper: the columns as far as `body` count, what they say of hashes does not."""
    return _at(conn, sequences, _unhashed)


RowsAt = Callable[[Db, Iterable[int]], dict[int, Row]]


def outcomes_at(conn: Db, sequences: Iterable[int], at: RowsAt = rows_at) -> dict[int, Row]:
    """Of numbers that `OUTCOMES` named. Raises PermanentError where there is no such row."""
    wanted = list(sequences)
    found = at(conn, wanted)
    for sequence in wanted:
        if sequence not in found:
            raise unreadable(sequence)
    return found


def _at(
    conn: Db, sequences: Iterable[int], unpack: Callable[[Pack, Sequence[int]], Iterable[Row]]
) -> dict[int, Row]:
    """Each pack is asked for once, and of its rows those that are wanted are kept."""
    wanted = sorted({sequence for sequence in sequences if isinstance(sequence, int)})
    found: dict[int, Row] = {row[0]: row for row in conn.execute(_AT, (json.dumps(wanted),))}
    place = 0
    while place < len(wanted):
        pack = None if wanted[place] in found else around(conn, wanted[place])
        end = place + 1 if pack is None else bisect_right(wanted, pack.last)
        if pack is not None:
            found.update((row[0], row) for row in unpack(pack, wanted[place:end]))
        place = end
    return {sequence: found[sequence] for sequence in wanted if sequence in found}


def _hashed(pack: Pack, wanted: Sequence[int]) -> Iterable[Row]:
    rows = list(unpacked(pack))
    return [rows[sequence - pack.first] for sequence in wanted]


def _unhashed(pack: Pack, wanted: Sequence[int]) -> Iterable[Row]:
    lines = _told_of(pack, wanted)
    return [
        (*_content(pack, sequence, line), None, None) for sequence, line in zip(wanted, lines, strict=True)
    ]
