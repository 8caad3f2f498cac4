"""The schema of a fleet's database, as steps. Made and changed by `migrate` alone, which a person asks for: workers of
two versions may use one database, so no worker changes it when it starts.

A step only adds (what the version before reads stays as it is), so that workers of that version go on; what they no
longer need is taken away a version later. `OLDEST_WORKER` moves when a version may not write here any more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from syncd.errors import ConfigurationError
from syncd.store.postgres import append_only, registry_tables, sealing, tables
from syncd.store.postgres.faults import named
from syncd.store.postgres.sessions import SCHEMA, Connection

VERSION = 4
"""Of the schema that this version makes; it also works with any newer one whose `oldest_worker` is not above it."""
OLDEST_WORKER = 2
"""A worker of the first schema, which no release had, would not find what is in packs."""
_LOCK = 0x53594E43
"""Of pg_advisory_xact_lock ("SYNC"): one migration at a time."""
_PREPARE = "run `syncd fleet migrate` once, with a role that may create tables"

_META = """
CREATE SCHEMA IF NOT EXISTS syncd;
CREATE TABLE IF NOT EXISTS syncd.steps (name text PRIMARY KEY, at timestamptz NOT NULL DEFAULT now());
CREATE TABLE IF NOT EXISTS syncd.version (
    id integer PRIMARY KEY CHECK (id = 1), version integer NOT NULL, oldest_worker integer NOT NULL
)
"""


def _store() -> Iterable[str]:
    yield from tables.FUNCTIONS
    for table in tables.TABLES:
        if table.name not in tables.OF_PACKS:
            yield from table.statements()
    yield from append_only.JOURNAL
    yield sealing.TOUCHED
    yield from sealing.triggers()


def _packs() -> Iterable[str]:
    for table in tables.TABLES:
        if table.name in tables.OF_PACKS:
            yield from table.statements()
    yield from append_only.PACKS


STEPS: tuple[tuple[str, Callable[[], Iterable[str]]], ...] = (
    ("001_registry", lambda: registry_tables.TABLES),
    ("002_store", _store),
    ("003_hook_events", lambda: registry_tables.HOOKS),
    ("004_packs", _packs),
    ("005_org_logs", lambda: registry_tables.ORG_LOGS),
    ("006_waiting", lambda: registry_tables.WAITING),
)


def migrate(conn: Connection) -> list[str]:
    """Makes what is missing, in one transaction; the names of the steps that were taken. Raises psycopg's errors."""
    taken = []
    with conn.transaction():
        conn.execute("SET LOCAL lock_timeout = '60s'")
        conn.execute("SELECT pg_advisory_xact_lock($1::bigint)", (_LOCK,))
        for statement in _META.split(";"):
            conn.execute(statement.encode())
        known = {name for (name,) in conn.execute("SELECT name FROM syncd.steps").fetchall()}
        for name, statements in STEPS:
            if name not in known:
                for statement in statements():
                    conn.execute(statement.encode())
                conn.execute("INSERT INTO syncd.steps (name) VALUES ($1)", (name,))
                taken.append(name)
        conn.execute(
            "INSERT INTO syncd.version AS v (id, version, oldest_worker) VALUES (1, $1, $2)"
            " ON CONFLICT (id) DO UPDATE SET version = greatest(v.version, excluded.version),"
            " oldest_worker = greatest(v.oldest_worker, excluded.oldest_worker)",
            (VERSION, OLDEST_WORKER),
        )
    return taken


def refuse_unprepared(conn: Connection, url: str) -> None:
    """Raises ConfigurationError when this version may not write here: nobody prepared the database, or a newer version
    did and shuts this one out, or steps are missing.
    """
    (there,) = conn.execute("SELECT to_regclass($1)", (f"{SCHEMA}.version",)).fetchone() or (None,)
    row = conn.execute("SELECT version, oldest_worker FROM syncd.version").fetchone() if there else None
    if row is None:
        raise ConfigurationError(f"{named(url)} is not prepared for syncd", hint=_PREPARE)
    version, oldest = row
    if oldest > VERSION:
        raise ConfigurationError(
            f"{named(url)} was made by a newer syncd, which shuts this version out (schema {version})",
            hint="install that newer version here",
        )
    if version < VERSION:
        raise ConfigurationError(
            f"{named(url)} was prepared by an older syncd (schema {version}; this one needs {VERSION})",
            hint=_PREPARE,
        )
