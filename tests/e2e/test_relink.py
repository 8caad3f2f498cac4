"""SCIM was switched off and on again: nobody is made twice, and relink finds everybody."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from syncd.simulators.split import SplitKnobs
from tests.e2e.rig import SPLIT_TOKEN, Rig, rig


def off_and_on(made: Rig) -> None:
    made.split.world.disable_scim()
    made.split.world.enable_scim(SPLIT_TOKEN)


def make_again(made: Rig, *names: str) -> None:
    """Split's administrators delete accounts and make them anew: the same names, other ids, in no group."""
    world = made.split.world
    for name in names:
        user = world.user(name)
        was_active, said = user.active, user.attributes["name"]
        world.delete_user(name)
        world.create_local_user(name, said["givenName"], said["familyName"], active=was_active)


def make_all_again(made: Rig) -> None:
    off_and_on(made)
    make_again(made, *[user.user_name for user in list(made.split.world.users.values())])
    for group in list(made.split.world.groups.values()):
        if group.name in made.pushed:
            made.split.world.delete_group(group.id)
            made.split.world.create_local_group(group.name)


def people(made: Rig) -> dict[str, tuple[str, str]]:
    """As the oracle's `actual_people`, whoever gave the accounts their externalIds."""
    return {
        user.user_name: (user.attributes["name"]["givenName"], user.attributes["name"]["familyName"])
        for user in made.split.world.users.values()
        if user.active and user.user_name.endswith("example.com") and user.user_name != "admin@example.com"
    }


def assert_exact(made: Rig) -> None:
    assert {name: people(made).get(name) for name in made.wanted_people()} == made.wanted_people()
    assert made.actual_groups() == made.wanted_groups()
    names = [user.user_name for user in made.split.world.users.values()]
    assert len(names) == len(set(names)), "twins at the target"
    groups = [group.name for group in made.split.world.groups.values()]
    assert len(groups) == len(set(groups)), "twin groups at the target"


def relink(made: Rig, *args: str, code: int | None = 0) -> dict[str, Any]:
    return made.run("relink", "--json", *args, code=code).document


