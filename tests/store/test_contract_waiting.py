"""The contract of `ports.Store`: what is left alone is remembered, woken by the name it waits for, and ended."""

from __future__ import annotations

from datetime import timedelta

import pytest

from syncd.core.change import ChangeKind
from syncd.core.diff import Skipped
from syncd.core.order import group_name_freed, user_name_freed
from syncd.core.waiting import DELAYS, Waiting, still_waiting
from syncd.model import PushedUser
from syncd.ports import Settled, Store, UserPushed
from tests.store.making import NOON, Clock, Place, absorb, apply, change, wanted

ANN = wanted("00u-ann", name="ann@example.com")
FREED = user_name_freed("Ann@example.com")
CONFLICT = Waiting(
    "user:00u-bob", "conflict", "ann@example.com", "taken", NOON, 1, NOON + DELAYS[0], (FREED,)
)
FROZEN = Waiting("group:00g-1", "frozen", "Group \u2028", "odd", NOON, waits_for=(group_name_freed("Group"),))
GRACE = timedelta(0)


def give(store: Store, user_name: str) -> None:
    """Ann's account at the target gets this name."""
    pushed = PushedUser("scim-ann", {"userName": user_name, "title": user_name.upper()}, active=True)
    apply(store, change(ChangeKind.UPDATE_USER, ANN.okta_id), [UserPushed(ANN.okta_id, pushed)])


def test_what_is_remembered_comes_back_as_it_was_also_after_a_start(store: Store, place: Place) -> None:
    store.wait([CONFLICT, FROZEN])
    assert list(store.waiting()) == [FROZEN, CONFLICT]
    assert list(store.waiting(["conflict"])) == [CONFLICT]
    store.close()
    assert list(place.open().waiting()) == [FROZEN, CONFLICT]


def test_it_is_due_at_its_time_and_what_has_none_never_is(store: Store) -> None:
    store.wait([CONFLICT, FROZEN])
    assert not store.due(NOON, GRACE).users
    assert store.due(NOON + DELAYS[0], GRACE).users == {"00u-bob"}
    assert not store.due(NOON + timedelta(days=900), GRACE).groups


def test_who_waits_for_a_name_is_found_in_whatever_letters(store: Store) -> None:
    store.wait([CONFLICT, FROZEN])
    assert store.waiting_for([user_name_freed("ANN@EXAMPLE.COM")]) == {"user:00u-bob"}
    assert store.waiting_for([group_name_freed("group")]) == {"group:00g-1"}
    assert store.waiting_for([]) == frozenset()


def test_a_write_that_leaves_the_name_wakes_who_waits_for_it(store: Store, clock: Clock) -> None:
    absorb(store, users=[ANN])
    give(store, "Ann@example.com")
    store.wait([CONFLICT])

    give(store, "married@example.com")

    assert store.due(clock(), GRACE).users == {"00u-bob"}


def test_a_write_that_keeps_the_name_wakes_nobody(store: Store, clock: Clock) -> None:
    absorb(store, users=[ANN])
    give(store, "Ann@example.com")
    store.wait([CONFLICT])

    give(store, "ANN@example.com")

    assert not store.due(clock(), GRACE).users


@pytest.mark.parametrize(("takes", "woken"), [("ann@Example.com", set()), ("eve@example.com", {"00u-bob"})])
def test_a_name_that_is_left_and_taken_in_one_breath_was_never_free(
    takes: str, woken: set[str], store: Store, clock: Clock
) -> None:
    eve = wanted("00u-eve", name=takes)
    absorb(store, users=[ANN, eve])
    give(store, "Ann@example.com")
    store.wait([CONFLICT])

    done = [change(ChangeKind.UPDATE_USER, ANN.okta_id), change(ChangeKind.CREATE_USER, eve.okta_id)]
    names = {ANN.okta_id: "married@example.com", eve.okta_id: takes}
    pushed = [
        UserPushed(
            each.okta_id, PushedUser(f"scim-{each.okta_id[4:]}", {"userName": names[each.okta_id]}, True)
        )
        for each in done
    ]
    sequences = store.intend(store.begin_run("full"), done)
    store.settle(
        [
            Settled(sequence, each, (effect,), status=200, error=None)
            for sequence, each, effect in zip(sequences, done, pushed, strict=True)
        ]
    )

    assert store.due(clock(), GRACE).users == woken


def test_what_is_over_is_forgotten_and_waits_for_nothing(store: Store) -> None:
    store.wait([CONFLICT])
    store.wait([], over=[("user:00u-bob", "conflict")])
    assert list(store.waiting()) == []
    assert store.waiting_for([FREED]) == frozenset()


def test_who_is_released_waits_no_more(store: Store) -> None:
    bob = wanted("00u-bob", name="bob@example.com")
    absorb(store, users=[bob])
    store.wait([CONFLICT])
    store.release_user("00u-bob", "ada@host")
    assert list(store.waiting()) == []


def test_a_name_that_is_freed_makes_those_due_who_are_not_looked_at(store: Store, clock: Clock) -> None:
    store.wait([CONFLICT, FROZEN])
    store.wait([], freed=[FREED])
    assert store.due(clock(), GRACE).users == {"00u-bob"}


def test_the_delay_grows_only_by_looks_at_its_time() -> None:
    skip = Skipped("conflict", "00u-bob", "ann@example.com", "taken", waits_for=(FREED,))
    key, now = ("user:00u-bob", "conflict"), NOON
    known: dict[tuple[str, str], Waiting] = {}
    for delay in (*DELAYS, DELAYS[-1]):
        known = still_waiting([skip], known, now)
        assert known[key].next_look == now + delay
        assert still_waiting([skip], known, now + delay / 2) == known
        now += delay
    assert known[key].since == NOON
    assert still_waiting([Skipped("create_off", "00u-bob", "", "")], known, now) == {}
