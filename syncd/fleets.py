"""The only place that names what a fleet's database is kept with: settings of a fleet in, what they lead to out.

psycopg is imported when something is built here, and nowhere without a fleet.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from datetime import datetime

from syncd.errors import ConfigurationError, NotFound, SyncdError
from syncd.ports import Store
from syncd.ports.database import FleetDatabase
from syncd.ports.fleet import FleetStores, Registry
from syncd.redact import Redactor
from syncd.settings import Loaded, parse
from syncd.settings.fleet import Database, FleetSettings, database_of
from syncd.settings.place import FleetPlace


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


def load_of(
    fleet: FleetSettings, names: Sequence[str], redactor: Redactor, environ: Mapping[str, str]
) -> Loaded:
    """The settings of these connections of a fleet, or of all of them. Raises ConfigurationError where nobody prepared
    the database, NotFound for a name that it does not have, TemporaryError.
    """
    database, asked = fleet_database(fleet, redactor)
    asked.refuse_unprepared()
    with open_registry(database) as registry:
        known = {each.name: each.id for each in registry.look().connections}
        for name in names:
            if name not in known:
                raise NotFound(
                    f"there is no connection called {name} in this fleet", hint="syncd fleet status names all"
                )
        texts = {name: registry.text_of(known[name])[0] for name in (names or known)}
    found = [
        parse(text, file=fleet.path.parent / f"{name}.toml", environ=environ).in_fleet(
            FleetPlace(database.url, database.shown, known[name])
        )
        for name, text in texts.items()
    ]
    if not found:
        raise ConfigurationError(f"{database.shown} has no connection yet", hint="syncd fleet apply DIR")
    return Loaded(tuple(found), (), ())


@contextmanager
def store_to_read(
    place: FleetPlace, clock: Callable[[], datetime], redactor: Redactor | None
) -> Iterator[Store]:
    """What everybody may see of a connection's store."""
    with _stores_of(place) as stores:
        store = stores.open_to_read(place.connection, clock=clock, redactor=redactor or Redactor())
        with closing(store):
            yield store


@contextmanager
def store_to_decide(
    place: FleetPlace, clock: Callable[[], datetime], redactor: Redactor | None
) -> Iterator[Store]:
    """For a person's word; its owner is told afterwards."""
    with _stores_of(place) as stores:
        store = stores.open_to_decide(place.connection, clock=clock, redactor=redactor or Redactor())
        with closing(store):
            yield store
    wake_owner(place)


def wake_owner(place: FleetPlace) -> None:
    """Has the owner look for what people asked for; it looks by itself too, but later."""
    from syncd.store.postgres.registry import PostgresRegistry  # noqa: PLC0415  (psycopg)

    with suppress(SyncdError), PostgresRegistry(place.url) as registry:
        registry.wake(place.connection)


@contextmanager
def _stores_of(place: FleetPlace) -> Iterator[FleetStores]:
    with _with_psycopg():
        from syncd.store.postgres.fleet_stores import PostgresStores  # noqa: PLC0415
    with PostgresStores(place.url, cycles=2) as stores:
        yield stores


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
            hint="install the extra syncd[fleet]: docs/fleet.md says how",
        ) from error
