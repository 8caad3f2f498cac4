"""One connection of the daemon whose cycles run at the same time, each in a thread, under a conductor.

The conductor holds answers of Okta at latches; `quiet` returns when nothing moves any more: every cycle has ended, or
waits for its turn or for an answer that is held. So what happens between two answers is chosen, not raced for.
"""

from __future__ import annotations

import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import Any

import pytest

from syncd.engine.cycles.drift import repair
from syncd.engine.cycles.sync import sync
from syncd.engine.job import Job
from syncd.engine.reading.selection import Selection
from syncd.errors import SyncdError
from syncd.redact import Redactor
from syncd.service import connection as service
from syncd.service.board import ConnectionBoard
from syncd.service.connection import ServedConnection
from syncd.service.fleet.connection import OwnedConnection
from syncd.service.fleet.owned_store import OwnedStore
from syncd.service.held_store import Held
from syncd.service.surroundings import Surroundings
from syncd.settings import ConnectionSettings
from syncd.simulators.exchange import Call, Reply
from syncd.simulators.okta import OktaSimulator
from syncd.wiring import open_job
from tests.chaos.estate import Estate, FencedSplit, epoch_in
from tests.chaos.oracle import holdings
from tests.chaos.owners import Owners
from tests.chaos.timeline import Facts, Key, Scope, Timeline, Write, differences, held, parts, parts_of
from tests.observing import Unheard

_STILL = 5
"""So often in a row nothing may have moved before it is called quiet."""
_PATIENCE = 300.0
_LISTS = ("app_users", "app_groups", "groups", "mappings", "members")


class Ticks:
    """A clock that only orders."""

    def __init__(self) -> None:
        self._lock, self._now = threading.Lock(), 0

    def __call__(self) -> int:
        with self._lock:
            self._now += 1
            return self._now


class WitnessedSplit(FencedSplit):
    """Keeps what each request changed."""

    def __init__(
        self, *args: Any, ticks: Ticks, scope: Scope, owners: Owners | None = None, **options: Any
    ) -> None:
        super().__init__(*args, **options)
        self.owners = owners
        self.scope = scope
        self.writes: list[Write] = []
        self.twins: list[str] = []
        self.writer: Callable[[Call], Actor | None] = lambda _call: None
        self._ticks = ticks

    def answer(self, call: Call) -> Reply:
        if call.method == "GET":
            return super().answer(call)
        with self.world.lock:
            before, started = self.held(), self._ticks()
            reply = super().answer(call)
            try:
                after = self.held()
            except AssertionError as twins:
                self.twins.append(str(twins))
                return reply
            for key, value in differences(before, after):
                if value is None and key[0] in ("userName", "name"):
                    continue  # it went with the account
                self.writes.append(Write(key, value, started, self._ticks(), self.writer(call)))
        return reply

    def held(self) -> Facts:
        """Everything of ours that is there. Raises AssertionError for twins."""
        return held(holdings(self.world, self.owners), self.scope)


@dataclass
class Asked:
    """One object that was asked for by id: since when it was under way, and what it told about."""

    keys: Callable[[Key], bool]
    at: int


@dataclass
class Actor:
    """One cycle in its thread."""

    name: str
    began: int
    thread: threading.Thread = field(default_factory=threading.Thread)
    asked: list[Asked] = field(default_factory=list)
    ended: int | None = None
    waiting: bool = False
    reading: int = 0
    error: BaseException | None = None
    epoch: int = 0
    """In which it was begun; 0 on one machine."""
    overtaken: bool = False
    """Another owner took over before its end: what it learns nobody keeps."""

    @property
    def blocked(self) -> bool:
        return self.ended is not None or self.waiting or self.reading > 0


