"""What happened to users of other tools, and does not happen here. Each test is named after the story."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from syncd.simulators.split import SplitKnobs
from syncd.simulators.world import SplitWorld
from tests.e2e.rig import Rig, rig


@pytest.fixture
def synced(tmp_path: Path) -> Iterator[Rig]:
    with rig(tmp_path, users=30, groups=4) as made:
        made.split.world.create_local_user("owner@split.example")
        made.split.world.create_local_group("release-managers")
        made.sync()
        made.forget()
        yield made


def everything(made: Rig) -> tuple[dict[str, tuple[str, str]], dict[str, list[str]]]:
    return made.actual_people(), made.actual_groups()


def test_a_cycle_that_detects_no_users_removes_nobody(synced: Rig) -> None:
    before = everything(synced)
    synced.okta.faults.add("empty_page", path="/users", count=-1)
    synced.sync(code=None)
    assert everything(synced) == before


def test_an_app_that_is_really_empty_is_held(synced: Rig) -> None:
    before = everything(synced)
    synced.write_config(safety='max_deactivations = "100%"\nmax_member_removals = "100%"')
    for user in list(synced.okta.world.app_users):
        synced.okta.world.unassign(user, everywhere=True)
    result = synced.sync(code=3)
    assert "empty_app" in {hold["check"] for hold in result["holds"]}
    assert everything(synced) == before


def test_a_503_on_the_groups_deletes_no_group(synced: Rig) -> None:
    before = everything(synced)
    synced.okta.faults.add("status", path="/api/v1/groups", count=-1, status=503)
    synced.sync("--full", code=1)
    assert everything(synced) == before


def test_a_503_on_a_single_user_removes_nobody(synced: Rig) -> None:
    world = synced.okta.world
    leaver = world.add_user("leaver@example.com", "Lea", "Ver", assign=True)
    synced.sync()
    before = everything(synced)
    world.unassign(leaver)
    synced.okta.faults.add("status", path=f"/users/{leaver}", count=-1, status=503)
    result = synced.sync(code=1)
    assert everything(synced) == before
    assert "unconfirmed" in result["summary"]["skipped"]


def test_members_are_not_removed_from_random_groups_by_a_short_page(synced: Rig) -> None:
    before = everything(synced)
    synced.okta.faults.add("omit_record", path=r"/groups/[^/]+/users", count=1, index=0)
    synced.sync("--full")
    assert everything(synced) == before


def test_a_redirect_that_gives_zero_accounts_is_no_answer(synced: Rig) -> None:
    before = everything(synced)
    synced.okta.faults.add("redirect", path="/users", count=-1, location="/login", status=302)
    synced.sync(code=1)
    assert everything(synced) == before


def test_a_filter_that_matches_nothing_empties_nothing(synced: Rig) -> None:
    before = everything(synced)
    synced.write_config(rules='[[push_groups]]\nsource = { name = "Enginering" }')
    synced.sync(code=None)
    assert everything(synced) == before


def test_push_now_on_an_emptied_group_revokes_nothing(synced: Rig) -> None:
    before = everything(synced)
    for member in list(synced.okta.world.group("Product").members):
        synced.okta.world.remove_member("Product", member)
    result = synced.sync("--full", code=3)
    assert "emptied_group" in {hold["check"] for hold in result["holds"]}
    assert synced.actual_groups() == before[1]


def test_groups_that_nobody_pushed_are_never_touched(synced: Rig) -> None:
    names = {group.name for group in synced.split.world.groups.values()}
    synced.sync("--full")
    assert {"release-managers", "Administrators"} <= names
    assert {group.name for group in synced.split.world.groups.values()} == names


def test_a_user_that_was_never_provisioned_is_never_deactivated(synced: Rig) -> None:
    owner = synced.split.world.user("owner@split.example")
    stranger = synced.okta.world.add_user("owner@split.example", "Ow", "Ner", status="SUSPENDED")
    synced.okta.world.set_user_status(stranger, "DEPROVISIONED")
    synced.sync()
    assert synced.split.world.user("owner@split.example").active
    assert owner.external_id is None


def test_a_rename_is_no_delete_and_create(tmp_path: Path) -> None:
    with rig(tmp_path, split=SplitWorld(flavor="scim"), users=10, groups=2) as made:
        made.write_config(rules='[[push_groups]]\nsource = { name_contains = "ngineer" }\nrename = true')
        made.sync()
        before = made.split.world.group("Engineering").id
        made.okta.world.rename_group("Engineering", "Engineers")
        made.sync()
        assert made.split.world.group("Engineers").id == before


def test_a_changed_email_leaves_no_leftover_account(synced: Rig) -> None:
    world = synced.okta.world
    accounts = len(synced.split.world.users)
    world.update_profile(next(iter(world.app_users)), email="married@example.com")
    synced.sync()
    synced.assert_exact()
    assert len(synced.split.world.users) == accounts


def test_a_deactivation_follows_a_profile_push_that_failed(synced: Rig) -> None:
    world = synced.okta.world
    someone = world.add_user("moody@example.com", "Mo", "Ody", assign=True)
    synced.sync()
    synced.split.faults.add("status", method="P(ATCH|UT)", path="/Users/", count=-1, status=400)
    synced.split.faults.add("status", method="PATCH", path="/Users/", count=-1, status=400)
    synced.split.faults.add("status", method="PUT", path="/Users/", count=-1, status=400)
    world.update_profile(someone, firstName="Moved")
    synced.sync(code=4)
    synced.split.faults.clear()
    world.unassign(someone)
    synced.sync()
    assert "moody@example.com" not in synced.actual_people()


def test_a_list_capped_at_twenty_makes_no_twin(tmp_path: Path) -> None:
    with rig(tmp_path, users=70, groups=2, knobs=SplitKnobs(max_count=20, ignore_paging=True)) as made:
        made.sync()
        for file in made.store.parent.glob("acme.db*"):
            file.unlink()
        made.sync()
        made.assert_exact()


def test_a_group_that_answers_200_and_stores_no_member_is_not_called_done(tmp_path: Path) -> None:
    knobs = SplitKnobs(patch_groups=False, put_ignores_members=True)
    with rig(tmp_path, users=20, groups=2, knobs=knobs) as made:
        result = made.sync(code=None)
        assert result["status"] != "succeeded"
        assert "add_member" in result["summary"]["failed"]


def test_a_dry_run_works_when_somebody_has_to_be_created(synced: Rig) -> None:
    synced.okta.world.add_user("new@example.com", "New", "Hire", assign=True)
    document = synced.run("sync", "--dry-run", "--json").document
    assert [change["kind"] for change in document["changes"]] == ["create_user"]
    assert synced.writes() == []


def test_letter_case_makes_no_second_person(synced: Rig) -> None:
    synced.split.set_knobs(case_sensitive=False)
    synced.split.world.create_local_user("Mixed.Case@example.com")
    synced.okta.world.add_user("mixed.case@example.com", "Mixed", "Case", assign=True)
    result = synced.sync()
    assert "letter case" in next(skip["reason"] for skip in result["skipped"] if skip["kind"] == "conflict")
    assert "mixed.case@example.com" not in {user.user_name for user in synced.split.world.users.values()}


def test_two_machines_with_different_settings_do_not_undo_each_other(synced: Rig) -> None:
    before = everything(synced)
    synced.write_config(rules="")
    synced.sync()
    assert everything(synced) == before


def test_a_failing_object_does_not_stop_the_others(synced: Rig) -> None:
    for number in range(5):
        synced.okta.world.add_user(f"n{number}@example.com", "N", str(number), assign=True)
    synced.split.faults.add("status", method="POST", path="/Users", count=1, status=400)
    result = synced.sync(code=4)
    assert result["summary"]["applied"]["create_user"] == 4
