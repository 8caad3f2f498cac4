"""The only place that names what a fleet's database is kept with: settings of a fleet in, what they lead to out.

psycopg is imported when something is built here, and nowhere without a fleet.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from syncd.core.plan import timestamp
from syncd.engine.facts import RESTORED, belongs_elsewhere
from syncd.errors import ConfigurationError, PermanentError, RefusedError, SyncdError, UsageError
from syncd.ports import Store
from syncd.ports.database import FleetDatabase
from syncd.ports.fleet import FleetStores, Registry
from syncd.ports.hook_events import HookEvents
from syncd.ports.org_log import Trunks
from syncd.ports.trail import Head
from syncd.redact import Redactor
from syncd.settings import ConnectionSettings, Loaded, parse
from syncd.settings.fleet import Database, FleetSettings, database_of
from syncd.settings.place import FleetPlace

if TYPE_CHECKING:
    from syncd.store.db import Db
    from syncd.store.postgres.moving import Moved
    from syncd.store.restoring import EndedByRestore, RestoreActs


def fleet_database(fleet: FleetSettings, redactor: Redactor) -> tuple[Database, FleetDatabase]:
    """Where a fleet's database is, and it itself. Raises ConfigurationError for an unusable URL, or without psycopg."""
    found = database_of(fleet.fleet.database)
    redactor.add(fleet.fleet.database.read())
    redactor.add(found.url)
    with _with_psycopg():
        from syncd.store.postgres.database import PostgresDatabase  # noqa: PLC0415  (psycopg)
    return found, PostgresDatabase(found.url, found.shown)


@contextmanager
def open_registry(database: Database, *, lost: Callable[[], None] | None = None) -> Iterator[Registry]:
    """Who lives in a fleet, and who owns what. `lost`: see `PostgresRegistry`."""
    from syncd.store.postgres.registry import PostgresRegistry  # noqa: PLC0415  (psycopg)

    with PostgresRegistry(database.url, lost=lost) as registry:
        yield registry


@contextmanager
def open_hook_events(database: Database) -> Iterator[HookEvents]:
    """What event hooks named and no owner has taken up yet."""
    from syncd.store.postgres.hook_events import PostgresHookEvents  # noqa: PLC0415  (psycopg)

    with PostgresHookEvents(database.url) as rows:
        yield rows


@contextmanager
def open_trunks(database: Database) -> Iterator[Trunks]:
    """What workers share of System Logs."""
    from syncd.store.postgres.org_log import PostgresTrunks  # noqa: PLC0415  (psycopg)

    with PostgresTrunks(database.url) as rows:
        yield rows


@dataclass(frozen=True, slots=True)
class FleetRestored:
    """How many connections a restore paused, and what it ended in the store of each that had one."""

    paused: int
    ended: Sequence[EndedByRestore]


def restored(
    database: Database, registry: Registry, clock: Callable[[], datetime], *, by: str
) -> FleetRestored:
    """Nobody owns a connection of then, and of each store ends what `custody.restore` ends of one in a file. Done
    again, it ends what is open by then: so it may be after an interruption, which leaves all connections paused.

    Raises PermanentError, once all others are done, for stores that are damaged; TemporaryError.
    """
    from syncd.store.postgres.opening import Pools, open_restored  # noqa: PLC0415  (psycopg)

    paused, ended, damaged = registry.restored(by), [], {}
    with closing(Pools(database.url, acts=2, stages=1)) as pools:
        for each in registry.look().connections:
            try:
                store = open_restored(pools, each.id, clock=clock)
                if store is not None:
                    with closing(store):
                        ended.append(_begun_again(store, each.name, by))
            except PermanentError as error:
                damaged[each.name] = error.message
    if damaged:
        said = "; ".join(f"{name}: {message}" for name, message in damaged.items())
        raise PermanentError(
            f"what the copy allowed could not be ended everywhere: {said}",
            hint="these stay paused, leave them so; all others are done. Run it again once they are mended",
        )
    return FleetRestored(paused, ended)


def _begun_again(store: RestoreActs, name: str, by: str) -> EndedByRestore:
    return store.begin_again(
        Head.parse(store.journal_head()[1]),
        by,
        # Not the pause itself: the fleet's is in force, and one is enough to be ended.
        entries=lambda pause: dict([RESTORED.entry(timestamp(pause.since))]),
        goes_on=f"syncd fleet pause {name} --off",
    )


