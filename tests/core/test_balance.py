"""Who takes and who gives back connections: one worker at a time, and whole fleets that settle."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.core.balance import (
    BEGUN_AT_ONCE,
    LEFT_LYING,
    ORPHANS_LIE,
    RESTS,
    Charge,
    Handover,
    Worker,
    balance,
    share_of,
)
from syncd.ports.fleet import WORK, ConnectionRecord, Fleet, LivingWorker

A, B, C = Worker("a", 100), Worker("b", 100), Worker("c", 100)
NOBODY_BUSY: frozenset[int] = frozenset()


def charges(count: int, *, owner: str = "", since: float = 1000.0, weight: int = 1) -> list[Charge]:
    return [Charge(number, weight, owner=owner, since=since) for number in range(1, count + 1)]


def moves(me: str, workers: list[Worker], all_of_them: list[Charge], moved_lately: int = 0) -> Handover:
    return balance(me, workers, all_of_them, busy=NOBODY_BUSY, moved_lately=moved_lately)


def test_the_first_worker_takes_everything_it_has_room_for() -> None:
    assert len(moves("a", [A], charges(10)).take) == 10
    assert len(moves("a", [replace(A, capacity=4)], charges(10)).take) == 4


def test_of_two_each_takes_its_share_of_what_was_just_given_free() -> None:
    free = charges(10, since=0.0)
    assert [len(moves(me, [A, B], free).take) for me in "ab"] == [5, 5]


def test_what_nobody_took_for_a_while_is_taken_beyond_the_share() -> None:
    """Its rightful owner has no room, or does not come."""
    mine = [replace(each, owner="a") for each in charges(5)]
    lying = [Charge(number, 1, since=LEFT_LYING) for number in (11, 12)]
    assert list(moves("a", [A, B], [*mine, *lying]).take) == [11, 12]
    fresh = [replace(each, since=LEFT_LYING - 1) for each in lying]
    assert list(moves("a", [A, B], [*mine, *fresh]).take) == []


def seen(*, left: float) -> Fleet:
    """By worker `a`: it and `b` have five connections each, and the lease of `b` lasts so much longer."""
    at = datetime(2026, 3, 1, 12, tzinfo=UTC)
    workers = [
        LivingWorker(name, "here", "0", WORK, 100, draining=False, started=at, left=lasts)
        for name, lasts in (("a", 9.0), ("b", left))
    ]
    records = [
        ConnectionRecord(
            number, f"c{number}", "", "org", f"t{number}", 5, False, "", owner, owner == "b" and left <= 0,
            1, at, 0.1, 0, at, "ada",
        )
        for number, owner in enumerate(["a", "b"] * 5)
    ]  # fmt: skip
    return Fleet(workers, records)


def test_what_a_dead_worker_had_is_taken_as_soon_as_its_lease_is_over_though_nobody_has_told_so() -> None:
    for left, taken in ((0.1, 0), (-0.1, 5)):
        fleet = seen(left=left)
        found = balance(
            "a", fleet.sharers, [each.charge for each in fleet.connections], busy=NOBODY_BUSY, moved_lately=0
        )
        assert (len(found.take), list(found.release)) == (taken, [])


def orphans(count: int, *, since: float) -> list[Charge]:
    return [replace(each, orphaned=True) for each in charges(count, since=since)]


def test_no_more_is_taken_than_is_begun_soon_and_what_is_left_is_said() -> None:
    free = charges(BEGUN_AT_ONCE + 10)
    first = moves("a", [A], free)
    assert (len(first.take), first.more) == (BEGUN_AT_ONCE, True)
    for not_begun, taken in ((BEGUN_AT_ONCE, 0), (BEGUN_AT_ONCE + 5, 0), (BEGUN_AT_ONCE - 7, 7)):
        found = balance("a", [A], free, busy=NOBODY_BUSY, moved_lately=0, not_begun=not_begun)
        assert (len(found.take), found.more) == (taken, True)
    assert not moves("a", [A], charges(BEGUN_AT_ONCE)).more


def test_what_a_dead_worker_had_is_taken_by_all_who_live_as_soon_as_it_lies_for_two_seconds() -> None:
    mine = [replace(each, connection=each.connection + 100, owner="a") for each in charges(20)]
    for since, taken in ((ORPHANS_LIE - 0.1, 0), (ORPHANS_LIE, 20)):
        found = moves("a", [A, B], [*mine, *orphans(20, since=since)])
        assert len(found.take) == taken


def test_of_orphans_each_worker_begins_with_others() -> None:
    lying = orphans(60, since=ORPHANS_LIE)
    workers = [A, B, C]
    taken = {each.name: set(moves(each.name, workers, lying).take[:10]) for each in workers}
    assert len(set().union(*taken.values())) > 20, "of thirty that are all different"


def test_of_orphans_those_that_wait_for_longest_are_taken_first_by_all_workers_together() -> None:
    lying = [
        replace(each, turn=61 - each.connection, weight=each.connection) for each in orphans(60, since=0.0)
    ]
    workers = [A, B, C]
    turns = {each.connection: each.turn for each in lying}
    taken = [[turns[one] for one in moves(each.name, workers, lying).take[:10]] for each in workers]
    assert sorted(chain.from_iterable(taken)) == list(range(1, 31)), (
        "each takes others, together the first thirty"
    )


def test_an_orphan_that_its_worker_had_only_just_taken_comes_before_all_others() -> None:
    lying = [
        replace(each, turn=0 if each.connection == 40 else each.connection) for each in orphans(60, since=0.0)
    ]
    free = [Charge(99, 5, since=LEFT_LYING), *lying]
    assert moves("a", [A], free).take[:3] == [40, 1, 2], "and orphans before what was given back"


def test_orphans_that_were_only_just_taken_are_shared_out_too() -> None:
    lying = orphans(30, since=0.0)
    taken = [set(moves(me, [A, B, C], lying).take) for me in "abc"]
    assert [len(each) for each in taken] == [10, 10, 10]
    assert set().union(*taken) == set(range(1, 31))


def test_nothing_waits_for_a_worker_that_is_full() -> None:
    full = replace(A, capacity=5)
    had = [replace(each, connection=each.connection + 100, owner="a") for each in charges(5)]
    lying = [replace(each, turn=each.connection - 1) for each in orphans(10, since=0.0)]
    assert moves("b", [full, B], [*had, *lying]).take[:5] == [1, 2, 3, 4, 5]
    assert list(moves("a", [full, B], [*had, *lying]).take) == []


def test_one_heavier_than_any_share_is_taken_too() -> None:
    free = [Charge(1, 1000, since=0.0), *[Charge(number, 1, since=0.0) for number in range(2, 12)]]
    assert 1 in moves("a", [A, B], free).take


def test_a_worker_that_joins_is_given_five_of_a_hundred_in_a_minute_and_one_of_ten() -> None:
    assert len(moves("a", [A, B], charges(100, owner="a")).release) == 5
    assert len(moves("a", [A, B], charges(10, owner="a")).release) == 1
    assert len(moves("a", [A, B], charges(100, owner="a"), moved_lately=3).release) == 2
    assert list(moves("a", [A, B], charges(100, owner="a"), moved_lately=5).release) == []


def test_nothing_is_given_back_within_two_minutes_or_in_the_middle_of_a_cycle() -> None:
    assert list(moves("a", [A, B], charges(10, owner="a", since=RESTS - 1)).release) == []
    busy = frozenset(range(1, 11))
    assert list(balance("a", [A, B], charges(10, owner="a"), busy=busy, moved_lately=0).release) == []


def test_nothing_is_given_back_to_nobody() -> None:
    mine = charges(10, owner="a")
    assert list(moves("a", [A], mine).release) == []
    assert list(moves("a", [A, replace(B, draining=True)], mine).release) == []
    assert list(moves("a", [A, replace(B, capacity=0)], mine).release) == []


def test_connections_of_one_org_gather_on_one_worker() -> None:
    mine = [Charge(1, 1, org="acme", owner="a", since=1000.0)]
    free = [Charge(2, 9, org="other"), Charge(3, 1, org="acme")]
    assert next(iter(moves("a", [A], [*mine, *free]).take)) == 3
    many = [Charge(number, 1, org="acme", owner="a", since=1000.0) for number in range(1, 10)]
    lone = Charge(20, 1, org="other", owner="a", since=1000.0)
    assert list(moves("a", [A, B], [*many, lone]).release) == [20]


def test_who_drains_gives_all_idle_ones_back_at_once_and_takes_none() -> None:
    drains = replace(A, draining=True)
    found = balance("a", [drains, B], charges(10, owner="a", since=0.0), busy=frozenset([3]), moved_lately=9)
    assert sorted(found.release) == [1, 2, 4, 5, 6, 7, 8, 9, 10]
    assert list(moves("a", [drains, B], charges(3)).take) == []


def test_a_connection_that_a_person_moves_goes_there_whatever_the_shares_are() -> None:
    mine = [Charge(1, 1, owner="a", since=0.0, bound_for="b")]
    full = [Charge(number, 1, owner="b", since=0.0) for number in range(2, 9)]
    assert list(moves("a", [A, B], [*mine, *full]).release) == [1]
    free = [replace(mine[0], owner=""), *full]
    assert list(moves("a", [A, B], free).take) == []
    assert list(moves("b", [A, B], free).take) == [1]


@pytest.mark.parametrize("there", [[A], [A, replace(B, draining=True)]])
def test_bound_for_a_worker_that_is_gone_it_is_anybodys(there: list[Worker]) -> None:
    assert list(moves("a", there, [Charge(1, 1, bound_for="b")]).take) == [1]
    assert list(moves("a", there, [Charge(1, 1, owner="a", bound_for="b")]).release) == []


def test_what_is_paused_belongs_to_nobody_and_weighs_nothing() -> None:
    mine = [Charge(1, 1000, owner="a", paused=True), Charge(2, 1, owner="a"), Charge(3, 1, paused=True)]
    found = moves("a", [A], mine)
    assert (list(found.take), list(found.release)) == ([], [1])
    assert share_of(mine, [A]) == 1


def test_who_is_not_among_the_living_does_nothing() -> None:
    assert moves("a", [B], charges(3, owner="a")) == Handover()


FLEETS = st.lists(
    st.builds(
        Charge,
        connection=st.just(0),
        weight=st.integers(1, 2000),
        org=st.sampled_from(["", "acme", "globex"]),
        owner=st.sampled_from(["", "a", "b", "c", "gone"]),
    ),
    max_size=30,
)


def settled(workers: list[Worker], fleet: list[Charge], rounds: int = 200) -> tuple[list[Charge], int]:
    """Minute by minute, each worker in turn, until nobody moves anything; how many rounds that took."""
    living = {worker.name for worker in workers}
    fleet = [replace(each, owner=each.owner if each.owner in living else "") for each in fleet]
    for spent in range(rounds):
        before = fleet
        for worker in workers:
            found = moves(worker.name, workers, fleet)
            fleet = [
                replace(each, owner=worker.name, since=0.0)
                if each.connection in found.take
                else replace(each, owner="", since=0.0)
                if each.connection in found.release
                else each
                for each in fleet
            ]
        if fleet == before and all(each.since >= RESTS for each in fleet if each.owner):
            return fleet, spent
        fleet = [replace(each, since=each.since + 60) for each in fleet]
    return fleet, rounds


@given(fleet=FLEETS)
def test_every_fleet_settles_with_each_connection_at_one_owner_and_nobody_far_over_the_share(
    fleet: list[Charge],
) -> None:
    workers = [A, B, C]
    fleet = [replace(each, connection=number) for number, each in enumerate(fleet, start=1)]
    ended, spent = settled(workers, fleet)
    assert spent < 200, "it moves for ever"
    assert all(each.owner in "abc" and each.owner for each in ended)
    share = share_of(ended, workers)
    heaviest = max((each.weight for each in ended), default=0)
    for worker in workers:
        assert sum(each.weight for each in ended if each.owner == worker.name) < share + heaviest or not ended


@given(fleet=FLEETS, lately=st.integers(0, 3), busy=st.frozensets(st.integers(1, 30)))
def test_nobody_takes_what_is_anothers_or_gives_back_what_is_not_its_own(
    fleet: list[Charge], lately: int, busy: frozenset[int]
) -> None:
    fleet = [replace(each, connection=number) for number, each in enumerate(fleet, start=1)]
    found = balance("a", [A, B], fleet, busy=busy, moved_lately=lately)
    by_number = {each.connection: each for each in fleet}
    assert all(not by_number[each].owner for each in found.take)
    assert all(by_number[each].owner == "a" and each not in busy for each in found.release)
    assert len(set(found.take)) == len(found.take)
