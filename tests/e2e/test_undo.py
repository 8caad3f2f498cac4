"""One command gives a run back, as far as nobody changed it since; and nothing makes it again unasked."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.connection_text import FREE_TO_CHANGE
from tests.e2e.rig import Rig, rig

LOOSE = (
    f'{FREE_TO_CHANGE}max_deactivations = "100%"\nmax_member_removals = "100%"\n'
    'max_member_removals_per_group = "100%"\nmax_group_deletions = 9'
)


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Rig]:
    """Twelve people, eight of them in the pushed group Crew; synced."""
    with rig(tmp_path, users=0, groups=0, pushed=["Crew"]) as made:
        made.write_config(safety=LOOSE)
        world = made.okta.world
        ids = [world.add_user(f"p{n:02}@example.com", "P", f"{n:02}", assign=True) for n in range(12)]
        world.create_group("Crew", members=ids[:8])
        yield made


def undo(made: Rig, run_id: str, *args: str, code: int | None = 0) -> dict[str, Any]:
    return made.run("undo", run_id, "--yes", "--json", *args, code=code).document


def there(made: Rig) -> dict[str, Any]:
    """What the target holds, without when and how often it was written."""
    document: dict[str, Any] = made.split.world.to_fixture()
    return document


def kinds(document: dict[str, Any]) -> dict[str, int]:
    applied: dict[str, int] = document["summary"]["applied"]
    return applied


def assert_held_until_approved(made: Rig, expected: dict[str, int]) -> None:
    """Okta still wants it: every cycle holds it, an approval makes it again, and then all is exact."""
    made.forget()
    held = made.sync(code=3)
    assert held["summary"]["held"] == expected
    assert {hold["check"] for hold in held["holds"]} == {"undone"}
    assert made.writes() == []
    made.run("approve", "--all")
    assert kinds(made.sync()) == expected
    made.assert_exact()
    made.forget()
    made.sync()
    assert made.writes() == []


def test_updates_are_given_back_and_held(made: Rig) -> None:
    made.sync()
    before = there(made)
    world = made.okta.world
    for number in range(5):
        world.update_profile(f"p{number:02}@example.com", lastName="Wrong")
    run = made.sync()

    given_back = undo(made, run["run_id"])

    assert kinds(given_back) == {"update_user": 5}
    assert there(made) == before
    assert_held_until_approved(made, {"update_user": 5})


def test_the_plan_says_that_okta_still_wants_it(made: Rig, tmp_path: Path) -> None:
    made.sync()
    made.okta.world.update_profile("p00@example.com", lastName="Wrong")
    run = made.sync()["run_id"]
    file = tmp_path / "undo.json"
    made.run("undo", run, "-o", str(file))
    assert "each later sync holds it (undone" in made.run("show", str(file)).stdout
    assert "each later sync holds it (undone" in " ".join(made.run("undo", run, "--yes").stdout.split())


def test_a_first_sync_is_given_back_under_the_limits(made: Rig) -> None:
    made.write_config(safety="max_group_deletions = 0")
    run = made.sync()
    held = undo(made, run["run_id"], code=3)
    assert {hold["check"] for hold in held["holds"]} >= {"deactivations", "group_deletions"}
    assert all(hold["way_out"].endswith(f"then syncd undo {run['run_id']} again") for hold in held["holds"])
    assert len([u for u in made.split.world.users.values() if u.active and u.external_id]) == 12

    made.run("approve", "--all")
    given_back = undo(made, run["run_id"])

    assert kinds(given_back) == {"deactivate_user": 12, "delete_group": 1, "remove_member": 8}
    assert [u for u in made.split.world.users.values() if u.active and u.external_id] == []
    assert [g for g in made.split.world.groups.values() if g.name == "Crew"] == []
    made.forget()
    assert made.sync(code=3)["summary"]["applied"] == {}
    assert made.writes() == []


def test_members_that_joined_leave_again_and_those_who_left_come_back(made: Rig) -> None:
    made.sync()
    before = there(made)
    world = made.okta.world
    world.add_member("Crew", "p10@example.com")
    world.remove_member("Crew", "p01@example.com")
    run = made.sync()

    given_back = undo(made, run["run_id"])

    assert kinds(given_back) == {"add_member": 1, "remove_member": 1}
    assert made.split.world.members("Crew") == [f"p{n:02}@example.com" for n in range(8)]
    assert {u["id"]: u for u in there(made)["users"]} == {u["id"]: u for u in before["users"]}
    assert_held_until_approved(made, {"add_member": 1, "remove_member": 1})


def test_a_leaver_is_woken_up_again(made: Rig) -> None:
    made.sync()
    made.okta.world.unassign("p09@example.com")
    run = made.sync()
    assert kinds(undo(made, run["run_id"])) == {"reactivate_user": 1}
    assert made.split.world.user("p09@example.com").active
    assert_held_until_approved(made, {"deactivate_user": 1})


def test_a_group_gets_its_name_back(tmp_path: Path) -> None:
    with rig(tmp_path, users=0, groups=0, pushed=[]) as made:
        made.split.world.flavor = "scim"
        made.write_config(rules='[[push_groups]]\nsource = { name_starts_with = "C" }\nrename = true')
        made.okta.world.create_group("Crew")
        made.sync()
        made.okta.world.rename_group("Crew", "Company")
        run = made.sync()
        assert kinds(undo(made, run["run_id"])) == {"rename_group": 1}
        assert "Crew" in {group.name for group in made.split.world.groups.values()}
        assert made.sync(code=3)["summary"]["held"] == {"rename_group": 1}


def test_an_account_that_was_adopted_gets_its_values_back(made: Rig) -> None:
    made.split.world.create_local_user("new@example.com", "Old", "Name")
    made.sync()
    made.okta.world.add_user("new@example.com", "New", "Name", assign=True)
    run = made.sync()
    assert kinds(run) == {"adopt_user": 1}
    assert kinds(undo(made, run["run_id"])) == {"update_user": 1}
    assert made.split.world.user("new@example.com").attributes["name"]["givenName"] == "Old"
    assert made.sync(code=3)["summary"]["held"] == {"update_user": 1}


def test_a_link_is_given_back_and_a_deleted_group_is_made_anew(made: Rig) -> None:
    made.sync()
    made.split.world.create_local_group("Others")
    made.okta.world.create_group("Others", members=["p01@example.com"])
    linked = made.run("link", "Others", "Others", "--yes", "--json").document
    assert kinds(undo(made, linked["run_id"])) == {"remove_member": 1, "unlink_group": 1}
    assert made.split.world.members("Others") == []

    made.write_config(rules='[[push_groups]]\nsource = { name = "Crew" }\non_removal = "delete"')
    made.sync()
    made.okta.world.delete_group("Crew")
    deleted = made.sync()
    assert kinds(deleted) == {"delete_group": 1}
    assert kinds(undo(made, deleted["run_id"])) == {"create_group": 1}
    assert "Crew" in {group.name for group in made.split.world.groups.values()}


def test_what_was_changed_since_stays_and_is_named(made: Rig) -> None:
    made.sync()
    world = made.okta.world
    for number in range(3):
        world.update_profile(f"p{number:02}@example.com", lastName="Wrong")
    run = made.sync()
    made.split.world.edit_user("p00@example.com", displayName="By Hand")
    world.update_profile("p01@example.com", lastName="Right")
    made.sync()

    document = undo(made, run["run_id"])

    assert kinds(document) == {"update_user": 1}
    left = {skip["name"]: skip["reason"] for skip in document["skipped"]}
    assert set(left) == {"p00@example.com", "p01@example.com"}
    assert made.split.world.user("p00@example.com").attributes["displayName"] == "By Hand"
    assert made.split.world.user("p01@example.com").attributes["name"]["familyName"] == "Right"


def test_a_wish_that_changes_is_no_longer_held(made: Rig) -> None:
    made.sync()
    made.okta.world.update_profile("p00@example.com", lastName="Wrong")
    run = made.sync()
    undo(made, run["run_id"])
    made.okta.world.update_profile("p00@example.com", lastName="Right")
    assert kinds(made.sync()) == {"update_user": 1}
    made.assert_exact()


def test_a_saved_undo_is_applied_exactly_or_refused(made: Rig, tmp_path: Path) -> None:
    made.sync()
    made.okta.world.update_profile("p00@example.com", lastName="Wrong")
    run = made.sync()
    file = tmp_path / "undo.json"
    made.forget()
    made.run("undo", run["run_id"], "-o", str(file))
    assert made.writes() == []
    saved = json.loads(file.read_text())
    assert (saved["kind"], saved["undoes"]) == ("undo", run["run_id"])

    made.split.world.edit_user("p00@example.com", displayName="By Hand")
    made.run("apply", str(file), "--json", code=3)
    made.split.world.edit_user("p00@example.com", displayName="P Wrong")
    assert kinds(made.run("apply", str(file), "--json").document) == {"update_user": 1}
    made.run("apply", str(file), "--json", code=3)


def test_a_run_that_cannot_be_undone_is_told_so(made: Rig) -> None:
    assert "no run" in made.run("undo", "nonsense", "--yes", code=64).stderr
    made.sync()
    made.okta.world.update_profile("p00@example.com", lastName="Wrong")
    run = made.sync()["run_id"]
    undo(made, run)
    answer = made.run("undo", run, "--yes", code=3)
    assert "undone already" in answer.stderr


def test_whom_harness_removed_cannot_be_given_back_and_that_is_said_first(tmp_path: Path) -> None:
    from tests.e2e.test_harness import at_harness  # noqa: PLC0415  (only this test is at Harness)

    with at_harness(tmp_path, people=5, names=()) as made:
        made.sync()
        ids = [row.id for row in made.okta.world.app_users.values()]
        made.okta.world.unassign(ids[0])
        run = made.sync()
        document = undo(made, run["run_id"])
        assert kinds(document) == {}
        [left] = document["skipped"]
        assert "removed the account" in left["reason"]


def test_a_group_stays_managed_while_the_removal_of_its_members_is_held(made: Rig) -> None:
    """Unlinked it could never be given back: nothing manages its members any more."""
    made.sync()
    made.split.world.create_local_group("Others")
    made.okta.world.create_group("Others", members=[f"p{n:02}@example.com" for n in range(8)])
    linked = made.run("link", "Others", "Others", "--yes", "--json").document["run_id"]
    made.write_config(safety=f"{FREE_TO_CHANGE}")
    made.forget()

    assert undo(made, linked, code=3)["summary"]["held"] == {"remove_member": 8, "unlink_group": 1}
    assert made.writes() == []

    made.run("approve", "--all")
    assert kinds(undo(made, linked)) == {"remove_member": 8, "unlink_group": 1}
    assert made.split.world.members("Others") == []


def test_whoever_was_changed_since_is_not_made_again_either(tmp_path: Path) -> None:
    from tests.e2e.test_harness import at_harness  # noqa: PLC0415  (there a given back account is gone)

    with at_harness(tmp_path, people=6, names=()) as made:
        made.write_config(provisioning='deactivation_grace = "0s"', safety=LOOSE)
        first = made.sync()["run_id"]
        made.okta.world.update_profile("p00@Example.com", lastName="Newname")
        assert kinds(made.sync()) == {"update_user": 1}
        assert kinds(undo(made, first)) == {"deactivate_user": 6}
        made.forget()

        assert made.sync(code=3)["summary"]["held"] == {"create_user": 6}
        assert made.writes() == []
