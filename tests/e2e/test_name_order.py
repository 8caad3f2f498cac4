"""Names that are given once, taken and left in one plan: chains, freed names, rings, and a target that refuses."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from syncd.simulators.world import OktaWorld, SplitWorld
from tests.connection_text import FREE_TO_CHANGE
from tests.e2e.rig import Rig, rig

FOLLOWING = '[[push_groups]]\nsource = { name_starts_with = "push-" }\nrename = true\non_removal = "delete"'
MANY = 'max_group_deletions = 50\nmax_deactivations = "100%"\nmax_member_removals = "100%"'


def crew(count: int = 8) -> OktaWorld:
    """p0 to p7, everybody assigned."""
    world = OktaWorld()
    for number in range(count):
        world.add_user(f"p{number}@example.com", "P", str(number), assign=True)
    return world


@pytest.fixture
def synced(tmp_path: Path) -> Iterator[Rig]:
    with rig(tmp_path, okta=crew(), pushed=()) as made:
        made.sync()
        made.forget()
        yield made


def rename(made: Rig, renames: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Gives people others' addresses, all at once; SCIM id to the address each shall have."""
    world = made.okta.world
    ids = {
        made.split.world.user(f"{before}@example.com").id: f"{after}@example.com" for before, after in renames
    }
    people = [(world.user(f"{before}@example.com").id, after) for before, after in renames]
    for okta_id, after in people:
        world.update_profile(okta_id, email=f"{after}@example.com")
    return ids


def names(made: Rig, ids: dict[str, str]) -> dict[str, str]:
    return {scim_id: made.split.world.users[scim_id].user_name for scim_id in ids}


def user_writes(made: Rig) -> list[str]:
    return [write for write in made.writes() if "/Users/" in write]


def test_a_swap_is_three_writes_and_the_plan_says_by_which_name(synced: Rig) -> None:
    ids = rename(synced, [("p1", "p2"), ("p2", "p1")])

    plan = synced.plan()

    detours = [change for change in plan["changes"] if "via" in change]
    assert len(detours) == 1
    assert detours[0]["via"].startswith(detours[0]["before"]["userName"].partition("@")[0] + "+syncd-")
    assert detours[0]["via"] in detours[0]["reason"]
    assert plan["changes"][-1] == detours[0], "what goes by a detour ends last"
    assert plan["summary"]["update_user"] == 2
    assert synced.plan()["changes"] == plan["changes"]

    result = synced.sync()

    assert names(synced, ids) == ids
    assert len(user_writes(synced)) == 3
    assert result["summary"]["applied"] == {"update_user": 2}
    synced.assert_exact()
    synced.forget()
    synced.sync()
    assert synced.writes() == []


@pytest.mark.parametrize("size", [3, 5])
def test_a_ring_has_one_detour(synced: Rig, size: int) -> None:
    ids = rename(synced, [(f"p{n}", f"p{(n + 1) % size}") for n in range(size)])
    synced.sync()
    assert names(synced, ids) == ids
    assert len(user_writes(synced)) == size + 1


def test_a_chain_is_written_from_its_free_end(synced: Rig) -> None:
    ids = rename(synced, [("p1", "p2"), ("p2", "p3"), ("p3", "p4"), ("p4", "new")])
    synced.sync()
    assert names(synced, ids) == ids
    assert len(user_writes(synced)) == 4


def test_a_freed_address_goes_to_a_new_hire_in_the_same_plan(synced: Rig) -> None:
    former = synced.split.world.user("p1@example.com").id
    rename(synced, [("p1", "married")])
    hire(synced, "p1@example.com")

    plan = synced.plan()

    assert [(change["kind"], change["name"]) for change in plan["changes"]] == [
        ("update_user", "married@example.com"),
        ("create_user", "p1@example.com"),
    ]
    synced.sync()
    assert synced.split.world.users[former].user_name == "married@example.com"
    assert synced.split.world.user("p1@example.com").id != former
    synced.assert_exact()


def test_at_harness_a_leavers_address_goes_to_a_new_hire_with_their_groups(tmp_path: Path) -> None:
    world = crew()
    world.create_group("push-a", members=["p1@example.com", "p2@example.com"])
    with rig(tmp_path, okta=world, split=SplitWorld(flavor="harness"), pushed=()) as made:
        made.write_config(rules=FOLLOWING, safety=MANY, provisioning='deactivation_grace = "0s"')
        made.sync()
        old = made.split.world.user("p1@example.com").id
        world.unassign("p1@example.com", everywhere=True)
        world.remove_member("push-a", "p1@example.com")
        hire(made, "p1@example.com", ["push-a"])

        result = made.sync()

        assert result["summary"]["applied"] == {
            "create_user": 1,
            "add_member": 1,
            "remove_member": 1,
            "deactivate_user": 1,
        }
        assert made.split.world.user("p1@example.com").id != old
        assert made.split.world.members("push-a") == ["p1@example.com", "p2@example.com"]


def group_ids(made: Rig) -> dict[str, str]:
    return {group.name: group.id for group in made.split.world.groups.values()}


@pytest.fixture
def grouped(tmp_path: Path) -> Iterator[Rig]:
    world = crew()
    for number in range(3):
        world.create_group(f"push-{number}", members=[f"p{number}@example.com", "p7@example.com"])
    with rig(tmp_path, okta=world, split=SplitWorld(flavor="scim"), pushed=()) as made:
        made.write_config(rules=FOLLOWING, safety=MANY)
        made.sync()
        made.forget()
        yield made


