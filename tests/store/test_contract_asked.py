"""The contract of `ports.Store`: what a person asked for about a group is remembered, done once, or taken back."""

from __future__ import annotations

import sqlite3
from dataclasses import replace

import pytest

from syncd.core.change import ChangeKind
from syncd.core.plan import Hold
from syncd.model import Asked, KnownGroup
from syncd.ports import GroupForgotten, Store
from tests.store.making import ONLY_SQLITE, Place, absorb, apply, change, group, push_group, push_user, wanted

LINK = Asked("link", "ada@host", "scim-g1", "Group\ud800 g1")
ANN = wanted("00u-ann")


def ask(store: Store, asked: Asked) -> None:
    stage = store.stage()
    stage.ask_group("g1", asked)
    store.absorb(stage, confirmed_absent={})
    stage.close()


def known(store: Store) -> KnownGroup:
    found = store.group("g1")
    assert found is not None
    return found


def test_a_link_is_remembered_as_it_was_asked_for_and_ends_a_release(store: Store) -> None:
    absorb(store, groups=[group("g1")])
    push_group(store, "g1")
    store.release_group("g1", "ada@host")

    ask(store, LINK)

    assert known(store).asked == LINK
    assert not known(store).released
    stage = store.stage()
    assert stage.links_asked() == {"g1": LINK.name}
    assert [case.asked for case in stage.group_cases()] == [LINK]


def test_what_is_only_staged_counts_in_the_stage_and_not_in_the_store(store: Store) -> None:
    absorb(store, users=[ANN], groups=[group("g1")], lists={"g1": [ANN.okta_id]})
    push_user(store, ANN)
    store.release_group("g1", "ada@host")
    stage = store.stage()
    assert list(stage.member_cases()) == []

    stage.ask_group("g1", LINK)

    (case,) = stage.group_cases()
    assert case.known is not None
    assert not case.known.released
    assert [member.user_id for member in stage.member_cases()] == [ANN.okta_id]
    assert known(store).released
    assert known(store).asked is None


@pytest.mark.parametrize("what", ["unlink", "delete"])
@pytest.mark.parametrize("kind", [ChangeKind.UNLINK_GROUP, ChangeKind.DELETE_GROUP])
def test_a_group_that_was_unlinked_by_hand_is_remembered_as_released(
    store: Store, what: str, kind: ChangeKind
) -> None:
    absorb(store, groups=[group("g1")])
    push_group(store, "g1")
    ask(store, replace(LINK, what=what))  # type: ignore[arg-type]

    apply(store, change(kind, "g1"), [GroupForgotten("g1")])

    assert known(store).released
    assert known(store).asked is None
    assert known(store).pushed is None


def test_a_group_linked_by_hand_whose_okta_group_is_gone_is_forgotten(store: Store) -> None:
    absorb(store, groups=[group("g1")])
    push_group(store, "g1")
    ask(store, LINK)

    apply(store, change(ChangeKind.UNLINK_GROUP, "g1"), [GroupForgotten("g1")])

    assert store.group("g1") is None


@pytest.mark.parametrize("before", [None, LINK])
def test_a_rejection_takes_the_request_back_and_leaves_an_earlier_link(
    store: Store, before: Asked | None
) -> None:
    absorb(store, groups=[group("g1")])
    push_group(store, "g1")
    ask(store, Asked("delete", "ada@host", "scim-g1", "Group g1", before))
    deletion = change(ChangeKind.DELETE_GROUP, "g1")
    hold = Hold("h1", "group_deletions", "too many", "approve", {}, 1)
    store.raise_holds([(hold, [deletion])], whole=False)

    store.decide(["h1"], "reject", "bob@host")

    assert known(store).asked == before


def test_the_last_changes_of_an_object_come_youngest_first_with_its_memberships(store: Store) -> None:
    absorb(store, users=[ANN], groups=[group("g1")])
    push_user(store, ANN)
    push_group(store, "g1")
    for _ in range(2):
        apply(store, change(ChangeKind.ADD_MEMBER, ANN.okta_id, group_id="g1"))

    of_user = [entry.kind for entry in store.last_changes(ANN.okta_id, limit=2)]
    of_group = [entry.kind for entry in store.last_changes("g1", limit=5)]

    assert of_user == ["add_member", "add_member"]
    assert of_group == ["add_member", "add_member", "create_group"]
    assert store.last_changes("nobody", limit=5) == []


@ONLY_SQLITE
def test_a_store_of_the_first_version_learns_to_remember_it(place: Place) -> None:
    with place.open() as store:
        absorb(store, groups=[group("g1")])
    with sqlite3.connect(place.path) as conn:
        conn.execute("DROP INDEX journal_of_object")
        conn.execute("DROP INDEX journal_of_group")
        conn.execute("ALTER TABLE groups DROP COLUMN asked")
        conn.execute("DELETE FROM _sqlite_migrations WHERE name = 'm002_asked_by_hand'")
    conn.close()

    with place.open() as store:
        ask(store, LINK)
        assert known(store).asked == LINK
