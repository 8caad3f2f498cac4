"""The seals on SQLite: the writer's own connection has triggers that tell of every row as it moves.

Parsed they are two thirds of what SQLite keeps for an open store (240 of 380 kB), and made in a thousandth of a second:
a store that rests has none.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator

from syncd.store.seals import GUARDS, Guard, Seals

_EVENTS = ("insert", "delete", "update")


class Watch:
    """Over the guarded rows, on one connection; begins and ends between its transactions."""

    def __init__(self, conn: sqlite3.Connection, seals: Seals) -> None:
        self._conn = conn
        self._begun = False
        conn.create_function("sealed_row_came", -1, seals.came)
        conn.create_function("sealed_row_went", -1, seals.went)

    def begin(self) -> None:
        """From now on every change of a guarded row counts."""
        if not self._begun:
            self._script(statement for guard in GUARDS for statement in _triggers(guard))
            self._begun = True

    def end(self) -> None:
        """Nothing may be changed until it begins again."""
        if self._begun:
            self._begun = False
            names = (_name(guard, event) for guard in GUARDS for event in _EVENTS)
            self._script(f'DROP TRIGGER IF EXISTS temp."{name}"' for name in names)

    def _script(self, statements: Iterable[str]) -> None:
        """In one transaction, and past the prepared statements that are kept."""
        try:
            self._conn.executescript(";".join(("BEGIN", *statements, "COMMIT")))
        except BaseException:
            if self._conn.in_transaction:
                self._conn.execute("ROLLBACK")
            raise


def _name(guard: Guard, event: str) -> str:
    return f"{guard.name} {event}"


def _triggers(guard: Guard) -> Iterator[str]:
    """What an interrupt left half done is taken up again."""
    old, new = guard.counts("OLD"), guard.counts("NEW")
    went = f"SELECT sealed_row_went('{guard.name}', {guard.select('OLD')}) WHERE {old};"
    came = f"SELECT sealed_row_came('{guard.name}', {guard.select('NEW')}) WHERE {new};"
    for event, what, when, act in zip(
        _EVENTS,
        ("INSERT", "DELETE", f"UPDATE OF {', '.join(guard.columns)}"),
        (new, old, f"{old} OR {new}"),
        (came, went, f"{went} {came}"),
        strict=True,
    ):
        yield (
            f'CREATE TEMP TRIGGER IF NOT EXISTS "{_name(guard, event)}" AFTER {what} ON main.{guard.table}'
            f" WHEN {when} BEGIN {act} END"
        )
