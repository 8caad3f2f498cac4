"""The staging area: effective wishes as tables, streams that bear company, and who wins when two cycles overlap."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from threading import Thread

import pytest

from syncd.core.change import ChangeKind, revised
from syncd.core.diff import Skipped
from syncd.core.order import NO_ORDER
from syncd.engine.writing.in_order import InOrder
from syncd.errors import RefusedError
from syncd.model import GroupState, RemoteUser, Standing
from syncd.ports import Stage, Store
from syncd.store.sqlite.stage import SqliteStage
from tests.store.making import (
    NOON,
    ONLY_SQLITE,
    Place,
    absorb,
    change,
    fill,
    group,
    push_group,
    push_member,
    push_user,
    wanted,
)

ANN, BOB, CY = wanted("00u-ann"), wanted("00u-bob"), wanted("00u-cy")


@pytest.fixture
def settled(store: Store) -> Store:
    """Ann and Bob are provisioned and members of g1, as Okta wants it."""
    absorb(store, users=[ANN, BOB], groups=[group("g1")], lists={"g1": [ANN.okta_id, BOB.okta_id]})
    push_user(store, ANN)
    push_user(store, BOB)
    push_group(store, "g1", [ANN.okta_id, BOB.okta_id])
    return store


@pytest.fixture
def stage(settled: Store) -> Iterator[Stage]:
    opened = settled.stage()
    yield opened
    opened.close()


def members(stage: Stage) -> list[tuple[str, str, bool]]:
    return [(case.group_id, case.user_id, case.wanted) for case in stage.member_cases()]


def cases(stage: Stage) -> list[tuple[str, Standing | None]]:
    return [(case.okta_id, case.wanted.standing if case.wanted else None) for case in stage.user_cases()]


def gone(stage: Stage) -> list[str]:
    return [known.okta_id for known in stage.departures()]


def test_a_quiet_world_has_no_cases(stage: Stage) -> None:
    fill(stage, users=[ANN, BOB], groups=[group("g1")], lists={"g1": [ANN.okta_id, BOB.okta_id]})
    assert (cases(stage), gone(stage), members(stage)) == ([], [], [])
    assert [(case.okta_id, case.wanted) for case in stage.group_cases()] == [("g1", group("g1"))]


def test_an_incomplete_list_nominates_nobody(stage: Stage) -> None:
    stage.put_users([ANN])
    stage.put_members("g1", [])
    assert (cases(stage), gone(stage), members(stage)) == ([], [], [])


def test_who_is_missing_from_a_list_read_whole_is_nominated_and_counts_as_absent(stage: Stage) -> None:
    fill(stage, users=[ANN])
    assert cases(stage) == [(BOB.okta_id, None)]
    assert gone(stage) == [BOB.okta_id]
    (case,) = stage.member_cases()
    assert (case.wanted, case.listed, case.standing) == (False, True, Standing.ABSENT)
    assert (case.user_name, case.user_scim_id) == ("00u-bob@example.com", "scim-00u-bob")
    assert (stage.wanted_count("g1"), stage.pushed_count("g1")) == (1, 2)


def test_who_is_held_still_keeps_the_memberships(stage: Stage) -> None:
    fill(stage, users=[ANN])
    stage.hold_still([BOB.okta_id])
    assert members(stage) == []
    assert stage.wanted_count("g1") == 2


def test_asked_by_id_the_last_word_counts(stage: Stage) -> None:
    stage.put_absent([ANN.okta_id])
    assert gone(stage) == [ANN.okta_id]
    stage.put_users([ANN], by_id=True)
    assert gone(stage) == []
    stage.put_absent([ANN.okta_id])
    assert gone(stage) == [ANN.okta_id]


def test_a_later_record_replaces_an_earlier_one_also_when_it_equals_the_stored(stage: Stage) -> None:
    stage.put_users([wanted(ANN.okta_id, Standing.INACTIVE)])
    assert cases(stage) == [(ANN.okta_id, Standing.INACTIVE)]
    stage.put_users([wanted(ANN.okta_id, Standing.FROZEN), wanted(ANN.okta_id, name="new@example.com")])
    assert cases(stage) == [(ANN.okta_id, Standing.ACTIVE)]
    stage.put_users([ANN])
    assert cases(stage) == []


def test_a_stored_absence_stays_a_departure_until_the_account_is_inactive_and_in_no_group(
    settled: Store,
) -> None:
    absorb(settled, users=[ANN], gone={BOB.okta_id: NOON})
    stage = settled.stage()
    stage.put_users([ANN])
    stage.users_read_whole()
    assert (gone(stage), cases(stage)) == ([BOB.okta_id], [(BOB.okta_id, None)])
    push_user(settled, BOB, active=False)
    assert (gone(stage), cases(stage)) == ([BOB.okta_id], [])
    push_member(settled, "g1", BOB.okta_id, present=False)
    assert (gone(stage), cases(stage)) == ([], [])


def test_a_departed_user_that_was_never_provisioned_is_asked_about_once(store: Store) -> None:
    absorb(store, users=[CY])
    stage = store.stage()
    fill(stage, users=[])
    assert (gone(stage), cases(stage)) == ([CY.okta_id], [(CY.okta_id, None)])
    store.absorb(stage, confirmed_absent={CY.okta_id: NOON})
    again = store.stage()
    fill(again, users=[])
    assert (gone(again), cases(again)) == ([], [])


@pytest.mark.parametrize(
    ("state", "expected"),
    [(GroupState.PUSHED, [("g1", "00u-bob", False)]), (GroupState.FROZEN, []), (GroupState.GONE, [])],
)
def test_only_pushed_groups_have_member_cases(
    stage: Stage, state: GroupState, expected: list[tuple[str, str, bool]]
) -> None:
    fill(stage, groups=[group("g1", state)], lists={"g1": [ANN.okta_id]})
    assert members(stage) == expected


def test_a_group_no_rule_names_any_more_is_a_case_without_a_wish_and_without_members(stage: Stage) -> None:
    fill(stage, groups=[], lists={"g1": []})
    assert [(case.okta_id, case.wanted) for case in stage.group_cases()] == [("g1", None)]
    assert members(stage) == []


def test_the_union_of_two_complete_reads_is_what_counts(stage: Stage) -> None:
    fill(stage, lists={"g1": [ANN.okta_id]})
    assert members(stage) == [("g1", BOB.okta_id, False)]
    fill(stage, lists={"g1": [BOB.okta_id]})
    assert members(stage) == []


def test_a_members_own_group_list_overrides_and_is_stored(settled: Store) -> None:
    stage = settled.stage()
    stage.put_groups([group("g2")])
    stage.put_user_groups(ANN.okta_id, ["g2", "not-pushed"])
    assert members(stage) == [("g1", ANN.okta_id, False), ("g2", ANN.okta_id, True)]
    settled.absorb(stage, confirmed_absent={})
    later = settled.stage()
    assert members(later) == [("g1", ANN.okta_id, False), ("g2", ANN.okta_id, True)]


def test_a_group_whose_list_was_never_read_loses_nobody(store: Store) -> None:
    absorb(store, users=[ANN, BOB], groups=[group("g1")])
    push_user(store, ANN)
    push_group(store, "g1", [ANN.okta_id])
    stage = store.stage()
    fill(stage, users=[BOB])
    assert members(stage) == []
    stage.put_user_groups(ANN.okta_id, ["g1"])
    assert members(stage) == [("g1", ANN.okta_id, False)]


def test_members_of_a_remote_group_are_known_by_stored_ids_and_new_matches(settled: Store) -> None:
    stage = settled.stage()
    fill(
        stage,
        users=[ANN, BOB, CY],
        groups=[group("g1"), group("g2")],
        lists={"g2": [BOB.okta_id, CY.okta_id]},
    )
    stage.put_remote_members("g2", ["scim-00u-ann", "scim-cy", "scim-somebody"])
    assert stage.remote_strangers("g2") == 2
    stage.will_link_user(CY.okta_id, "scim-cy")
    assert stage.remote_strangers("g2") == 1
    assert members(stage) == [("g2", ANN.okta_id, False), ("g2", BOB.okta_id, True)]
    assert (stage.wanted_count("g2"), stage.pushed_count("g2")) == (2, 3)


def test_adoptions_of_one_account_by_two_people_are_named_and_never_sent(stage: Stage) -> None:
    ann, bob, cy = (
        revised(change(ChangeKind.ADOPT_USER, user.okta_id), scim_id=scim_id)
        for user, scim_id in ((ANN, "one"), (BOB, "one"), (CY, "two"))
    )
    for each in (ann, bob, cy):
        stage.add_change(each)
    sequence = InOrder(NO_ORDER)

    sequence.refuse_twice_adopted(stage)

    assert stage.adopted_twice() == {ann.id, bob.id}
    assert sequence.refused.keys() == {ann.id, bob.id}
    assert all(isinstance(error, RefusedError) for error in sequence.refused.values())
    stage.hold_changes([ann.id], "held")
    assert stage.adopted_twice() == frozenset()


def test_a_limit_narrows_every_question(stage: Stage) -> None:
    changed = [wanted(user.okta_id, attributes={"title": "Dr"}) for user in (ANN, BOB)]
    stage.put_users([*changed, CY])
    stage.put_groups([group("g2")])
    fill(stage, lists={"g1": [ANN.okta_id], "g2": [ANN.okta_id]})
    stage.limit_to(users=[ANN.okta_id], groups=None)
    assert [okta_id for okta_id, _ in cases(stage)] == [ANN.okta_id]
    assert list(stage.group_cases()) == []
    assert members(stage) == [("g2", ANN.okta_id, True)]
    stage.limit_to(users=(), groups=["g1"])
    assert cases(stage) == []
    assert [case.okta_id for case in stage.group_cases()] == ["g1"]
    assert members(stage) == [("g1", BOB.okta_id, False)]
    stage.limit_to(users=None, groups=None)
    assert len(cases(stage)) == 3


def test_a_limit_nominates_only_those_it_names(stage: Stage) -> None:
    stage.users_read_whole()
    stage.limit_to(users=[BOB.okta_id], groups=["g1"])
    assert gone(stage) == [BOB.okta_id]
    assert members(stage) == [("g1", BOB.okta_id, False)]


def test_what_a_shorter_cycle_stored_meanwhile_wins(settled: Store) -> None:
    slow = settled.stage()
    slow.put_users([wanted(ANN.okta_id, attributes={"title": "old"})])
    slow.put_members("g1", [ANN.okta_id])
    newer = wanted(ANN.okta_id, attributes={"title": "new"})
    quick = settled.stage()
    quick.put_users([newer, CY])
    quick.put_groups([group("g1"), group("g9")])
    quick.put_absent([BOB.okta_id])
    fill(quick, lists={"g1": [ANN.okta_id, CY.okta_id]})
    settled.absorb(quick, confirmed_absent={BOB.okta_id: NOON})
    slow.put_groups([group("g1")])
    slow.groups_read_whole()
    slow.put_users([BOB])
    slow.members_read_whole("g1", "stale")
    slow.users_read_whole()
    assert members(slow) == [("g1", BOB.okta_id, False), ("g1", CY.okta_id, True)]
    settled.absorb(slow, confirmed_absent={CY.okta_id: NOON})
    ann, cy, known = settled.user(ANN.okta_id), settled.user(CY.okta_id), settled.group("g1")
    assert ann is not None
    assert cy is not None
    assert known is not None
    assert (ann.wanted, cy.wanted, known.members_stamp) == (newer, CY, None)
    assert settled.group("g9") is not None


def test_absorbing_one_stage_does_not_disturb_the_questions_to_it(settled: Store) -> None:
    stage = settled.stage()
    fill(stage, users=[ANN, CY], groups=[group("g1")], lists={"g1": [ANN.okta_id, BOB.okta_id, CY.okta_id]})
    before = (cases(stage), members(stage))
    settled.absorb(stage, confirmed_absent={})
    assert (cases(stage), members(stage)) == before


def test_the_stage_may_be_written_while_its_cases_are_read(store: Store) -> None:
    stage = store.stage()
    many = [wanted(f"00u{number:04d}") for number in range(1201)]
    for start in range(0, len(many), 500):
        stage.put_users(many[start : start + 500])
    seen = []
    for case in stage.user_cases():
        assert case.wanted is not None
        assert list(stage.rivals(case.wanted.name_key, case.okta_id)) == []
        stage.will_link_user(case.okta_id, f"s-{case.okta_id}")
        stage.add_change(change(ChangeKind.CREATE_USER, case.okta_id, userName=case.wanted.user_name))
        if case.okta_id.endswith("00"):
            stage.put_users([wanted("00u-late")])
            assert sum(1 for _ in stage.user_cases()) > 1200
        seen.append(case.okta_id)
    assert seen == [user.okta_id for user in many]
    assert stage.change_counts() == {ChangeKind.CREATE_USER: 1201}


def test_a_stream_may_be_left_in_the_middle(store: Store) -> None:
    stage = store.stage()
    stage.put_users([wanted(f"00u{number:04d}") for number in range(700)])
    first = next(iter(stage.user_cases()))
    assert first.okta_id == "00u0000"
    stage.close()
    stage.close()


def test_two_users_that_want_one_name_are_rivals_and_only_active_ones(store: Store) -> None:
    absorb(store, users=[wanted("00u1", name="x@example.com"), wanted("00u2", name="x@example.com")])
    stage = store.stage()
    stage.put_users([wanted("00u3", name="x@example.com")])
    assert list(stage.rivals("x@example.com", "00u3")) == ["00u1", "00u2"]
    stage.put_users(
        [wanted("00u1", name="y@example.com"), wanted("00u2", Standing.INACTIVE, name="x@example.com")]
    )
    assert list(stage.rivals("x@example.com", "00u3")) == []


def test_changes_come_back_in_the_order_of_application(stage: Stage) -> None:
    add, remove = ChangeKind.ADD_MEMBER, ChangeKind.REMOVE_MEMBER
    planned = [
        change(remove, "00u2", group_id="g1", member=False),
        change(add, "00u2", group_id="g2", member=True),
        change(add, "00u2", group_id="g1", member=True),
        change(ChangeKind.DEACTIVATE_USER, "00u3", active=False),
        change(ChangeKind.CREATE_USER, "00u\N{LATIN SMALL LETTER E WITH ACUTE}", userName="\ud800"),
        change(ChangeKind.CREATE_USER, "00uz", userName="z"),
    ]
    for each in planned:
        stage.add_change(each)
    expected = [each.id for each in sorted(planned, key=lambda each: each.order)]
    assert [each.id for each in stage.changes()] == expected
    assert [each.kind for each in stage.changes(kinds=[add])] == [add, add]
    assert list(stage.changes(kinds=[])) == []


def test_held_changes_leave_the_plan_for_their_hold(stage: Stage) -> None:
    first, second, third = (change(ChangeKind.DEACTIVATE_USER, f"00u{n}", active=False) for n in range(3))
    for each in (first, second, third):
        stage.add_change(each)
    stage.hold_changes([first.id, third.id], "hold-1")
    assert [each.id for each in stage.changes()] == [second.id]
    assert {each.id for each in stage.changes(hold_id="hold-1")} == {first.id, third.id}
    assert stage.change_counts() == {ChangeKind.DEACTIVATE_USER: 1}
    assert stage.change_counts(hold_id="hold-1") == {ChangeKind.DEACTIVATE_USER: 2}


def test_candidates_at_the_target_share_external_id_or_name_in_any_case(stage: Stage) -> None:
    ours = RemoteUser("1", "00u1", "old@example.com", active=True, attributes={"userName": "old@example.com"})
    exact = RemoteUser("2", None, "Ann@example.com", active=None)
    folded = RemoteUser("3", "other", "ann@EXAMPLE.com", active=False)
    stage.put_remote_users([ours, exact, folded, RemoteUser("4", None, "bob@example.com", active=True)])
    assert list(stage.remote_candidates(okta_id="00u1", user_name="Ann@example.com")) == [ours, exact, folded]
    assert list(stage.remote_candidates(okta_id="00u9", user_name="nobody")) == []


def test_a_stage_may_be_filled_from_another_thread(settled: Store) -> None:
    stage = settled.stage()
    thread = Thread(target=fill, args=(stage,), kwargs={"users": [ANN, CY]})
    thread.start()
    thread.join(timeout=timedelta(seconds=10).total_seconds())
    assert cases(stage) == [(BOB.okta_id, None), (CY.okta_id, Standing.ACTIVE)]


@ONLY_SQLITE
def test_the_private_file_is_gone_after_closing(place: Place) -> None:
    with place.open() as store:
        stage = store.stage()
        assert isinstance(stage, SqliteStage)
        file = stage.path
        assert file.stat().st_mode & 0o777 == 0o600
        assert file.parent.stat().st_mode & 0o777 == 0o700
        stage.close()
        assert not file.exists()
        left_open = store.stage()
        assert isinstance(left_open, SqliteStage)
    assert sorted(path.name for path in place.path.parent.iterdir()) == ["split-prod.db"]


def test_a_stage_of_another_store_cannot_be_absorbed(store: Store) -> None:
    with pytest.raises(TypeError, match="belongs to the store"):
        store.absorb(object(), confirmed_absent={})  # type: ignore[arg-type]


def test_what_is_left_alone_comes_sorted_and_is_known_by_its_object(stage: Stage) -> None:
    given = [
        Skipped("grace", "00u-b", "Bob", "left"),
        Skipped("create_off", "00u-c", "Zo\ud800", "off", "user", ("name:zo",)),
        Skipped("create_off", "00g-a", "Crew", "off", "group"),
        Skipped("create_off", "00u-c", "Zo\ud800", "again"),
    ]
    stage.add_skipped(given[:2])
    stage.add_skipped(given[2:])

    assert list(stage.skipped()) == [given[2], given[3], given[1], given[0]]
    assert stage.is_left_alone("00g-a")
    assert not stage.is_left_alone("00u-nobody")


@pytest.mark.parametrize("asked_between", [False, True])
def test_the_same_wish_planned_twice_is_one_change_the_later_one(
    stage: Stage, *, asked_between: bool
) -> None:
    wish = change(ChangeKind.CREATE_USER, ANN.okta_id, userName=ANN.user_name)
    again = revised(wish, reason="said again")
    other = change(ChangeKind.CREATE_USER, BOB.okta_id, userName=BOB.user_name)

    stage.add_change(wish)
    stage.add_change(other)
    if asked_between:
        assert not stage.has_change("nobody's")
    stage.add_change(again)

    assert sorted(each.reason for each in stage.changes()) == sorted([other.reason, "said again"])
    assert stage.change_counts() == {ChangeKind.CREATE_USER: 2}
    assert stage.applies(wish.id)


def test_whom_nobody_knew_when_they_were_asked_for_is_not_believed_to_be_there_by_a_list(
    store: Store,
) -> None:
    known, new = wanted("00u-known"), wanted("00u-new")
    absorb(store, users=[known])
    also = [known.okta_id, new.okta_id, "00u-nowhere"]
    stage = store.stage()
    fill(stage, users=[known, new])

    assert [(case.okta_id, case.wanted) for case in stage.doubtful_users(also)] == [(new.okta_id, new)]
    stage.put_users([new], by_id=True)
    assert list(stage.doubtful_users(also)) == []
