"""The only place that names what a fleet's database is kept with: settings of a fleet in, what they lead to out.

psycopg is imported when something is built here, and nowhere without a fleet.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from syncd.errors import ConfigurationError
from syncd.ports.database import FleetDatabase
from syncd.ports.fleet import FleetStores, Registry
from syncd.redact import Redactor
from syncd.settings.fleet import Database, FleetSettings, database_of


def fleet_database(fleet: FleetSettings, redactor: Redactor) -> tuple[Database, FleetDatabase]:
    """Where a fleet's database is, and it itself. Raises ConfigurationError for an unusable URL, or without psycopg."""
    found = database_of(fleet.fleet.database)
    redactor.add(fleet.fleet.database.read())
    redactor.add(found.url)
    with _with_psycopg():
        from syncd.store.postgres.database import PostgresDatabase  # noqa: PLC0415  (psycopg)
    return found, PostgresDatabase(found.url, found.shown)


@contextmanager
def open_registry(database: Database) -> Iterator[Registry]:
    """Who lives in a fleet, and who owns what."""
    from syncd.store.postgres.registry import PostgresRegistry  # noqa: PLC0415  (psycopg)

    with PostgresRegistry(database.url) as registry:
        yield registry


@contextmanager
def open_fleet_stores(database: Database, *, cycles: int) -> Iterator[FleetStores]:
    """The stores of a fleet, for so many cycles at once. Raises ConfigurationError where nobody prepared it."""
    from syncd.store.postgres.fleet_stores import PostgresStores  # noqa: PLC0415  (psycopg)

    with PostgresStores(database.url, cycles=cycles) as stores:
        yield stores


@contextmanager
def _with_psycopg() -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        raise ConfigurationError(
            "a fleet needs psycopg, which is not installed beside this syncd",
            hint="pip install 'syncd[fleet]'",
        ) from error
