"""Workers in this process: their database and both sides are real, the stores are SQLite files that they share."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from syncd.core.lease import LeaseTerms
from syncd.ports.fleet import WORK, Enrolment, Mode, Ownership, WorkerRecord
from syncd.ports.permit import Permit
from syncd.redact import Redactor
from syncd.service.daemon import Hooks
from syncd.service.fleet.daemon import FleetDaemon
from syncd.service.fleet.owned_store import ReadStore
from syncd.service.fleet.rereading import FleetFile
from syncd.service.fleet.steward import Steward
from syncd.service.held_store import Held, HeldStore
from syncd.settings import ConnectionSettings, parse
from syncd.settings.fleet import FleetSettings, FleetTable
from syncd.settings.fleet_hooks import FleetHooks
from syncd.settings.secrets import SecretRef
from syncd.store.postgres.hook_events import PostgresHookEvents
from syncd.store.postgres.org_log import PostgresTrunks
from syncd.store.postgres.registry import PostgresRegistry
from syncd.wiring import open_for_status, utc_now
from tests.e2e.rig import Rig
from tests.service.supervisor import eventually, in_a_thread

SHORT = LeaseTerms(lasts=6.0, renewed_every=0.5, margin=2.0)


@dataclass
class Working:
    """A worker in a thread."""

    database: str
    folder: Path
    name: str
    capacity: int = 100
    terms: LeaseTerms = SHORT
    mode: Mode = WORK
    log: list[dict[str, Any]] = field(default_factory=list)
    error: Exception | None = None
    registry: PostgresRegistry | None = None
    hook_events: PostgresHookEvents | None = None
    hooks: FleetHooks = field(default_factory=FleetHooks)

    def __post_init__(self) -> None:
        self._registry = self.registry or PostgresRegistry(self.database)
        self._hook_events = self.hook_events or PostgresHookEvents(self.database)
        self._read = ExitStack()
        self.trunks = self._read.enter_context(PostgresTrunks(self.database))
        table = FleetTable.model_construct(
            database=SecretRef("env", "NOWHERE"), cycles=4, listen="", mode=self.mode
        )
        settings = FleetSettings(self.folder / "fleet.toml", table, self.hooks)
        self._file = FleetFile(settings, lambda: settings)
        self.steward = Steward(
            self._registry,
            WorkerRecord(self.name, "here", "0.2.0", self.mode, self.capacity, self.terms),
            event=self._event,
            reads=self._reads,
            opens=self._opens,
        )
        self.daemon = FleetDaemon(
            self.steward,
            file=self._file,
            hook_events=self._hook_events,
            trunks=self.trunks,
            event=self._event,
            redactor=Redactor(),
            hooks=Hooks(),
        )

    def _event(self, level: str, event: str, **fields: object) -> None:
        self.log.append({"level": level, "event": event, **fields})

    def _reads(self, name: str, text: str) -> ConnectionSettings:
        return self._file.rule(parse(text, file=self.folder / f"{name}.toml", environ=os.environ))

    def _opens(self, settings: ConnectionSettings, ownership: Ownership, permit: Permit) -> Held:
        if ownership.only_watches:
            return ReadStore(self._read.enter_context(open_for_status(settings)))
        held = HeldStore.open(
            settings, clock=utc_now, redactor=Redactor(), wait=lambda seconds: not _A_MOMENT.wait(seconds)
        )
        own: Callable[[], None] = held.store.permit

        def both() -> None:
            permit()
            own()

        vars(held.store)["permit"] = both  # a store of a fleet does so itself
        return held

    def run(self) -> None:
        try:
            self.steward.begin()
            looking = threading.Thread(target=self.steward.run, args=(self.daemon,), daemon=True)
            looking.start()
            self.daemon.run()
            looking.join(20)
            self.steward.end()
            self._registry.close()
            self._hook_events.close()
            self._read.close()
        except Exception as error:  # noqa: BLE001  (the test tells it)
            self.error = error

    def events(self, event: str, **fields: object) -> list[dict[str, Any]]:
        return [one for one in list(self.log) if one["event"] == event and fields.items() <= one.items()]

    def logs(self, event: str, times: int = 1, **fields: object) -> None:
        eventually(
            lambda: len(self.events(event, **fields)) >= times,
            f"{self.name}: {event} {fields}; {self.log[-30:]} {self.error}",
            60.0,
        )


_A_MOMENT = threading.Event()


@contextmanager
def working(worker: Working) -> Iterator[Working]:
    try:
        with in_a_thread(worker.run, worker.daemon.stop):
            yield worker
    finally:
        assert worker.error is None, worker.error


def enrolled(registry: PostgresRegistry, made: Rig, name: str = "acme", *, target: str = "") -> None:
    """The settings file of the rig, in the fleet; `target` stands for the key of another Split organisation."""
    text = made.config.read_text().replace('name = "acme"', f'name = "{name}"')
    digest = hashlib.sha256(text.encode()).hexdigest()
    registry.enrol([Enrolment(name, text, digest, made.okta.url, target or made.split.base_url)], "ada")