def test_groups_that_swap_their_names_keep_their_members(grouped: Rig) -> None:
    before = group_ids(grouped)
    world = grouped.okta.world
    one, other = world.group("push-0").id, world.group("push-1").id
    world.rename_group(one, "push-x")
    world.rename_group(other, "push-0")
    world.rename_group(one, "push-1")

    result = grouped.sync()

    after = group_ids(grouped)
    assert (after["push-1"], after["push-0"]) == (before["push-0"], before["push-1"])
    assert result["summary"]["applied"] == {"rename_group": 2}
    assert len(grouped.writes()) == 3
    assert grouped.split.world.members("push-1") == ["p0@example.com", "p7@example.com"]


def test_the_name_of_a_deleted_group_goes_to_the_new_one_in_the_same_plan(grouped: Rig) -> None:
    before = group_ids(grouped)["push-0"]
    grouped.okta.world.delete_group("push-0")
    grouped.okta.world.create_group("push-0", members=["p3@example.com"])

    grouped.sync()

    assert group_ids(grouped)["push-0"] != before
    assert grouped.split.world.members("push-0") == ["p3@example.com"]


def test_the_name_of_a_group_whose_deletion_is_held_is_not_taken(grouped: Rig) -> None:
    grouped.write_config(safety="max_group_deletions = 0")
    before = group_ids(grouped)["push-0"]
    grouped.okta.world.delete_group("push-0")
    grouped.okta.world.create_group("push-0", members=["p3@example.com"])

    result = grouped.sync(code=3)

    assert [skip["name"] for skip in result["skipped"] if skip["kind"] == "conflict"] == ["push-0"]
    assert group_ids(grouped)["push-0"] == before
    grouped.forget()
    grouped.run("approve", "--all", "--now")
    grouped.sync()
    assert group_ids(grouped)["push-0"] != before


def test_a_name_that_its_holder_keeps_is_not_asked_for(synced: Rig) -> None:
    """p1 left and keeps the address at Split; who takes it at Okta waits, and no write is refused."""
    synced.okta.world.unassign("p1@example.com")
    synced.sync()
    synced.forget()
    rename(synced, [("p2", "p1")])

    result = synced.sync()

    conflict = next(skip for skip in result["skipped"] if skip["kind"] == "conflict")
    assert "keeps it" in conflict["reason"]
    assert user_writes(synced) == []


def test_what_is_remembered_of_a_name_may_be_over(synced: Rig) -> None:
    """An administrator deleted the leaver's account: the address is free, whatever we remember."""
    synced.okta.world.unassign("p1@example.com")
    synced.sync()
    synced.split.world.delete_user("p1@example.com")
    ids = rename(synced, [("p2", "p1")])
    synced.sync()
    assert names(synced, ids) == ids


def refuse(made: Rig, address: str) -> None:
    """Split takes no change of this account any more."""
    scim_id = made.split.world.user(address).id
    for method in ("PATCH", "PUT"):
        made.split.faults.add("status", method=method, path=f"/Users/{scim_id}", count=-1, status=400)


def hire(made: Rig, address: str, groups: Sequence[str] = ()) -> None:
    """Somebody new, whose address in the app is one that somebody else had."""
    world = made.okta.world
    okta_id = world.add_user("hired@example.com", "New", "Hire", assign=True, groups=groups)
    world.update_profile(okta_id, email=address)


def test_a_refused_detour_leaves_everybody_as_they_were(synced: Rig) -> None:
    ids = rename(synced, [("p1", "p2"), ("p2", "p1")])
    before = names(synced, ids)
    first = next(change["before"]["userName"] for change in synced.plan()["changes"] if "via" in change)
    refuse(synced, first)
    synced.forget()

    result = synced.sync(code=4)

    assert names(synced, ids) == before
    assert result["summary"]["failed"] == {"update_user": 1}
    assert result["errors"][0]["next_attempt"] is not None
    synced.split.faults.clear()
    synced.forget()
    waiting = synced.sync(code=4)
    assert synced.writes() == [], "nobody is written while the one who goes first waits for the next try"
    assert {skip["kind"] for skip in waiting["skipped"]} == {"quarantined", "conflict"}
    synced.run("retry")
    synced.sync()
    assert names(synced, ids) == ids


@pytest.mark.parametrize("size", [2, 4])
@pytest.mark.parametrize("stuck", [0, 1])
def test_a_ring_that_does_not_close_goes_back(synced: Rig, size: int, stuck: int) -> None:
    """One of them is refused after the detour: nobody stays under a temporary name, nor under another's."""
    ids = rename(synced, [(f"p{n}", f"p{(n + 1) % size}") for n in range(size)])
    before = names(synced, ids)
    changes = [change for change in synced.plan()["changes"] if "via" not in change]
    refuse(synced, changes[min(stuck, size - 2)]["before"]["userName"])

    synced.sync(code=4)

    assert names(synced, ids) == before
    synced.split.faults.clear()
    synced.run("retry")
    synced.sync()
    assert names(synced, ids) == ids
    synced.assert_exact()


def test_parallel_writes_keep_the_order_of_every_chain(tmp_path: Path) -> None:
    """Thirty chains and rings at once, eight workers: the target, which refuses a taken name, refuses nothing."""
    world = crew(120)
    with rig(tmp_path, okta=world, pushed=()) as made:
        made.write_config(split="concurrency = 8", safety=FREE_TO_CHANGE)
        made.sync()
        made.forget()
        renames = []
        for start in range(0, 120, 4):
            closing = f"p{start}" if start % 8 else f"n{start}"
            ring = [f"p{start + n}" for n in range(4)]
            renames += list(zip(ring, [*ring[1:], closing], strict=True))
        ids = rename(made, renames)

        made.sync()

        assert names(made, ids) == ids
        assert all(request.status < 400 for request in made.split.requests if request.method != "GET")
        assert len(user_writes(made)) == 120 + 15
