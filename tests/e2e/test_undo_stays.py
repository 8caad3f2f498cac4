"""What was given back stays so, whatever comes between: nothing makes it again without a person."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.rig import Rig
from tests.e2e.test_undo import kinds, made, undo

__all__ = ["made"]


@pytest.fixture
def given_back(made: Rig) -> Rig:
    """p00 was called Wrong by a run that was given back."""
    made.sync()
    made.okta.world.update_profile("p00@example.com", lastName="Wrong")
    undo(made, made.sync()["run_id"])
    made.forget()
    return made


def last_name(made: Rig, who: str = "p00@example.com") -> str:
    found: str = made.split.world.user(who).attributes["name"]["familyName"]
    return found


def test_a_cycle_that_could_not_read_the_person_does_not_forget_it(given_back: Rig) -> None:
    made = given_back
    assigned = r"/apps/[^/]+/users\?"
    made.okta.faults.add("set_field", path=assigned, count=-1, field="status", value="NEWSTATE", index=0)
    frozen = made.sync(code=None)
    assert [skip["name"] for skip in frozen["skipped"]] == ["p00@example.com"]
    made.okta.faults.clear()
    made.sync(code=3)
    assert last_name(made) == "00"


def test_a_write_whose_answer_was_lost_stays_given_back(made: Rig) -> None:
    made.sync()
    made.okta.world.update_profile("p00@example.com", lastName="Wrong")
    run = made.sync()["run_id"]
    made.split.faults.add("drop", method="PATCH", path="/Users/", count=-1, after_effect=True)
    made.split.faults.add("drop", method="PUT", path="/Users/", count=-1, after_effect=True)
    made.split.faults.add("drop", method="GET", path="/Users/", count=-1, nth=2)
    undo(made, run, code=None)
    made.split.faults.clear()
    made.sync(code=None)
    made.sync(code=3)
    assert last_name(made) == "00"


def test_another_change_of_the_same_person_does_not_bring_it_along(given_back: Rig) -> None:
    made = given_back
    made.okta.world.update_profile("p00@example.com", firstName="Paula")
    held = made.sync(code=3)
    assert {hold["check"] for hold in held["holds"]} == {"undone"}
    assert last_name(made) == "00"


def test_a_repair_does_not_bring_it_back(given_back: Rig) -> None:
    made = given_back
    made.split.world.edit_user("p00@example.com", displayName="By Hand")
    made.run("drift", "--fix", "--yes", "--json", code=None)
    made.sync(code=None)
    assert last_name(made) == "00"


def test_a_run_for_that_person_alone_does_not_bring_it_back(given_back: Rig) -> None:
    made = given_back
    made.sync("--user", "p00@example.com", code=3)
    assert last_name(made) == "00"


def test_a_rejection_that_ends_does_not_bring_it_back(given_back: Rig) -> None:
    made = given_back
    made.sync(code=3)
    made.run("reject", "--all")
    made.sync(code=None)
    made.okta.world.update_profile("p00@example.com", firstName="Paula")
    made.sync(code=None)
    assert last_name(made) == "00"


def test_an_account_that_was_made_by_mistake_is_not_woken_up_by_a_change_of_the_person(made: Rig) -> None:
    made.sync()
    made.okta.world.add_user("new@example.com", "N", "New", assign=True)
    undo(made, made.sync()["run_id"])
    made.okta.world.update_profile("new@example.com", lastName="Newer")
    made.sync(code=None)
    assert not made.split.world.user("new@example.com").active


def test_a_swap_is_given_back(made: Rig) -> None:
    made.sync()
    one, other = "p00@example.com", "p01@example.com"
    world = made.okta.world
    ids = [world.user(each).id for each in (one, other)]
    for okta_id, name in zip(ids, (other, one), strict=True):
        world.update_profile(okta_id, email=name)
    run = made.sync()
    before = {u.external_id: u.user_name for u in made.split.world.users.values()}
    assert before[ids[0]] == other
    assert kinds(undo(made, run["run_id"])) == {"update_user": 2}
    after = {u.external_id: u.user_name for u in made.split.world.users.values()}
    assert (after[ids[0]], after[ids[1]]) == (one, other)
    made.sync(code=3)
    assert {u.external_id: u.user_name for u in made.split.world.users.values()} == after


def test_a_group_that_was_made_anew_is_not_deleted_again(made: Rig, tmp_path: Path) -> None:
    made.write_config(
        safety='max_group_deletions = 9\nmax_member_removals = "100%"\nmax_member_removals_per_group = "100%"',
        rules='[[push_groups]]\nsource = { name = "Crew" }\non_removal = "delete"',
    )
    made.sync()
    made.okta.world.delete_group("Crew")
    deleted = made.sync(code=None)
    undo(made, deleted["run_id"], code=None)
    made.sync(code=None)
    made.sync(code=None)
    assert "Crew" in {group.name for group in made.split.world.groups.values()}
