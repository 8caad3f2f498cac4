"""The seals on PostgreSQL: triggers gather what a transaction changed into a temporary table of its session.

A session that has no such table is none of syncd's: what it changes is sealed by nobody, and is counted in `touched`,
so that whoever looks next compares the tables with their seals again.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from syncd.store.seals import GUARDS, Guard

MOVES = "CREATE TEMP TABLE IF NOT EXISTS sealed_moves (guard text NOT NULL, sign integer NOT NULL, said text NOT NULL)"
TOUCHED = "CREATE TABLE syncd.touched (connection bigint PRIMARY KEY, times bigint NOT NULL)"
TRIGGERS_THERE = """
SELECT c.relname || '.' || t.tgname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
WHERE c.relnamespace = 'syncd'::regnamespace AND NOT t.tgisinternal AND t.tgenabled IN ('O', 'A')
"""
_EVENTS = ("insert", "delete", "update")
NAMES = frozenset(f"{guard.table}_t.sealed_{event}" for guard in GUARDS for event in _EVENTS) | {
    "journal_t.journal_no_change",
    "journal_t.journal_no_truncate",
    "packs_t.packs_no_change",
    "packs_t.packs_no_truncate",
}


def triggers() -> Iterator[str]:
    """Three triggers, one function each, for every guarded table; replaces those of an earlier version."""
    for table, guards in groupby(GUARDS, lambda guard: guard.table):
        known = list(guards)
        for event, body in (
            ("insert", _moved(known, "+1", "came", None)),
            ("delete", _moved(known, "-1", "went", None)),
            ("update", _moved(known, "-1", "went", "came") + _moved(known, "+1", "came", "went")),
        ):
            yield _function(f"seal_{table}_{event}", body)
            given = {"insert": "NEW TABLE AS came", "delete": "OLD TABLE AS went"}.get(
                event, "OLD TABLE AS went NEW TABLE AS came"
            )
            yield (
                f"CREATE OR REPLACE TRIGGER sealed_{event} AFTER {event.upper()} ON syncd.{table}_t"
                f" REFERENCING {given} FOR EACH STATEMENT EXECUTE FUNCTION syncd.seal_{table}_{event}()"
            )


def _moved(guards: list[Guard], sign: str, rows: str, besides: str | None) -> str:
    """Rows that an update left as they were, for this guard, did not move."""
    made = []
    for guard in guards:
        columns = guard.select("r")
        asked = f"SELECT {columns} FROM {rows} r WHERE {guard.counts('r')}"
        if besides is not None:
            asked += f" EXCEPT ALL SELECT {columns} FROM {besides} r WHERE {guard.counts('r')}"
        names = ", ".join(f"m.{column}" for column in guard.columns)
        made.append(
            f"INSERT INTO pg_temp.sealed_moves SELECT '{guard.name}', {sign}, json_build_array({names})::text"
            f" FROM ({asked}) m;\n"
        )
    return "".join(made)


def _function(name: str, body: str) -> str:
    return f"""CREATE OR REPLACE FUNCTION syncd.{name}() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
IF to_regclass('pg_temp.sealed_moves') IS NULL THEN
    INSERT INTO syncd.touched AS t SELECT DISTINCT connection, 1 FROM {_either(name)}
        ON CONFLICT (connection) DO UPDATE SET times = t.times + 1;
    RETURN NULL;
END IF;
{body}RETURN NULL;
END $$"""


def _either(name: str) -> str:
    return "went" if name.endswith("delete") else "came"
