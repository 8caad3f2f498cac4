"""The contract of `ports.Store`: what was wanted and what was pushed is remembered, apart."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from syncd.core.change import ChangeKind
from syncd.errors import AlreadyTied
from syncd.model import GroupState, KnownGroup, KnownUser, PushedGroup, PushedUser, RemoteUser, Standing
from syncd.ports import (
    CreationUnproven,
    GroupForgotten,
    GroupPushed,
    MemberPushed,
    Population,
    Settled,
    Store,
    UserForgotten,
    UserPushed,
)
from syncd.store import absorb as absorbing
from syncd.store.acts import StoreActs
from tests.store.making import (
    NOON,
    Place,
    absorb,
    apply,
    change,
    group,
    push_group,
    push_member,
    push_user,
    wanted,
)

ANN, BOB = wanted("00u-ann", attributes={"name.givenName": "Ann", "level": 3, "vip": True}), wanted("00u-bob")


def known_user(store: Store, okta_id: str) -> KnownUser:
    known = store.user(okta_id)
    assert known is not None
    return known


def test_a_new_store_remembers_nobody(store: Store) -> None:
    assert store.revision() == 0
    assert store.groups() == []
    assert store.user("00u-ann") is None
    assert store.population() == Population(0, 0, 0, 0, {})


def test_a_wish_comes_back_as_it_was_given(store: Store) -> None:
    absorb(store, users=[ANN])
    known = known_user(store, ANN.okta_id)
    assert known.wanted == ANN
    assert known.pushed is None


def test_hostile_text_comes_back_unchanged(store: Store) -> None:
    name = 'x\ud800"; DROP TABLE users; --\x00\N{KELVIN SIGN}'
    evil = wanted("00u-evil", name=name, attributes={"title": "\udfff"}, reason="assigned through \ud834")
    absorb(store, users=[evil], groups=[group("g\N{SNOWMAN}")])
    push_user(store, evil)
    known = known_user(store, "00u-evil")
    assert known.wanted == evil
    assert known.pushed is not None
    assert known.pushed.attributes == evil.attributes
    assert [found.okta_id for found in store.find_users(name)] == ["00u-evil"]


def test_what_was_pushed_is_kept_apart_from_what_is_wanted(store: Store) -> None:
    absorb(store, users=[ANN])
    pushed = PushedUser("scim-1", {"userName": "old@example.com"}, active=False)
    apply(store, change(ChangeKind.ADOPT_USER, ANN.okta_id), [UserPushed(ANN.okta_id, pushed)])
    known = known_user(store, ANN.okta_id)
    assert (known.wanted, known.pushed) == (ANN, pushed)
    assert store.user_by_scim_id("scim-1") == known


def test_a_user_pushed_before_any_wish_is_frozen_until_one_is_read(store: Store) -> None:
    push_user(store, ANN)
    known = known_user(store, ANN.okta_id)
    assert known.wanted.standing is Standing.FROZEN
    absorb(store, users=[ANN])
    again = known_user(store, ANN.okta_id)
    assert again.wanted == ANN


def test_a_scim_id_that_is_tied_is_not_tied_to_somebody_else(store: Store) -> None:
    """It was taken from its owner in silence: what a server answers is no proof that the owner's account is gone."""
    absorb(store, users=[ANN, BOB], groups=[group("g1")], lists={"g1": [ANN.okta_id]})
    push_user(store, ANN)
    push_group(store, "g1", [ANN.okta_id])
    taken = PushedUser(f"scim-{ANN.okta_id}", BOB.attributes, active=True)
    with pytest.raises(AlreadyTied) as refused:
        apply(store, change(ChangeKind.CREATE_USER, BOB.okta_id), [UserPushed(BOB.okta_id, taken)])
    ann, bob = store.user(ANN.okta_id), store.user(BOB.okta_id)
    assert ann is not None
    assert bob is not None
    assert ann.pushed is not None
    assert ann.pushed.scim_id == taken.scim_id
    assert bob.pushed is None
    assert store.pushed_members("g1") == [ANN.okta_id]
    assert (refused.value.okta_id, refused.value.owner) == (BOB.okta_id, ANN.okta_id)