def skipped(document: dict[str, Any]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for skip in document["skipped"]:
        found.setdefault(skip["kind"], []).append(skip["name"])
    return found


def change_somebody(made: Rig) -> str:
    """Somebody is renamed in Okta; returns their userName."""
    world = made.okta.world
    okta_id = min(user for user in world.app_users if world.app_users[user].profile["email"] in people(made))
    world.update_profile(okta_id, firstName="Renamed")
    return str(world.app_users[okta_id].profile["email"])


# SCIM off and on: the accounts survive


def test_accounts_that_kept_their_ids_are_unchanged_and_the_next_sync_makes_nobody_twice(synced: Rig) -> None:
    synced.split.world.disable_scim()
    name = change_somebody(synced)
    synced.run("sync", "--json", code=1)
    synced.split.world.enable_scim(SPLIT_TOKEN)
    synced.forget()

    answer = synced.run("relink", "--yes")

    assert "0 moved, 0 missing, 0 in conflict" in answer.stdout
    assert "nothing to store" in answer.stdout
    assert synced.okta.requests == []
    assert {r.method for r in synced.split.requests} == {"GET"}
    result = synced.sync()
    assert result["summary"]["applied"] == {"update_user": 1}
    assert people(synced)[name][0] == "Renamed"
    assert_exact(synced)


def test_relink_while_scim_is_off_fails_and_stores_nothing(synced: Rig) -> None:
    synced.split.world.disable_scim()
    before = synced.run("status", "--json").document["managed"]

    answer = synced.run("relink", "--yes", "--json", code=1)

    assert answer.document["schema"] == "syncd.error/1"
    assert synced.run("status", "--json").document["managed"] == before


# all ids are new


def test_a_sync_stops_before_anybody_is_made_again_and_waits_for_relink(synced: Rig) -> None:
    make_all_again(synced)
    for _ in range(3):
        change_somebody(synced)
    count = len(synced.split.world.users)
    synced.forget()

    result = synced.sync(code=1)

    assert result["quarantine"]["side"] == "relink"
    assert "are gone" in result["errors"][-1]["message"] or "so are" in result["errors"][-1]["message"]
    assert len(synced.split.world.users) == count
    assert not [write for write in synced.writes() if write.startswith(("POST", "PUT"))]
    for _ in range(2):
        synced.forget()
        answer = synced.run("sync", code=1)
        assert f"syncd -c {synced.config} relink" in re.sub(r"\s+", " ", answer.stderr)
        assert synced.split.requests == []
        assert synced.okta.requests == []
    assert synced.run("status", "--json").document["state"] == "quarantined"


def test_relink_shows_everybody_as_moved_and_the_sync_after_it_is_exact_without_twins(synced: Rig) -> None:
    make_all_again(synced)
    change_somebody(synced)
    synced.sync(code=1)
    managed = synced.run("status", "--json").document["managed"]
    synced.forget()

    shown = relink(synced)

    assert (shown["schema"], shown["kind"]) == ("syncd.plan/1", "relink")
    assert shown["summary"]["adopt_user"] == managed["users"]
    assert shown["summary"]["link_group"] == 2
    assert shown["skipped"] == []
    world = synced.split.world
    for change in shown["changes"]:
        assert change["kind"] in ("adopt_user", "link_group")
        assert change["before"]["scim_id"] != change["after"]["scim_id"] == change["scim_id"]
        there = world.users.get(change["scim_id"]) or world.groups[change["scim_id"]]
        assert change["name"] == getattr(there, "user_name", getattr(there, "name", None))
    assert synced.run("status", "--json").document["state"] == "quarantined", "it only showed"

    assert relink(synced, "--yes")["changes"] == shown["changes"]
    assert synced.writes() == []
    assert synced.okta.requests == []
    assert synced.run("status", "--json").document["state"] == "left_out", "two of its groups want one name"
    result = synced.sync()
    assert "create_user" not in result["summary"]["applied"]
    assert "create_group" not in result["summary"]["applied"]
    assert_exact(synced)
    assert synced.sync()["summary"]["applied"] == {}


def test_what_relink_stored_can_be_read_in_the_audit_trail(synced: Rig) -> None:
    make_all_again(synced)
    relink(synced, "--yes")

    exported = [json.loads(line) for line in synced.run("audit", "export").stdout.splitlines()]
    [run_id] = [row["run_id"] for row in exported if row["kind"] == "relink"]
    rows = Counter((row["entry"], row["kind"]) for row in exported if row["run_id"] == run_id)
    users = synced.run("status", "--json").document["managed"]["users"]
    assert rows == {
        ("intent", "adopt_user"): users,
        ("intent", "link_group"): 2,
        ("note", "relink"): 1,
        ("note", "run"): 1,
        ("outcome", "adopt_user"): users,
        ("outcome", "link_group"): 2,
    }


def test_a_leaver_is_deactivated_under_the_new_id(synced: Rig) -> None:
    """A deactivation that meets a vanished id is not taken for done while everybody vanished."""
    name = "leaver@example.com"
    leaver = synced.okta.world.add_user(name, "Lea", "Ver", assign=True)
    synced.sync()
    make_all_again(synced)
    synced.okta.world.unassign(leaver)

    assert synced.sync(code=1)["quarantine"]["side"] == "relink"
    relink(synced, "--yes")
    synced.sync()

    assert synced.split.world.user(name).active is False
    assert_exact(synced)


def test_a_vanished_group_is_not_made_again_while_the_others_vanished_too(tmp_path: Path) -> None:
    with rig(tmp_path, users=30, groups=4, pushed=["Engineering", "Product", "Design"]) as made:
        made.sync()
        make_all_again(made)
        made.okta.world.add_user("joins@example.com", "Jo", "Ins", assign=True, groups=["Product"])
        groups = sorted(made.split.world.groups)

        assert made.sync(code=1)["quarantine"]["side"] == "relink"

        assert sorted(made.split.world.groups) == groups
        relink(made, "--yes")
        made.sync()
        assert_exact(made)


def test_a_target_that_answers_404_to_everything_lost_nobody_and_heals_by_itself(tmp_path: Path) -> None:
    with rig(tmp_path, users=30, groups=2, knobs=SplitKnobs(disabled_status=404)) as made:
        made.sync()
        made.split.world.disable_scim()
        change_somebody(made)

        assert made.sync(code=1)["quarantine"]["side"] == "split"

        made.split.world.enable_scim(SPLIT_TOKEN)
        assert made.sync()["summary"]["applied"] == {"update_user": 1}
        assert_exact(made)


def test_a_single_account_that_vanished_is_made_again_at_once(synced: Rig) -> None:
    name = change_somebody(synced)
    synced.split.world.delete_user(name)

    result = synced.sync()

    assert result["quarantine"] is None
    assert synced.split.world.user(name).active
    synced.sync()
    assert_exact(synced)


# some are gone


def test_half_of_them_deleted_is_reported_as_missing_and_exactly_those_are_made_again(synced: Rig) -> None:
    off_and_on(synced)
    gone = sorted(synced.wanted_people())[::2]
    for name in gone:
        synced.split.world.delete_user(name)
    kept = {user.id for user in synced.split.world.users.values()}

    shown = relink(synced, "--yes")

    assert skipped(shown) == {"missing": gone}
    assert shown["changes"] == []
    trail = [json.loads(row) for row in synced.run("audit", "export").stdout.splitlines()]
    forgotten = [row["details"]["users"] for row in trail if row["kind"] == "forget"]
    assert [sorted(each) for each in forgotten] == [sorted(skip["okta_id"] for skip in shown["skipped"])]
    assert [row["details"]["by"] for row in trail if row["kind"] == "relink"]
    synced.run("audit", "verify")
    result = synced.sync()
    assert result["summary"]["applied"]["create_user"] == len(gone)
    assert "update_user" not in result["summary"]["applied"]
    assert kept <= set(synced.split.world.users)
    assert_exact(synced)


def test_members_who_moved_come_back_into_a_group_that_stayed(
    synced: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("syncd.store.state.PAGE", 7)
    monkeypatch.setattr("syncd.engine.cycles.rematch.BATCH", 3)
    off_and_on(synced)
    moved = synced.wanted_groups()["Product"][:3]
    assert moved
    make_again(synced, *moved)

    shown = relink(synced, "--yes")

    assert sorted(change["name"] for change in shown["changes"]) == sorted(moved)
    result = synced.sync()
    assert "create_user" not in result["summary"]["applied"]
    assert_exact(synced)


def test_an_account_that_is_somebody_elses_now_is_a_conflict_and_never_touched(synced: Rig) -> None:
    off_and_on(synced)
    name = min(synced.wanted_people())
    make_again(synced, name)
    synced.split.world.edit_user(name, externalId="00uSomebodyElse")
    theirs = dict(synced.split.world.user(name).attributes)

    shown = relink(synced, "--yes")

    assert skipped(shown) == {"conflict": [name]}
    assert "00uSomebodyElse" in shown["skipped"][0]["reason"]
    synced.forget()
    plan = synced.sync()
    assert [skip["name"] for skip in plan["skipped"] if skip["kind"] == "conflict"] == [name]
    assert synced.split.world.user(name).attributes == theirs
    assert not [write for write in synced.writes() if "/Users" in write]


def test_an_id_that_is_used_again_for_somebody_else_is_not_taken_for_the_same_person(synced: Rig) -> None:
    """Two accounts with each other's ids: both are found by name, and nobody loses theirs to the other."""
    off_and_on(synced)
    world = synced.split.world
    first, second = (world.user(name) for name in sorted(synced.wanted_people())[:2])
    ours, theirs = dict(first.attributes), dict(second.attributes)
    world.replace_user(first, {**theirs, "userName": "between"}, active=True)
    world.replace_user(second, ours, active=True)
    world.replace_user(first, theirs, active=True)

    shown = relink(synced, "--yes")

    assert {change["scim_id"] for change in shown["changes"]} == {first.id, second.id}
    assert shown["skipped"] == []
    assert relink(synced)["changes"] == []
    synced.sync()
    assert_exact(synced)


def test_without_a_complete_list_everybody_is_asked_for_by_id_and_name(tmp_path: Path) -> None:
    """A server that always shows its first page: what is not in it is not gone."""
    with rig(tmp_path, users=25, groups=2, knobs=SplitKnobs(ignore_paging=True, max_count=10)) as made:
        made.sync()
        off_and_on(made)
        names = sorted(made.wanted_people())
        make_again(made, *names[:8])
        for name in names[8:12]:
            made.split.world.delete_user(name)
        made.forget()

        shown = relink(made, "--yes")

        assert sorted(change["name"] for change in shown["changes"]) == names[:8]
        assert skipped(shown) == {"missing": names[8:12]}
        assert made.writes() == []
        made.sync()
        assert_exact(made)


# asking, exit codes


def test_without_a_terminal_and_without_yes_it_is_a_usage_error(synced: Rig) -> None:
    answer = synced.run("relink", code=64)

    assert "--yes" in answer.stderr
    assert synced.split.requests == []


def test_what_a_relink_shows_is_no_plan_to_apply(synced: Rig, tmp_path: Path) -> None:
    make_all_again(synced)
    file = tmp_path / "shown.json"
    file.write_text(synced.run("relink", "--json").stdout)

    answer = synced.run("apply", str(file), code=64)

    assert "is what a relink found" in answer.stderr
    assert "syncd relink --yes" in answer.stderr.replace(f"-c {synced.config} ", "")
    assert synced.writes() == []


def test_what_is_not_approved_is_not_stored(synced: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    make_all_again(synced)
    gone = min(synced.wanted_people())
    synced.split.world.delete_user(gone)
    monkeypatch.setattr("syncd.cli.relink.can_ask", lambda: True)
    monkeypatch.setattr("syncd.cli.session.Session.confirm", lambda *_: False)

    answer = synced.run("relink", code=3)

    assert re.search(r"Moved.*→.*Missing \(1\).*" + re.escape(gone), answer.stdout, re.DOTALL)
    assert "Groups: 0 unchanged, 2 moved, 0 missing, 0 in conflict." in answer.stdout
    assert relink(synced)["summary"]["link_group"] == 2

    monkeypatch.setattr("syncd.cli.session.Session.confirm", lambda *_: True)
    synced.run("relink")
    assert relink(synced)["changes"] == []


def test_only_looking_needs_no_lock_and_no_okta_token(synced: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("E2E_OKTA")
    before = synced.store.read_bytes()

    shown = relink(synced)

    assert shown["changes"] == shown["skipped"] == []
    assert synced.store.read_bytes() == before
    assert synced.writes() == []


def test_who_moved_has_access_since_when_and_why_they_had_it_and_counts_as_nobody_added(synced: Rig) -> None:
    def access() -> dict[tuple[str, str | None], tuple[str | None, str | None]]:
        rows = synced.run("report", "--format", "json").document["access"]
        return {(row["user"], row["group"]): (row["since"], row["reason"]) for row in rows}

    before = access()
    added = synced.run("report", "--format", "json").document["summary"]["people_added"]
    make_all_again(synced)
    change_somebody(synced)
    synced.sync(code=1)

    synced.run("relink", "--yes")
    synced.sync()

    assert access() == before
    summary = synced.run("report", "--format", "json").document["summary"]
    assert summary["people_added"] == added
    assert summary["applied"]["relinked"] > 0
