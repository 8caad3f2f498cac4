"""Whether the file is what SQLite and this version make of it: pages, indexes and constraints, and the schema.

What the check reads may come from an index: one that was left behind would tell of rows that the table no longer has.
"""

from __future__ import annotations

import re
import sqlite3
from functools import cache

from syncd.ports.trail import Altered
from syncd.store import schema

_NAMED = 5
_MADE_HERE = "SELECT type, name, sql FROM main.sqlite_master WHERE sql IS NOT NULL ORDER BY type, name"
# Tables that other tools make (statistics, a replication) are read by nobody here, and of that one the text is another
# library's. By the statement that SQLite obeys: what stands beside it may say anything.
_NOT_OURS = re.compile(
    r"CREATE (VIRTUAL )?TABLE |CREATE (UNIQUE )?INDEX \S+\s+ON \W?_sqlite_migrations\W", re.IGNORECASE
)


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
        elif not _NOT_OURS.match(str(sql)):
            found.append(Altered(f"{kind} {name}", "syncd did not make it"))
    found += [Altered(f"{kind} {name}", "it is missing") for kind, name in missing]
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