def test_a_group_id_that_is_tied_is_not_tied_to_another_group(store: Store) -> None:
    absorb(store, users=[ANN], groups=[group("g1"), group("g2")])
    push_group(store, "g1")
    first = store.group("g1")
    assert first is not None
    assert first.pushed is not None
    with pytest.raises(AlreadyTied):
        apply(store, change(ChangeKind.CREATE_GROUP, "g2"), [GroupPushed("g2", first.pushed)])
    assert store.group("g1") == first


def tied(store: Store) -> tuple[KnownUser, KnownGroup, str, str]:
    """Ann and g1 are pushed; what is known of them, and their ids at the target."""
    push_user(store, ANN)
    push_group(store, "g1")
    known, linked = store.user(ANN.okta_id), store.group("g1")
    assert known is not None
    assert known.pushed is not None
    assert linked is not None
    assert linked.pushed is not None
    return known, linked, known.pushed.scim_id, linked.pushed.scim_id


def test_many_are_asked_for_at_once_by_either_id(store: Store) -> None:
    absorb(store, users=[ANN, BOB], groups=[group("g1"), group("g2")])
    known, _, ann, g1 = tied(store)
    hostile = "x\x00');--"

    assert store.users([ANN.okta_id, BOB.okta_id, "00u-nobody"]) == {
        ANN.okta_id: known,
        BOB.okta_id: store.user(BOB.okta_id),
    }
    assert store.owners("user", [ann, g1, hostile, f"{ann}\x00"]) == {ann: ANN.okta_id}
    assert store.owners("group", [ann, g1, hostile]) == {g1: "g1"}
    assert store.users([]) == {}
    assert store.owners("user", []) == {}


def test_whose_object_an_id_is_can_be_asked_of_a_stage_while_something_is_stored(store: Store) -> None:
    """Workers ask that, many at once, and none of them may wait for the journal."""
    absorb(store, users=[ANN, BOB], groups=[group("g1")])
    stage = store.stage()
    known, linked, ann, g1 = tied(store)
    listed = RemoteUser(ann, "ext", "ann@example.com", active=True, attributes={})
    stage.put_remote_users([listed])

    assert isinstance(store, StoreActs)
    with ThreadPoolExecutor(8) as workers, store._writing() as conn:
        conn.execute("UPDATE users SET scim_id = 'elsewhere' WHERE okta_id = ?", (ANN.okta_id,))
        users = list(workers.map(stage.user_by_scim_id, [ann] * 50, timeout=20))
        groups = list(workers.map(stage.group_by_scim_id, [g1] * 50, timeout=20))
        before = list(workers.map(stage.remote_user, [ann] * 50, timeout=20))

    assert users == [known] * 50, "as it was committed"
    assert groups == [linked] * 50
    assert before == [listed] * 50
    moved = stage.user_by_scim_id("elsewhere")
    assert moved is not None
    assert moved.okta_id == ANN.okta_id, "what is committed shows at once"
    assert stage.user_by_scim_id(ann) is None
    stage.close()


def test_a_doubted_create_is_remembered_since_its_first_intent_until_the_object_is_linked(
    store: Store,
) -> None:
    absorb(store, users=[ANN, BOB])
    lost = CreationUnproven("user", ANN.okta_id, "ann@example.com", "the answer to the create was lost")
    seen = CreationUnproven("user", ANN.okta_id, "ann@x", "somebody else's", "scim-7", stranger=True)
    apply(store, change(ChangeKind.CREATE_USER, ANN.okta_id), [lost])
    (first,) = store.unproven()
    apply(store, change(ChangeKind.CREATE_USER, ANN.okta_id), [seen])
    (second,) = store.unproven()
    assert (first.scim_id, first.stranger) == (None, False)
    assert (second.scim_id, second.name, second.stranger, second.since) == (
        "scim-7",
        "ann@x",
        True,
        first.since,
    )
    push_user(store, ANN)
    assert store.unproven() == []


def test_a_doubt_is_forgotten_by_name_and_with_a_release(store: Store) -> None:
    absorb(store, users=[ANN, BOB])
    for person in (ANN, BOB):
        doubted = CreationUnproven("user", person.okta_id, person.user_name, "lost")
        apply(store, change(ChangeKind.CREATE_USER, person.okta_id), [doubted])
    store.forget_unproven([("user", ANN.okta_id)])
    assert [doubt.okta_id for doubt in store.unproven()] == [BOB.okta_id]
    store.release_user(BOB.okta_id, "me")
    assert store.unproven() == []


