"""Whether the file is what SQLite and this version make of it: pages, indexes and constraints, and the schema.

What the check reads may come from an index: one that was left behind would tell of rows that the table no longer has.
"""

from __future__ import annotations

import re
import sqlite3
from functools import cache

from syncd.errors import ConfigurationError
from syncd.ports.trail import Altered
from syncd.store.rows import searchable
from syncd.store.sqlite import schema

_NAMED = 5
_MISSING = "it is missing"
_MADE_HERE = "SELECT type, name, sql FROM main.sqlite_master WHERE sql IS NOT NULL ORDER BY type, name"
# Tables that other tools make (statistics, a replication) are read by nobody here, and of that one the text is another
# library's. By the statement that SQLite obeys: what stands beside it may say anything.
_NOT_OURS = re.compile(
    r"CREATE (VIRTUAL )?TABLE |CREATE (UNIQUE )?INDEX \S+\s+ON \W?_sqlite_migrations\W", re.IGNORECASE
)


# What a table of this name hides is a table-valued function that our own questions ask.
_HIDES = re.compile(r"json_(each|tree)|pragma_\w+", re.IGNORECASE)
_ACTS = ("trigger", "view")


def refuse_foreign_acts(conn: sqlite3.Connection) -> None:
    """Whatever somebody else's trigger does in a transaction of ours would count as ours, and be sealed. Raises
    ConfigurationError.
    """
    found = [each for each in altered_schema(conn) if _acts(each)]
    if found:
        kind, _, name = found[0].table.partition(" ")
        raise ConfigurationError(
            f"the store is not used: the {kind} {searchable(name)} in it is not as syncd made it, or not syncd's, and"
            " would act in whatever syncd writes",
            hint="`syncd audit verify` names all of them; keep a copy of the store and go back to a backup of it",
        )


def _acts(each: Altered) -> bool:
    kind, _, name = each.table.partition(" ")
    if kind == "table":
        return _HIDES.fullmatch(name) is not None
    return kind in _ACTS and each.problem != _MISSING


def damage(conn: sqlite3.Connection) -> list[Altered]:
    """Every page, and each row against each index and constraint."""
    found = conn.execute(f"PRAGMA integrity_check({_NAMED})").fetchall()
    return [Altered("file", str(said).strip()) for (said,) in found if said != "ok"]


def altered_schema(conn: sqlite3.Connection) -> list[Altered]:
    """Tables, indexes, triggers and views are those that this version makes, word for word."""
    missing = dict(_made_by_us())
    found = []
    for kind, name, sql in conn.execute(_MADE_HERE):
        ours = missing.get((kind, name))
        if ours == sql:
            del missing[kind, name]
        elif ours is not None:
            found.append(Altered(f"{kind} {name}", "it was changed"))
            del missing[kind, name]
        elif not _NOT_OURS.match(str(sql)) or (kind == "table" and _HIDES.fullmatch(name)):
            found.append(Altered(f"{kind} {name}", "syncd did not make it"))
    found += [Altered(f"{kind} {name}", _MISSING) for kind, name in missing]
    return sorted(found, key=lambda each: each.table)


@cache
def _made_by_us() -> dict[tuple[str, str], str]:
    conn = sqlite3.connect(":memory:", isolation_level=None)
    try:
        schema.migrate(schema.database(conn))
        made = conn.execute(_MADE_HERE).fetchall()
        return {(kind, name): sql for kind, name, sql in made if "_sqlite_migrations" not in sql}
    finally:
        conn.close()
