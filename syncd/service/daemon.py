"""The daemon: every connection on its schedule, until SIGTERM. SIGHUP reads the settings again.

The main thread listens to signals and tells systemd; cycles run in the timetable's threads. Nothing that the main
thread does waits for a cycle, its store or the network.
"""

from __future__ import annotations

import queue
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import FrameType

from syncd.engine.cycles.drift import drift_cycle
from syncd.engine.cycles.drift_report import DriftReport
from syncd.engine.job import Job
from syncd.errors import LockWatched, SyncdError
from syncd.redact import Redactor
from syncd.service.board import Board
from syncd.service.connection import ServedConnection
from syncd.service.drift_turns import first_turn
from syncd.service.full_turns import RETRY
from syncd.service.listening import ANOTHER_HOOK_PORT, ANOTHER_PORT, Address, Listening
from syncd.service.reloading import broken_files, clashes, held_by, reconciled
from syncd.service.requests import look_for_requests
from syncd.service.scheduler import KINDS, LANES, Timetable
from syncd.service.stopping import STOPS, stops_heard
from syncd.service.surroundings import OnCycle, Surroundings
from syncd.service.systemd import Notify
from syncd.service.telling import Event, in_a_line, running_fields, status_line
from syncd.settings import ConnectionSettings, Loaded, configuration_error
from syncd.store.keeping import say_watched
from syncd.wiring import utc_now

Serve = Callable[
    [tuple[str, int], Board, Callable[[], Sequence[ConnectionSettings]]], AbstractContextManager[object]
]
"""Opens the HTTP server: address, board, and what gives the settings of all connections at any time."""
Added = tuple[ConnectionSettings, SyncdError | None]
"""A connection, and why it has no store."""

ENDS_WITHIN = 9.0
"""Seconds for cycles to end after a stop was asked for; the engine waits 8 of them for writes in flight."""
LAST_RESORT = 9.5
SPREAD = 0.2
"""Seconds between the first cycles of two connections: a hundred of them do not all ask in the first one."""
_BEAT, _JUMP = 1.0, 5.0
"""Seconds: of a beat, and by which the wall clock may leave the monotonic one in it before it counts as set."""


@dataclass(frozen=True)
class Hooks:
    """What others add: the HTTP server, and who is told about cycles. `leave` ends the process, `hung_up` tells whether
    SIGHUP came before the daemon listened, `beat` is called every second or so, `say_all` before somebody comes to
    look, and at the end.
    """

    http: Serve | None = None
    on_cycle: OnCycle | None = None
    drift: Callable[[Job], DriftReport] = drift_cycle
    leave: Callable[[], None] = lambda: None
    hung_up: Callable[[], bool] = lambda: False
    beat: Callable[[], None] = lambda: None
    say_all: Callable[[], None] = lambda: None


