"""Each kind of change of the contract, made in Okta and applied by the next sync with the fewest requests."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from syncd.simulators.world import SplitWorld, default_split
from tests.connection_text import FREE_TO_CHANGE
from tests.e2e.rig import Rig, rig

RULES = """
[[push_groups]]
source = { name = "Engineering" }
rename = true
[[push_groups]]
source = { name = "Product" }
on_removal = "delete"
[[push_groups]]
source = { name_starts_with = "app-" }
rename = true
"""


@pytest.fixture
def synced(tmp_path: Path) -> Iterator[Rig]:
    """A target without Split's own rules, so that renames may follow."""
    with rig(tmp_path, split=SplitWorld(flavor="scim"), users=30, groups=4) as made:
        made.write_config(rules=RULES)
        made.sync()
        made.assert_exact()
        made.forget()
        yield made


def act(made: Rig, act: str, **arguments: object) -> None:
    """Changes the Okta world through the control interface, as somebody at a terminal would."""
    body = json.dumps({"act": act, **arguments}).encode()
    request = Request(f"{made.okta.url}/_control/act", data=body, method="POST")  # noqa: S310  (loopback)
    with urlopen(request, timeout=10) as answer:  # noqa: S310  (loopback)
        assert answer.status == 200


def test_create_user(synced: Rig) -> None:
    act(synced, "add_user", email="new@example.com", first_name="New", last_name="Hire", assign=True)
    assert synced.sync()["summary"]["applied"] == {"create_user": 1}
    assert [write.split("/")[-1] for write in synced.writes()] == ["Users"]
    synced.assert_exact()


def test_adopt_user(synced: Rig) -> None:
    synced.split.world.create_local_user("known@example.com", given_name="Known", family_name="Already")
    act(synced, "add_user", email="known@example.com", first_name="Known", last_name="Already", assign=True)
    result = synced.sync()
    assert result["summary"]["applied"] == {"adopt_user": 1}
    assert [write.split()[0] for write in synced.writes()] == ["PATCH"]
    synced.assert_exact()


def test_update_user(synced: Rig) -> None:
    someone = next(iter(synced.okta.world.app_users))
    act(synced, "update_profile", user=someone, firstName="Renamed")
    assert synced.sync()["summary"]["applied"] == {"update_user": 1}
    assert len(synced.writes()) == 1
    synced.assert_exact()


def test_deactivate_user_and_reactivate_user(synced: Rig) -> None:
    loner = synced.okta.world.add_user("loner@example.com", "Lo", "Ner", assign=True)
    synced.sync()
    synced.forget()
    act(synced, "unassign", user=loner)
    assert synced.sync()["summary"]["applied"] == {"deactivate_user": 1}
    assert len(synced.writes()) == 1
    synced.assert_exact()
    synced.forget()
    act(synced, "assign", user=loner)
    assert synced.sync()["summary"]["applied"] == {"reactivate_user": 1}
    assert len(synced.writes()) == 1
    synced.assert_exact()


def test_create_group_and_add_member(synced: Rig) -> None:
    someone = next(iter(synced.okta.world.app_users))
    act(synced, "create_group", name="app-new", members=[someone])
    assert synced.sync()["summary"]["applied"] == {"create_group": 1, "add_member": 1}
    assert [write.split()[0] for write in synced.writes()] == ["POST", "PATCH"]
    assert len(synced.split.world.members("app-new")) == 1


def test_rename_group(synced: Rig) -> None:
    identity = synced.split.world.group("Engineering").id
    members = synced.split.world.members("Engineering")
    synced.write_config(rules=RULES.replace('name = "Engineering"', 'name_contains = "Engineer"'))
    act(synced, "rename_group", group="Engineering", name="Engineers")
    assert synced.sync()["summary"]["applied"] == {"rename_group": 1}
    assert len(synced.writes()) == 1
    renamed = synced.split.world.group("Engineers")
    assert (renamed.id, synced.split.world.members("Engineers")) == (identity, members)


def test_link_group(synced: Rig) -> None:
    world = synced.split.world
    someone = next(iter(synced.okta.world.app_users))
    stranger = world.create_local_user("local@split.example")
    world.create_local_group("legacy")
    world.add_member("legacy", stranger)
    synced.okta.world.create_group("Linked", members=[someone])
    rule = '[[push_groups]]\nsource = { name = "Linked" }\naction = "link"\ntarget = "legacy"\n'
    synced.write_config(rules=RULES + rule)

    result = synced.sync()

    assert result["summary"]["applied"] == {"link_group": 1, "add_member": 1}
    assert [write.split()[0] for write in synced.writes()] == ["PATCH"]
    assert "local@split.example" in world.members("legacy")
    assert len(world.members("legacy")) == 2
    synced.forget()
    assert synced.sync()["summary"]["applied"] == {}
    assert synced.writes() == []


def test_unlink_group_leaves_it_and_its_members(synced: Rig) -> None:
    someone = next(iter(synced.okta.world.app_users))
    synced.okta.world.create_group("app-short-lived", members=[someone])
    synced.sync()
    synced.forget()
    members = synced.split.world.members("app-short-lived")
    act(synced, "delete_group", group="app-short-lived")
    result = synced.sync()
    assert result["summary"]["applied"] == {"unlink_group": 1}
    assert synced.writes() == []
    assert synced.split.world.members("app-short-lived") == members


def test_delete_group_only_with_the_limit_raised(synced: Rig) -> None:
    act(synced, "delete_group", group="Product")
    held = synced.sync(code=3)
    assert held["summary"]["held"] == {"delete_group": 1}
    assert synced.writes() == []
    assert synced.sync("--allow", "group_deletions=1")["summary"]["applied"] == {"delete_group": 1}
    assert [write.split()[0] for write in synced.writes()] == ["DELETE"]
    assert "Product" not in {group.name for group in synced.split.world.groups.values()}


def test_remove_member(synced: Rig) -> None:
    world = synced.okta.world
    member = next(m for m in world.group("Product").members if m in world.app_users)
    world.assign(member)
    act(synced, "remove_member", group="Product", user=member)
    applied = synced.sync()["summary"]["applied"]
    assert applied["remove_member"] == 1
    assert len(synced.writes()) == 1
    synced.assert_exact()


def test_members_travel_a_hundred_at_a_time(tmp_path: Path) -> None:
    with rig(tmp_path, split=default_split(), users=0, groups=0, pushed=["All"]) as made:
        world = made.okta.world
        people = [world.add_user(f"u{n}@example.com", "U", str(n), assign=True) for n in range(130)]
        world.create_group("All", members=people)
        made.write_config(safety=FREE_TO_CHANGE)

        made.sync()

        made.assert_exact()
        assert len([write for write in made.writes() if write.startswith("PATCH")]) == 2
