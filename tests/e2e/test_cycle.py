"""The main job, through the command line, against both simulators over real sockets."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.rig import Rig, rig, synced_crew


@pytest.fixture
def synced(tmp_path: Path) -> Iterator[Rig]:
    with rig(tmp_path) as made:
        made.sync()
        made.forget()
        yield made


def test_a_first_sync_makes_split_exactly_as_okta_wants_it(tmp_path: Path) -> None:
    with rig(tmp_path) as made:
        result = made.sync()

        made.assert_exact()
        assert result["status"] == "succeeded"
        assert result["summary"]["applied"]["create_user"] == len(made.wanted_people())
        assert result["summary"]["applied"]["create_group"] == 2


def test_a_plan_writes_nothing_at_either_side_and_no_store(tmp_path: Path) -> None:
    with rig(tmp_path) as made:
        plan = made.plan()

        assert plan["summary"]["create_user"] == len(made.wanted_people())
        assert {r.method for r in [*made.okta.requests, *made.split.requests]} == {"GET"}
        assert not made.store.exists()


def test_a_second_sync_writes_nothing(synced: Rig) -> None:
    result = synced.sync()

    assert synced.writes() == []
    assert result["summary"] == {
        "applied": {},
        "failed": {},
        "held": {},
        "skipped": result["summary"]["skipped"],
    }
    assert list(synced.split.requests) == []


def test_a_quiet_cycle_reads_no_member_list(synced: Rig) -> None:
    synced.sync()

    assert not [path for path in synced.reads() if "/api/v1/groups/" in path]


def test_a_changed_email_is_one_patch_in_place(synced: Rig) -> None:
    world = synced.okta.world
    someone = next(iter(world.app_users))
    before = {user.id for user in synced.split.world.users.values()}
    world.update_profile(someone, email="moved@example.com")

    result = synced.sync()

    assert result["summary"]["applied"] == {"update_user": 1}
    assert len(synced.writes()) == 1
    assert {user.id for user in synced.split.world.users.values()} == before
    synced.assert_exact()


def test_a_leaver_is_deactivated_after_a_second_look_and_a_returner_wakes_up(synced: Rig) -> None:
    world = synced.okta.world
    leaver = _direct(synced)
    world.unassign(leaver, everywhere=True)

    plan = synced.plan()
    [removal] = [change for change in plan["changes"] if change["kind"] == "deactivate_user"]
    assert "404" in removal["evidence"]
    synced.sync()
    synced.assert_exact()

    world.assign(leaver)
    result = synced.sync()
    assert result["summary"]["applied"]["reactivate_user"] == 1
    synced.assert_exact()


def test_memberships_follow_and_unassigned_members_are_not_pushed(synced: Rig) -> None:
    world = synced.okta.world
    stranger = world.add_user("stranger@example.com", "No", "App")
    world.add_member("Product", stranger)
    someone = _direct(synced)
    world.add_member("Product", someone)

    result = synced.sync()

    assert result["summary"]["applied"] == {"add_member": 1}
    synced.assert_exact()
    assert "stranger@example.com" not in {user.user_name for user in synced.split.world.users.values()}


def test_a_removed_member_is_confirmed_by_their_own_group_list(synced: Rig) -> None:
    world = synced.okta.world
    group = world.group("Product")
    member = next(m for m in group.members if m in world.app_users and world.app_users[m].direct)
    world.remove_member("Product", member)

    plan = synced.plan()
    [removal] = [change for change in plan["changes"] if change["kind"] == "remove_member"]
    assert "own group list" in removal["evidence"]
    synced.sync()
    synced.assert_exact()


def test_a_late_assignment_brings_its_groups_without_reading_them_again(synced: Rig) -> None:
    world = synced.okta.world
    stranger = world.add_user("late@example.com", "Late", "Comer")
    world.add_member("Product", stranger)
    synced.sync()
    synced.sync()
    synced.forget()
    world.assign(stranger)

    result = synced.sync()

    assert result["summary"]["applied"] == {"create_user": 1, "add_member": 1}
    synced.assert_exact()


def test_a_targeted_sync_provisions_one_person_and_their_groups(tmp_path: Path) -> None:
    with rig(tmp_path) as made:
        made.sync()
        made.forget()
        new = made.okta.world.add_user("new@example.com", "New", "Hire", assign=True, groups=["Product"])
        other = made.okta.world.add_user("other@example.com", "Other", "Hire", assign=True)

        result = made.sync("--user", "new@example.com")

        assert result["summary"]["applied"] == {"create_user": 1, "add_member": 1}
        assert new
        assert other
        assert "other@example.com" not in made.actual_people()
        assert len(made.okta.requests) <= 5


def _direct(made: Rig) -> str:
    """Somebody assigned directly and in no assigned group."""
    world = made.okta.world
    return next(
        row.id
        for row in world.app_users.values()
        if row.direct
        and world.users[row.id].status == "ACTIVE"
        and not world.users[row.id].groups & set(world.app_groups)
        and row.id not in world.group("Product").members
    )


def test_a_name_that_becomes_free_goes_to_whoever_gets_it_in_the_same_run(tmp_path: Path) -> None:
    with rig(tmp_path, users=0, groups=0, pushed=[]) as made:
        world = made.okta.world
        for number in range(3):
            world.add_user(f"p{number}@example.com", "P", str(number), assign=True)
        made.sync()
        world.update_profile("p2@example.com", email="moved@example.com", login="moved@example.com")
        world.update_profile("p1@example.com", email="p2@example.com", login="p2@example.com")
        world.update_profile("p0@example.com", email="p1@example.com", login="p1@example.com")

        made.sync()

        made.assert_exact()


def test_a_second_full_read_knows_how_many_assignments_to_expect(tmp_path: Path) -> None:
    with rig(tmp_path, users=40, groups=2, pushed=[]) as made:
        assigned = len(made.okta.world.app_users)
        assert "reading assignments\n" in made.run("sync").stderr
        assert f"reading assignments ({assigned})\n" in made.run("plan").stderr


def test_a_person_is_found_by_an_email_that_only_okta_knows_yet(tmp_path: Path) -> None:
    with synced_crew(tmp_path, people=3, members=1) as made:
        made.okta.world.update_profile("p01@example.com", email="married@example.com")
        assert made.plan("--user", "Married@example.com")["summary"]["update_user"] == 1
        assert "married@example.com" in made.run("explain", "married@example.com").stdout
        assert made.sync("--user", "married@example.com")["summary"]["applied"] == {"update_user": 1}
        made.assert_exact()
        made.okta.world.update_profile("p02@example.com", email="shared@example.com")
        made.okta.world.update_profile("p00@example.com", email="shared@example.com")
        assert "means several users" in made.run("plan", "--user", "shared@example.com", code=64).stderr


def test_who_is_looked_for_by_an_email_that_okta_refuses_to_look_for_is_not_called_unknown(
    tmp_path: Path,
) -> None:
    with synced_crew(tmp_path, people=2, members=1) as made:
        made.okta.faults.add("status", path=r"/api/v1/users\?filter", count=-1, status=403)
        said = made.run("plan", "--user", "somebody@example.com", code=1).stderr
        assert "knows no user" not in said
        made.okta.world.update_profile("p01@example.com", email="married@example.com")
        made.sync()
        assert (
            made.plan("--user", "p01@example.com")["summary"]["update_user"] == 0
        )  # as they were called before
