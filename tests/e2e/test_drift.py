"""What was changed at Split behind syncd's back is found, explained and repaired; what nobody manages is left alone."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from syncd.simulators.split import SplitKnobs
from syncd.simulators.world import SplitWorld
from tests.e2e.rig import Rig, crew, rig
from tests.schema.judging import problems

WIDE = 'max_deactivations = "90%"\nmax_member_removals = "90%"\nmax_member_removals_per_group = "90%"'
REPAIRABLE = {
    "missing_user", "changed_user", "wrongly_active_user", "wrongly_inactive_user", "missing_group",
    "renamed_group", "missing_member", "extra_member",
}  # fmt: skip
UNMANAGED = {"unmanaged_user", "unmanaged_group"}


@pytest.fixture
def synced(tmp_path: Path) -> Iterator[Rig]:
    with rig(tmp_path, users=0, groups=0, pushed=["Crew", "Deck", "Hold"]) as made:
        world = made.okta.world
        people = [world.add_user(f"p{n:02}@example.com", "P", f"{n:02}", assign=True) for n in range(30)]
        world.create_group("Crew", members=people[:10])
        world.create_group("Deck", members=people[5:12])
        world.create_group("Hold", members=people[:3])
        made.write_config(safety=WIDE)
        made.sync()
        world.unassign(people[29])
        made.sync()
        made.forget()
        yield made


def drift(made: Rig, *args: str, code: int = 0) -> dict[str, Any]:
    return made.run("drift", "--json", *args, code=code).document


def ours(found: dict[str, Any]) -> list[dict[str, Any]]:
    """Without the accounts and groups that Split has of its own."""
    return [item for item in found["items"] if item["kind"] not in UNMANAGED]


def summary(found: dict[str, Any]) -> dict[str, int]:
    return {kind: count for kind, count in found["summary"].items() if kind not in UNMANAGED}


def tamper(made: Rig) -> None:
    """One of each kind, by hand."""
    split = made.split.world
    split.delete_user("p20@example.com")
    split.edit_user("p21@example.com", name={"givenName": "P", "familyName": "Tampered"})
    split.set_active("p29@example.com", active=True)
    split.set_active("p22@example.com", active=False)
    split.delete_group("Hold")
    split.rename_group("Deck", "Deckhands")
    split.remove_member("Crew", "p03@example.com")
    split.add_member("Crew", "p25@example.com")
    split.create_local_user("stranger@example.com", "Strange", "Er")
    split.create_local_group("Strangers", members=["stranger@example.com"])


def test_there_is_no_drift_after_a_sync(synced: Rig) -> None:
    found = drift(synced, "--detailed-exitcode")
    assert ours(found) == []
    assert found["compared"]["users"] == 30
    managed = synced.run("status", "--json").document["managed"]
    assert found["compared"]["memberships"] == managed["memberships"] > 0
    assert found["complete"]
    assert not synced.writes()


def test_one_of_each_kind_is_found_and_nothing_is_written(synced: Rig) -> None:
    tamper(synced)

    found = drift(synced, "--detailed-exitcode", code=2)

    assert summary(found) == dict.fromkeys(sorted(REPAIRABLE), 1)
    names = {item["object"]["name"] for item in found["items"] if item["kind"] in UNMANAGED}
    assert {"stranger@example.com", "Strangers", "Administrators"} <= names
    by_kind = {item["kind"]: item for item in found["items"]}
    changed = by_kind["changed_user"]
    assert changed["object"]["name"] == "p21@example.com"
    assert (changed["remembered"], changed["found"]) == (
        {"displayName": "P 21", "name.familyName": "21"}
        if "displayName" in changed["found"]
        else {"name.familyName": "21"},
        {"displayName": "P 21", "name.familyName": "Tampered"}
        if "displayName" in changed["found"]
        else {"name.familyName": "Tampered"},
    )
    assert by_kind["extra_member"]["object"]["group"] == "Crew"
    assert by_kind["extra_member"]["wanted"] == {"member": False}
    assert by_kind["renamed_group"]["found"] == {"displayName": "Deckhands"}
    assert all(by_kind[kind]["repair"] for kind in REPAIRABLE)
    assert not any(by_kind[kind]["repair"] for kind in UNMANAGED)
    assert not synced.writes()
    text = synced.run("drift").stdout
    assert "p21@example.com" in text
    assert "never touched" in text


def test_a_repair_mends_all_that_is_ours_and_the_next_look_finds_the_strangers_only(synced: Rig) -> None:
    tamper(synced)

    found = drift(synced, "--fix")

    assert found["run"]["status"] == "succeeded", found["run"]
    synced.assert_exact()
    again = drift(synced)
    assert {item["kind"] for item in again["items"]} == UNMANAGED
    world = synced.split.world
    assert world.user("stranger@example.com").active
    assert world.members("Strangers") == ["stranger@example.com"]
    synced.forget()
    synced.sync()
    assert not synced.writes(), "the repair left nothing undone"
    assert synced.run("audit", "verify", "--json").document["intact"]


def test_a_look_by_hand_is_remembered_as_a_comparison_with_what_it_found(synced: Rig) -> None:
    assert synced.run("status", "--json").document["drift"] is None
    tamper(synced)
    found = drift(synced)

    status = synced.run("status", "--json").document
    assert problems(status) == []
    assert status["drift"]["compared_at"] == found["created_at"]
    assert status["drift"]["summary"] == found["summary"]
    assert status["drift"]["differs"] == len(REPAIRABLE)
    assert len(status["drift"]["items"]) == 5
    assert status["runs"][0]["kind"] == "drift"
    text = synced.run("status").stdout
    assert f"syncd -c {synced.config} drift --fix" in text
    told = synced.run("report", "--format", "json").document["drift"]
    assert (told["comparisons"], told["last"]["created_at"]) == (1, found["created_at"])

    drift(synced, "--fix")
    after = synced.run("status", "--json").document["drift"]
    assert (after["repaired"], after["differs"], after["items"]) == (True, 0, [])
    assert "8 differences: 8 given back" in synced.run("status").stdout


def test_a_look_at_single_objects_is_no_comparison_and_one_without_a_store_makes_none(synced: Rig) -> None:
    drift(synced, "--user", "p21@example.com")
    assert synced.run("status", "--json").document["drift"] is None
    for file in synced.store.parent.iterdir():
        file.unlink()
    synced.store.parent.rmdir()
    drift(synced)
    assert not synced.store.exists()


def test_what_okta_wants_and_was_never_written_is_named_with_why(synced: Rig) -> None:
    world = synced.okta.world
    assert world.add_user("new@example.com", "New", "Hire", assign=True)
    failing = world.add_user("fails@example.com", "Fails", "Always", assign=True)
    world.add_member("Crew", failing)
    synced.split.faults.add("status", path=r"/Users", method="POST", count=-1, status=400)
    world.unassign("new@example.com")
    synced.sync(code=None)
    world.add_user("later@example.com", "Later", "Hire", assign=True)

    items = {item["object"]["name"]: item for item in ours(drift(synced)) if item["kind"] == "missing_user"}

    assert set(items) == {"fails@example.com", "later@example.com"}
    assert "it failed, and is tried again at" in items["fails@example.com"]["reason"]
    assert "no run has written it yet" in items["later@example.com"]["reason"]
    assert items["later@example.com"]["repair"] == "create it"
    assert items["later@example.com"]["remembered"] is None
    [member] = [item for item in ours(drift(synced)) if item["kind"] == "missing_member"]
    assert (member["object"]["name"], member["object"]["group"]) == ("fails@example.com", "Crew")
    assert "the person has no account yet" in member["reason"]
    status = synced.run("status", "--json").document["drift"]
    assert status["differs"] == 0, "what was never written is told by failures and holds, not as drift"


def test_who_gets_no_account_because_making_them_is_off_is_not_reported_as_missing(synced: Rig) -> None:
    synced.write_config(provisioning="create_users = false")
    new = synced.okta.world.add_user("new@example.com", "New", "Hire", assign=True)
    synced.okta.world.add_member("Crew", new)
    synced.sync()

    for narrowed in ([], ["--user", "new@example.com"]):
        found = synced.run("drift", "--detailed-exitcode", "--json", *narrowed, code=0).document
        assert ours(found) == []


def test_a_held_create_is_told_with_its_hold(synced: Rig) -> None:
    synced.write_config(safety="max_creations = 0")
    synced.okta.world.add_user("held@example.com", "Held", "Back", assign=True)
    for number in range(60):
        synced.okta.world.add_user(f"more{number:02}@example.com", "More", f"{number}", assign=True)
    [hold] = synced.sync(code=3)["holds"]

    reasons = [item["reason"] for item in ours(drift(synced))]

    assert len(reasons) == 61
    assert all(f"it is held by {hold['id']}" in reason for reason in reasons)


@pytest.mark.parametrize("narrowed", [(), ("--user", "p21@example.com")])
def test_what_is_held_or_fails_of_a_linked_account_is_told_with_why_and_is_no_drift(
    synced: Rig, narrowed: Sequence[str]
) -> None:
    synced.write_config(safety="max_deactivations = 0\nmax_member_removals = 0")
    world = synced.okta.world
    world.unassign("p21@example.com")
    world.remove_member("Crew", "p01@example.com")
    world.update_profile("p22@example.com", lastName="Wed")
    for method in ("PATCH", "PUT"):
        synced.split.faults.add("status", path=r"/Users/", method=method, count=-1, status=400)
    holds = synced.sync(code=None)["holds"]
    synced.split.reset_faults()

    found = {(item["kind"], item["object"]["name"]): item for item in ours(drift(synced, *narrowed))}

    left = found["wrongly_active_user", "p21@example.com"]
    assert (left["wanted"], left["remembered"], left["found"]) == (
        {"active": False},
        {"active": True},
        {"active": True},
    )
    assert any(f"it is held by {hold['id']}" in left["reason"] for hold in holds)
    assert left["repair"] == ""
    if narrowed:
        return
    renamed, member = found["changed_user", "p22@example.com"], found["extra_member", "p01@example.com"]
    assert renamed["wanted"]["name.familyName"] == "Wed"
    assert "it failed, and is tried again at" in renamed["reason"]
    assert member["object"]["group"] == "Crew"
    assert any(f"it is held by {hold['id']}" in member["reason"] for hold in holds)
    status = synced.run("status", "--json").document["drift"]
    assert (status["differs"], status["counts"]["never_written"]) == (0, 3)
    rows = len(synced.run("audit", "export").stdout.splitlines())
    synced.run("drift", "--fix", code=None)
    told = synced.run("audit", "export").stdout.splitlines()[rows:]
    assert not [line for line in told if "record_found" in line], "nothing was found to be taken over"


def test_a_repair_obeys_the_limits(synced: Rig) -> None:
    synced.write_config(safety='max_member_removals = "90%"\nmax_member_removals_per_group = "20%"')
    for number in range(20, 28):
        synced.split.world.add_member("Crew", f"p{number}@example.com")

    found = drift(synced, "--fix", code=3)

    assert "member_removals_per_group" in [hold["check"] for hold in found["run"]["holds"]]
    assert len(synced.actual_groups()["Crew"]) == 18


def test_accounts_that_are_gone_in_number_are_not_made_again(synced: Rig) -> None:
    for number in range(15):
        synced.split.world.delete_user(f"p{number:02}@example.com")
    users = len(synced.split.world.users)

    result = synced.run("drift", "--fix", "--json", code=1)

    assert "relink" in result.stderr
    assert len(synced.split.world.users) == users


def test_single_objects_are_compared_alone(synced: Rig) -> None:
    tamper(synced)
    found = drift(synced, "--user", "p21@example.com", "--user", "p03@example.com")
    assert found["summary"] == {"changed_user": 1, "missing_member": 1}
    found = drift(synced, "--group", "Crew")
    assert found["summary"] == {"extra_member": 1, "missing_member": 1}
    assert drift(synced, "--user", "p21@example.com", "--fix")["run"]["summary"]["applied"] == {
        "update_user": 1
    }
    assert drift(synced, "--user", "p21@example.com")["items"] == []


def test_what_okta_wants_by_now_is_no_drift_and_decides_the_repair(synced: Rig) -> None:
    world = synced.okta.world
    world.update_profile("p10@example.com", lastName="Married")
    assert ours(drift(synced)) == [], "a change in Okta that waits for a sync is no drift"
    world.remove_member("Crew", "p03@example.com")
    synced.split.world.remove_member("Crew", "p03@example.com")
    [item] = ours(drift(synced))
    assert (item["kind"], item["wanted"], item["repair"]) == ("missing_member", {"member": False}, "")


def test_a_server_that_hides_members_or_cuts_its_lists_short_cannot_be_judged(tmp_path: Path) -> None:
    knobs = SplitKnobs(members_in_lists=False, max_count=7)
    with rig(tmp_path, users=20, groups=4, knobs=knobs) as made:
        made.sync()
        assert ours(drift(made)) == []
    (tmp_path / "b").mkdir()
    with rig(tmp_path / "b", users=20, groups=4, knobs=SplitKnobs(members_shown=False)) as made:
        made.sync()
        assert {item["kind"] for item in ours(drift(made))} == {"unknown"}


def test_an_incomplete_read_of_okta_is_no_drift(synced: Rig) -> None:
    synced.okta.faults.add("status", path=r"/users\?", count=-1, status=503)
    found = drift(synced, code=1)
    assert found["complete"] is False
    assert ours(found) == []
    assert not synced.writes()


@pytest.fixture
def pushed_by_okta(tmp_path: Path) -> Iterator[Rig]:
    """Okta provisions this app itself; syncd has never run."""
    with crew(tmp_path, people=20, members=6) as made:
        world = made.okta.world
        gone = world.add_user("gone@example.com", "Go", "Ne", assign=True)
        made.sync()
        world.unassign(gone)
        made.sync()
        for file in made.store.parent.iterdir():
            file.unlink()
        made.store.parent.rmdir()
        world.set_app(features=["PUSH_NEW_USERS", "PUSH_PROFILE_UPDATES", "GROUP_PUSH"])
        made.forget()
        yield made


def test_beside_oktas_own_push_exactly_what_was_changed_by_hand_is_found(pushed_by_okta: Rig) -> None:
    made = pushed_by_okta
    assert ours(drift(made)) == []
    split = made.split.world
    split.edit_user("p01@example.com", name={"givenName": "P", "familyName": "Tampered"})
    split.set_active("p02@example.com", active=False)
    split.delete_user("p19@example.com")
    split.set_active("gone@example.com", active=True)
    split.remove_member("Crew", "p03@example.com")
    split.add_member("Crew", "p10@example.com")

    found = drift(made)

    assert summary(found) == {
        "changed_user": 1, "extra_member": 1, "missing_member": 1, "missing_user": 1,
        "wrongly_active_user": 1, "wrongly_inactive_user": 1,
    }  # fmt: skip
    assert all(item["remembered"] is None for item in found["items"])
    assert made.run("drift", "--detailed-exitcode", code=2).stdout
    assert not made.writes()
    assert {request.method for request in made.okta.requests} == {"GET"}
    assert not made.store.parent.exists()
    made.run("drift", "--fix", "--json", code=3)
    assert not made.writes()


def test_the_document_is_sorted_and_stable(synced: Rig) -> None:
    tamper(synced)
    first, second = drift(synced), drift(synced)
    for document in (first, second):
        document.pop("created_at")
    assert json.dumps(first) == json.dumps(second)


def test_who_left_while_the_store_was_lost_is_found_under_the_okta_id(synced: Rig) -> None:
    for file in synced.store.parent.iterdir():
        file.unlink()
    gone = synced.okta.world.user("p15@example.com").id
    synced.okta.world.unassign("p15@example.com")
    synced.sync()

    [item] = ours(drift(synced, "--detailed-exitcode", code=2))

    assert (item["kind"], item["object"]["okta_id"]) == ("wrongly_active_user", gone)
    assert item["repair"] == ""
    assert "not managed" in item["reason"]


@pytest.mark.parametrize(
    "knobs",
    [SplitKnobs(members_empty=True), SplitKnobs(members_shown=False), SplitKnobs(members_ignored=True)],
    ids=["empty", "absent", "ignored"],
)
def test_members_that_are_never_shown_are_sent_once_and_then_unknown(
    knobs: SplitKnobs, tmp_path: Path
) -> None:
    """Hidden or ignored: that cannot be told, so nobody is called missing and nothing is sent for ever."""
    world = SplitWorld(flavor="scim")  # without a group that would prove that this server shows members
    with rig(tmp_path, split=world, users=20, groups=4, knobs=knobs) as made:
        made.sync()
        made.forget()
        again = made.sync()
        assert (again["status"], made.writes()) == ("succeeded", [])
        found = drift(made)
        assert {item["kind"] for item in ours(found)} == {"unknown"}
        made.run("drift", "--fix", "--json")
        assert made.writes() == []

        leaver = next(iter(made.okta.world.group("Engineering").members))
        made.okta.world.remove_member("Engineering", leaver)
        made.sync()
        assert [line.split()[0] for line in made.writes() if "/Groups/" in line] == ["PATCH"]


def test_members_behind_a_list_that_is_cut_short_are_unknown_and_an_extra_one_is_found(
    tmp_path: Path,
) -> None:
    with rig(tmp_path, users=40, groups=4, knobs=SplitKnobs(members_shown_at_most=3)) as made:
        made.sync()
        made.assert_exact()
        world = made.split.world
        engineering = next(group for group in world.groups.values() if group.name == "Engineering")
        assert len(engineering.members) > 3, "else nothing is cut"
        assert {item["kind"] for item in ours(drift(made))} == {"unknown"}
        outsider = next(
            user.user_name
            for user in world.users.values()
            if user.external_id and user.id not in engineering.members
        )
        world.set_members(engineering, [*[world.user(outsider).id], *engineering.members])

        found = [(item["kind"], item["object"]["name"]) for item in ours(drift(made))]

        assert ("extra_member", outsider) in found
        assert "missing_member" not in {kind for kind, _ in found}