def test_a_user_created_anew_has_none_of_the_old_memberships(store: Store) -> None:
    absorb(store, users=[ANN], groups=[group("g1")], lists={"g1": [ANN.okta_id]})
    push_user(store, ANN)
    push_group(store, "g1", [ANN.okta_id])
    again = PushedUser("scim-new", ANN.attributes, active=True)
    apply(store, change(ChangeKind.CREATE_USER, ANN.okta_id), [UserPushed(ANN.okta_id, again)])
    assert store.groups_with(ANN.okta_id) == []


def test_forgetting_a_user_forgets_id_and_memberships_but_not_the_wish(store: Store) -> None:
    absorb(store, users=[ANN], groups=[group("g1")], lists={"g1": [ANN.okta_id]})
    push_user(store, ANN)
    push_group(store, "g1", [ANN.okta_id])
    apply(store, change(ChangeKind.DEACTIVATE_USER, ANN.okta_id), [UserForgotten(ANN.okta_id)])
    known = known_user(store, ANN.okta_id)
    assert (known.wanted, known.pushed) == (ANN, None)
    assert store.pushed_members("g1") == []


def test_memberships_are_remembered_from_both_ends(store: Store) -> None:
    absorb(store, users=[ANN, BOB], groups=[group("g1"), group("g2")])
    push_group(store, "g1")
    for user_id in (BOB.okta_id, ANN.okta_id):
        push_member(store, "g1", user_id)
    push_member(store, "g2", ANN.okta_id)
    push_member(store, "g1", BOB.okta_id, present=False)
    assert store.pushed_members("g1") == [ANN.okta_id]
    assert store.groups_with(ANN.okta_id) == ["g1", "g2"]
    assert store.groups_with(BOB.okta_id) == []


def test_members_given_with_a_group_replace_the_old_ones(store: Store) -> None:
    absorb(store, users=[ANN, BOB], groups=[group("g1")])
    push_group(store, "g1", [ANN.okta_id])
    push_group(store, "g1", [BOB.okta_id])
    assert store.pushed_members("g1") == [BOB.okta_id]


def test_a_renamed_group_keeps_its_members(store: Store) -> None:
    absorb(store, groups=[group("g1")])
    push_group(store, "g1", [ANN.okta_id])
    renamed = PushedGroup("scim-g1", "New name")
    apply(store, change(ChangeKind.RENAME_GROUP, "g1"), [GroupPushed("g1", renamed)])
    known = store.group("g1")
    assert known is not None
    assert known.pushed == renamed
    assert store.pushed_members("g1") == [ANN.okta_id]
    assert store.group_by_scim_id("scim-g1") == known


@pytest.mark.parametrize("kind", [ChangeKind.UNLINK_GROUP, ChangeKind.DELETE_GROUP])
def test_an_unlinked_group_is_not_remembered_at_all(store: Store, kind: ChangeKind) -> None:
    absorb(store, users=[ANN], groups=[group("g1")], lists={"g1": [ANN.okta_id]})
    push_group(store, "g1", [ANN.okta_id])
    apply(store, change(kind, "g1"), [GroupForgotten("g1")])
    assert store.group("g1") is None
    assert store.population().memberships == 0


def test_a_group_that_vanished_at_the_target_is_still_wanted(store: Store) -> None:
    absorb(store, groups=[group("g1")])
    push_group(store, "g1", [ANN.okta_id])
    apply(store, change(ChangeKind.RENAME_GROUP, "g1"), [GroupForgotten("g1")])
    known = store.group("g1")
    assert known is not None
    assert known.pushed is None
    assert known.wanted.state is GroupState.PUSHED
    assert store.pushed_members("g1") == []


