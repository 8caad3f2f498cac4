"""The arena of a connection that is one of a fleet: its store is on PostgreSQL, and owners take over from each other.

What a frozen process does is made here: from a chosen call on all its threads stand still, another owner takes over and
runs a whole cycle, and then the old one goes on where it was. What it had given to the target by then has arrived
before: that is what the quiet time of a takeover is for.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import pytest

from syncd.answers.decisions import decide
from syncd.engine.cycles.second_look import is_due, look_again, take_over
from syncd.engine.cycles.sync import sync
from syncd.engine.reading.selection import Selection
from syncd.engine.writing.quarantine import current
from syncd.errors import LockLost, SyncdError
from syncd.ports import HoldRecord
from syncd.redact import Redactor
from syncd.scim.http import ScimHttp
from syncd.store.postgres.connection import PostgresDb
from syncd.store.postgres.store import PostgresStore
from syncd.wiring import open_job
from tests.chaos.arena import DECIDER, OKTA_TOKEN, SPLIT_TOKEN, STORE_ACTS, Arena, Cycle, Death, Killed
from tests.chaos.estate import Estate, Estates, FencedSplit, Tenant, cut, epoch_in

INSIDE = "a transaction"
"""A place beside the acts: between the look at who owns the connection and the end of what follows it."""
FROZEN_AT = (*STORE_ACTS, "send", "send", "send", "settle", "intend", INSIDE, INSIDE)


@dataclass
class Frost:
    """Freezes the owner at the `at`-th call of one place, before or after it acts, while `meanwhile` happens."""

    place: str
    at: int
    after: bool
    epoch: int = 0
    """Of whom it freezes."""
    meanwhile: Callable[[], None] = lambda: None
    is_over: Callable[[], None] = lambda: None
    """Its lease is, from here on."""
    then: Frost | None = None
    """Freezes whoever took over, and a third one does."""
    calls: int = 0
    happened: bool = False
    _changed: threading.Condition = field(default_factory=threading.Condition)
    _frozen: bool = False
    _sending: int = 0
    _mine: threading.local = field(default_factory=threading.local)

    def around(self, place: str, act: Callable[..., Any], *args: Any, **options: Any) -> Any:
        """The call, which may be the one at which everything stands still."""
        if getattr(self._mine, "depth", 0):
            return act(*args, **options)
        strikes = self._enter(place)
        try:
            if strikes and not self.after:
                self.strike()
            return self._act(place, act, *args, **options)
        finally:
            if strikes and self.after:
                self.strike()

    def _enter(self, place: str) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: not self._frozen)
            return self.counts(place)

    def counts(self, place: str) -> bool:
        """Whether this call is the one."""
        if place == self.place and not self.happened:
            self.calls += 1
            self.happened = self.calls == self.at
            return self.happened
        return False

    def _act(self, place: str, act: Callable[..., Any], *args: Any, **options: Any) -> Any:
        self._mine.depth = 1
        with self._changed:
            self._sending += place == "send"
        try:
            return act(*args, **options)
        finally:
            self._mine.depth = 0
            with self._changed:
                self._sending -= place == "send"
                self._changed.notify_all()

    def strike(self) -> None:
        with self._changed:
            self._frozen = True
            self.is_over()
            self._changed.wait_for(lambda: self._sending == 0)
        try:
            self.meanwhile()
        finally:
            with self._changed:
                self._frozen = False
                self._changed.notify_all()


@dataclass
class FleetArena(Arena):
    """Between cycles the owner stays the same unless it died."""

    estates: Estates | None = None
    frost: Frost | None = None
    """Of the next cycle."""
    took_over: bool = True
    """The owner of now has not looked at what was under way."""
    old: list[Cycle] = field(default_factory=list)
    """What the cycles of owners came to that were frozen in them."""

    home: Estate = field(init=False)

    def __post_init__(self) -> None:
        assert self.estates is not None
        self.home = self.estates.new(self.settings.name, self.clock)
        assert isinstance(self.split, FencedSplit)
        self.split.owned_in = lambda: self.home.epoch

    def cycle(self, *, full: bool = False, death: Death | None = None) -> Cycle:
        """One cycle of the owner; of the one who took over, where somebody did."""
        frost, self.frost = self.frost, None
        return self._frozen(self.home.tenant or self.home.take_over(), full, death, frost)

    def _frozen(self, tenant: Tenant, full: bool, death: Death | None, frost: Frost | None) -> Cycle:
        """What it came to, or the owner who took over while it was frozen."""
        if frost is None:
            return self._cycle(tenant, full, death, None)
        after: list[Cycle] = []

        def meanwhile() -> None:
            self.took_over = True
            after.append(self._frozen(self.home.take_over(), full, death, frost.then))

        frost.epoch, frost.meanwhile = tenant.epoch, meanwhile
        frost.is_over = lambda: setattr(tenant, "is_over", True)
        mine = self._cycle(tenant, full, None, frost)
        self.notes.lines.append(f"the old owner: {mine}")
        self.old.append(mine)
        return after[0] if after else mine

    def taken_over(self) -> None:
        """Between two cycles, of an owner who knows."""
        self.home.take_over()
        self.took_over = True

    def goes_on_overtaken(self, *, full: bool = False) -> Cycle:
        """Between two cycles another worker takes over; the owner before, who has its store open, begins one more. It
        changes nothing.
        """
        tenant = self.home.tenant or self.home.take_over()
        store = self.home.open(tenant)
        self.taken_over()
        rows, held = self.home.rows(), self.holdings()
        found = self._cycle(tenant, full, None, None, store)
        self.notes.lines.append(f"the old owner: {found}")
        assert isinstance(found.error, LockLost), found
        wrote = {table for table, digest in self.home.rows().items() if rows[table] != digest}
        wrote.discard("writer_t")  # for people to see; who it names takes its own row away
        assert not wrote, f"an old owner wrote into {wrote}"
        assert self.holdings() == held, "an old owner wrote at the target"
        self.old.append(found)
        return found

    def _cycle(
        self,
        tenant: Tenant,
        full: bool,
        death: Death | None,
        frost: Frost | None,
        store: PostgresStore | None = None,
    ) -> Cycle:
        try:
            with _struck(death or frost, tenant.epoch):
                store = store or self.home.open(tenant)
                with open_job(
                    self.settings,
                    writing=True,
                    observer=self.notes,
                    redactor=Redactor(),
                    clock=self.clock,
                    store=store,
                ) as job:
                    if self.took_over and tenant is self.home.tenant:
                        take_over(store, self.clock())
                        self.took_over = False
                    if is_due(store, self.clock()):
                        look_again(job)
                    result = sync(job, Selection(full=full))
        except Killed:
            return self._died(store)
        except SyncdError as error:
            self.notes.lines.append(f"error {error.message} {error.hint}")
            found = Cycle(error=error)
        else:
            self.notes.lines.append(str(result.document()))
            found = Cycle(result=result)
        if death is not None and death.dead:  # in a thread that nobody waits for
            return self._died(store)
        if store is not None:
            store.close()
        return found

    def _died(self, store: PostgresStore | None) -> Cycle:
        if store is not None:
            store._mine = None  # nobody gives its lock back
            with suppress(SyncdError):
                store.close()
        if self.home.tenant is not None:
            self.home.tenant.is_over = True
        self.home.tenant, self.took_over = None, True
        return Cycle(killed=True)

    def holds(self) -> Sequence[HoldRecord]:
        if self.home.tenant is None and self.home.place.claim is None:
            return ()
        return self.home.read().holds()

    def decide(self, decision: str, ids: Sequence[str] = ()) -> Sequence[Any]:
        _, changes = decide(self.home.decide(), self.settings.name, ids, decision, DECIDER)
        return changes

    def quarantined(self) -> bool:
        return current(self.home.read()) is not None

    def assert_journal_is_whole(self) -> None:
        store = self.home.read()
        report, altered = store.verify_journal(), store.altered()
        assert report.intact, report
        assert not altered
        assert isinstance(self.split, FencedSplit)
        assert not self.split.stale

    def assert_no_secret(self) -> None:
        super().assert_no_secret()
        for token in (OKTA_TOKEN, SPLIT_TOKEN):
            assert not self.home.rows_with(token)


@contextmanager
def _struck(mishap: Death | Frost | None, epoch: int) -> Iterator[None]:
    """While this lasts the mishap may strike the owner of this epoch."""
    if mishap is None:
        yield
        return
    writing = PostgresStore._writing

    @contextmanager
    def inside(self: PostgresStore) -> Iterator[PostgresDb]:
        with writing(self) as db:
            if isinstance(mishap, Frost) and _epoch_of(self) == epoch and mishap.counts(INSIDE):
                cut(db)
                mishap.strike()
            yield db

    with pytest.MonkeyPatch.context() as patch:
        for name in (*STORE_ACTS, "unlock"):
            patch.setattr(PostgresStore, name, _watched(mishap, epoch, name, getattr(PostgresStore, name)))
        patch.setattr(ScimHttp, "send", _watched(mishap, epoch, "send", ScimHttp.send))
        patch.setattr(PostgresStore, "_writing", inside)
        yield


def _epoch_of(one: PostgresStore | ScimHttp) -> int:
    if isinstance(one, ScimHttp):
        return epoch_in(one._headers)
    return 0 if one._claim is None else one._claim.epoch


def _watched(mishap: Death | Frost, epoch: int, place: str, act: Callable[..., Any]) -> Callable[..., Any]:
    def watched(self: Any, *args: Any, **options: Any) -> Any:
        if _epoch_of(self) != epoch:
            return act(self, *args, **options)
        return mishap.around(place, act, self, *args, **options)

    return watched
