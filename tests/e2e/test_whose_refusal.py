"""One bad thing stops only itself: a refusal is the object's until a harmless read is refused as well."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from syncd.engine.cycles.delta import follow
from syncd.engine.cycles.seen import Seen
from syncd.engine.cycles.sync import sync
from syncd.engine.reading.selection import Selection
from syncd.simulators.split import SplitKnobs
from syncd.simulators.world import OktaWorld, SplitWorld
from tests.chaos.arena import Arena, arena
from tests.e2e.rig import rig
from tests.e2e.test_delta import one_delta, opened

REFUSALS = (401, 403)


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Arena]:
    """Twenty people in two pushed groups; followed and synced."""
    okta = OktaWorld()
    people = [okta.add_user(f"p{n:02}@example.com", "P", f"{n:02}", assign=True) for n in range(20)]
    for name in ("push-open", "push-shut"):
        okta.create_group(name, members=people[:10])
    tables = {"safety": 'max_deactivations = "50%"\nmax_member_removals = "50%"'}
    with arena(tmp_path, okta, tables=tables, attempts=2) as found:
        with opened(found) as job:
            follow(job)
            assert sync(job, Selection()).exit_code == 0
        found.later(timedelta(minutes=30))
        yield found


def members(made: Arena, name: str) -> list[str]:
    return made.split.world.members(name)


@pytest.mark.parametrize("status", REFUSALS)
@pytest.mark.parametrize("path", [r"/groups/{shut}/users", r"/groups/{shut}$"])
def test_a_forbidden_group_in_okta_stops_only_itself(made: Arena, path: str, status: int) -> None:
    world = made.okta.world
    shut = world.group("push-shut").id
    for name in ("push-open", "push-shut"):
        world.add_member(name, "p15@example.com")
    made.okta.faults.add("status", path=path.format(shut=shut), count=-1, status=status)
    before = members(made, "push-shut")

    with opened(made) as job:
        full = sync(job, Selection(full=True))

    assert not made.quarantined()
    assert "p15@example.com" in members(made, "push-open")
    if "users" in path:
        assert full.exit_code == 4
        assert [skip.name for skip in full.skipped if skip.kind == "refused"] == ["push-shut"]
        assert members(made, "push-shut") == before
    world.unassign("p03@example.com")
    found = one_delta(made, Seen())
    assert found.result is not None
    assert "p03@example.com" not in members(made, "push-open"), "deltas go on"


@pytest.mark.parametrize("status", REFUSALS)
@pytest.mark.parametrize("path", [r"/apps/[^/]+/users/{who}", r"/api/v1/users/{who}/groups"])
def test_a_person_who_cannot_be_read_holds_up_nobody_else_of_a_delta(
    made: Arena, path: str, status: int
) -> None:
    world = made.okta.world
    shut = world.user("p01@example.com").id
    made.okta.faults.add("status", path=path.format(who=shut), count=-1, status=status)
    for login in ("p01@example.com", "p02@example.com"):
        world.update_profile(login, lastName="Moved")
    world.unassign("p03@example.com")

    found = one_delta(made, Seen())

    assert found.result is not None
    assert found.result.exit_code == 4
    assert not made.quarantined()
    active = {user.user_name for user in made.split.world.users.values() if user.active}
    assert "p03@example.com" not in active
    assert "p01@example.com" in active
    assert members(made, "push-shut").count("p01@example.com") == 1
    made.heal()
    made.later(timedelta(hours=7))
    assert made.cycle().exit_code == 0


@pytest.mark.parametrize("status", REFUSALS)
@pytest.mark.parametrize("path", [r"/api/v1/groups\?", r"/apps/[^/]+/users\?.*limit=500"])
def test_a_list_of_okta_that_is_refused_alone_is_an_incomplete_read(
    made: Arena, path: str, status: int
) -> None:
    made.okta.faults.add("status", path=path, count=-1, status=status)

    found = made.cycle()

    assert found.exit_code == 1
    assert not made.quarantined()


def test_an_app_that_is_gone_quarantines(made: Arena) -> None:
    made.okta.faults.add(
        "status",
        path=r"/apps/[^/?]+",
        count=-1,
        status=404,
        summary="Not found: Resource not found: 0oa1 (AppInstance)",
    )

    assert made.cycle().exit_code == 1
    assert made.quarantined()


@pytest.mark.parametrize("status", REFUSALS)
def test_a_delete_that_is_refused_for_a_group_that_is_gone_is_done(tmp_path: Path, status: int) -> None:
    """Harness: 401 INVALID_TOKEN."""
    with rig(tmp_path, users=10, groups=2) as made:
        made.write_config(safety="max_group_deletions = 5")
        rules = "\n".join(
            f'[[push_groups]]\nsource = {{ name = "{name}" }}\non_removal = "delete"' for name in made.pushed
        )
        made.write_config(rules=rules)
        made.sync()
        split = made.split.world
        gone = next(group for group in split.groups.values() if group.name == "Product")
        split.drop_group(gone)
        made.split.faults.add("status", method="DELETE", path="/Groups/", count=-1, status=status)
        made.okta.world.delete_group(made.okta.world.group("Product").id)
        made.okta.world.add_user("hire@example.com", "New", "Hire", assign=True)

        result = made.sync()

        applied = result["summary"]["applied"]
        assert (applied["create_user"], applied["delete_group"]) == (1, 1)
        assert result["quarantine"] is None


@pytest.mark.parametrize("status", REFUSALS)
def test_a_write_that_is_refused_about_one_person_is_that_persons(tmp_path: Path, status: int) -> None:
    with rig(tmp_path, users=20, groups=2) as made:
        made.sync()
        world = made.okta.world
        shut, free = sorted(world.app_users)[:2]
        scim_id = next(u.id for u in made.split.world.users.values() if u.external_id == shut)
        made.split.faults.add("status", path=f"/Users/{scim_id}", count=-1, status=status)
        for okta_id in (shut, free):
            world.update_profile(okta_id, givenName="Moved")

        result = made.sync(code=4)

        assert result["summary"]["applied"] == {"update_user": 1}
        assert result["summary"]["failed"] == {"update_user": 1}
        assert result["quarantine"] is None
        [waiting] = made.run("status", "--json").document["failing"]
        assert (waiting["object"], waiting["kind"]) == (world.users[shut].profile["login"], "update_user")


@pytest.mark.parametrize("status", [403, 404])
def test_a_target_that_refuses_everything_quarantines(tmp_path: Path, status: int) -> None:
    with rig(tmp_path, users=10, groups=2) as made:
        made.sync()
        made.okta.world.add_user("hire@example.com", "New", "Hire", assign=True)
        made.split.faults.add("status", count=-1, status=status)

        result = made.sync(code=1)

        assert result["quarantine"]["side"] == "split"
        assert result["summary"]["failed"] == {}


def test_without_the_right_to_touch_groups_people_are_provisioned_all_the_same(tmp_path: Path) -> None:
    with rig(tmp_path, users=10, groups=2, split=SplitWorld(flavor="scim"), knobs=SplitKnobs()) as made:
        world = made.okta.world
        world.add_user("leaver@example.com", "Lea", "Ver", assign=True)
        made.sync()
        made.split.faults.add("status", path="/Groups", count=-1, status=403)
        world.unassign("leaver@example.com")
        world.add_user("hire@example.com", "New", "Hire", assign=True, groups=["Product"])

        result = made.sync(code=4)

        assert result["quarantine"] is None
        assert "leaver@example.com" not in made.actual_people()
        assert "hire@example.com" in made.actual_people()


@pytest.mark.parametrize("status", REFUSALS)
def test_a_search_that_is_refused_for_one_person_keeps_nobody_else_out(tmp_path: Path, status: int) -> None:
    """A firewall in front of the target may take a name for an attack."""
    with rig(tmp_path, users=10, groups=2) as made:
        made.sync()
        world = made.okta.world
        world.add_user("odd.select@example.com", "Odd", "Name", assign=True)
        world.add_user("hire@example.com", "New", "Hire", assign=True)
        made.split.faults.add("status", path="filter=.*odd.select", count=-1, status=status)

        result = made.sync(code=4)

        assert result["summary"]["applied"] == {"create_user": 1}
        assert [skip["name"] for skip in result["skipped"] if skip["kind"] == "refused"]
        [waiting] = made.run("status", "--json").document["failing"]
        assert waiting["kind"] == "read"
        assert "of this alone" in waiting["message"]
        made.split.faults.clear()
        made.sync()
        made.assert_exact()