def test_people_and_groups_are_found_by_any_of_their_names_exact_first(store: Store) -> None:
    lower, upper = wanted("00u1", name="ann@example.com"), wanted("00u2", name="Ann@example.com")
    absorb(store, users=[lower, upper], groups=[group("g1")])
    old = PushedUser("scim-9", {"userName": "ann.old@example.com"}, active=True)
    apply(store, change(ChangeKind.ADOPT_USER, "00u1"), [UserPushed("00u1", old)])
    push_group(store, "g1")

    def people(text: str) -> list[str]:
        return [known.okta_id for known in store.find_users(text)]

    assert people("ann@example.com") == ["00u1"]
    assert people("ANN@example.com") == ["00u1", "00u2"]
    assert people("ann.OLD@example.com") == people("scim-9") == people("00u1") == ["00u1"]
    assert people("nobody") == []
    for text in ("g1", "scim-g1", "Group g1", "gROUP g1"):
        assert [known.okta_id for known in store.find_groups(text)] == ["g1"]


def test_population_counts_what_is_pushed_not_what_is_wanted(store: Store) -> None:
    absorb(store, users=[ANN, BOB, wanted("00u-cy")], groups=[group("g1"), group("g2")])
    push_user(store, ANN)
    push_user(store, BOB, active=False)
    push_group(store, "g1", [ANN.okta_id, BOB.okta_id])
    assert store.population() == Population(
        users=2, active_users=1, groups=1, memberships=2, by_group={"g1": 2}
    )


def test_a_released_user_is_forgotten_and_marked_until_they_left_and_came_back(store: Store) -> None:
    absorb(store, users=[ANN], groups=[group("g1")], lists={"g1": [ANN.okta_id]})
    push_user(store, ANN)
    push_group(store, "g1", [ANN.okta_id])
    store.release_user(ANN.okta_id, "ann@host")
    known = known_user(store, ANN.okta_id)
    assert (known.released, known.pushed) == (True, None)
    assert store.pushed_members("g1") == []
    absorb(store, users=[ANN])
    still = known_user(store, ANN.okta_id)
    assert still.released
    absorb(store, users=[], gone={ANN.okta_id: NOON})
    absorb(store, users=[ANN])
    back = known_user(store, ANN.okta_id)
    assert (back.released, back.wanted) == (False, ANN)


def test_a_released_group_is_forgotten_and_marked(store: Store) -> None:
    absorb(store, groups=[group("g1")])
    push_group(store, "g1", [ANN.okta_id])
    store.release_group("g1", "ann@host")
    absorb(store, groups=[])
    known = store.group("g1")
    assert known is not None
    assert (known.released, known.pushed) == (True, None)
    assert store.pushed_members("g1") == []


def test_only_a_confirmed_absence_is_stored_and_the_first_departure_counts(store: Store) -> None:
    absorb(store, users=[ANN, BOB])
    later = NOON + timedelta(hours=1)
    absorb(store, users=[], gone={ANN.okta_id: NOON})
    absorb(store, users=[], gone={ANN.okta_id: later})
    ann, bob = store.user(ANN.okta_id), store.user(BOB.okta_id)
    assert ann is not None
    assert bob is not None
    assert (ann.wanted.standing, ann.left_at) == (Standing.ABSENT, NOON)
    assert (bob.wanted, bob.left_at) == (BOB, None)


def test_a_user_that_is_wanted_again_loses_the_departure(store: Store) -> None:
    absorb(store, users=[ANN])
    absorb(store, users=[], gone={ANN.okta_id: NOON})
    absorb(store, users=[ANN])
    known = known_user(store, ANN.okta_id)
    assert (known.wanted, known.left_at) == (ANN, None)


def test_a_second_read_that_finds_the_user_overrides_the_absence(store: Store) -> None:
    absorb(store, users=[ANN])
    absorb(store, users=[ANN], gone={ANN.okta_id: NOON})
    known = known_user(store, ANN.okta_id)
    assert known.wanted == ANN


