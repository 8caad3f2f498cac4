"""`syncd worker`: the daemon of a fleet."""

from __future__ import annotations

import os
import platform
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING

import click

import syncd
from syncd.cli.fleet_settings import fleet_settings
from syncd.cli.options import Command, globals_of
from syncd.cli.run import hooks_of, is_journal, leave
from syncd.cli.session import Session
from syncd.errors import RefusedError, UsageError

if TYPE_CHECKING:
    from syncd.ports import Store
    from syncd.ports.fleet import FleetStores, Ownership, Registry
    from syncd.ports.hook_events import HookEvents
    from syncd.ports.org_log import Trunks
    from syncd.ports.permit import Permit
    from syncd.service.fleet.rereading import FleetFile
    from syncd.service.fleet.steward import Steward
    from syncd.service.held_store import Held
    from syncd.settings import ConnectionSettings
    from syncd.settings.fleet import FleetSettings


@click.command(name="worker", cls=Command)
@click.pass_context
def command(ctx: click.Context) -> int:
    """Serve connections of a fleet, beside other workers.

    It takes its share of the fleet's connections and does for them what syncd run does. When a worker dies, the others
    have its connections within half a minute. SIGTERM hands over and ends within ten seconds; SIGHUP reads fleet.toml
    again, of which `capacity`, `listen` and `[hooks]` count at once.
    """
    said = globals_of(ctx)
    if not said.log_format_given and is_journal(os.environ):
        said.log_format = "json"
    if said.connections or said.configs:
        raise UsageError(
            "a worker serves whatever of its fleet is free, and nothing else that is named",
            hint="leave out --connection and --config; syncd fleet move NAME WORKER gives it a connection",
        )
    with Session(said, service=True) as session:
        session.listen()
        _work(session, fleet_settings(said.fleet))
    leave()
    return 0


def _work(session: Session, fleet: FleetSettings) -> None:
    from syncd.fleets import (  # noqa: PLC0415  (psycopg)
        fleet_database,
        open_fleet_stores,
        open_hook_events,
        open_registry,
        open_trunks,
    )
    from syncd.service.descriptors import raise_limit  # noqa: PLC0415  (the engine)
    from syncd.service.memory import few_arenas  # noqa: PLC0415

    raise_limit()
    few_arenas()
    _warn(session, fleet)
    database, asked = fleet_database(fleet, session.redactor)
    if asked.state().is_standby:
        raise RefusedError(
            f"{database.shown} follows another server and takes no writes",
            hint="have `database` lead to the primary: target_session_attrs=read-write in its URL",
        )
    asked.refuse_unprepared()
    asked.refuse_pooling()
    with (
        open_fleet_stores(database, cycles=fleet.fleet.cycles) as stores,
        open_registry(database, lost=stores.doubt) as registry,
        open_hook_events(database) as hook_events,
        open_trunks(database) as trunks,
    ):
        _serve(session, _file_of(session, fleet), registry, stores, hook_events, trunks)


def _warn(session: Session, fleet: FleetSettings) -> None:
    for warning in fleet.warnings():
        session.event("warning", "settings", warning=f"{fleet.path} {warning}")


def _file_of(session: Session, fleet: FleetSettings) -> FleetFile:
    from syncd.service.fleet.rereading import FleetFile  # noqa: PLC0415  (the engine)
    from syncd.settings.fleet import load_fleet  # noqa: PLC0415  (pydantic)

    def load() -> FleetSettings:
        found = load_fleet(fleet.path, environ=os.environ)
        _warn(session, found)
        return found

    return FleetFile(fleet, load)


def _serve(
    session: Session,
    file: FleetFile,
    registry: Registry,
    stores: FleetStores,
    hook_events: HookEvents,
    trunks: Trunks,
) -> None:
    from syncd.ports.fleet import WorkerRecord  # noqa: PLC0415
    from syncd.service.fleet.daemon import FleetDaemon  # noqa: PLC0415  (the engine)
    from syncd.service.fleet.steward import Steward  # noqa: PLC0415
    from syncd.service.systemd import Notify  # noqa: PLC0415
    from syncd.settings import parse  # noqa: PLC0415  (pydantic)

    table, beside = file.table, file.settings.path.parent

    def reads(name: str, text: str) -> ConnectionSettings:
        return file.rule(parse(text, file=beside / f"{name}.toml", environ=os.environ))

    steward = Steward(
        registry,
        WorkerRecord(
            table.worker, platform.node(), syncd.__version__, table.mode, table.capacity, table.terms
        ),
        event=session.event,
        reads=reads,
        opens=_opener(session, stores),
    )
    daemon = FleetDaemon(
        steward,
        file=file,
        hook_events=hook_events,
        trunks=trunks,
        event=session.event,
        redactor=session.redactor,
        notify=Notify.of(os.environ),
        hooks=hooks_of(session, _reader(session, steward, stores), setting="fleet.listen"),
    )
    steward.begin()
    looking = threading.Thread(target=steward.run, args=(daemon,), name="fleet", daemon=True)
    looking.start()
    try:
        daemon.run()
    finally:
        steward.end()


def _opener(session: Session, stores: FleetStores) -> Callable[[ConnectionSettings, Ownership, Permit], Held]:
    from syncd.service.fleet.owned_store import OwnedStore, ReadStore  # noqa: PLC0415  (the engine)
    from syncd.wiring import utc_now  # noqa: PLC0415

    def opens(settings: ConnectionSettings, ownership: Ownership, permit: Permit) -> Held:
        del settings  # the fleet says where it is
        if ownership.only_watches:
            number = ownership.connection
            return ReadStore(stores.open_to_read(number, clock=utc_now, redactor=session.redactor))
        return OwnedStore(stores.open_owned(ownership, permit, clock=utc_now, redactor=session.redactor))

    return opens


def _reader(
    session: Session, steward: Steward, stores: FleetStores
) -> Callable[[ConnectionSettings], AbstractContextManager[Store]]:
    from syncd.errors import NotFound  # noqa: PLC0415
    from syncd.wiring import utc_now  # noqa: PLC0415  (the engine)

    @contextmanager
    def opens(settings: ConnectionSettings) -> Iterator[Store]:
        for holding in steward.holdings():
            if holding.ownership.name == settings.name:
                number = holding.ownership.connection
                store = stores.open_to_read(number, clock=utc_now, redactor=session.redactor)
                try:
                    yield store
                finally:
                    store.close()
                return
        raise NotFound(f"this worker owns no connection called {settings.name}")

    return opens
