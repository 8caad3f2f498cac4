"""The seals on SQLite: the writer's own connection has triggers that tell of every row as it moves."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from syncd.store.seals import GUARDS, Guard, Seals


def watch(conn: sqlite3.Connection, seals: Seals) -> None:
    """From now on every change of a guarded row counts."""
    conn.create_function("sealed_row_came", -1, seals.came)
    conn.create_function("sealed_row_went", -1, seals.went)
    for guard in GUARDS:
        for statement in _triggers(guard):
            conn.execute(statement)


def _triggers(guard: Guard) -> Iterator[str]:
    old, new = guard.counts("OLD"), guard.counts("NEW")
    went = f"SELECT sealed_row_went('{guard.name}', {guard.select('OLD')}) WHERE {old};"
    came = f"SELECT sealed_row_came('{guard.name}', {guard.select('NEW')}) WHERE {new};"
    for what, when, act in (
        ("AFTER INSERT", new, came),
        ("AFTER DELETE", old, went),
        (f"AFTER UPDATE OF {', '.join(guard.columns)}", f"{old} OR {new}", f"{went} {came}"),
    ):
        name = f"{guard.name} {what[6:12].strip().lower()}"
        yield f'CREATE TEMP TRIGGER "{name}" {what} ON main.{guard.table} WHEN {when} BEGIN {act} END'
