"""Nothing is taken away on a half look: what a cycle did not read itself is no evidence, and no guard is passed by."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from syncd.core.change import Change, ChangeKind
from syncd.model import PushedGroup
from syncd.ports import GroupPushed
from syncd.settings import load
from syncd.wiring import open_for_writing
from tests.e2e.rig import Rig, crew, rig
from tests.store.making import apply

NO_LIMITS = (
    'max_deactivations = "100%"\nmax_member_removals = "100%"\nmax_member_removals_per_group = "100%"\n'
)


@pytest.fixture
def synced(tmp_path: Path) -> Iterator[Rig]:
    """Forty people, the first twenty of them in Crew."""
    with crew(tmp_path, people=40, members=20) as made:
        made.okta.world.create_group("Guard", members=[])
        made.sync()
        yield made


def person(number: int) -> str:
    return f"p{number:02}@example.com"


def other_scope(made: Rig) -> None:
    """A scope setting that has no effect on anybody."""
    made.write_config(
        attributes='[attributes]\nuserName = "email"\n"name.givenName" = "givenName"\n'
        '"name.familyName" = "familyName"\ndisplayName = "{givenName} {familyName}"\n'
        '"emails[work].value" = "email"\ntitle = "nobodyHasIt"\n'
    )


def test_a_saved_plan_decides_no_change_of_the_scope(synced: Rig, tmp_path: Path) -> None:
    other_scope(synced)
    synced.okta.world.update_profile(person(0), givenName="Renamed")
    synced.okta.world.unassign(person(30))
    plan = tmp_path / "the.plan"
    synced.run("plan", "-o", str(plan), code=None)

    synced.run("apply", str(plan), "--json", code=None)

    result = synced.sync(code=3)
    assert [hold["check"] for hold in result["holds"]] == ["scope_change"]
    assert person(30) in synced.actual_people()


def test_a_hold_of_a_limit_does_not_decide_the_scope(synced: Rig) -> None:
    other_scope(synced)
    synced.write_config(safety="max_deactivations = 0")
    synced.okta.world.unassign(person(30))
    assert [hold["check"] for hold in synced.sync(code=3)["holds"]] == ["deactivations"]
    synced.write_config(safety=NO_LIMITS)

    result = synced.sync(code=3)

    assert [hold["check"] for hold in result["holds"]] == ["scope_change"]
    assert person(30) in synced.actual_people()


def test_settings_that_change_after_a_first_run_with_problems_are_guarded_too(tmp_path: Path) -> None:
    with rig(tmp_path, users=0, groups=0, pushed=[]) as made:
        world = made.okta.world
        for number in range(10):
            world.add_user(person(number), "P", "X", assign=True)
        made.write_config(rules='[[push_groups]]\nsource = { name = "Nobody" }')
        made.okta.faults.add("status", path=r"/api/v1/groups\?", count=-1, status=500)
        made.sync(code=1)
        made.okta.faults.clear()
        made.write_config(rules="")
        world.unassign(person(3))

        result = made.sync(code=3)

        assert [hold["check"] for hold in result["holds"]] == ["scope_change"]
        assert person(3) in made.actual_people()


def test_a_departure_in_its_grace_is_held_when_the_scope_changes(synced: Rig) -> None:
    synced.write_config(provisioning='deactivation_grace = "7d"')
    result = synced.sync(code=0)
    synced.okta.world.unassign(person(30))
    other_scope(synced)

    result = synced.sync(code=3)

    assert [hold["check"] for hold in result["holds"]] == ["scope_change"]
    assert person(30) in synced.actual_people()


def test_a_run_for_one_group_removes_nobody_on_what_the_store_remembers(synced: Rig) -> None:
    """The stored record says suspended; Okta says otherwise by now."""
    synced.write_config(provisioning='suspended_users = "deactivate"')
    synced.sync(code=0)
    synced.okta.world.set_user_status(person(5), "SUSPENDED")
    for method in ("PATCH", "PUT"):
        synced.split.faults.add("status", method=method, count=-1, status=500)
    synced.sync(code=4)
    synced.split.faults.clear()
    synced.okta.world.set_user_status(person(5), "ACTIVE")
    synced.run("retry", code=None)

    synced.run("sync", "--group", "Crew", "--json", code=None)

    assert person(5) in synced.actual_groups()["Crew"]


def test_a_record_that_nobody_can_read_in_the_second_look_confirms_no_departure(tmp_path: Path) -> None:
    with rig(tmp_path, users=0, groups=0, pushed=[]) as made:
        for number in range(120):
            made.okta.world.add_user(f"q{number:03}@example.com", "Q", "X", assign=True)
        made.write_config(safety=NO_LIMITS)
        made.sync()
        for number in range(60):
            made.okta.world.unassign(f"q{number:03}@example.com")
        made.okta.faults.add("set_field", path=r"/users\?", nth=2, count=1, field="id", value=None)

        made.sync(code=None)

        assert len(made.actual_people()) == 120


def test_a_single_persons_run_leaves_a_protected_group_its_last_member(synced: Rig) -> None:
    synced.pushed.append("Guard")
    synced.okta.world.add_member("Guard", person(39))
    synced.write_config(safety=NO_LIMITS + 'protected_groups = ["Guard"]', rules=_guard(synced))
    synced.sync()
    assert synced.actual_groups()["Guard"] == [person(39)]
    synced.okta.world.remove_member("Guard", person(39))

    result = synced.run("sync", "--user", person(39), "--json", code=3).document

    assert [hold["check"] for hold in result["holds"]] == ["protected_group"]
    assert synced.actual_groups()["Guard"] == [person(39)]


def _guard(made: Rig) -> str:
    """Guard is protected, hence never created: it is there already and is linked."""
    made.split.world.create_local_group("Guard")
    return (
        '[[push_groups]]\nsource = { name = "Crew" }\n'
        '[[push_groups]]\nsource = { name = "Guard" }\naction = "link"'
    )


def test_a_protected_group_whose_new_member_could_not_be_added_keeps_the_old_one(synced: Rig) -> None:
    synced.pushed.append("Guard")
    synced.okta.world.add_member("Guard", person(39))
    synced.write_config(safety=NO_LIMITS + 'protected_groups = ["Guard"]', rules=_guard(synced))
    synced.sync()
    synced.okta.world.remove_member("Guard", person(39))
    synced.okta.world.add_member("Guard", person(38))
    synced.split.faults.add("status", method="PATCH", path="/Groups/", count=1, status=403)

    synced.sync(code=4)

    assert synced.actual_groups()["Guard"] == [person(39)]
    synced.run("retry")
    synced.sync()
    assert synced.actual_groups()["Guard"] == [person(38)]


def test_the_last_member_of_a_protected_group_is_not_deactivated_either(synced: Rig) -> None:
    synced.pushed.append("Guard")
    synced.okta.world.add_member("Guard", person(39))
    synced.write_config(safety=NO_LIMITS + 'protected_groups = ["Guard"]', rules=_guard(synced))
    synced.sync()
    synced.okta.world.unassign(person(39))

    result = synced.sync(code=3)

    assert [hold["check"] for hold in result["holds"]] == ["protected_group"]
    synced.run("approve", "--all")  # not even a person empties it
    result = synced.sync(code=4)
    assert "Guard is protected" in result["errors"][0]["message"]
    assert person(39) in synced.actual_people()
    assert synced.actual_groups()["Guard"] == [person(39)]


def test_who_is_in_the_group_after_all_is_not_forgotten(synced: Rig) -> None:
    """The member list misses somebody; their own list does not."""
    world = synced.okta.world
    world.clock = lambda: datetime.now(UTC) - timedelta(hours=1)  # old enough to be believed
    world.remove_member("Crew", person(19))
    synced.okta.faults.add("omit_record", path=r"/groups/[^/]+/users", count=1, id=world.user(person(3)).id)
    synced.sync(code=None)
    assert person(3) in synced.actual_groups()["Crew"]

    assert synced.sync()["skipped"] == []  # nor asked about in every cycle from now on
    synced.assert_exact()


def test_a_rule_that_left_the_settings_unlinks_nothing_that_another_rule_names(synced: Rig) -> None:
    """The list of groups has an unreadable record; the new rule names the group all the same."""
    crew = synced.okta.world.group("Crew")
    synced.write_config(rules='[[push_groups]]\nsource = { name_starts_with = "Cr" }')
    index = sorted(synced.okta.world.groups).index(crew.id)
    synced.okta.faults.add(
        "set_field", path=r"/api/v1/groups\?", count=1, field="profile", value=7, index=index
    )

    result = synced.sync(code=None)

    assert "unlink_group" not in result["summary"]["applied"]
    synced.sync(code=None)
    synced.assert_exact()


def linked_without_a_rule(made: Rig, name: str) -> str:
    """The Okta id of a group whose creation was settled after the store had forgotten it, and its rule with it."""
    okta_id, scim_id = made.okta.world.create_group(name), made.split.world.create_local_group(name)
    (settings,) = load([made.config], environ=os.environ).connections
    done = Change(
        ChangeKind.CREATE_GROUP, okta_id, None, name, {}, {"displayName": name}, "a rule named it", group=name
    )
    with open_for_writing(settings) as store:
        apply(store, done, [GroupPushed(okta_id, PushedGroup(scim_id, name), members=())])
        known = store.group(okta_id)
    assert known is not None
    assert known.wanted.rule == ""
    return okta_id


def test_a_group_of_which_no_rule_was_read_goes_by_what_okta_says_and_by_no_rule_that_never_was(
    synced: Rig,
) -> None:
    linked_without_a_rule(synced, "Stray")
    [removal] = synced.plan()["changes"]
    assert (removal["kind"], removal["name"]) == ("unlink_group", "Stray")
    assert removal["evidence"] == 'Okta calls the group "Stray", and no push rule in the settings names it'
    synced.sync()
    assert "Stray" in {group.name for group in synced.split.world.groups.values()}


def test_a_group_of_which_no_rule_was_read_stays_when_one_list_alone_says_that_it_is_not_assigned(
    synced: Rig,
) -> None:
    okta_id = linked_without_a_rule(synced, "Stray")
    synced.okta.world.assign_group(okta_id)
    synced.write_config(rules="[[push_groups]]\nsource = { assigned = true }")
    synced.okta.faults.add("omit_record", path=r"/apps/[^/]+/groups\?", count=-1, id=okta_id)
    plan = synced.plan(code=None)
    assert "Stray" not in [each["name"] for each in plan["changes"] if each["kind"] == "unlink_group"]


def test_an_update_that_waits_for_its_next_try_stops_no_removal(synced: Rig) -> None:
    synced.okta.world.update_profile(person(4), givenName="Stuck")
    synced.split.faults.add("status", method="PATCH", path="/Users/", count=-1, status=400)
    synced.split.faults.add("status", method="PUT", path="/Users/", count=-1, status=400)
    synced.sync(code=4)
    synced.okta.world.remove_member("Crew", person(4))

    synced.sync(code=4)

    assert person(4) not in synced.actual_groups()["Crew"]


def test_grace_covers_memberships_in_a_run_for_one_group_too(synced: Rig) -> None:
    synced.write_config(provisioning='deactivation_grace = "2d"')
    synced.sync(code=None)
    synced.okta.world.unassign(person(2))
    synced.sync(code=0)
    synced.okta.world.remove_member("Crew", person(2))

    synced.run("sync", "--group", "Crew", "--json", code=None)

    assert person(2) in synced.actual_groups()["Crew"]


def test_a_403_about_one_person_leaves_that_person_alone_and_the_rest_goes_on(synced: Rig) -> None:
    world = synced.okta.world
    world.unassign(person(30))
    world.unassign(person(31))
    world.update_profile(person(0), givenName="Renamed")
    gone = world.user(person(30)).id
    synced.okta.faults.add("status", path=f"/users/{gone}", count=-1, status=403)

    result = synced.sync(code=4)

    assert result["summary"]["applied"] == {"update_user": 1, "deactivate_user": 1}
    assert person(30) in synced.actual_people()
    [waiting] = synced.run("status", "--json").document["failing"]
    assert (waiting["object"], waiting["kind"], waiting["attempts"]) == (person(30), "read", 1)
    synced.okta.faults.clear()
    synced.sync()
    assert synced.run("status", "--json").document["failing"] == []
    synced.assert_exact()
