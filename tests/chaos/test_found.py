"""What chaos found, each as the smallest story that shows it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from syncd.simulators.world import OktaWorld, SplitWorld
from tests.chaos.arena import Arena, Death, arena
from tests.chaos.overlap import LISTS, OBJECTS, Move, Setup, failure

LATER = timedelta(hours=25)


@pytest.fixture
def synced(tmp_path: Path) -> Iterator[Arena]:
    """Ten people; a pushed group with the first four."""
    okta = OktaWorld()
    people = [okta.add_user(f"p{n}@example.com", "P", str(n), assign=True) for n in range(10)]
    okta.create_group("push-crew", members=people[:4])
    with arena(tmp_path, okta, tables={"safety": 'max_member_removals = "90%"'}) as made:
        assert made.cycle().exit_code == 0
        yield made


LOST: tuple[tuple[str, dict[str, int]], ...] = (("cut", {}), ("drop", {}), ("empty", {"status": 500}))
"""The server acts, and its answer does not arrive, whatever is tried."""


def lose_answers(made: Arena, fault: tuple[str, dict[str, int]], *, method: str, path: str) -> None:
    made.split.faults.add(fault[0], method="PATCH", path=path, count=-1, after_effect=True, **fault[1])


def settle(made: Arena) -> None:
    """The faults are over, and every retry is due."""
    made.heal()
    for _ in range(3):
        made.later(LATER)
        last = made.cycle()
    assert last.exit_code == 0, last.error or (last.result and last.result.document())


@pytest.mark.parametrize("fault", LOST, ids=lambda fault: fault[0])
@pytest.mark.parametrize(("added", "email"), [(True, "p7@example.com"), (False, "p1@example.com")])
def test_a_change_of_members_whose_answer_was_lost_and_that_is_no_longer_wanted_is_undone(
    synced: Arena, fault: tuple[str, dict[str, int]], email: str, *, added: bool
) -> None:
    world = synced.okta.world
    change, undo = world.add_member, world.remove_member
    if not added:
        change, undo = undo, change
    change("push-crew", email)
    lose_answers(synced, fault, method="PATCH", path="/Groups/")
    synced.cycle()
    assert (email in synced.split.world.members("push-crew")) is added
    undo("push-crew", email)

    settle(synced)

    assert (email in synced.split.world.members("push-crew")) is not added


@pytest.mark.parametrize("fault", LOST, ids=lambda fault: fault[0])
def test_whoever_comes_back_after_a_deactivation_whose_answer_was_lost_is_active(
    synced: Arena, fault: tuple[str, dict[str, int]]
) -> None:
    synced.okta.world.unassign("p9@example.com")
    lose_answers(synced, fault, method="PATCH", path="/Users/")
    synced.cycle()
    assert not synced.split.world.user("p9@example.com").active
    synced.okta.world.assign("p9@example.com")

    settle(synced)

    assert synced.split.world.user("p9@example.com").active


@pytest.mark.parametrize("fault", LOST, ids=lambda fault: fault[0])
def test_an_update_whose_answer_was_lost_and_that_is_no_longer_wanted_is_undone(
    synced: Arena, fault: tuple[str, dict[str, int]]
) -> None:
    synced.okta.world.update_profile("p9@example.com", lastName="Married")
    lose_answers(synced, fault, method="PATCH", path="/Users/")
    synced.cycle()
    assert synced.split.world.user("p9@example.com").attributes["name"]["familyName"] == "Married"
    synced.okta.world.update_profile("p9@example.com", lastName="9")

    settle(synced)

    assert synced.split.world.user("p9@example.com").attributes["name"]["familyName"] == "9"


@pytest.mark.parametrize("fault", LOST, ids=lambda fault: fault[0])
def test_an_account_whose_creation_was_never_answered_is_deactivated_when_its_owner_leaves(
    synced: Arena, fault: tuple[str, dict[str, int]]
) -> None:
    synced.okta.world.add_user("late@example.com", "L", "Ate", assign=True)
    lose_answers(synced, fault, method="POST", path="/Users")
    synced.split.faults.add("status", method="GET", path=r"/Users\?.*filter=", nth=3, count=-1, status=503)
    synced.cycle()
    assert synced.split.world.user("late@example.com").active
    synced.okta.world.unassign("late@example.com")

    settle(synced)

    assert not synced.split.world.user("late@example.com").active


def test_what_was_rejected_and_is_asked_again_can_be_approved(synced: Arena) -> None:
    crew = ["p0@example.com", "p1@example.com", "p2@example.com", "p3@example.com"]
    for member in crew:
        synced.okta.world.remove_member("push-crew", member)
    assert synced.cycle().exit_code == 3
    assert len(synced.decide("reject")) == 4
    synced.cycle()
    for member in crew:
        synced.okta.world.add_member("push-crew", member)
    synced.cycle()
    for member in crew:
        synced.okta.world.remove_member("push-crew", member)
    assert synced.cycle().exit_code == 3

    assert len(synced.decide("approve")) == 4
    synced.cycle()

    assert synced.split.world.members("push-crew") == []


@pytest.mark.parametrize("fault", ["truncated", "wrong_type"])
def test_a_broken_404_is_asked_for_again(synced: Arena, fault: str) -> None:
    synced.okta.world.unassign("p9@example.com")
    synced.okta.faults.add(fault, path=r"/apps/[^/]+/users/", count=1)

    assert synced.cycle().exit_code == 0

    assert not synced.split.world.user("p9@example.com").active


def test_an_adoption_that_died_before_its_write_is_made_up_for(synced: Arena) -> None:
    """Only externalId was to be written, so that nothing else shows whether it was."""
    synced.split.world.create_local_user("here@example.com", "He", "Re")
    synced.okta.world.add_user("here@example.com", "He", "Re", assign=True)
    synced.split.world.edit_user("here@example.com", displayName="He Re")
    synced.split.faults.add("drop", method="PATCH", path="/Users/", count=-1)
    assert synced.cycle(death=Death("settle", 1, after=False)).killed
    synced.heal()

    synced.cycle()
    synced.cycle()

    assert synced.split.world.user("here@example.com").external_id


def test_a_200_without_a_body_is_looked_at_before_it_is_believed(synced: Arena) -> None:
    """The server answers a PATCH with the group; RFC 7644 section 3.5.2 has 204 for an answer without."""
    synced.okta.world.add_member("push-crew", "p7@example.com")
    synced.split.faults.add("empty", method="PATCH", path="/Groups/", count=1, status=200)

    synced.cycle()

    assert "p7@example.com" in synced.split.world.members("push-crew")


@pytest.mark.parametrize("pushed", [True, False], ids=["pushed", "new"])
def test_a_group_that_is_deleted_before_its_members_are_read_is_gone_and_fails_nothing(
    tmp_path: Path,
    pushed: bool,
) -> None:
    okta = OktaWorld()
    people = [okta.add_user(f"p{n}@example.com", "P", str(n), assign=True) for n in range(4)]
    okta.create_group("push-stay", members=people)
    rules = {"safety": "max_group_deletions = 1", "rule": 'on_removal = "delete"'}
    with arena(tmp_path, okta, tables=rules) as made:
        if not pushed:
            assert made.cycle().exit_code == 0
        group = okta.create_group("push-gone", members=people[:2])
        if pushed:
            assert made.cycle().exit_code == 0
        made.okta.faults.add("act", path=f"/groups/{group}/users", act="delete_group", args={"group": group})

        found = made.cycle(full=True)

        assert found.exit_code == 0, found.error or (found.result and found.result.document())
        assert [each.name for each in made.split.world.groups.values() if each.external_id] == ["push-stay"]


def test_a_group_that_lagging_lists_show_unassigned_is_asked_for_by_id_before_it_is_deleted(
    tmp_path: Path,
) -> None:
    okta = OktaWorld()
    okta.create_group("crew", members=[okta.add_user("p@example.com", "P", "1", assign=True)], assign=True)
    rules = {
        "safety": "max_group_deletions = 9",
        "source": "source = { assigned = true }",
        "rule": 'on_removal = "delete"',
    }
    with arena(tmp_path, okta, tables=rules) as made:
        assert made.cycle().exit_code == 0
        [before] = [group.id for group in made.split.world.groups.values() if group.external_id]
        okta.unassign_group("crew")
        made.okta.set_knobs(list_lag={"app_groups": 300})
        okta.assign_group("crew")

        made.cycle()

        assert before in made.split.world.groups
        made.okta.set_knobs(list_lag=None)
        okta.unassign_group("crew")
        assert made.cycle().exit_code == 0
        assert before not in made.split.world.groups


@pytest.fixture
def at_harness(tmp_path: Path) -> Iterator[Arena]:
    """Ten people; a pushed group with the first four. Harness shows of a write only by a read what came of it."""
    okta = OktaWorld()
    people = [okta.add_user(f"p{n}@example.com", "P", str(n), assign=True) for n in range(10)]
    okta.create_group("push-crew", members=people[:4])
    tables = {"provisioning": 'deactivation_grace = "0s"', "rule": "rename = true"}
    with arena(tmp_path, okta, split=SplitWorld(flavor="harness"), tables=tables) as made:
        assert made.cycle().exit_code == 0
        yield made


def test_members_added_under_a_read_that_was_refused_are_removed_when_nobody_wants_them_any_more(
    at_harness: Arena,
) -> None:
    """A second read only asked whether the group is there."""
    at_harness.okta.world.add_member("push-crew", "p7@example.com")
    at_harness.split.faults.add("status", method="GET", path="/Groups/", count=1, status=403)
    assert at_harness.cycle().exit_code == 4
    assert "p7@example.com" in at_harness.split.world.members("push-crew")
    at_harness.okta.world.remove_member("push-crew", "p7@example.com")

    settle(at_harness)

    assert "p7@example.com" not in at_harness.split.world.members("push-crew")


def test_a_group_renamed_under_a_read_that_was_refused_gets_its_name_back(at_harness: Arena) -> None:
    at_harness.okta.world.rename_group("push-crew", "push-band")
    at_harness.split.faults.add("status", method="GET", path="/Groups/", count=1, status=403)
    assert at_harness.cycle().exit_code == 4
    assert at_harness.split.world.groups["push_crew"].name == "push-band"
    at_harness.okta.world.rename_group("push-band", "push-crew")

    settle(at_harness)

    assert at_harness.split.world.groups["push_crew"].name == "push-crew"


@pytest.mark.parametrize(
    ("path", "count"), [("/Users/", 1), (r"/Users\?.*filter=", -1)], ids=["by id", "listed"]
)
def test_a_person_renamed_under_a_read_that_was_refused_gets_their_name_back(
    at_harness: Arena, path: str, count: int
) -> None:
    """The names are looked for in a list, after a read by id that shows none of them."""
    at_harness.okta.world.update_profile("p9@example.com", lastName="Married")
    at_harness.split.faults.add("status", method="GET", path=path, count=count, status=403)
    assert at_harness.cycle().exit_code == 4
    assert at_harness.split.world.user("p9@example.com").attributes["name"]["familyName"] == "Married"
    at_harness.okta.world.update_profile("p9@example.com", lastName="9")

    settle(at_harness)

    assert at_harness.split.world.user("p9@example.com").attributes["name"]["familyName"] == "9"


def test_whoever_comes_back_after_a_removal_that_could_not_be_looked_at_has_an_account(
    at_harness: Arena,
) -> None:
    at_harness.okta.world.unassign("p9@example.com")
    at_harness.split.faults.add("status", method="GET", path="/Users/", count=-1, status=403)
    assert at_harness.cycle().exit_code == 4
    at_harness.okta.world.assign("p9@example.com")

    settle(at_harness)

    assert at_harness.split.world.user("p9@example.com").active


def test_a_group_that_a_second_look_tells_of_when_it_is_decided_already_is_not_made() -> None:
    setup = Setup("split", "name", "delete", grace="0s", lags=True, twice=False, people=5)
    members, objects, lists = LISTS[2], OBJECTS[0], LISTS[1]
    moves: Sequence[Move] = [
        ("happens", ("leave", 1, 0)),
        ("events_are_late", (120,)),
        ("a_long_cycle_begins", ("repair", members, 2, 1, 0)),
        ("happens", ("leave", 2, 1)),
        ("happens", ("deprovision", 0, 0)),
        ("a_long_cycle_begins", ("full", members, 1, 2, 2)),
        ("a_page_arrives", (0, None)),
        ("a_long_cycle_begins", ("drift", lists, 2, 5, 5)),
        ("a_delta_runs", ()),
        ("happens", ("found_a_group", 0, 1)),
        ("a_page_arrives", (0, objects)),
        ("happens", ("come_back", 0, 1)),
        ("happens", ("leave_the_rule", 0, 2)),
    ]

    assert failure(setup, moves) == ""


def test_nor_is_what_its_rule_let_go_of_at_harness_taken_for_its_own_twin() -> None:
    setup = Setup("harness", "mappings", "keep", grace="0s", lags=False, twice=False, people=3)
    acts = ("rename_a_group", "leave_the_rule", "enter_the_rule")
    moves: Sequence[Move] = [
        move for act in acts for move in (("happens", (act, 0, 0)), ("a_delta_runs", ()))
    ]

    assert failure(setup, moves) == ""