@pytest.mark.parametrize("rows", [1, 3, 100])
def test_lists_are_absorbed_alike_in_however_many_parts(
    store: Store, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(absorbing, "_ROWS_AT_ONCE", rows)
    people = [wanted(f"u{number}") for number in range(4)]
    groups = [group(f"g{number}", stamp="t1") for number in range(4)]
    named = [person.okta_id for person in people]
    absorb(store, users=people, groups=groups, lists=dict.fromkeys((each.okta_id for each in groups), named))
    for name in named[:2]:
        push_member(store, "g1", name)
    stage = store.stage()
    stage.put_groups(groups)
    for group_id, members, stamp in (("g0", named, "t2"), ("g1", named[1:2], "t2"), ("g2", [], None)):
        stage.put_members(group_id, members)
        stage.members_read_whole(group_id, stamp)
    stage.put_members("g3", named[:1])  # never whole
    store.absorb(stage, confirmed_absent={})
    stage.close()

    stamps = [known.members_stamp for known in store.groups()]
    assert stamps == ["t2", "t2", None, None]
    stage = store.stage()
    cases = {(case.group_id, case.user_id, case.wanted) for case in stage.member_cases()}
    stage.close()
    expected = {(group_id, name, True) for group_id in ("g0", "g3") for name in named}
    assert cases == expected | {("g1", "u0", False)}


def test_the_stamp_of_a_member_list_is_stored_only_with_a_complete_list(store: Store) -> None:
    absorb(store, groups=[group("g1", stamp="2026-01-01T00:00:00.000Z")])
    stage = store.stage()
    stage.put_members("g1", [ANN.okta_id])
    store.absorb(stage, confirmed_absent={})
    unread = store.group("g1")
    assert unread is not None
    assert unread.members_stamp is None
    stage.members_read_whole("g1", "2026-01-01T00:00:00.000Z")
    store.absorb(stage, confirmed_absent={})
    read = store.group("g1")
    assert read is not None
    assert read.members_stamp == "2026-01-01T00:00:00.000Z"
    assert read.wanted.stamp == "2026-01-01T00:00:00.000Z"


def test_the_revision_grows_with_every_change_and_stands_still_without(store: Store) -> None:
    seen = [store.revision()]

    def changed() -> bool:
        seen.append(store.revision())
        return seen[-1] > seen[-2]

    absorb(store, users=[ANN], groups=[group("g1")], lists={"g1": [ANN.okta_id]})
    assert changed()
    absorb(store, users=[ANN], groups=[group("g1")], lists={"g1": [ANN.okta_id]})
    assert not changed()
    push_user(store, ANN)
    assert changed()
    apply(store, change(ChangeKind.ADD_MEMBER, ANN.okta_id, group_id="g1"), error="503")
    assert not changed()
    store.remember("cursor", "next")
    assert not changed()
    store.release_user(ANN.okta_id, "ann@host")
    assert changed()


def test_facts_are_remembered_and_forgotten(store: Store) -> None:
    store.remember("learned.update_method", "put")
    store.remember("cursor", "https://example/?after=\ud800")
    assert store.recall("learned.update_method") == "put"
    assert store.recall("cursor") == "https://example/?after=\ud800"
    store.remember("cursor", None)
    assert store.recall("cursor") is None


def test_everything_is_there_after_closing_and_opening_again(place: Place) -> None:
    with place.open() as first:
        absorb(first, users=[ANN], groups=[group("g1")], lists={"g1": [ANN.okta_id]})
        push_user(first, ANN)
        push_group(first, "g1", [ANN.okta_id])
        before = (first.user(ANN.okta_id), first.groups(), first.population(), first.revision(), first.runs())
    with place.open() as second:
        after = (
            second.user(ANN.okta_id),
            second.groups(),
            second.population(),
            second.revision(),
            second.runs(),
        )
    assert after == before


def test_effects_of_a_failed_change_that_were_observed_still_count(store: Store) -> None:
    absorb(store, users=[ANN])
    push_user(store, ANN)
    run_id = store.begin_run("full")
    update = change(ChangeKind.UPDATE_USER, ANN.okta_id, title="x")
    (sequence,) = store.intend(run_id, [update])
    store.settle([Settled(sequence, update, [UserForgotten(ANN.okta_id)], 404, error="gone at the target")])
    known = known_user(store, ANN.okta_id)
    assert known.pushed is None


def test_a_membership_of_an_unknown_pair_can_be_taken_back(store: Store) -> None:
    apply(
        store,
        change(ChangeKind.REMOVE_MEMBER, "00u-x", group_id="g-x"),
        [MemberPushed("g-x", "00u-x", present=False)],
    )
    assert store.pushed_members("g-x") == []