class Turn:
    """The turn of a connection, which tells who waits for it and who has it: nobody else writes."""

    def __init__(self, me: Callable[[], Actor | None]) -> None:
        self._lock, self._me = threading.RLock(), me
        self.holder: Actor | None = None
        self._taken = 0

    def __enter__(self) -> None:
        actor = self._me()
        if actor is not None:
            actor.waiting = True
        self._lock.acquire()
        self.holder = actor
        self._taken += 1
        if actor is not None:
            actor.waiting = False

    def __exit__(self, *exc: object) -> None:
        self.release()

    acquire = __enter__

    def release(self) -> None:
        self._taken -= 1
        if not self._taken:
            self.holder = None
        self._lock.release()


class WatchedSource:
    """Okta as one cycle sees it; notes what it asked for by id."""

    def __init__(self, source: Any, actor: Actor, ticks: Ticks) -> None:
        self._source, self._actor, self._ticks = source, actor, ticks

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._source, name)
        if name in _LISTS:
            return lambda *args: _Pages(found(*args), self._under_way)
        return self._reading(found) if callable(found) else found

    def _reading(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def called(*args: Any, **options: Any) -> Any:
            with self._under_way():
                return call(*args, **options)

        return called

    @contextmanager
    def _under_way(self) -> Iterator[None]:
        self._actor.reading += 1
        try:
            yield
        finally:
            self._actor.reading -= 1

    def _note(self, keys: Callable[[Key], bool], at: int) -> None:
        self._actor.asked.append(Asked(keys, at))

    def app_user(self, okta_id: str) -> Any:
        at = self._ticks()
        with self._under_way():
            found = self._source.app_user(okta_id)
        self._note(_person(okta_id), at)
        return found

    def people(self, okta_ids: Sequence[str], *, with_groups: bool) -> Iterator[Any]:
        at = self._ticks()
        for person in _Pages(self._source.people(okta_ids, with_groups=with_groups), self._under_way):
            self._note(_person(person.okta_id, own_groups=person.groups is not None), at)
            yield person

    def group(self, okta_id: str) -> Any:
        at = self._ticks()
        with self._under_way():
            found = self._source.group(okta_id)
        self._note(lambda key: key == ("group", okta_id), at)
        return found


def _person(okta_id: str, *, own_groups: bool = False) -> Callable[[Key], bool]:
    kinds = ("active", "userName", "name", *(["member"] if own_groups else []))
    return lambda key: key[0] in kinds and key[-1] == okta_id


class _Pages:
    """A listing whose pages are waited for in sight of the conductor."""

    def __init__(self, listing: Any, under_way: Callable[[], Any]) -> None:
        self._listing, self._under_way = listing, under_way

    def __getattr__(self, name: str) -> Any:
        return getattr(self._listing, name)

    def __iter__(self) -> Iterator[Any]:
        pages = iter(self._listing)
        while True:
            with self._under_way():
                page = next(pages, None)
            if page is None:
                return
            yield page


def _where(actor: Actor) -> str:
    """What a cycle does now, as its thread's stack."""
    frame = sys._current_frames().get(actor.thread.ident or 0)
    stack = "" if frame is None else "".join(traceback.format_stack(frame)[-8:])
    return f"{actor.name}, waiting {actor.waiting}, reading {actor.reading}:\n{stack}"


class Crew:
    """The connection and its cycles."""

    def __init__(
        self,
        settings: ConnectionSettings,
        okta: OktaSimulator,
        split: WitnessedSplit,
        clock: Callable[[], datetime],
        ticks: Ticks,
        estate: Estate | None = None,
    ) -> None:
        """`estate`: the connection is one of a fleet, and this is where."""
        self.okta, self.split, self.ticks, self.clock = okta, split, ticks, clock
        self.settings, self.estate = settings, estate
        self.timeline = Timeline()
        self.actors: list[Actor] = []
        self._written: dict[Key, Write] = {}
        self.said: list[str] = []
        self.failures: list[str] = []
        self._mine = threading.local()
        self._around = Surroundings(
            event=self._event,
            redactor=Redactor(),
            hurry=lambda *_: None,
            on_closed=lambda: None,
            clock=clock,
        )
        self.epoch = 0
        self._turns: dict[int, Turn] = {}
        self.before: list[ServedConnection] = []
        """Of the owners before, who were not told."""
        self.connection = self._owned()
        split.writer = lambda call: self._turns[epoch_in(call.headers)].holder
        split.owned_in = lambda: self.epoch
        self.note(self.ticks())

    def _owned(self) -> ServedConnection:
        """By whoever owns it from here on."""
        if self.estate is None:
            made = ServedConnection(self.settings, ConnectionBoard(self.settings.name), self._around)
        else:
            estate, tenant = self.estate, self.estate.take_over()

            def opens(_settings: ConnectionSettings, _is_idle: Callable[[], bool]) -> Held:
                return OwnedStore(estate.open(tenant))

            board = ConnectionBoard(self.settings.name)
            made = OwnedConnection(self.settings, board, self._around, tenant.ownership, opens)
            self.epoch = tenant.epoch
        made._turn = self._turns[self.epoch] = Turn(self._me)
        return made

    def take_over(self) -> Actor:
        """Another worker owns the connection, whatever cycles of the one before run, and begins as workers do."""
        for actor in self.alive:
            actor.overtaken = True
        self.before.append(self.connection)
        self.connection = self._owned()
        self.connection.open()
        assert isinstance(self.connection, OwnedConnection)
        return self.start("full" if self.connection.full_due_in() == 0.0 else "delta")

    def _event(self, level: str, event: str, **fields: Any) -> None:
        self.said.append(f"{level} {event} {fields}")
        if "crashed" in event or "could not be run" in event:
            self.failures.append(f"{event} {fields}")

    def _me(self) -> Actor | None:
        return getattr(self._mine, "actor", None)

    @contextmanager
    def opened(self) -> Iterator[Crew]:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(service, "open_job", self._open_job)
            self.connection.open()
            try:
                yield self
            finally:
                self.okta.reset_faults()
                self.split.reset_faults()
                self.join()
                for connection in (*self.before, self.connection):
                    connection.retire()

    @contextmanager
    def _open_job(self, settings: ConnectionSettings, **options: Any) -> Iterator[Job]:
        with open_job(settings, **options) as job:
            actor = self._me()
            yield job if actor is None else replace(job, source=WatchedSource(job.source, actor, self.ticks))

    # what happens

    def note(self, began: int) -> None:
        """What Okta wants now; some moment since `began` it became so."""
        if self.split.owners is not None:
            self.split.owners.look()
        self.timeline.note(parts(self.okta.world, self.split.scope), began=began, ended=self.ticks())

    def start(self, kind: str, selection: Selection | None = None, *, old: int = 0) -> Actor:
        """A cycle begins: full, delta, drift, or what a person asks for: targeted, repair. `old`: by the owner of so
        many takeovers ago.
        """
        by = (*self.before, self.connection)[-1 - old]
        actor = Actor(kind, self.ticks(), epoch=self.epoch - old, overtaken=old > 0)
        works: dict[str, Callable[[], object]] = {
            "full": by.full,
            "delta": by.delta,
            "drift": by.drift,
            "targeted": lambda: self._asked_for(lambda job: sync(job, selection or Selection(full=True))),
            "repair": lambda: self._asked_for(lambda job: repair(job, selection or Selection(full=True))),
        }

        def run() -> None:
            self._mine.actor = actor
            try:
                works[kind]()
            except SyncdError as error:
                self.said.append(f"{kind}: {error.message}")
            except BaseException as error:  # noqa: BLE001  (the conductor raises it)
                actor.error = error
            finally:
                actor.ended = self.ticks()

        actor.thread = threading.Thread(target=run, name=kind)
        self.actors.append(actor)
        actor.thread.start()
        return actor

    def _asked_for(self, work: Callable[[Job], object]) -> None:
        """As the commands do, on the daemon's store."""
        with self._open_job(
            self.connection.settings,
            writing=True,
            observer=Unheard(),
            redactor=Redactor(),
            clock=self.clock,
            store=self.connection.current.store,
            turn=self.connection._turn,
        ) as job:
            work(job)

    def quiet(self) -> None:
        """Waits until nothing moves."""
        still, deadline = 0, time.monotonic() + _PATIENCE
        while still < _STILL:
            still = still + 1 if self._is_quiet() else 0
            assert time.monotonic() < deadline, [_where(actor) for actor in self.alive]
            time.sleep(0.001)

    def _is_quiet(self) -> bool:
        if not self.alive:
            return True
        servers = (self.okta, self.split)
        held_there = sum(len(server.latches.waiting()) for server in servers)
        running = sum(server._running for server in servers)
        reading = sum(actor.reading > 0 and not actor.waiting for actor in self.alive)
        return held_there == running >= reading > 0 and all(actor.blocked for actor in self.alive)

    @property
    def alive(self) -> list[Actor]:
        return [actor for actor in self.actors if actor.ended is None]

    def join(self) -> None:
        for actor in self.actors:
            actor.thread.join(_PATIENCE)
            assert not actor.thread.is_alive(), actor
            if actor.error is not None:
                raise actor.error

    # what is judged

    def harm(self, *, lagging: bool) -> list[str]:
        """Writes of what nobody can have wanted, as far as syncd could know. What was judged is not judged again."""
        found = [*self.split.twins, *self.split.stale]
        writes, self.split.writes = self.split.writes, []
        for write in writes:
            if not self.timeline.explains(write, partial(self._knew, write, lagging=lagging)):
                found.append(f"{write} at {write.started}: {self._why_not(write, lagging=lagging)}")
            self._written[write.key] = write
        return found

    def _why_not(self, write: Write, *, lagging: bool) -> str:
        told = []
        for part in parts_of(write.key):
            since = self._knew(write, part, lagging=lagging)
            told.append(
                f"{' '.join(part)} was {self.timeline.values(part, since, write.ended)} since {since}"
            )
        return ", ".join(told)

    def _knew(self, write: Write, part: Key, *, lagging: bool) -> float:
        """Since when what syncd knew of this part of it was so at the least: since it took it away, which it does by
        evidence of that moment only; since a cycle that had ended asked for the object by id (one that looks for drift
        keeps nothing of it); since the oldest cycle that ran began, unless that read lists which lag, or only remembers
        it.
        """
        if part[0] == "group" != write.key[0] and self.split.scope.source != "name":
            return 0  # that a group is assigned or mapped no more, only the full cycle learns that follows at once
        if part[0] == "group" and self.split.scope.source == "mappings" and lagging:
            return 0  # a mapping that went has no id to ask for: nothing but its list tells
        known: list[float] = [0]
        last = self._written.get(write.key)
        if last is not None and (last.value is None or not lagging):
            known.append(last.started)
        for actor in self.actors:
            if part[0] == "group" and self.split.scope.source == "mappings":
                break  # an answer about the group by id says nothing about its mapping
            keeps = actor.name != "drift" and not actor.overtaken
            if keeps and actor.ended is not None and actor.ended < write.started:
                known += [asked.at for asked in actor.asked if asked.keys(part)]
        if (write.value is None or not lagging) and not _remembered(write, part):
            known.append(min(a.began for a in self.actors if a.ended is None or a.ended > write.started))
        return max(known)


def _remembered(write: Write, part: Key) -> bool:
    """Whether the members of a group were added by a cycle that looked at the group, and not at this person. To ask for
    each of them by id is more than a delta or a run for one group may cost; and their account is active until the log
    tells, which takes them out again.
    """
    by = write.by
    return (
        isinstance(by, Actor)
        and by.name in ("delta", "targeted")
        and write.key[0] == "member"
        and write.value is not None
        and part[0] == "active"
        and not any(asked.keys(part) for asked in by.asked)
    )


__all__ = ["Actor", "Crew", "Ticks", "WitnessedSplit"]