def load_of(
    fleet: FleetSettings, names: Sequence[str], redactor: Redactor, environ: Mapping[str, str]
) -> Loaded:
    """The settings of these connections of a fleet, or of all of them. Raises ConfigurationError where nobody prepared
    the database, UsageError for a name that it does not have, TemporaryError.
    """
    database, asked = fleet_database(fleet, redactor)
    asked.refuse_unprepared()
    with open_registry(database) as registry:
        known = {each.name: each for each in registry.look().connections}
        for name in names:
            if name not in known:
                raise UsageError(
                    f"there is no connection called {name} in this fleet", hint="syncd fleet status names all"
                )
        texts = {name: registry.text_of(known[name].id)[0] for name in (names or known)}
    found = [
        fleet.rule(parse(text, file=fleet.path.parent / f"{name}.toml", environ=environ)).in_fleet(
            FleetPlace(database.url, database.shown, known[name].id, known[name].paused), fleet.path
        )
        for name, text in texts.items()
    ]
    if not found:
        raise ConfigurationError(f"{database.shown} has no connection yet", hint="syncd fleet apply DIR")
    return Loaded(tuple(found), (), ())


@contextmanager
def store_of(
    place: FleetPlace, clock: Callable[[], datetime], redactor: Redactor | None, *, deciding: bool
) -> Iterator[Store]:
    """A connection's store: what everybody may see of it, or `deciding`, for a person's word, of which its owner is
    told afterwards.
    """
    with _stores_of(place) as stores:
        opened = stores.open_to_decide if deciding else stores.open_to_read
        with closing(opened(place.connection, clock=clock, redactor=redactor or Redactor())) as store:
            yield store
    if deciding:
        wake_owner(place)


def move_store(
    settings: ConnectionSettings, file: Path, clock: Callable[[], datetime], *, into_fleet: bool
) -> tuple[Moved, str, str, Path | None]:
    """Moves the store of a fleet's connection between its database and a file: what arrived, from where and to where
    in words, and where what was left behind in the file's place lies now.

    Raises RefusedError while anybody may write with it, for a store of another app or target, and for a place that has
    one; StoreMoved for one that went elsewhere; what `store.postgres.moving.move` raises.
    """
    from syncd.store.postgres.moving import relocate  # noqa: PLC0415  (psycopg)
    from syncd.store.postgres.relocating import alone_with  # noqa: PLC0415
    from syncd.store.sqlite.relocating import arriving, leaving  # noqa: PLC0415  (sqlite-utils)

    place, name, now = settings.fleet, settings.name, clock()
    if place is None:
        raise ValueError("the connection is of no fleet")
    file = file.absolute()
    there, here = f"{place.shown}, connection {name}", f"the file {file} on {socket.gethostname()}"
    alone = alone_with(place.url, place.connection, name)
    if into_fleet:
        with alone as target, leaving(file, there, connection=name, clock=clock) as source:
            _refuse_elsewhere(source, settings)
            moved = relocate(source, target, named=f"the store {file}", place=there, now=now)
        return moved, here, there, None
    with arriving(file, connection=name, clock=clock) as arrival:
        with alone as source:
            _refuse_nothing(source, name)
            _refuse_elsewhere(source, settings)
            if arrival.there is not None:
                return _found(source, arrival.there, file, here), there, here, None
            with arrival.filling() as target:
                moved = relocate(source, target, named=f"the store of {name}", place=here, now=now)
        kept = arrival.put()
    return moved, there, here, kept


def _found(source: Db, there: Head, file: Path, here: str) -> Moved:
    """What an earlier try has moved. Raises RefusedError where it did not."""
    from syncd.store.left_behind import went_to  # noqa: PLC0415
    from syncd.store.postgres.moving import arrived_before  # noqa: PLC0415  (psycopg)

    if went_to(source) != here:
        raise RefusedError(
            f"there is a store {file} already, and it stays as it is",
            hint="name another file, or move that one away first if nobody works with it any more",
        )
    return arrived_before(source, there, "the store")


def _refuse_nothing(source: Db, name: str) -> None:
    """Else the file would be an empty store, and the connection's own place in the fleet refused from then on."""
    from syncd.store import journal, state  # noqa: PLC0415

    if not state.revision(source) and not journal.head(source).sequence:
        raise UsageError(
            f"{name} has no store in this fleet yet: nobody has served it there, and nothing is moved",
            hint="to move one there: syncd store copy --from FILE --to fleet",
        )


def _refuse_elsewhere(source: Db, settings: ConnectionSettings) -> None:
    from syncd.store import state  # noqa: PLC0415

    if theirs := belongs_elsewhere(lambda key: state.recall(source, key), settings):
        raise RefusedError(
            f"the store is not moved: it belongs to {theirs}",
            hint="name the connection of that app and target; nothing was changed",
        )


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
            hint="install the extra syncd[fleet], or the Debian package syncd-fleet: docs/fleet.md says how",
        ) from error
