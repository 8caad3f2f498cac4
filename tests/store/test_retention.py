"""Who left and is nowhere managed any more leaves the store, once nothing of the trail is about them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from syncd.core.change import ChangeKind
from syncd.core.plan import Hold
from syncd.model import Standing
from syncd.ports import CreationUnproven, Store, UserForgotten
from tests.store.making import Clock, absorb, apply, change, group, push_group, push_user, wanted

KEEP = timedelta(days=30)
ANN, BEN = wanted("00u-ann"), wanted("00u-ben")


def leaves(store: Store, clock: Clock) -> None:
    """Ann leaves the app; Ben stays."""
    absorb(store, users=[BEN], gone={ANN.okta_id: clock.now})


def removed(store: Store) -> None:
    """The target has Ann no more (Harness removes who is deactivated)."""
    apply(store, change(ChangeKind.DEACTIVATE_USER, ANN.okta_id, active=False), [UserForgotten(ANN.okta_id)])


def pruned(store: Store, clock: Clock, after: timedelta = KEEP + timedelta(days=1)) -> bool:
    """Whether Ann is gone."""
    clock.advance(after)
    store.prune(KEEP)
    assert store.user(BEN.okta_id) is not None
    return store.user(ANN.okta_id) is None


@pytest.fixture
def managed(store: Store) -> Store:
    absorb(store, users=[ANN, BEN])
    push_user(store, ANN)
    push_user(store, BEN)
    return store


def test_who_left_and_was_removed_goes_with_the_trail(managed: Store, clock: Clock) -> None:
    leaves(managed, clock)
    removed(managed)
    assert not pruned(managed, clock, KEEP)
    assert pruned(managed, clock, timedelta(days=1))
    assert managed.last_changes(ANN.okta_id, limit=1) == []


def test_who_never_had_an_account_goes_too(store: Store, clock: Clock) -> None:
    absorb(store, users=[ANN, BEN])
    leaves(store, clock)
    assert pruned(store, clock)


def test_who_was_released_and_left_goes_too(managed: Store, clock: Clock) -> None:
    managed.release_user(ANN.okta_id, "eve@host")
    leaves(managed, clock)
    assert pruned(managed, clock)


def test_who_still_has_an_account_stays(managed: Store, clock: Clock) -> None:
    """An inactive account is still theirs: nobody else may be given it."""
    leaves(managed, clock)
    push_user(managed, ANN, active=False)
    assert not pruned(managed, clock)


def test_who_is_still_in_a_list_of_members_stays(managed: Store, clock: Clock) -> None:
    absorb(managed, groups=[group("g1")], lists={"g1": [ANN.okta_id]})
    push_group(managed, "g1")
    leaves(managed, clock)
    removed(managed)
    assert not pruned(managed, clock)
    absorb(managed, groups=[group("g1")], lists={"g1": []})
    assert pruned(managed, clock)


def test_of_whom_a_younger_row_of_the_trail_tells_stays_until_it_goes(managed: Store, clock: Clock) -> None:
    leaves(managed, clock)
    clock.advance(timedelta(days=29))
    removed(managed)
    assert not pruned(managed, clock, timedelta(days=5))
    assert pruned(managed, clock)


@pytest.mark.parametrize("decision", ["", "reject"])
def test_about_whom_something_is_to_be_decided_or_was_rejected_stays(
    managed: Store, clock: Clock, decision: str
) -> None:
    leaves(managed, clock)
    removed(managed)
    clock.advance(KEEP)
    waits = change(ChangeKind.ADOPT_USER, ANN.okta_id, active=True)
    managed.raise_holds([(Hold("h1", "adopts_inactive", "r", "w", {}, 1), [waits])], whole=True)
    if decision:
        managed.decide(["h1"], decision, "eve@host")
    assert not pruned(managed, clock, timedelta(days=1))
    managed.forget_decisions([waits.id])
    assert pruned(managed, clock)


def test_of_whom_nobody_knows_how_the_last_write_ended_stays(managed: Store, clock: Clock) -> None:
    leaves(managed, clock)
    removed(managed)
    managed.intend(
        managed.begin_run("full"),
        [change(ChangeKind.REMOVE_MEMBER, ANN.okta_id, group_id="g1", member=False)],
    )
    assert not pruned(managed, clock)


def test_who_may_have_left_an_account_behind_stays_until_that_is_known(store: Store, clock: Clock) -> None:
    absorb(store, users=[ANN, BEN])
    doubt = CreationUnproven("user", ANN.okta_id, "ann@example.com", "the answer to the create was lost")
    apply(store, change(ChangeKind.CREATE_USER, ANN.okta_id), [doubt], error="lost")
    leaves(store, clock)
    store.wait([], failures_over=[f"user:{ANN.okta_id}"])
    assert not pruned(store, clock)
    store.forget_unproven([("user", ANN.okta_id)])
    assert pruned(store, clock, timedelta(days=1))


def test_who_comes_back_stays_and_is_a_new_person_after_being_forgotten(managed: Store, clock: Clock) -> None:
    leaves(managed, clock)
    removed(managed)
    assert pruned(managed, clock)
    absorb(managed, users=[ANN, BEN])
    known = managed.user(ANN.okta_id)
    assert known is not None
    assert (known.wanted.standing, known.pushed, known.left_at) == (Standing.ACTIVE, None, None)
    clock.advance(KEEP * 2)
    managed.prune(KEEP)
    assert managed.user(ANN.okta_id) is not None
