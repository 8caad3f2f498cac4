"""What the store remembers, under the chain: each transaction that changes a guarded table writes the table's new seal
into the last row of the audit trail that it appends.

A seal is a digest over all guarded rows of a table in no order: the sum of one number for each row, so that it moves
with every row that comes or goes and never needs the others. The sums stand in the table `seals`, for the next
transaction to go on from; what counts is the trail: a sum that is not the one sealed there is never signed again.

The rows are watched by triggers (`sealing` in the room of each database), so that no act of this store can forget one.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from syncd.store.db import Db

_BYTES = 128
"""Of a sum: so wide that nobody finds other rows with the same sum (a generalised birthday needs 2^32 rows)."""
_MODULUS = 1 << (8 * _BYTES)
NEVER = 0
"""Instead of the sequence of the last seal: there was none, and the table was empty."""
BROKEN = "0" * 40
"""The seal of a table after what `seals` remembered of it was changed by hand."""
KEY = "seals"
"""In a row's body: `{GUARD: [SEAL, SEQUENCE of the seal before]}`."""
_ANY_SEAL = f"""
SELECT EXISTS (SELECT 1 FROM journal
    WHERE instr(body, '"{KEY}":') AND json_valid(body) AND json_type(body, '$.{KEY}') = 'object')
"""  # noqa: S608  (constants)
_SEALING = f"""SELECT body FROM journal WHERE instr(body, '"{KEY}":')"""  # noqa: S608  (constants)


@dataclass(frozen=True, slots=True)
class Guard:
    """Which columns of a table are sealed, and of which rows (`rows`: a condition on one of them, `$`).

    What is wanted and what was pushed are sealed apart, so that a write hashes only what it writes. The name tells one
    definition from another: a version that seals something else of a table begins anew (`starting`).
    """

    name: str
    table: str
    columns: tuple[str, ...]
    rows: str

    def select(self, alias: str) -> str:
        """The sealed columns in SQL, of the table or row that is called `alias` there."""
        return ", ".join(f"{alias}.{column}" for column in self.columns)

    def counts(self, alias: str) -> str:
        """The condition in SQL under which a row counts, of the table or row that is called `alias` there."""
        return self.rows.replace("$", alias)


UNSEALED_FACTS = ("log_cursor", "log_pending", "notified:told", "notified:unsent")
"""What each delta moves, and no report, limit or hold rests on."""


def _guard(label: str, columns: str, rows: str = "1 = 1", *, known_as: str | None = None) -> Guard:
    """`known_as`: how `rows` was first written; the name is made of that."""
    table, listed = label.partition(":")[0], tuple(columns.split())
    named_by = known_as or ("1" if rows == "1 = 1" else rows)
    made = hashlib.blake2b(ascii((table, listed, named_by)).encode("ascii"), digest_size=3).hexdigest()
    return Guard(f"{label}#{made}", table, listed, rows)


def table_of(name: str) -> str:
    """The table that the guard of this name, of whatever version, is about."""
    return re.split("[:#]", name, maxsplit=1)[0]


GUARDS: tuple[Guard, ...] = (
    _guard(
        "users",
        "okta_id scim_id pushed_attributes pushed_active pushed_folded_name invited",
        "($.scim_id IS NOT NULL OR $.pushed_attributes IS NOT NULL OR $.pushed_active IS NOT NULL"
        " OR $.pushed_folded_name IS NOT NULL OR $.invited <> 0)",
        known_as="coalesce($.scim_id, $.pushed_attributes, $.pushed_active, $.pushed_folded_name,"
        " nullif($.invited, 0)) IS NOT NULL",
    ),
    _guard("users:wanted", "okta_id standing wish attributes name_key folded_name digest left_at released"),
    _guard("groups", "okta_id scim_id pushed_name", "coalesce($.scim_id, $.pushed_name) IS NOT NULL"),
    _guard("groups:wanted", "okta_id state wish members_stamp released asked"),
    _guard("members", "group_id user_id pushed", "$.pushed = 1"),
    _guard("members:wanted", "group_id user_id listed", "$.listed = 1"),
    _guard(
        "runs",
        "run_id kind started finished status summary error",
        "coalesce($.finished, $.status, $.error, nullif($.summary, '{}')) IS NOT NULL",
    ),
    _guard("facts", "key value", f"$.key NOT IN ({', '.join(map(repr, UNSEALED_FACTS))})"),
    _guard(
        "failures",
        "object_key change_id kind okta_id group_id name message attempts first_failed next_attempt",
    ),
    _guard("holds", "id check_name reason way_out numbers raised_at expires_at state"),
    _guard("hold_changes", "hold_id change_id kind okta_id group_id document state"),
    _guard("decisions", "change_id decision decided_by at object_key hold_id expires_at sequence"),
    _guard("unproven", "kind okta_id scim_id body since"),
    _guard("requests", "id version kind arguments settings asked_by reason asked_at state"),
)


