"""Many connections in one process: few threads, as many descriptors as the system allows, one lock renewed as any."""

from __future__ import annotations

import resource
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from functools import partial

import pytest

from syncd.engine.writing import writers as writing
from syncd.engine.writing.writers import TOGETHER, writers
from syncd.errors import LockLost, TemporaryError
from syncd.service.descriptors import raise_limit
from syncd.service.memory import few_arenas, trimmer
from syncd.service.scheduler import LANES, Timetable
from syncd.store.renewals import THREADS_AT_MOST, Renewals
from tests.service.supervisor import eventually


def test_all_connections_share_two_lanes_of_threads_and_deltas_pass_what_is_long() -> None:
    timetable, release, ran = Timetable(), threading.Event(), threading.Event()
    before = threading.active_count()
    timetable.start()
    try:
        for number in range(50):
            timetable.schedule(f"c{number}", "full", timedelta(hours=1), lambda: waited(release), first=0.0)
        timetable.schedule("quick", "delta", timedelta(hours=1), ran.set, first=0.0)

        assert ran.wait(20)
        assert threading.active_count() <= before + 1 + sum(LANES.values())
    finally:
        release.set()
        timetable.stop()


def waited(event: threading.Event) -> None:
    assert event.wait(20)


def test_every_turn_comes_however_many_wait_for_a_thread() -> None:
    timetable = Timetable()
    turns: set[int] = set()
    timetable.start()
    try:
        for number in range(60):
            timetable.schedule(
                f"c{number}", "full", timedelta(hours=1), partial(turns.add, number), first=0.0
            )
        eventually(lambda: len(turns) == 60, "all first cycles")
    finally:
        timetable.stop()


def test_the_soft_limit_of_descriptors_is_raised_to_the_hard_one() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(256, soft), hard))
        assert raise_limit() == (min(256, soft), hard)
        assert raise_limit() == (hard, hard)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_what_is_free_is_given_back_on_any_system() -> None:
    few_arenas()
    trimmer()()


def test_whoever_writes_alone_has_all_its_threads_and_many_share_with_one_each_at_least() -> None:
    assert writing._taken == 0
    with writers(64) as given:
        assert given == 64
    with ExitStack() as stack:
        given_to = [stack.enter_context(writers(8)) for _ in range(10)]
    assert given_to[:2] == [8, TOGETHER - 8]
    assert given_to[2:] == [1] * 8
    assert writing._taken == 0


class Locked:
    """Of a store only its lock."""

    def __init__(self, *, fails: Exception | None = None, slow: threading.Event | None = None) -> None:
        self.renewed, self._fails, self._slow = 0, fails, slow

    def renew_lock(self) -> None:
        self.renewed += 1
        if self._slow is not None:
            self._slow.wait(20)
        if self._fails is not None:
            raise self._fails


@pytest.fixture
def renewals() -> Iterator[Renewals]:
    made = Renewals()
    yield made
    eventually(lambda: made._threads == 0, "its threads end with the last lock")


def test_many_locks_are_renewed_by_few_threads(renewals: Renewals) -> None:
    stores = [Locked() for _ in range(100)]
    with ExitStack() as stack:
        for store in stores:
            stack.enter_context(renewals.of(store, 0.05))
        eventually(lambda: all(store.renewed > 2 for store in stores), "each is renewed again and again")
        assert renewals._threads <= THREADS_AT_MOST


def test_one_that_is_slow_or_fails_keeps_no_other_from_being_renewed(renewals: Renewals) -> None:
    release = threading.Event()
    slow, full, other = Locked(slow=release), Locked(fails=TemporaryError("a full disk")), Locked()
    with renewals.of(full, 0.05), renewals.of(other, 0.05), ExitStack() as stack:
        stack.enter_context(renewals.of(slow, 0.05))
        eventually(lambda: slow.renewed and other.renewed > 5 and full.renewed > 5, "the others go on")
        release.set()
    assert slow.renewed >= 1


def test_a_lost_lock_is_not_asked_for_again(renewals: Renewals) -> None:
    lost, other = Locked(fails=LockLost("another has it")), Locked()
    with renewals.of(lost, 0.05), renewals.of(other, 0.05):
        eventually(lambda: other.renewed > 5, "time passes")
        assert lost.renewed == 1
