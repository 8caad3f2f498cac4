"""Which connections a worker owns: it looks at the fleet again and again, takes what falls to it, gives back what is
too much, and rejoins under a new name after its lease was lost.

Looking waits for the database; nothing else waits for looking.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from syncd.core.balance import balance
from syncd.errors import ConfigurationError, LockLost, SyncdError
from syncd.ports.fleet import WORK, ConnectionRecord, Fleet, FleetState, Ownership, Registry, WorkerRecord
from syncd.ports.permit import Permit
from syncd.service.fleet.moment import FleetMoment
from syncd.service.fleet.owned_store import GoesBack
from syncd.service.fleet.serving import Holding, Serving
from syncd.service.fleet.tenure import Tenure
from syncd.service.held_store import Held
from syncd.service.telling import Event, said_of
from syncd.settings import ConnectionSettings

LOOKS_EVERY, LOOKS_SOON = 1.0, 0.25
"""Seconds; soon while there is more to take than can be begun at once."""
_MINUTE = 60.0
_ENDS_LOOKING_WITHIN = 1.0
_ENDS_WITHIN = 9.0
"""Seconds after `stop`, with a database that does not answer."""
_REFUSED_FOR = 300.0
"""Seconds after which settings that cannot be used here are tried again."""

Reads = Callable[[str, str], ConnectionSettings]
"""Settings from a connection's name and its text. Raises ConfigurationError."""
OpenStore = Callable[[ConnectionSettings, Ownership, Permit], Held]
"""Raises SyncdError."""


