"""Two reads that overlap, and lists that lag: which of two answers about one object the store believes."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from syncd.model import GroupState, Standing, WantedUser
from syncd.ports import LISTS_LAG, Stage, Store
from syncd.ports.stage import BetterKnown
from tests.store.making import NOON, Place, absorb, fill, group, push_group, push_user, wanted
from tests.store.stage.test_against_oracle import GROUPS, MEMORY, USERS

ANN, BOB, CY = wanted("00u-ann"), wanted("00u-bob"), wanted("00u-cy")
OLD_ANN = wanted(ANN.okta_id, attributes={"title": "old"})
MOMENT = timedelta(minutes=1)


@pytest.fixture
def settled(store: Store) -> Store:
    """Ann and Bob are provisioned and members of g1, as Okta wants it; g2 is there and empty."""
    lists = {"g1": [ANN.okta_id, BOB.okta_id], "g2": []}
    absorb(store, users=[ANN, BOB], groups=[group("g1"), group("g2")], lists=lists)
    push_user(store, ANN)
    push_user(store, BOB)
    push_group(store, "g1", [ANN.okta_id, BOB.okta_id])
    return store


def ask(
    store: Store,
    *people: WantedUser,
    gone: str | None = None,
    own: Mapping[str, list[str]] | None = None,
) -> None:
    """What a delta does: answers by id, absorbed."""
    stage = store.stage()
    stage.put_users(people, by_id=True)
    if gone is not None:
        stage.put_absent([gone])
    for user_id, groups in (own or {}).items():
        stage.put_user_groups(user_id, groups)
    stage.limit_to(users=[*(user.okta_id for user in people), *([gone] if gone else [])], groups=())
    store.absorb(stage, confirmed_absent={gone: NOON} if gone else {})
    stage.close()


def members(stage: Stage) -> list[tuple[str, str, bool]]:
    return [(case.group_id, case.user_id, case.wanted) for case in stage.member_cases()]


def cases(stage: Stage) -> list[tuple[str, WantedUser | None]]:
    return [(case.okta_id, case.wanted) for case in stage.user_cases()]


def doubtful(stage: Stage) -> list[tuple[str, WantedUser | None]]:
    return [(case.okta_id, case.wanted) for case in stage.doubtful_users()]


def test_a_page_that_is_staged_after_an_answer_by_id_was_stored_is_as_old_as_the_read(settled: Store) -> None:
    slow = settled.stage()
    ask(settled, gone=ANN.okta_id)
    slow.put_users([ANN, BOB])
    slow.users_read_whole()
    assert doubtful(slow) == []
    assert [known.okta_id for known in slow.departures()] == []
    settled.absorb(slow, confirmed_absent={})
    ann = settled.user(ANN.okta_id)
    assert ann is not None
    assert ann.wanted.standing is Standing.ABSENT


def test_an_answer_by_id_that_changed_nothing_is_young_too(settled: Store) -> None:
    slow = settled.stage()
    ask(settled, ANN, own={ANN.okta_id: ["g1"]})
    slow.put_users([OLD_ANN])
    fill(slow, lists={"g1": [BOB.okta_id], "g2": [ANN.okta_id]})
    slow.users_read_whole()
    assert members(slow) == [("g1", BOB.okta_id, False)], (
        "Bob is missing from the users; Ann's own list counts"
    )
    assert [okta_id for okta_id, _ in cases(slow)] == [BOB.okta_id]
    settled.absorb(slow, confirmed_absent={})
    ann, known = settled.user(ANN.okta_id), settled.group("g1")
    assert ann is not None
    assert known is not None
    assert ann.wanted == ANN
    assert members(settled.stage()) == []


def test_a_list_alone_overrules_no_answer_by_id_until_the_lag_is_over(settled: Store, place: Place) -> None:
    ask(settled, ANN)
    place.clock.advance(LISTS_LAG - MOMENT)
    early = settled.stage()
    fill(early, users=[OLD_ANN, BOB])
    assert (cases(early), doubtful(early)) == ([], [(ANN.okta_id, OLD_ANN)])
    place.clock.advance(2 * MOMENT)
    late = settled.stage()
    fill(late, users=[OLD_ANN, BOB])
    assert (cases(late), doubtful(late)) == ([(ANN.okta_id, OLD_ANN)], [])


def test_who_was_answered_by_id_a_moment_ago_is_not_nominated_by_lists_that_miss_them(settled: Store) -> None:
    ask(settled, ANN)
    stage = settled.stage()
    fill(stage, users=[])
    assert [known.okta_id for known in stage.departures()] == [BOB.okta_id]
    assert doubtful(stage) == [(ANN.okta_id, None)]
    assert stage.misses(ANN.okta_id)
    stage.put_absent([ANN.okta_id])
    assert [known.okta_id for known in stage.departures()] == [ANN.okta_id, BOB.okta_id]
    assert doubtful(stage) == []
    stage.put_users([ANN], by_id=True)
    assert [known.okta_id for known in stage.departures()] == [BOB.okta_id]


def test_no_page_replaces_an_answer_by_id_of_the_same_stage(settled: Store) -> None:
    stage = settled.stage()
    stage.put_users([CY], by_id=True)
    stage.put_absent([ANN.okta_id])
    fill(stage, users=[ANN, BOB, wanted(CY.okta_id, Standing.INACTIVE)])
    assert cases(stage) == [(ANN.okta_id, None), (CY.okta_id, CY)]


def test_whoever_was_found_gone_and_that_was_not_believed_stays_and_older_reads_count_no_more(
    settled: Store,
) -> None:
    older = settled.stage()
    older.put_users([OLD_ANN], by_id=True)
    older.limit_to(users=[ANN.okta_id], groups=())
    stage = settled.stage()
    fill(stage, users=[wanted(ANN.okta_id, Standing.INACTIVE), BOB])
    stage.put_disbelieved(ANN.okta_id)
    assert (cases(stage), list(stage.departures())) == ([], [])
    settled.absorb(stage, confirmed_absent={})

    assert cases(older) == []
    ann = settled.user(ANN.okta_id)
    assert ann is not None
    assert ann.wanted == ANN


def test_only_another_answer_by_id_settles_a_doubt(settled: Store) -> None:
    ask(settled, ANN)
    stage = settled.stage()
    stage.put_users([OLD_ANN])
    stage.put_users([OLD_ANN], by_id=True)
    assert (cases(stage), doubtful(stage)) == ([(ANN.okta_id, OLD_ANN)], [])


def test_who_was_never_known_and_went_leaves_a_mark(settled: Store, place: Place) -> None:
    slow = settled.stage()
    ask(settled, gone=CY.okta_id)
    fill(slow, users=[ANN, BOB, CY])
    assert cases(slow) == []
    lagging = settled.stage()
    fill(lagging, users=[ANN, BOB, CY])
    assert (cases(lagging), doubtful(lagging)) == ([], [(CY.okta_id, CY)])
    place.clock.advance(LISTS_LAG + MOMENT)
    later = settled.stage()
    fill(later, users=[ANN, BOB, CY])
    assert cases(later) == [(CY.okta_id, CY)]


def drop(store: Store, group_id: str) -> None:
    """A delta finds by id that no rule names this group, which is not at the target."""
    stage = store.stage()
    stage.put_groups([group(group_id, GroupState.GONE)], by_id=True)
    stage.limit_to(users=(), groups=[group_id])
    store.absorb(stage, confirmed_absent={})
    stage.close()


def test_a_group_that_went_is_not_brought_back_by_an_old_page(settled: Store, place: Place) -> None:
    slow = settled.stage()
    drop(settled, "g2")
    assert settled.group("g2") is None
    for stage in (slow, settled.stage()):
        fill(stage, groups=[group("g1"), group("g2")], lists={"g2": [ANN.okta_id]})
        assert [case.okta_id for case in stage.group_cases()] == ["g1"]
        assert members(stage) == []
    settled.absorb(slow, confirmed_absent={})
    assert settled.group("g2") is None
    again = settled.stage()
    again.put_groups([group("g2")], by_id=True)
    assert [case.okta_id for case in again.group_cases()] == ["g1", "g2"]
    place.clock.advance(LISTS_LAG + MOMENT)
    later = settled.stage()
    fill(later, groups=[group("g1"), group("g2")])
    assert [case.okta_id for case in later.group_cases()] == ["g1", "g2"]


def test_a_stage_is_overtaken_by_a_complete_cycle_that_changed_something(settled: Store) -> None:
    def absorbed(users: list[WantedUser], *, limited: bool = False) -> None:
        other = settled.stage()
        fill(other, users=users)
        if limited:
            other.limit_to(users=[user.okta_id for user in users], groups=[])
        settled.absorb(other, confirmed_absent={})
        other.close()

    stage = settled.stage()
    absorbed([replace(ANN, digest=b"shorter")], limited=True)
    assert not stage.is_overtaken, "of pages it is compared object by object what shorter cycles learned"
    absorbed([replace(ANN, digest=b"longer"), BOB])
    assert stage.is_overtaken
    following = settled.stage()
    absorbed([replace(ANN, digest=b"longer"), BOB])
    assert not following.is_overtaken, "nothing was learned"


def test_answers_by_id_about_some_objects_are_overtaken_by_every_cycle_that_learned_about_one_of_them(
    settled: Store,
) -> None:
    person, own, one_group, stranger, page = stages = [settled.stage() for _ in range(5)]
    person.put_users([ANN], by_id=True)
    own.put_users([BOB], by_id=True)
    one_group.put_groups([group("g1")], by_id=True)
    stranger.put_absent([CY.okta_id])
    page.put_users([ANN, BOB])
    for each in stages:
        each.limit_to(users=[ANN.okta_id, BOB.okta_id, CY.okta_id], groups=["g1"])

    def overtaken() -> list[Stage]:
        return [each for each in stages if each.is_overtaken]

    assert overtaken() == []
    ask(settled, ANN)
    assert overtaken() == [person]
    ask(settled, own={BOB.okta_id: ["g1"]})
    assert overtaken() == [person, own]
    drop(settled, "g1")
    assert overtaken() == [person, own, one_group]
    ask(settled, gone=CY.okta_id)
    assert overtaken() == [person, own, one_group, stranger]


def test_a_mark_of_what_went_is_not_kept_for_ever(settled: Store, place: Place) -> None:
    drop(settled, "g2")
    place.clock.advance(timedelta(days=2))
    absorb(settled, groups=[group("g1")])
    earlier = timedelta(days=3)
    place.clock.advance(-earlier)
    stage = settled.stage()
    fill(stage, groups=[group("g1"), group("g2")])
    assert [case.okta_id for case in stage.group_cases()] == ["g1", "g2"]


def test_the_groups_about_which_no_list_is_believed(settled: Store, place: Place) -> None:
    place.clock.advance(timedelta(hours=1))
    slow = settled.stage()
    stage = settled.stage()
    stage.put_groups([group("g1", GroupState.FROZEN)], by_id=True)
    settled.absorb(stage, confirmed_absent={})
    drop(settled, "g2")
    expected = {"g1": group("g1", GroupState.FROZEN), "g2": None}
    assert slow.better_known_groups() == {key: BetterKnown(True, wish) for key, wish in expected.items()}
    now = settled.stage()
    assert now.better_known_groups() == {key: BetterKnown(False, wish) for key, wish in expected.items()}
    place.clock.advance(LISTS_LAG + MOMENT)
    assert settled.stage().better_known_groups() == {}


def test_a_group_that_its_list_misses_and_an_answer_by_id_has_just_shown_is_not_out_of_scope(
    settled: Store,
) -> None:
    stage = settled.stage()
    stage.put_groups([group("g1")], by_id=True)
    settled.absorb(stage, confirmed_absent={})
    lagging = settled.stage()
    fill(lagging, groups=[], lists={"g1": [ANN.okta_id, BOB.okta_id]})
    found = {case.okta_id: case.wanted for case in lagging.group_cases()}
    assert found == {"g1": group("g1"), "g2": None}
    lagging.put_absent(["g1"])
    assert [case.wanted for case in lagging.group_cases()] == [None, None]


def test_a_list_is_believed_but_for_whose_own_list_counts(settled: Store) -> None:
    absorb(settled, users=[ANN, BOB, CY])
    ask(settled, ANN, own={ANN.okta_id: ["g1", "g2"]})
    stage = settled.stage()
    fill(stage, lists={"g1": [CY.okta_id], "g2": []})
    expected = [("g1", BOB.okta_id, False), ("g1", CY.okta_id, True), ("g2", ANN.okta_id, True)]
    assert members(stage) == expected
    assert list(stage.doubtful_members()) == [(ANN.okta_id, "g1", False), (ANN.okta_id, "g2", False)]
    assert stage.wanted_members("g1") == {ANN.okta_id, CY.okta_id}
    assert stage.wanted_count("g1") == 2
    settled.absorb(stage, confirmed_absent={})
    assert members(settled.stage()) == expected
    again = settled.stage()
    fill(again, lists={"g1": [CY.okta_id]})
    again.put_user_groups(ANN.okta_id, [])
    assert list(again.doubtful_members()) == []
    assert ("g1", ANN.okta_id, False) in members(again)


def test_the_list_of_a_group_that_is_new_is_asked_about_whose_own_list_was_read_before_it_was_known(
    settled: Store,
) -> None:
    """What an own list says of groups that no rule names yet is not kept: it cannot speak for them later."""
    ask(settled, ANN, own={ANN.okta_id: ["g1", "g3"]})
    stage = settled.stage()
    fill(
        stage,
        users=[ANN, BOB],
        groups=[group(each) for each in ("g1", "g2", "g3")],
        lists={"g3": [ANN.okta_id]},
    )

    assert list(stage.doubtful_members()) == [(ANN.okta_id, "g3", True)]
    assert ("g3", ANN.okta_id, True) in members(stage), "nothing says otherwise"
    stage.put_user_groups(ANN.okta_id, ["g1", "g3"])
    assert ("g3", ANN.okta_id, True) in members(stage)
    stage.put_user_groups(ANN.okta_id, ["g1"])
    assert ("g3", ANN.okta_id, True) not in members(stage)


def test_nor_does_an_own_list_that_was_read_meanwhile_speak_for_a_group_that_is_new(settled: Store) -> None:
    slow = settled.stage()
    ask(settled, ANN, own={ANN.okta_id: ["g1", "g3"]})
    fill(slow, users=[ANN, BOB], groups=[group("g1"), group("g3")], lists={"g3": [ANN.okta_id, BOB.okta_id]})

    assert list(slow.doubtful_members()) == [(ANN.okta_id, "g3", True)]
    slow.put_user_groups(ANN.okta_id, ["g1"])
    assert ("g3", ANN.okta_id, True) in members(slow), (
        "an own list as old as the stage is older than the stored one"
    )
    assert list(slow.doubtful_members()) == [(ANN.okta_id, "g3", True)]
    slow.put_user_groups(ANN.okta_id, ["g1"], asked=slow.revision())
    assert ("g3", ANN.okta_id, True) not in members(slow)
    slow.put_user_groups(ANN.okta_id, ["g1", "g3"], asked=slow.revision())
    assert list(slow.doubtful_members()) == []
    settled.absorb(slow, confirmed_absent={})
    assert {("g3", ANN.okta_id, True), ("g3", BOB.okta_id, True)} <= set(members(settled.stage()))


def test_a_stamp_vouches_only_for_a_list_that_is_stored_as_it_was_read(settled: Store) -> None:
    def read(members: list[str]) -> str | None:
        stage = settled.stage()
        stage.put_members("g1", members)
        stage.members_read_whole("g1", "a stamp")
        settled.absorb(stage, confirmed_absent={})
        known = settled.group("g1")
        assert known is not None
        return known.members_stamp

    assert read([ANN.okta_id, BOB.okta_id]) == "a stamp"
    ask(settled, ANN, own={ANN.okta_id: []})
    assert read([ANN.okta_id, BOB.okta_id]) is None
    assert read([BOB.okta_id]) == "a stamp"


def test_whom_a_cycle_leaves_in_doubt_the_next_ones_are_told_of(settled: Store) -> None:
    stage = settled.stage()
    fill(stage, users=[ANN, BOB])
    stage.doubt(users=[ANN.okta_id, BOB.okta_id], groups=["g1"])
    settled.absorb(stage, confirmed_absent={})
    due = settled.due(NOON, timedelta(0))
    assert due.users == {ANN.okta_id, BOB.okta_id}
    assert due.groups == {"g1"}
    ask(settled, ANN)
    assert settled.due(NOON, timedelta(0)).users == {BOB.okta_id}
    absorb(settled, users=[ANN, BOB])
    assert settled.due(NOON, timedelta(0)).users == frozenset(), "a full cycle judges everybody anew"


def pairs_of(store: Store) -> set[tuple[str, str]]:
    """(group, user) that the store lists: everybody here is active, and nobody is pushed."""
    stage = store.stage()
    found = {(group_id, user_id) for group_id, user_id, wanted in members(stage) if wanted}
    stage.close()
    return found


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.randoms(use_true_random=True))
def test_of_two_reads_that_overlap_the_younger_wins_object_by_object(random: Random) -> None:
    def wish(okta_id: str) -> WantedUser:
        return wanted(okta_id, attributes={"title": random.choice("abc")})

    def some(keys: tuple[str, ...]) -> list[str]:
        return [key for key in keys if random.random() < 0.5]

    with tempfile.TemporaryDirectory(dir=MEMORY) as directory:
        place = Place(Path(directory) / "state" / "x.db")
        with place.open() as store:
            absorb(
                store,
                users=[wish(key) for key in USERS],
                groups=[group(key) for key in GROUPS],
                lists={key: some(USERS) for key in GROUPS},
            )
            place.clock.advance(timedelta(hours=1))
            slow = store.stage()
            named = {key: wish(key) for key in some(USERS)}
            own = {key: some(GROUPS) for key in named}
            ask(store, *named.values(), own=own)
            page = {key: wish(key) for key in USERS}
            lists = {key: some(USERS) for key in GROUPS}
            fill(slow, users=list(page.values()), lists=lists)
            store.absorb(slow, confirmed_absent={})
            expected = {
                (group_id, user_id)
                for group_id in GROUPS
                for user_id in USERS
                if (group_id in own[user_id] if user_id in own else user_id in lists[group_id])
            }
            assert pairs_of(store) == expected
            for key in USERS:
                known = store.user(key)
                assert known is not None
                assert known.wanted == named.get(key, page[key])