class Daemon:
    """`run` blocks; `stop` and `reload` may be called from signal handlers and any thread."""

    def __init__(
        self,
        load: Callable[[], Loaded],
        *,
        event: Event,
        redactor: Redactor,
        notify: Notify | None = None,
        hooks: Hooks | None = None,
        clock: Callable[[], datetime] = utc_now,
        lanes: Mapping[str, int] = LANES,
    ) -> None:
        """`load` reads the settings, at the start and at every reload."""
        self.board = Board()
        self._load = load
        self._event = event
        self._notify = notify or Notify()
        self._asked_at: float | None = None
        """When it was asked to stop, by the monotonic clock, if that was by a signal."""
        self._hooks = hooks or Hooks()
        self._timetable = Timetable(lanes, began=self.board.turn_began)
        self._served: dict[str, ServedConnection] = {}
        self._planned: dict[str, ConnectionSettings] = {}
        """By whose schedule each is served, also before they count for its cycles."""
        self._retiring: list[ServedConnection] = []
        self._waiting: dict[str, ConnectionSettings] = {}
        """What cannot begin before one of `_retiring` has ended: they would write at the same time."""
        self._broken_files: Mapping[str, str] = {}
        # A SimpleQueue may be put to in a signal handler (queue.SimpleQueue, "reentrant").
        self._commands: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        """What the main thread is told to do; None: to stop."""
        self._status_server = Listening("server.listen", self._serve_status, ANOTHER_PORT)
        self._hook_server = Listening("hooks.listen", self._serve_hooks, ANOTHER_HOOK_PORT)
        self._around = Surroundings(
            event=event,
            redactor=redactor,
            hurry=self._timetable.bring_forward,
            next_run=self._timetable.next_run,
            on_closed=lambda: self._commands.put(self._forget_closed),
            on_cycle=self._hooks.on_cycle,
            drift=self._hooks.drift,
            clock=clock,
        )

    def stop(self) -> None:
        """Ends what is under way and returns from `run`; from any thread."""
        self._commands.put(None)

    def reload(self) -> None:
        """Reads the settings again, as SIGHUP does; from any thread."""
        self._commands.put(self._reload)

    def run(self) -> None:
        """Until it is stopped. Raises SyncdError when it cannot begin: no settings, no store, no port."""
        with self._signals():
            try:
                self._begin()
                self._loop()
            finally:
                self._end()

    def settings(self) -> Sequence[ConnectionSettings]:
        """Those of all connections, as they count now."""
        return [one.settings for _, one in sorted(self._served.copy().items())]

    # beginning and end

    def _begin(self) -> None:
        loaded = self._load()
        if not loaded.connections:
            raise configuration_error(loaded.problems)
        failures = {}
        for number, one in enumerate(loaded.connections):
            if self._around.stopping.is_set():
                return
            if error := self._add(one, after=number * SPREAD):
                failures[one.name] = error
        hopeless = [error for error in failures.values() if not isinstance(error, LockWatched)]
        if len(hopeless) == len(loaded.connections):
            raise min(hopeless, key=lambda error: _GRAVEST_FIRST.index(error.exit_code))
        self._listen(loaded.connections)
        self._broken_files = broken_files(loaded.problems)
        self._say_unused(loaded)
        for name, error in failures.items():
            self._say_unopened(name, error)
        self._timetable.start()
        look_for_requests(
            lambda: [one.requests for one in self._served.copy().values()], self._around.stopping
        )
        self._tell_state()
        self._notify.ready()
        self._event("info", "running", **running_fields(self.settings(), self._status_server.address))

    def _say_unused(self, loaded: Loaded, stays: Sequence[ConnectionSettings] = ()) -> None:
        """One line for each file; with `stays`, which connections keep their old settings because of it."""
        files: dict[Path, list[str]] = {}
        for problem in loaded.problems:
            files.setdefault(problem.file, []).append(str(problem))
        for file, problems in files.items():
            names = ", ".join(one.name for one in held_by(file, stays))
            kept = {"in_force": f"the old settings of {names}"} if names else {}
            self._event("error", "settings not used", file=str(file), problem="; ".join(problems), **kept)

    def _say_unopened(self, name: str, error: SyncdError) -> None:
        if isinstance(error, LockWatched):
            say_watched(self._event, error, connection=name)
            return
        said = {"error": error.message, "hint": error.hint}
        self._event("error", "the store cannot be used", connection=name, **said)

    def _add(self, settings: ConnectionSettings, *, after: float = 0.0) -> SyncdError | None:
        """Opens a connection and plans its cycles, the first `after` so many seconds. Without a store, returns why; its
        full cycle tries again: at once where somebody else's lock has to be watched, else soon.
        """
        connection = ServedConnection(settings, self.board.connection(settings.name), self._around)
        self._served[settings.name] = connection
        failure = None
        try:
            connection.open()
        except SyncdError as error:
            failure = error
        soon = after if failure is None or isinstance(failure, LockWatched) else RETRY[0]
        self._schedule(connection, settings, first_full=soon)
        return failure

    def _schedule(
        self, connection: ServedConnection, settings: ConnectionSettings, *, first_full: float | None = None
    ) -> None:
        schedule, self._planned[settings.name] = settings.schedule, settings
        for kind, every, work in (
            ("full", schedule.full, connection.full),
            ("delta", connection.hooks.delta_every(settings), connection.delta),
            ("drift", schedule.drift, connection.drift),
        ):
            if self._timetable.interval(settings.name, kind) != every:
                first = first_turn(kind, first_full, connection.drift_due_in)
                self._timetable.schedule(settings.name, kind, every, work, first=first)

    def _listen(self, connections: Sequence[ConnectionSettings]) -> None:
        """Raises SyncdError when a port cannot be had; what was served before is then served on."""
        server = connections[0].server
        self._status_server.move_to(server.address, server.listen)
        hooks = next((one.hooks for one in connections if one.hooks.listen), connections[0].hooks)
        self._hook_server.move_to(hooks.address, hooks.listen)

    def _serve_status(self, address: Address) -> AbstractContextManager[object]:
        serve = self._hooks.http
        return nullcontext() if serve is None else serve(address, self.board, self.settings)

    def _serve_hooks(self, address: Address) -> AbstractContextManager[object]:
        from syncd.service.hooks import listening  # noqa: PLC0415  (where nobody posts, nobody listens)

        served, counted = self._served, self.board.hook_answered
        return listening(address, lambda: [one.hooks for one in served.copy().values()], counted, self._event)

    def _end(self) -> None:
        """No new write, some seconds for those in flight, everything closed; at the last moment without asking."""
        began = self._asked_at or time.monotonic()
        if running := self._asked_at is not None or self._timetable.is_alive:
            self._notify.stopping()
        self._around.stopping.set()
        last = threading.Timer(began + LAST_RESORT - time.monotonic(), self._hooks.leave)
        last.daemon = True
        last.start()
        self._timetable.stop()
        hanging = []
        for connection in (*self._served.values(), *self._retiring):
            if connection.wait_until_idle(began + ENDS_WITHIN, self._notify.alive):
                connection.retire()
            else:
                connection.give_up()
                hanging.append(connection.settings.name)
        self._status_server.close()
        self._hook_server.close()
        last.cancel()
        if running:
            self._hooks.say_all()
            self._event("info", "stopped", **({"still_busy": ", ".join(hanging)} if hanging else {}))

    @contextmanager
    def _signals(self) -> Iterator[None]:
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {}

        def on_signal(number: int, frame: FrameType | None) -> None:
            del frame
            self._commands.put(self._reload if number == signal.SIGHUP else None)

        for number in (*STOPS, signal.SIGHUP):
            before[number] = signal.signal(number, on_signal)
        if self._hooks.hung_up():
            self._commands.put(self._reload)
        try:
            with stops_heard(self._on_stop, self._hooks.leave, within=LAST_RESORT):
                yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _on_stop(self) -> None:
        """In another thread than the main one, which may be long in coming to it."""
        self._asked_at = time.monotonic()
        self._around.stopping.set()

    # while it runs

    def _loop(self) -> None:
        wall, steady = time.time(), time.monotonic()
        beat = min(_BEAT, (self._notify.watchdog or 60.0) / 4)
        while True:
            command: Callable[[], None] | None = _nothing
            with suppress(queue.Empty):
                command = self._commands.get(timeout=beat)
            if command is None:
                return
            command()
            now, steadily = time.time(), time.monotonic()
            if abs((now - wall) - (steadily - steady)) > _JUMP:
                self._timetable.clock_was_set()
            wall, steady = now, steadily
            self._tell_state()
            self._hooks.beat()

    def _tell_state(self) -> None:
        for name, one in self._served.items():
            self._schedule(one, self._planned[name])  # which hooks may have changed
            for kind in KINDS:
                self.board.connection(name).will_run(kind, self._timetable.next_run(name, kind))
        troubles = {name: why for name, one in self._served.items() if (why := one.current.trouble)}
        waiting = dict.fromkeys(self._waiting, "waits for the last cycle of what it replaces")
        broken = {**self._broken_files, **waiting, **troubles}
        self.board.set_broken(broken)
        sick = {name: why for name, one in self._served.items() if (why := one.current.sick)}
        self._notify.status(
            self._around.redactor.text(
                status_line([one.snapshot() for one in self.board.connections()], sick, broken)
            )
        )
        stuck = [one for one in (*self._served.values(), *self._retiring) if one.is_stuck]
        if self._timetable.is_alive and not stuck:
            self._notify.alive()

    def _reload(self) -> None:
        self._notify.reloading()
        self._hooks.say_all()
        try:
            self._reread()
        except Exception as error:  # noqa: BLE001  (whatever it is, the old settings go on)
            said = in_a_line(error) if isinstance(error, SyncdError) else error
            self._event("error", "settings not reloaded", error=said)
        finally:
            self._notify.ready()

    def _reread(self) -> None:
        self._apply(self._load())

    def _apply(self, loaded: Loaded) -> None:
        found = reconciled(self.settings(), loaded)
        self._broken_files = found.broken
        self._say_unused(loaded, found.stays)
        for stem in sorted(found.broken.keys() - {problem.file.stem for problem in loaded.problems}):
            self._event("error", "settings not used", connection=stem, problem=found.broken[stem])
        wanted = {settings.name: settings for settings in found.wanted}
        for name, connection in list(self._served.items()):
            new = wanted.get(name)
            if new is None or new.store_path != connection.settings.store_path:
                self._retire(name)
        self._waiting = {}
        for name, settings in wanted.items():
            if name in self._served:
                self._schedule(self._served[name], settings)
                self._served[name].update(settings)
            else:
                self._waiting[name] = settings
        whole = self._add_waiting() and not (loaded.problems or found.broken)
        if loaded.connections:
            try:
                self._listen(loaded.connections)
            except SyncdError as error:
                whole = False
                self._event("error", "listen not changed", error=error.message, hint=error.hint)
        used = ", ".join(sorted(self._served.keys() - {one.name for one in found.stays}))
        if whole:
            self._event("info", "settings reloaded", connections=used)
        else:
            self._event("warning", "settings not reloaded, or not all of them", in_force_anew=used or "none")

    def _add_waiting(self) -> bool:
        """Whether nothing failed."""
        ending = [one.settings for one in self._retiring if not one.current.is_closed]
        ready = [each for each in self._waiting.values() if not any(clashes(each, one) for one in ending)]
        failed = False
        for settings, error in self._add_all(ready):
            del self._waiting[settings.name]
            if error:
                failed = True
                self._say_unopened(settings.name, error)
        return not failed

    def _add_all(self, ready: Sequence[ConnectionSettings]) -> Iterator[Added]:
        return ((settings, self._add(settings)) for settings in ready)

    def _retire(self, name: str) -> None:
        connection = self._served.pop(name)
        self._timetable.drop(name)
        self.board.forget(name)
        self._retiring.append(connection)
        connection.retire()
        self._event("info", "connection taken out", connection=name)

    def _forget_closed(self) -> None:
        """A connection that was taken out has ended its last cycle."""
        self._retiring = [one for one in self._retiring if not one.current.is_closed]
        self._add_waiting()


def _nothing() -> None:
    """Nobody told the main thread anything."""


_GRAVEST_FIRST = (78, 64, 1, 3, 4)
"""Exit codes, in the contract's order of precedence."""