def _number(values: tuple[Any, ...]) -> int:
    """`ascii` of plain values is the same text everywhere and no other row's."""
    return int.from_bytes(hashlib.shake_128(ascii(values).encode("ascii")).digest(_BYTES), "little")


def seal_of(total: int) -> str:
    """160 bits as hex; `total` is the sum over a table's rows."""
    return hashlib.blake2b(total.to_bytes(_BYTES, "little"), digest_size=20).hexdigest()


def sum_of(conn: Db, guard: Guard) -> int:
    """Over the rows as they are, one in memory at a time."""
    query = f"SELECT {guard.select('t')} FROM main.{guard.table} t WHERE {guard.counts('t')}"  # noqa: S608  (constants)
    return sum(map(_number, conn.execute(query))) % _MODULUS


def remembered(conn: Db) -> dict[str, tuple[int, int]]:
    """By table, the sum and the sequence of the row that sealed it. Raises ValueError when that was made unreadable."""
    found = {}
    for name, total, sequence in conn.execute("SELECT name, total, sequence FROM main.seals"):
        if not (isinstance(total, bytes) and len(total) == _BYTES and isinstance(sequence, int)):
            raise ValueError(f"the seal of {name} is unreadable")
        found[name] = (int.from_bytes(total, "little"), sequence)
    return found


def seals_in(body: str) -> Mapping[str, tuple[str, int]]:
    """The seals that a row of the trail carries."""
    if f'"{KEY}":' not in body:
        return {}
    read = json.loads(body).get(KEY, {})
    return {str(name): (str(seal), int(after)) for name, (seal, after) in read.items()}


def any_sealed(conn: Db) -> bool:
    """A row of the trail carries seals. The first that does carries those of all tables."""
    (found,) = conn.execute(_ANY_SEAL).fetchone()
    return bool(found)


def never_sealed(conn: Db) -> list[Guard]:
    """Of a trail with seals, the guards that it knows nothing of: another version made it."""
    remembered = {name for (name,) in conn.execute("SELECT name FROM seals")}
    missing = [guard for guard in GUARDS if guard.name not in remembered]
    if not missing or not any_sealed(conn):
        return []
    told: set[str] = set()
    for (body,) in conn.stream(_SEALING):
        with suppress(AttributeError, LookupError, TypeError, ValueError):
            told.update(json.loads(body)[KEY])
    return [guard for guard in missing if guard.name not in told]


