"""What a rule may meet: each has a defined, reported outcome before any write, and the rest goes on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.rig import Rig, rig


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Rig]:
    with rig(tmp_path, users=20, groups=4) as each:
        yield each


def rules(*sources: str) -> str:
    return "\n".join(f"[[push_groups]]\nsource = {{ {source} }}" for source in sources)


def skipped(result: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [skip for skip in result["skipped"] if skip["kind"] == kind]


def names(made: Rig) -> set[str]:
    return {group.name for group in made.split.world.groups.values()}


def test_every_form_of_source_finds_its_groups(made: Rig) -> None:
    world, before = made.okta.world, names(made)
    by_id = world.create_group("by id")
    for name in ("starts here", "it ends", "in the middle of"):
        world.create_group(name)
    world.create_group("described", description="for split people")
    assigned = [world.groups[group].name for group in world.app_groups]
    made.write_config(
        rules=rules(
            f'id = "{by_id}"',
            'name = "Product"',
            'name_starts_with = "starts"',
            'name_ends_with = "ends"',
            'name_contains = "middle"',
            'description_contains = "split people"',
            "assigned = true",
        )
    )

    made.sync()

    wanted = {"by id", "Product", "starts here", "it ends", "in the middle of", "described", *assigned}
    assert wanted <= names(made)
    assert names(made) - wanted == before


def test_okta_mappings_push_freeze_and_unlink(made: Rig) -> None:
    world = made.okta.world
    mappings = {world.groups[m.source_group_id].name: m.id for m in world.mappings.values()}
    first, second = sorted(mappings)
    made.write_config(okta="coexist = true", rules=rules("okta_mappings = true"))
    made.sync()
    assert {first, second} <= names(made)
    members = made.split.world.members(first)

    world.set_mapping_status(mappings[first], "ERROR", "target says no")
    frozen = world.group(first)
    world.add_member(first, next(u for u in world.app_users if u not in frozen.members))
    result = made.sync()
    assert "ERROR" in skipped(result, "frozen")[0]["reason"]
    assert made.split.world.members(first) == members

    world.remove_mapping(mappings[second])
    result = made.sync()
    assert result["summary"]["applied"] == {"unlink_group": 1}
    assert second in names(made)


def test_a_rule_that_leaves_the_settings_unlinks_its_groups(made: Rig) -> None:
    made.sync()
    made.write_config(rules=rules('name = "Product"'))
    plan = made.plan()
    [removal] = plan["changes"]
    assert removal["kind"] == "unlink_group"
    assert "no longer in the settings" in removal["evidence"]
    made.sync()
    assert "Engineering" in names(made)


def test_a_name_of_25_characters_is_refused_before_any_write_and_the_rest_goes_on(made: Rig) -> None:
    made.okta.world.create_group("A" * 25)
    made.okta.world.create_group("B" * 24)
    made.write_config(rules=rules(f'name = "{"A" * 25}"', f'name = "{"B" * 24}"'))

    plan = made.plan()
    assert "25 characters" in skipped(plan, "refused_name")[0]["reason"]
    made.sync()
    assert "A" * 25 not in names(made)
    assert "B" * 24 in names(made)


def test_administrators_cannot_be_created_but_linked_and_keep_their_last_member(made: Rig) -> None:
    world = made.okta.world
    admin = next(iter(world.app_users))
    world.create_group("Administrators", members=[admin])
    made.write_config(rules=rules('name = "Administrators"'))
    assert "reserved" in skipped(made.sync(), "refused_name")[0]["reason"]

    made.write_config(rules=rules('name = "Administrators"') + '\naction = "link"')
    made.sync()
    email = str(world.app_users[admin].profile["email"])
    assert email in made.split.world.members("Administrators")

    world.remove_member("Administrators", admin)
    result = made.sync(code=3)
    assert result["holds"][0]["check"] == "protected_group"
    assert email in made.split.world.members("Administrators")


def test_an_existing_name_is_skipped_with_the_way_to_link_it(made: Rig) -> None:
    made.split.world.create_local_group("Engineering")
    result = made.sync()
    assert 'action = "link"' in skipped(result, "conflict")[0]["reason"]
    assert "Product" in names(made)


def test_two_groups_with_one_name_are_both_left_alone(made: Rig) -> None:
    made.okta.world.create_group("Twin", description="a")
    made.okta.world.create_group("Twin", description="b")
    made.write_config(rules=rules('name = "Twin"', 'name = "Product"'))
    result = made.sync()
    assert len(skipped(result, "frozen")) >= 2
    assert "Twin" not in names(made)
    assert "Product" in names(made)


def test_a_group_of_two_rules_and_a_rule_of_no_group_are_reported(made: Rig) -> None:
    made.write_config(rules=rules('name = "Product"', 'name_contains = "duct"', 'name = "Nobody"'))
    result = made.sync()
    assert "also by" in skipped(result, "overlapping_rules")[0]["reason"]
    assert "Nobody" in skipped(result, "empty_rule")[0]["reason"]
    assert "Product" in names(made)


def test_two_people_with_one_email_are_both_left_alone(made: Rig) -> None:
    world = made.okta.world
    world.add_user("one@example.com", "One", "A", assign=True)
    second = world.add_user("two@example.com", "Two", "B", assign=True)
    world.update_profile(second, email="one@example.com")
    result = made.sync()
    assert len(skipped(result, "conflict")) == 2
    assert "one@example.com" not in made.actual_people()


def test_a_reused_email_never_hands_over_the_leavers_account(made: Rig) -> None:
    world = made.okta.world
    leaver = world.add_user("role@example.com", "Old", "Owner", assign=True)
    made.sync()
    world.unassign(leaver)
    world.update_profile(leaver, email="old@example.com", login="old@example.com")
    world.add_user("role@example.com", "New", "Owner", assign=True)
    before = next(u for u in made.split.world.users.values() if u.external_id == leaver)

    result = made.sync()

    assert "belongs to another" in skipped(result, "conflict")[0]["reason"]
    assert not made.split.world.users[before.id].active
    assert made.split.world.users[before.id].external_id == leaver


def test_harness_says_that_deactivation_removes_and_a_return_is_a_create(tmp_path: Path) -> None:
    from syncd.simulators.world import SplitWorld  # noqa: PLC0415  (only this test wants it)

    with rig(tmp_path, split=SplitWorld(flavor="harness"), users=20, groups=2, pushed=[]) as made:
        made.write_config(provisioning='deactivation_grace = "0s"')
        world = made.okta.world
        someone = world.add_user("gone@example.com", "Go", "Ne", assign=True)
        made.sync()
        world.unassign(someone)
        plan = made.plan()
        assert "removes" in plan["changes"][0]["note"]
        made.sync()
        assert "gone@example.com" not in {u.user_name for u in made.split.world.users.values()}
        world.assign(someone)
        assert made.sync()["summary"]["applied"] == {"create_user": 1}
        wanted = {email.lower(): names for email, names in made.wanted_people().items()}
        assert made.actual_people() == wanted
