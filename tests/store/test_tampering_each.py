"""The table of tampering, made from the schema itself: a table, column, index or trigger added later is in it.

Each column of each table is changed, a row of each is removed and one added, each index, trigger and table is dropped
or made otherwise: the check names it, or `NOT_COMPARED` says that docs/audit.md says why not.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from functools import cache

import pytest

from syncd.errors import SyncdError
from syncd.store.seals import UNSEALED_FACTS
from syncd.store.sqlite import schema
from tests.store.lived import DOCS, checked
from tests.store.making import Place

NOT_COMPARED: dict[str, tuple[str, ...]] = {
    "waiting": ("*",),
    "waits_for": ("*",),
    "doubts": ("*",),
    "tombstones": ("*",),
    "writer": ("*",),
    "_sqlite_migrations": ("*",),
    "users": ("revision", "asked_at", "own_list_revision", "own_list_at"),
    "groups": ("revision", "asked_at", "list_revision", "known_since"),
    "decisions": ("id",),
    "requests": (
        *("place", "takings", "taken_by", "owner", "taken_at", "phase", "total", "done", "stop_asked"),
        *("ended_at", "exit_code", "outcome"),
    ),
}
ROWS = {
    "facts": f"key NOT IN {UNSEALED_FACTS}",
    "meta": "key IN ('journal_head', 'revision')",
    "runs": "finished IS NOT NULL",  # of one that has not ended, only what has no business there yet
}
"""Which rows are compared, where not all are."""
OTHERWISE = {
    ("users", "standing"): "CASE standing WHEN 'absent' THEN 'frozen' ELSE 'absent' END",
    ("groups", "state"): "'gone'",
    ("journal", "entry"): "CASE entry WHEN 'note' THEN 'intent' ELSE 'note' END",
    ("requests", "state"): "CASE state WHEN 'waiting' THEN 'ended' ELSE 'waiting' END",
    ("unproven", "kind"): "CASE kind WHEN 'user' THEN 'group' ELSE 'user' END",
}
"""Another value that the column takes; else `CHANGED`."""
CHANGED = """
CASE typeof({0}) WHEN 'integer' THEN CASE {0} WHEN 1 THEN 0 ELSE {0} + 1 END
    WHEN 'blob' THEN CAST({0} || x'00' AS BLOB) WHEN 'null' THEN 'x' ELSE {0} || ' ' END
