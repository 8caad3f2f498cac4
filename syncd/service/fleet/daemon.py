"""The daemon of a worker: as `syncd run`, but what it serves is what it owns, which may be nothing. SIGHUP reads
`fleet.toml` again; the settings of connections come from the database, as they change.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import datetime

from syncd.errors import SyncdError
from syncd.okta.orgs import Orgs
from syncd.ports import Store
from syncd.ports.fleet import WORK
from syncd.ports.hook_events import HookEvents
from syncd.ports.org_log import Trunks
from syncd.redact import Redactor
from syncd.service.board import CycleReport
from syncd.service.connection import ServedConnection
from syncd.service.daemon import Added, Daemon, Hooks
from syncd.service.fleet import rereading
from syncd.service.fleet.connection import OwnedConnection
from syncd.service.fleet.hooked_orgs import HookedOrgs
from syncd.service.fleet.rereading import HOOKS_LISTEN, HOOKS_ORG, FleetFile, Reread
from syncd.service.fleet.serving import Holding
from syncd.service.fleet.shared_logs import SharedLogs
from syncd.service.fleet.steward import Steward
from syncd.service.fleet.watched import WatchedConnection
from syncd.service.full_turns import RETRY
from syncd.service.held_store import Held
from syncd.service.listening import Address, Listening
from syncd.service.requests import RequestLanes, look_for_requests
from syncd.service.systemd import Notify
from syncd.service.telling import Event
from syncd.settings import ConnectionSettings, Loaded, ServerSettings
from syncd.settings.fleet_hooks import FleetHooks
from syncd.wiring import utc_now

_SWEEPS_EVERY = 15.0
"""Seconds: who asks for something says so, and this is for what nobody heard."""
_ANOTHER_PORT = (
    'give fleet.listen another port, or "" to do without the status page; another worker may have this one'
)
_OPENED_AT_ONCE = 8
"""Stores."""
_LONG = 0.6
"""Part of the threads that is for full and drift cycles; the others are for deltas."""


def lanes_of(cycles: int) -> dict[str, int]:
    """Threads of each lane, of so many for all."""
    long = max(1, round(cycles * _LONG))
    return {"long": long, "short": max(1, cycles - long)}


class FleetDaemon(Daemon):
    """Serves the holdings of a steward. `reload` takes over what has changed of them, SIGHUP what of `fleet.toml`."""

    def __init__(
        self,
        steward: Steward,
        *,
        file: FleetFile,
        hook_events: HookEvents,
        trunks: Trunks,
        event: Event,
        redactor: Redactor,
        notify: Notify | None = None,
        hooks: Hooks | None = None,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        super().__init__(
            lambda: Loaded((), (), ()),
            event=event,
            redactor=redactor,
            notify=notify,
            hooks=hooks,
            clock=clock,
            lanes=lanes_of(file.table.cycles),
        )
        self._steward = steward
        self._file = file
        self._hooked_orgs = HookedOrgs(hook_events, self._owned, event)
        self._status_server = Listening("fleet.listen", self._serve_status, _ANOTHER_PORT)
        self.board.fleet_now = steward.moment
        self._holdings: dict[str, Holding] = {}
        self._shared_logs = SharedLogs(trunks, steward.moment, self._around.stopping, event)
        orgs = Orgs(beyond=self._shared_logs.beyond)
        self._around = replace(self._around, on_cycle=self._after_cycle, orgs=orgs)

    def busy(self) -> frozenset[str]:
        """See `serving.Serving`."""
        held = {each.settings.name for each in self._steward.holdings()}
        retiring = {one.settings.name for one in self._retiring.copy() if not one.current.is_closed}
        busy = {name for name, one in self._served.copy().items() if name not in held or not _is_idle(one)}
        return frozenset(retiring | busy | self._waiting.keys())

    def waiting(self) -> Sequence[int]:
        """See `serving.Serving`."""
        return [one.ownership.connection for one in sorted(self._owned(), key=lambda one: one.asked_at)]

    def not_begun(self) -> int:
        """See `serving.Serving`."""
        begun = {one.ownership.connection for one in self._owned() if one.is_begun}
        held = (each.ownership.connection for each in self._steward.holdings())
        return sum(1 for number in held if number not in begun)

    def _begin(self) -> None:
        """Raises SyncdError: no port."""
        self._move_to(self._file.table.listen)
        self._hooked_orgs.hear(self._file.hooks)
        self._hear_hooks(self._file.hooks)
        self._timetable.start()
        self._hooked_orgs.start()
        if self._file.table.mode == WORK:
            self._shared_logs.start(self._around.orgs.heard)
        look_for_requests(self._lanes, self._around.stopping, _SWEEPS_EVERY)
        self._tell_state()
        self._notify.ready()
        self._event("info", "running", worker=self._steward.moment().worker)

    def woken(self, connections: AbstractSet[int]) -> None:
        """See `serving.Serving`."""
        for one in self._served.copy().values():
            if isinstance(one, OwnedConnection) and one.ownership.connection in connections:
                one.requests.look()

    def _owned(self) -> Sequence[OwnedConnection]:
        """Who only watches takes nothing up."""
        served = self._served.copy().values()
        return [one for one in served if isinstance(one, OwnedConnection) and not one.ownership.only_watches]

    def _lanes(self) -> Sequence[RequestLanes]:
        """Of what is owned; who only watches carries nothing out."""
        served = self._served.copy().values()
        return [one.requests for one in served if not isinstance(one, WatchedConnection)]

    def _move_to(self, listen: str) -> None:
        """Raises SyncdError when the port cannot be had."""
        server = ServerSettings(listen=listen)
        self._status_server.move_to(server.address, server.listen)

    def _hear_hooks(self, hooks: FleetHooks) -> None:
        """Raises SyncdError when the port cannot be had. Who only watches writes nothing, and hears none."""
        if self._file.table.mode == WORK:
            self._hook_server.move_to(hooks.address, hooks.listen)

    def _serve_hooks(self, address: Address) -> AbstractContextManager[object]:
        from syncd.service.hooks import listening  # noqa: PLC0415  (where nobody posts, nobody listens)

        return listening(address, self._hooked_orgs.receivers, self.board.hook_answered, self._event)

    def reload(self) -> None:
        """See `serving.Serving`."""
        self._commands.put(self._take_over)

    def _reread(self) -> None:
        """`fleet.toml`. Raises ConfigurationError."""
        found = self._file.reread()
        changed = [key for key in found.at_once if self._changes(key, found)]
        if {HOOKS_LISTEN, HOOKS_ORG}.intersection(changed):
            self._steward.rule(self._file.rule)
            self._take_over()
        said = ", ".join(changed) or "none"
        if len(changed) == len(found.at_once) and not found.at_next_start:
            self._event("info", "settings reloaded", changed=said)
            return
        waits = {"at_next_start": ", ".join(found.at_next_start)} if found.at_next_start else {}
        self._event("warning", "settings not reloaded, or not all of them", in_force_anew=said, **waits)

    def _changes(self, key: str, found: Reread) -> bool:
        """Whether this one counts from now on."""
        now = found.settings
        try:
            match key:
                case rereading.LISTEN:
                    self._move_to(now.fleet.listen)
                case rereading.HOOKS_LISTEN:
                    self._hear_hooks(now.hooks)
                case rereading.HOOKS_ORG:
                    self._hooked_orgs.hear(now.hooks)
                case _:
                    self._steward.resize(now.fleet.capacity)
        except SyncdError as error:
            self._event("error", f"{key} not changed", error=error.message, hint=error.hint)
            return False
        self._file.counts(found, key)
        return True

    def _take_over(self) -> None:
        """What is owned now. Under another ownership it is another connection, which waits for the end of the first."""
        self._holdings = {each.settings.name: each for each in self._steward.holdings()}
        for name, one in list(self._served.items()):
            held = self._holdings.get(name)
            if held is None or _epoch_of(one) != held.ownership.epoch:
                self._retire(name)
        self._waiting = {}
        for name, held in self._holdings.items():
            if name not in self._served:
                self._waiting[name] = held.settings
            elif self._served[name].settings is not held.settings:
                self._schedule(self._served[name], held.settings)
                self._served[name].update(held.settings)
        self._add_waiting()

    def _add_all(self, ready: Sequence[ConnectionSettings]) -> Iterator[Added]:
        """Stores are opened side by side: of hundreds that lost their worker the last would wait for as many times the
        database's answers. What is open begins, whatever is not yet.
        """
        fresh = [self._owned_connection(settings) for settings in ready]
        self._served.update((one.settings.name, one) for one in fresh)
        with ThreadPoolExecutor(_OPENED_AT_ONCE, thread_name_prefix="opens") as pool:
            for one, (failure, first) in zip(fresh, pool.map(_opened, fresh), strict=True):
                self._plan(one, failure, first)
                yield one.settings, failure

    def _plan(self, connection: OwnedConnection, failure: SyncdError | None, first: float | None) -> None:
        """`first`: seconds until its full cycle."""
        name = connection.settings.name
        goes_on = failure is None and first != 0.0
        # A first full cycle may wait for hours, for the threads of the others.
        connection.is_begun = not goes_on
        self._schedule(connection, connection.settings, first_full=first)
        if goes_on:
            self._timetable.bring_forward(name, "delta")
        if failure:
            return
        self._hooked_orgs.taken_over(connection.ownership.connection)
        if connection.is_begun:
            connection.look_for_requests()

    def _owned_connection(self, settings: ConnectionSettings) -> OwnedConnection:
        holding, board = self._holdings[settings.name], self.board.connection(settings.name)

        def opens(now: ConnectionSettings, is_idle: Callable[[], bool]) -> Held:
            return self._steward.open(replace(holding, settings=now), is_idle)

        kind = WatchedConnection if holding.ownership.only_watches else OwnedConnection
        return kind(settings, board, self._around, holding.ownership, opens)

    def _end(self) -> None:
        self._steward.stop()
        self._hooked_orgs.stop()
        self._around.stopping.set()
        self._shared_logs.stop()
        super()._end()

    def _listen(self, *_: object) -> None:
        """Not where the settings of a connection say: it may be another worker's tomorrow."""

    def _after_cycle(self, settings: ConnectionSettings, store: Store, report: CycleReport) -> None:
        holding = self._holdings.get(settings.name)
        if holding is None or holding.ownership.only_watches:
            return
        if report.kind == "full":
            self._steward.weigh({holding.ownership.connection: store.population().users})
        if self._hooks.on_cycle is not None:
            self._hooks.on_cycle(settings, store, report)


def _opened(connection: OwnedConnection) -> tuple[SyncdError | None, float | None]:
    """Why it has no store, and in how many seconds its full cycle comes, which tries again."""
    try:
        connection.open()
        return None, connection.full_due_in()
    except SyncdError as error:
        return error, RETRY[0]


def _epoch_of(connection: ServedConnection) -> int | None:
    return connection.ownership.epoch if isinstance(connection, OwnedConnection) else None


def _is_idle(connection: ServedConnection) -> bool:
    return isinstance(connection, OwnedConnection) and connection.is_idle
