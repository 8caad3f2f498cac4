"""What waits in the database is taken up whatever fails beside it, and once the database is back."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import cast

import pytest

from syncd.errors import LockLost, SyncdError, TemporaryError
from syncd.model import LogEvent
from syncd.ports.fleet import Ownership
from syncd.ports.hook_events import WaitingEvents
from syncd.service.fleet.connection import OwnedConnection
from syncd.service.fleet.hooked_orgs import HookedOrgs
from tests.service.supervisor import eventually

EVENT = LogEvent("uuid-1", "user.lifecycle.suspend", [("User", "00u1")])


@dataclass
class Kept:
    """Waiting events in memory; `away`: nobody reaches them."""

    events: dict[int, list[LogEvent]] = field(default_factory=dict)
    away: threading.Event = field(default_factory=threading.Event)
    missed: threading.Event = field(default_factory=threading.Event)
    """Somebody tried meanwhile."""
    told: queue.SimpleQueue[int] = field(default_factory=queue.SimpleQueue)
    left_out: int = 0
    unreadable: int = 0

    def put(self, org: str, events: Sequence[LogEvent]) -> None:
        del org
        for number, kept in self.events.items():
            kept.extend(events)
            self.told.put(number)

    def heard(self, seconds: float) -> AbstractSet[int]:
        self._reach()
        try:
            return {self.told.get(timeout=seconds)}
        except queue.Empty:
            return set()

    def waiting(self, connections: Iterable[int]) -> Mapping[int, WaitingEvents]:
        self._reach()
        kept = {number: self.events[number] for number in connections if self.events[number]}
        return {
            number: WaitingEvents(range(len(each)), list(each), self.left_out, self.unreadable)
            for number, each in kept.items()
        }

    def taken(self, ownership: Ownership, places: Sequence[int]) -> None:
        del self.events[ownership.connection][: len(places)]

    def remembered(self, org: str, key: str) -> Sequence[str]:
        del org, key
        return []

    def _reach(self) -> None:
        if self.away.is_set():
            self.missed.set()
            raise TemporaryError("the database is away")


@dataclass
class Owned:
    """A connection, and what its store says to names. `taken` has those it keeps."""

    number: int
    says: Exception | None = None
    taken: list[LogEvent] = field(default_factory=list)
    left: int = 0

    @property
    def ownership(self) -> Ownership:
        return Ownership(self.number, str(self.number), "", "", 1, "token", clean=True, quiet=0.0)

    @property
    def hooks(self) -> Owned:
        return self

    def take(self, events: Sequence[LogEvent]) -> None:
        if self.says is not None:
            raise self.says
        self.taken.extend(events)

    def left_out(self, names: int) -> None:
        self.left += names


@contextmanager
def taking_up(kept: Kept, *owned: Owned) -> Iterator[list[str]]:
    """What is said meanwhile."""
    said: list[str] = []

    def tell(level: str, event: str, **fields: object) -> None:
        said.append(f"{level} {event} {fields}")

    orgs = HookedOrgs(kept, lambda: [cast("OwnedConnection", each) for each in owned], tell)
    orgs.start()
    try:
        yield said
    finally:
        orgs.stop()


@pytest.mark.parametrize(
    "error",
    [
        LockLost("another worker owns it"),
        TemporaryError("its store is not open"),
        ValueError("a fault of ours"),
    ],
)
def test_what_one_connection_cannot_take_stays_and_the_others_take_theirs(error: Exception) -> None:
    first, second, kept = Owned(1, error), Owned(2), Kept({1: [], 2: []})
    with taking_up(kept, first, second) as said:
        kept.put("", [EVENT])
        eventually(lambda: second.taken == [EVENT], "the second takes it")
        eventually(lambda: not kept.events[2], "it waits no more")
        assert kept.events[1] == [EVENT]
        first.says = None
        kept.told.put(1)
        eventually(lambda: first.taken == [EVENT] and not kept.events[1], "so does the first, once it can")
    assert bool(said) is not isinstance(error, SyncdError)


def test_what_nobody_heard_of_while_the_database_was_away_is_taken_up_when_it_is_back() -> None:
    one, kept = Owned(1), Kept({1: []})
    with taking_up(kept, one):
        kept.put("", [EVENT])
        eventually(lambda: one.taken == [EVENT], "it is taken up")
        kept.away.set()
        assert kept.missed.wait(60)
        kept.events[1].append(EVENT)  # and nobody is told
        kept.away.clear()
        eventually(lambda: one.taken == [EVENT, EVENT], "it is looked for")


def test_what_nobody_can_look_at_on_its_word_is_counted_once_and_said() -> None:
    one, kept = Owned(1), Kept({1: []}, left_out=5, unreadable=2)
    with taking_up(kept, one) as said:
        kept.put("", [EVENT])
        eventually(lambda: one.left == 7, "both are counted")
        eventually(lambda: not kept.events[1], "they wait no more")
        eventually(lambda: len(said) == 2, "both are said")
    assert one.left == 7
    assert "no room" in said[0]
    assert "'names': 5" in said[0]
    assert "cannot be read" in said[1]
    assert "'rows': 2" in said[1]
