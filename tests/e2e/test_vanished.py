"""A write that meets an object that is gone does nothing that the next plan would not do by its own rules."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from syncd.simulators.split_entities import ScimUser
from syncd.simulators.split_world import SplitWorld
from tests.e2e.rig import Rig, rig

NAME = "gone@example.com"


@pytest.fixture
def synced(tmp_path: Path) -> Iterator[Rig]:
    """Thirty people and one more, whose name has just been changed in Okta and whose account in Split is gone."""
    with rig(tmp_path, users=30, groups=2) as made:
        made.okta.world.add_user(NAME, "Go", "Ne", assign=True, groups=["Product"])
        made.sync()
        made.okta.world.update_profile(NAME, givenName="Renamed", firstName="Renamed")
        made.split.world.delete_user(NAME)
        made.forget()
        yield made


def okta_id(made: Rig) -> str:
    return str(made.okta.world.user(NAME).id)


def appears(made: Rig, name: str = NAME, *, mark: str | None = None, active: bool = True) -> ScimUser:
    """An account that somebody else made, or the same one under another id."""
    made.split.world.create_local_user(name, "Some", "Body", active=active)
    if mark:
        made.split.world.edit_user(name, externalId=mark)
    return made.split.world.user(name)


def copy_of(user: ScimUser) -> tuple[dict[str, Any], bool]:
    return dict(user.attributes), user.active


def posts(made: Rig) -> list[str]:
    return [write for write in made.writes() if write.startswith("POST")]


def test_nobody_else_is_there_so_the_account_is_made_again_at_once(synced: Rig) -> None:
    result = synced.sync()

    assert result["summary"]["applied"]["update_user"] == 1
    assert synced.split.world.user(NAME).external_id == okta_id(synced)
    synced.sync()
    synced.assert_exact()


def test_our_own_account_under_another_id_is_taken_and_brought_up_to_date(synced: Rig) -> None:
    ours = appears(synced, mark=okta_id(synced))

    synced.sync()

    assert ours.attributes["name"]["givenName"] == "Renamed"
    assert posts(synced) == []
    synced.sync()
    synced.assert_exact()


def test_our_own_account_is_left_as_it_is_where_updates_are_off(synced: Rig) -> None:
    """A person who comes back is still reactivated, and their account may be gone then."""
    someone = synced.okta.world.add_user("back@example.com", "Ba", "Ck", assign=True)
    synced.sync(code=None)
    synced.okta.world.unassign(someone)
    synced.sync(code=None)
    synced.split.world.delete_user("back@example.com")
    synced.split.world.create_local_user("back@example.com", "Their", "Words")
    synced.split.world.edit_user("back@example.com", externalId=someone)
    synced.okta.world.assign(someone)
    synced.write_config(provisioning="update_users = false")

    synced.sync(code=None)

    there = synced.split.world.user("back@example.com")
    assert there.attributes["name"] == {"givenName": "Their", "familyName": "Words"}
    assert "back@example.com" in synced.actual_people()


@pytest.mark.parametrize("mark", [None, "00uSomebodyElse"])
@pytest.mark.parametrize("active", [True, False])
def test_a_strangers_account_is_neither_taken_nor_doubled_while_writing(
    mark: str | None, active: bool, synced: Rig
) -> None:
    theirs = appears(synced, mark=mark, active=active)
    before = copy_of(theirs)

    result = synced.sync(code=4)

    assert result["summary"]["failed"] == {"update_user": 1}
    assert copy_of(theirs) == before
    assert posts(synced) == []
    assert not [write for write in synced.writes() if theirs.id in write]


def test_the_next_plan_takes_a_free_account_by_its_own_rules(synced: Rig) -> None:
    theirs = appears(synced)
    synced.sync(code=4)

    assert [change["kind"] for change in synced.plan()["changes"]][:1] == ["adopt_user"]
    synced.sync()
    assert theirs.external_id == okta_id(synced)
    synced.assert_exact()


@pytest.mark.parametrize("mine", [True, False])
def test_an_inactive_account_is_woken_by_nobody_but_a_person(mine: bool, synced: Rig) -> None:
    asleep = appears(synced, mark=okta_id(synced) if mine else None, active=False)

    synced.sync(code=4)
    assert not asleep.active
    synced.sync(code=3)
    assert not asleep.active

    synced.run("approve", "--all", "--now")
    assert asleep.active


def test_an_account_in_other_letters_is_a_conflict_and_no_reason_for_a_twin(synced: Rig) -> None:
    appears(synced, NAME.title())

    synced.sync(code=4)
    result = synced.sync()

    assert posts(synced) == []
    assert "letter case" in next(skip["reason"] for skip in result["skipped"] if skip["kind"] == "conflict")


def test_an_account_that_we_manage_for_somebody_else_is_not_taken_whatever_mark_it_carries(
    synced: Rig,
) -> None:
    other = min(set(synced.actual_people()) - {NAME})
    synced.split.world.edit_user(other, externalId=okta_id(synced))
    before = copy_of(synced.split.world.user(other))

    synced.sync(code=4)

    assert copy_of(synced.split.world.user(other)) == before
    assert posts(synced) == []


def test_nobody_is_made_again_where_creating_is_off(synced: Rig) -> None:
    synced.write_config(provisioning="create_users = false")

    result = synced.sync(code=4)

    assert "create_users is off" in result["errors"][0]["message"]
    assert posts(synced) == []
    assert "create_off" in [skip["kind"] for skip in synced.sync(code=None)["skipped"]]
    assert posts(synced) == []


def test_a_name_that_is_taken_in_the_last_moment_is_no_reason_to_keep_a_dead_id(synced: Rig) -> None:
    synced.split.faults.add("status", method="POST", path="/Users", count=1, status=409)

    result = synced.sync(code=4)

    assert "409" in result["errors"][0]["message"]
    assert synced.sync()["summary"]["applied"]["create_user"] == 1
    synced.assert_exact()


def test_an_account_that_is_listed_but_cannot_be_read_keeps_its_id(synced: Rig) -> None:
    """Some servers forget in one place first."""
    user = min(set(synced.actual_people()) - {NAME})
    there = synced.split.world.user(user)
    synced.okta.world.update_profile(str(there.external_id), firstName="Other")
    synced.split.faults.add("status", path=f"/Users/{there.id}", count=-1, status=404)

    result = synced.sync(code=4)

    assert "cannot be read" in next(e["message"] for e in result["errors"] if e["object"] == user)
    synced.split.faults.clear()
    synced.run("retry")
    synced.sync()
    synced.assert_exact()


@pytest.fixture
def renamed(tmp_path: Path) -> Iterator[Rig]:
    """A pushed group, renamed in Okta by a rule that follows renames."""
    rules = '[[push_groups]]\nsource = { name_contains = "Engineer" }\nrename = true\n'
    with rig(tmp_path, users=30, groups=0, pushed=["Engineering"], split=SplitWorld(flavor="scim")) as made:
        made.okta.world.create_group("Engineering", members=list(made.okta.world.app_users)[:9])
        made.write_config(rules=rules)
        made.sync()
        made.okta.world.rename_group("Engineering", "Engineers")
        made.pushed[:] = ["Engineers"]
        yield made


def test_a_rename_of_a_group_that_is_gone_is_no_success_and_the_group_is_made_again(renamed: Rig) -> None:
    renamed.split.world.delete_group("Engineering")

    result = renamed.sync(code=4)

    assert result["summary"]["failed"] == {"rename_group": 1}
    assert result["summary"]["applied"] == {}
    result = renamed.sync()
    assert result["summary"]["applied"]["create_group"] == 1
    renamed.assert_exact()


def test_a_group_that_a_gateway_hides_for_a_moment_is_renamed_later(renamed: Rig) -> None:
    identity = renamed.split.world.group("Engineering").id
    for method in ("PATCH", "PUT"):
        renamed.split.faults.add("status", method=method, path="/Groups/", count=-1, status=404)

    assert renamed.sync(code=4)["summary"]["failed"] == {"rename_group": 1}

    renamed.split.faults.clear()
    renamed.run("retry")
    renamed.sync()
    assert renamed.split.world.group("Engineers").id == identity
    renamed.assert_exact()


def test_a_person_whom_a_gateway_hides_for_a_moment_is_never_made_again(synced: Rig) -> None:
    synced.sync()
    user = min(set(synced.actual_people()) - {NAME})
    identity = synced.split.world.user(user).id
    synced.okta.world.update_profile(str(synced.split.world.user(user).external_id), firstName="Hidden")
    synced.forget()
    for method in ("PATCH", "PUT"):
        synced.split.faults.add("status", method=method, path="/Users/", count=-1, status=404)

    assert synced.sync(code=4)["summary"]["failed"] == {"update_user": 1}
    assert posts(synced) == []

    synced.split.faults.clear()
    synced.run("retry")
    synced.sync()
    assert synced.split.world.user(user).id == identity
    synced.assert_exact()