"""


@cache
def made() -> sqlite3.Connection:
    conn = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    schema.migrate(schema.database(conn))
    return conn


def objects(*kinds: str) -> list[str]:
    rows = made().execute("SELECT type, name FROM sqlite_master WHERE sql IS NOT NULL ORDER BY 1, 2")
    return [name for kind, name in rows if kind in kinds and "_sqlite_migrations" not in name]


def columns(table: str) -> list[tuple[str, bool]]:
    """Those that are stored, and whether they belong to the key."""
    return [(row[1], bool(row[5])) for row in made().execute(f"PRAGMA table_info({table})")]


def compared() -> Iterator[tuple[str, str]]:
    for table in objects("table"):
        for column, _ in columns(table):
            if not {"*", column} & set(NOT_COMPARED.get(table, ())):
                yield table, column


def is_named(place: Place) -> bool:
    """Somebody looks at the store: the check says that something is wrong, or it does not even open."""
    try:
        return not checked(place).intact
    except SyncdError:
        return True


def tampered(place: Place, *statements: str) -> bool:
    """What a person does who minds no trigger, and puts it back; False when SQLite itself refused it."""
    with closing(sqlite3.connect(place.path, isolation_level=None)) as conn:
        conn.execute("PRAGMA ignore_check_constraints = ON")
        triggers = conn.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for name, _ in triggers:
            conn.execute(f"DROP TRIGGER {name}")
        try:
            for statement in statements:
                assert conn.execute(statement).rowcount != 0, statement
        except sqlite3.IntegrityError:
            return False
        for _, sql in triggers:
            conn.execute(sql)
    return True


def some_rows(place: Place, table: str) -> list[str]:
    """Conditions that pick one row each: the first of the compared ones, one in the middle, the last."""
    key = [column for column, in_key in columns(table) if in_key]
    where = ROWS.get(table, "1")
    with closing(sqlite3.connect(place.path)) as conn:
        picked = ", ".join(f"quote({column})" for column in key)
        rows = conn.execute(f"SELECT {picked} FROM {table} WHERE {where} ORDER BY 1").fetchall()  # noqa: S608
    assert rows, f"a store that has lived has nothing in {table}: tests/store/lived.py"
    return [
        " AND ".join(f"{column} = {value}" for column, value in zip(key, rows[at], strict=True))
        for at in sorted({0, len(rows) // 2, len(rows) - 1})
    ]


def again(place: Place, a_life: bytes) -> None:
    place.path.write_bytes(a_life)


def test_a_store_that_nobody_touched_is_not_named(lived: Place) -> None:
    """Else all that follows could not fail."""
    assert not is_named(lived)
    assert tampered(lived)
    assert not is_named(lived)


@pytest.mark.parametrize(("table", "column"), list(compared()))
def test_each_column(lived: Place, a_life: bytes, table: str, column: str) -> None:
    value = OTHERWISE.get((table, column), CHANGED.format(column))
    done = 0
    for row in some_rows(lived, table):
        if tampered(lived, f"UPDATE {table} SET {column} = {value} WHERE {row}"):  # noqa: S608
            assert is_named(lived), row
            done += 1
        again(lived, a_life)
    assert done or (table, column) == ("journal", "sequence")


WHOLE = [table for table in objects("table") if "*" not in NOT_COMPARED.get(table, ())]


@pytest.mark.parametrize("table", WHOLE)
def test_a_row_less(lived: Place, a_life: bytes, table: str) -> None:
    for row in some_rows(lived, table):
        assert tampered(lived, f"DELETE FROM {table} WHERE {row}")  # noqa: S608
        assert is_named(lived), row
        again(lived, a_life)


@pytest.mark.parametrize("table", sorted({*WHOLE} - {"meta"}))
def test_a_row_more(lived: Place, table: str) -> None:
    """The copy of one under another key; under the key `meta` has, nothing more is read."""
    [row, *_] = some_rows(lived, table)
    names = [name for name, _ in columns(table)]
    unique = {name for name, in_key in columns(table) if in_key} | {"scim_id", "refers"} & set(names)
    values = [CHANGED.format(name) if name in unique else name for name in names]
    if table == "journal":
        values[0] = "sequence + 100"
    into, out = ", ".join(names), ", ".join(values)
    assert tampered(lived, f"INSERT INTO {table} ({into}) SELECT {out} FROM {table} WHERE {row}")  # noqa: S608
    assert is_named(lived)


@pytest.mark.parametrize("name", objects("index", "trigger"))
def test_each_index_and_trigger_dropped(lived: Place, name: str) -> None:
    kind = "INDEX" if name in objects("index") else "TRIGGER"
    with closing(sqlite3.connect(lived.path)) as conn:
        conn.execute(f"DROP {kind} {name}")
    assert [(each.table, each.problem) for each in checked(lived).altered] == [
        (f"{kind.lower()} {name}", "it is missing")
    ]


@pytest.mark.parametrize("name", objects("table", "index", "trigger"))
def test_the_statement_behind_each_object_changed(lived: Place, name: str) -> None:
    with closing(sqlite3.connect(lived.path)) as conn:
        conn.execute("PRAGMA writable_schema = ON")
        conn.execute("UPDATE sqlite_master SET sql = replace(sql, ' ', '  ') WHERE name = ?", (name,))
        conn.commit()
    assert any(each.table.endswith(f" {name}") for each in checked(lived).altered)


def test_what_is_not_compared_is_told() -> None:
    told = set(re.findall(r"`(\w+)`", DOCS.read_text(encoding="utf-8")))
    for table, names in NOT_COMPARED.items():
        assert {table, *names} - {"*"} <= told, table
    assert {each.partition(":")[0] for each in UNSEALED_FACTS} <= told