class Steward:
    """`begin`, then `run` in a thread of its own until `end`. The rest may be called from any thread."""

    def __init__(
        self, registry: Registry, myself: WorkerRecord, *, event: Event, reads: Reads, opens: OpenStore
    ) -> None:
        self._registry, self._myself, self._event = registry, myself, event
        self._reads, self._opens = reads, opens
        self._lock = threading.Lock()
        self._owned: dict[str, Holding] = {}
        self._refused: dict[int, tuple[str, float]] = {}
        """Digest of settings that could not be used, and until when they are not tried again (monotonic clock)."""
        self._moved: deque[float] = deque()
        self._takeovers: Counter[bool] = Counter({True: 0, False: 0})
        self._fenced: Counter[str] = Counter(store=0, target=0)
        self._lost = 0
        self._seen: Fleet | None = None
        self._trouble = ""
        self._history = ""
        """Of the database, as it was at the last look."""
        self._more = False
        """At the last look there was more to take than could be begun at once."""
        self._over = threading.Event()
        self._stopped = float("inf")
        self._looking = threading.Lock()
        """Held while it looks, and claims."""
        self._begun: set[int] = set()
        """Connections whose store was opened under this lease: something of them may be under way."""
        self._serving: Serving | None = None
        self._tenure = self._new_tenure()

    def _new_tenure(self) -> Tenure:
        return Tenure(self._registry, self._myself, self._event, waiting=self._waiting)

    def _waiting(self) -> Sequence[int]:
        return () if self._serving is None else self._serving.waiting()

    # life

    def begin(self) -> None:
        """Joins the fleet. Raises what `Tenure.begin` raises."""
        self._tenure.begin()
        self._event("info", "joined the fleet", worker=self._tenure.name, mode=self._myself.mode)

    def run(self, serving: Serving) -> None:
        self._serving = serving
        while not self._over.is_set():
            with self._looking:
                if not self._over.is_set():
                    self._look(serving)
            try:
                if named := self._registry.woken(LOOKS_SOON if self._more else LOOKS_EVERY):
                    serving.woken(named)
            except SyncdError:  # whoever looks says so
                self._over.wait(LOOKS_EVERY)
            except Exception as error:  # noqa: BLE001  (who hears nothing more still has to look)
                self._event("error", "what somebody asked for was not heard", **said_of(error))
                self._over.wait(LOOKS_EVERY)

    def stop(self) -> None:
        """Nothing is taken any more."""
        self._stopped = time.monotonic()
        self._over.set()

    @property
    def is_stopping(self) -> bool:
        """Nothing is taken any more."""
        return self._over.is_set()

    def end(self) -> None:
        """Leaves the fleet: what was not given back by now is free for others after the lease, but for what was claimed
        in the last moment and never begun: that is given back.
        """
        self._over.set()
        leaving = threading.Thread(target=self._leave, name="fleet-leaving", daemon=True)
        leaving.start()
        leaving.join(min(max(self._stopped + _ENDS_WITHIN - time.monotonic(), 0.2), 2.0))
        if leaving.is_alive():
            self._event("warning", "could not leave the fleet", error="the database does not answer")

    def _leave(self) -> None:
        if self._looking.acquire(timeout=_ENDS_LOOKING_WITHIN):
            for each in self.holdings():
                if each.ownership.connection not in self._begun:
                    self.give_back(each.ownership)
            self._looking.release()
        try:
            self._tenure.end()
        except SyncdError as error:
            self._event("warning", "could not leave the fleet", error=error.message)

    def resize(self, capacity: int) -> None:
        """Connections at most from now on; the fleet is told at the next look."""
        self._myself = replace(self._myself, capacity=capacity)

    def rule(self, rule: Callable[[ConnectionSettings], ConnectionSettings]) -> None:
        """The settings of all that it has are as `rule` makes them, from now on."""
        with self._lock:
            ruled = {name: replace(one, settings=rule(one.settings)) for name, one in self._owned.items()}
            self._owned.update(ruled)

    # what others ask

    def holdings(self) -> Sequence[Holding]:
        """What is to be served now, by name."""
        with self._lock:
            return [self._owned[name] for name in sorted(self._owned)]

    def moment(self) -> FleetMoment:
        with self._lock:
            seen = self._seen
            return FleetMoment(
                worker=self._tenure.name,
                mode=self._myself.mode,
                owned=len(self._owned),
                left=self._tenure.left,
                takeovers=dict(self._takeovers),
                fenced=dict(self._fenced),
                trouble=self._trouble or self._tenure.trouble,
                lost=self._lost,
                renewal=self._tenure.renewal,
                workers=None if seen is None else sum(each.works for each in seen.workers),
                unowned=[] if seen is None else [each.name for each in seen.connections if each.is_unowned],
                apart=() if seen is None else seen.apart(self._tenure.name),
            )

    def open(self, holding: Holding, is_idle: Callable[[], bool]) -> Held:
        """The store of a connection; it is given back to the fleet when it is closed while nothing of it runs. Raises
        SyncdError.
        """
        permit = self._counted(holding.permit)
        self._begun.add(holding.ownership.connection)
        held = self._opens(holding.settings, holding.ownership, permit)
        return GoesBack(
            held,
            lost=lambda: self.fenced("store"),
            goes_back=lambda: self.give_back(holding.ownership),
            is_idle=is_idle,
        )

    def _counted(self, permit: Permit) -> Permit:
        def ask() -> None:
            try:
                permit()
            except LockLost:
                self.fenced("target")
                raise

        return ask

    def fenced(self, where: str) -> None:
        with self._lock:
            self._fenced[where] += 1

    def give_back(self, ownership: Ownership) -> None:
        """Clean: nothing of it is under way."""
        if ownership.only_watches:
            return
        try:
            self._registry.release([ownership])
        except SyncdError as error:
            said = {"error": error.message, "hint": "others have it after the lease"}
            self._event("warning", "could not give back a connection", connection=ownership.name, **said)

    # looking

    def _look(self, serving: Serving) -> None:
        try:
            if self._tenure.is_lost:
                self._rejoin(serving)
            fleet = self._told(self._registry.look())
            changed = self._begins_anew(fleet) | self._keep(fleet)
            if self._myself.mode == WORK:
                busy = serving.busy()
                self._return_what_is_not_served(fleet, busy)
                changed |= self._balance(fleet, busy, serving.not_begun())
            else:
                changed |= self._watch(fleet)
            self._seen, self._trouble = fleet, ""
        except Exception as error:  # noqa: BLE001  (who looks no more neither takes over nor gives back)
            said = said_of(error)
            if not self._trouble:
                self._event("warning", "the fleet cannot be looked at", **said)
            self._seen, self._trouble = None, said["error"]
            return
        if changed:
            serving.reload()

    def _told(self, fleet: Fleet) -> Fleet:
        """The fleet, which knows how many connections this worker takes by now."""
        name, capacity = self._tenure.name, self._myself.capacity
        if all(each.name != name or each.capacity == capacity for each in fleet.workers):
            return fleet
        self._registry.resize(name, capacity)
        return self._registry.look()

    def _rejoin(self, serving: Serving) -> None:
        with self._lock:
            self._owned.clear()
            self._begun.clear()
            self._lost += 1
        serving.reload()
        called, self._myself = self._myself.name, replace(self._myself, name="")
        self._tenure = self._new_tenure()
        if called:
            self._event("warning", "its name is used up: it goes on under a new one", worker=called)
        self.begin()

    def _begins_anew(self, fleet: Fleet) -> bool:
        """After a failover the stores may know less than was done, and less than this process remembers of them: it
        gives all back, and whoever takes them begins with what they know. Whether anything changed.
        """
        before, self._history = self._history, fleet.history or self._history
        if not before or before == self._history:
            return False
        holdings = self.holdings()
        for holding in holdings:
            self._drop(holding.ownership.name)
        said = {"before": before, "now": self._history, "connections": len(holdings)}
        self._event(
            "warning", "the database failed over, or was put back: all connections begin anew", **said
        )
        return bool(holdings)

    def _keep(self, fleet: Fleet) -> bool:
        """Lets go of what is another's now, and reads settings that were changed. Whether anything did."""
        found = {each.name: each for each in fleet.connections}
        changed = False
        for holding in self.holdings():
            name, mine = holding.ownership.name, holding.ownership
            now = found.get(name)
            if now is None or not self._is_ours(mine, now):
                self._drop(name)
                self._event("warning", "a connection went to another worker", connection=name)
                changed = True
            elif now.digest != mine.digest:
                changed |= self._reread(holding, now)
        return changed

    def _is_ours(self, mine: Ownership, now: ConnectionRecord) -> bool:
        return mine.only_watches or (now.owner, now.epoch) == (self._tenure.name, mine.epoch)

    def _watch(self, fleet: Fleet) -> bool:
        """Everything that is not paused, as far as there is room. Whether anything changed."""
        records = [each for each in fleet.connections if not (each.paused or self._is_refused(each))]
        wanted = {each.name: each for each in records[: self._myself.capacity]}
        with self._lock:
            over = self._owned.keys() - wanted.keys()
            fresh = [record for name, record in wanted.items() if name not in self._owned]
        for name in over:
            self._drop(name)
        return bool([record for record in fresh if self._watches(record)] or over)

    def _watches(self, record: ConnectionRecord) -> bool:
        text, digest = self._registry.text_of(record.id)
        settings = self._settings_of(record.id, record.name, text, digest)
        if settings is None:
            return False
        with self._lock:
            ownership = Ownership.watching(record, text)
            self._owned[record.name] = Holding(ownership, settings, self._tenure.permit)
        return True

    def _drop(self, name: str) -> None:
        with self._lock:
            self._owned.pop(name, None)

    def _reread(self, holding: Holding, now: ConnectionRecord) -> bool:
        """Settings that cannot be used here change nothing: those before go on."""
        if self._is_refused(now):
            return False
        text, digest = self._registry.text_of(now.id)
        settings = self._settings_of(now.id, now.name, text, digest)
        if settings is None:
            return False
        with self._lock:
            ownership = replace(holding.ownership, toml=text, digest=digest)
            self._owned[now.name] = replace(holding, ownership=ownership, settings=settings)
        return True

    def _return_what_is_not_served(self, fleet: Fleet, busy: frozenset[str]) -> None:
        """What a claim gave us whose answer was lost, and what could not be given back."""
        with self._lock:
            served = busy | self._owned.keys()
        left = [
            each.id
            for each in fleet.connections
            if each.owner == self._tenure.name and each.name not in served
        ]
        if left:
            self._registry.disown(self._tenure.name, left)

    def _is_refused(self, record: ConnectionRecord) -> bool:
        digest, until = self._refused.get(record.id, ("", 0.0))
        return digest == record.digest and time.monotonic() < until

    def _settings_of(self, number: int, name: str, text: str, digest: str) -> ConnectionSettings | None:
        """None where they cannot be used here; that is said, and they are left alone for a while."""
        try:
            return self._reads(name, text)
        except ConfigurationError as error:
            self._refused[number] = (digest, time.monotonic() + _REFUSED_FOR)
            said = {"error": error.message, "hint": error.hint}
            self._event("error", "settings not used", connection=name, **said)
            return None

    def _balance(self, fleet: Fleet, busy: frozenset[str], not_begun: int) -> bool:
        while self._moved and self._moved[0] < time.monotonic() - _MINUTE:
            self._moved.popleft()
        records = [each for each in fleet.connections if not self._is_refused(each) or each.owner]
        by_number = {each.id: each for each in records}
        found = balance(
            self._tenure.name,
            fleet.sharers,
            [each.charge for each in records],
            busy=frozenset(each.id for each in records if each.name in busy),
            moved_lately=len(self._moved),
            not_begun=not_begun,
        )
        self._more = found.more
        for number in found.release:
            self._give_up(by_number[number])
        return bool(self._take(found.take, fleet.course)) or bool(found.release)

    def _give_up(self, record: ConnectionRecord) -> None:
        self._moved.append(time.monotonic())
        self._drop(record.name)
        self._event("info", "gives a connection back", connection=record.name)

    def _take(self, numbers: Sequence[int], seen: FleetState) -> int:
        permit, taken = self._tenure.permit, 0
        for claimed in self._registry.claim(self._tenure.name, numbers):
            ownership = replace(claimed, seen=seen)
            settings = self._settings_of(
                ownership.connection, ownership.name, ownership.toml, ownership.digest
            )
            if settings is None:
                self._registry.release([ownership])
                continue
            taken += 1
            self._begun.discard(ownership.connection)
            with self._lock:
                self._owned[ownership.name] = Holding(ownership, settings, permit)
                if not ownership.is_first:
                    self._takeovers[ownership.clean] += 1
            said = {"clean": ownership.clean, "quiet": round(ownership.quiet, 1)}
            self._event("info", "owns a connection", connection=ownership.name, epoch=ownership.epoch, **said)
        return taken

    def weigh(self, people: Mapping[int, int]) -> None:
        """How many people connections manage; a weight that cannot be stored is told again after the next cycle."""
        try:
            self._registry.weigh(people)
        except SyncdError as error:
            self._event("debug", "weights could not be stored", error=error.message)