class Seals:
    """Gathers what a transaction changed, and hands it over to the row that seals it."""

    def __init__(self, conn: Db) -> None:
        """`conn` may be exchanged between transactions, for the one that the next is in."""
        self.conn = conn
        self._begun = False
        self._moved: dict[str, int] = {}
        self._mine: dict[str, tuple[int, int]] = {}
        """What this connection sealed last itself, which needs no look into the trail."""
        self._compared: tuple[object, frozenset[str]] | None = None

    def came(self, name: str, *values: Any) -> None:
        """A row that this guard seals is there now, with these values of its columns."""
        self._moved[name] = self._moved.get(name, 0) + _number(values)

    def went(self, name: str, *values: Any) -> None:
        """It is not there any more."""
        self._moved[name] = self._moved.get(name, 0) - _number(values)

    def _gather(self) -> None:
        """Has `came` and `went` called for what changed, where that does not happen by itself."""

    @property
    def pending(self) -> bool:
        """Whether rows changed since `began`."""
        self._gather()
        return bool(self._moved)

    def began(self) -> None:
        """A transaction begins: nothing has moved in it yet."""
        self._moved.clear()

    def undone(self) -> None:
        """The transaction was rolled back: what it moved did not happen."""
        self._moved.clear()
        self._mine.clear()
        self._compared = None

    def altered(self) -> frozenset[str]:
        """What is not as it was sealed last, or made: tables, "file", "trigger NAME"; looked at anew when anybody else
        wrote meanwhile.
        """
        version = self.conn.version()
        if self._compared is None or self._compared[0] != version:
            with self.conn.snapshot():
                new = GUARDS if self._is_first() else never_sealed(self.conn)
                found = {guard.table for guard in GUARDS if guard not in new and self._is_altered(guard)}
                # An index that tells of other rows than its table has answers for the table.
                found |= {each.table for each in self.conn.altered()}
            self._compared = (version, frozenset(found))
        return self._compared[1]

    def altered_among(self, tables: AbstractSet[str]) -> frozenset[str]:
        """Of these; looked at anew each time."""
        with self.conn.snapshot():
            new = GUARDS if self._is_first() else never_sealed(self.conn)
            guards = [guard for guard in GUARDS if guard.table in tables and guard not in new]
            return frozenset(guard.table for guard in guards if self._is_altered(guard))

    def _is_altered(self, guard: Guard) -> bool:
        total, _, whole = self._known(guard.name)
        return not whole or sum_of(self.conn, guard) != total

    def handed_over(self, sequence: int) -> dict[str, Any]:
        """What the row `sequence`, which the same transaction appends, carries: the seals of what it changed."""
        self._gather()
        moved = {name: change for name, change in self._moved.items() if change}
        return (
            self.all_handed_over(sequence) if moved and self._is_first() else self._carried(moved, sequence)
        )

    def all_handed_over(self, sequence: int) -> dict[str, Any]:
        """The seals of all tables, for a row that stands in for those before it."""
        self._gather()
        return self._carried({guard.name: self._moved.get(guard.name, 0) for guard in GUARDS}, sequence)

    def _carried(self, moved: Mapping[str, int], sequence: int) -> dict[str, Any]:
        self._moved.clear()
        if not moved:
            return {}
        carried = {}
        for name, change in sorted(moved.items()):
            total, after, whole = self._known(name)
            total = (total + change) % _MODULUS
            carried[name] = [seal_of(total) if whole else BROKEN, after]
            self._remember(name, total, sequence, whole=whole)
        return {KEY: carried}

    def start(self, sequence: int, guards: Sequence[Guard] = GUARDS) -> dict[str, Any]:
        """Seals tables as they are found, for the row from which a store of another version goes on."""
        self._gather()
        self._moved.clear()
        carried = {}
        for guard in guards:
            total = sum_of(self.conn, guard)
            carried[guard.name] = [seal_of(total), NEVER]
            self._remember(guard.name, total, sequence, whole=True)
        return {KEY: carried}

    def _is_first(self) -> bool:
        """Nothing was sealed before this transaction."""
        self._begun = self._begun or any_sealed(self.conn)
        return not self._begun

    def _remember(self, name: str, total: int, sequence: int, *, whole: bool) -> None:
        self.conn.execute(
            "INSERT INTO seals (name, total, sequence) VALUES (?, ?, ?)"
            " ON CONFLICT (name) DO UPDATE SET total = excluded.total, sequence = excluded.sequence",
            (name, total.to_bytes(_BYTES, "little"), sequence),
        )
        if whole:
            self._mine[name] = (total, sequence)

    def _known(self, name: str) -> tuple[int, int, bool]:
        """The sum to go on from, the row that sealed it, and whether it is the one that was sealed there."""
        row = self.conn.execute("SELECT total, sequence FROM seals WHERE name = ?", (name,)).fetchone()
        if row is None:
            return 0, NEVER, self._is_first()
        try:
            total, sequence = int.from_bytes(row[0], "little"), int(row[1])
        except (TypeError, ValueError):
            return 0, NEVER, False
        whole = self._mine.get(name) == (total, sequence) or self._sealed(name, total, sequence)
        return total, sequence, whole

    def _sealed(self, name: str, total: int, sequence: int) -> bool:
        row = self.conn.execute("SELECT body FROM journal WHERE sequence = ?", (sequence,)).fetchone()
        try:
            return row is not None and seals_in(row[0]).get(name, (BROKEN,))[0] == seal_of(total)
        except (AttributeError, TypeError, ValueError):
            return False
