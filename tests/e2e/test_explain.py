"""explain answers rightly, for people and for machines, and writes nothing anywhere."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from syncd.core.whole_commands import of_files, whole
from tests.e2e.rig import Rig, rig, synced_crew

LONG = "A name that is longer than Split allows"


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Rig]:
    with synced_crew(tmp_path, people=12, members=4) as each:
        each.forget()
        yield each


def explained(made: Rig, name: str, code: int | None = 0) -> dict[str, Any]:
    document = made.run("explain", name, "--json", code=code).document
    assert document["schema"] == "syncd.explain/1"
    return document


def answers(document: dict[str, Any]) -> dict[str, str]:
    return {step["step"]: step["answer"] for step in document["steps"]}


def detail(document: dict[str, Any], step: str) -> str:
    return str(next(each["detail"] for each in document["steps"] if each["step"] == step))


# the states: how to come there, and what explain must say


@dataclass(frozen=True)
class Case:
    arrange: Callable[[Rig], str]
    """Brings the world there and returns whom to ask about."""
    state: str
    said: str
    """Part of the verdict for people."""
    no: frozenset[str] = frozenset()
    """Steps that must be answered with no."""


def _synced(made: Rig) -> str:
    return "p01@example.com"


def _not_assigned(made: Rig) -> str:
    made.okta.world.add_user("nobody@example.com", "No", "Body")
    return "nobody@example.com"


def _left(made: Rig) -> str:
    made.okta.world.unassign("p09@example.com")
    made.sync()
    return "p09@example.com"


def _assigned_but_held(made: Rig) -> str:
    account = made.split.world.create_local_user("late@example.com", "La", "Te")
    made.split.world.set_active(account, False)
    made.okta.world.add_user("late@example.com", "La", "Te", assign=True)
    made.sync(code=3)
    return "late@example.com"


def _mass_removal(made: Rig) -> str:
    for number in range(6, 12):
        made.okta.world.unassign(f"p{number:02}@example.com")
    made.sync(code=3)
    return "p08@example.com"


def _unknown_state(made: Rig) -> str:
    made.okta.world.set_app_user("p01@example.com", status="HIBERNATING")
    return "p01@example.com"


def _conflict(made: Rig) -> str:
    world = made.okta.world
    for login in ("one@example.com", "two@example.com"):
        world.add_user(login, "On", "E", assign=True)
    world.update_profile("two@example.com", email="one@example.com", directory=False)
    made.sync()
    return str(next(user.id for user in world.users.values() if user.profile["login"] == "two@example.com"))


def _quarantined(made: Rig) -> str:
    made.split.faults.add("status", status=400, path="/Users", method="POST", count=-1)
    made.okta.world.add_user("broken@example.com", "Bro", "Ken", assign=True)
    made.sync(code=4)
    return "broken@example.com"


def _name_too_long(made: Rig) -> str:
    made.okta.world.create_group(LONG, members=["p05@example.com"])
    made.pushed.append(LONG)
    made.write_config()
    made.sync()
    return LONG


def _waits_for_a_group(made: Rig) -> str:
    _name_too_long(made)
    return "p05@example.com"


def _waits_for_a_failed_group(made: Rig) -> str:
    made.split.faults.add("status", status=400, path="/Groups", method="POST", count=-1)
    made.okta.world.create_group("Later", members=["p05@example.com"])
    made.pushed.append("Later")
    made.write_config()
    made.sync(code=4)
    return "p05@example.com"


def _group_frozen(made: Rig) -> str:
    world = made.okta.world
    world.create_group("Mapped", members=["p05@example.com"])
    mapping = world.add_mapping("Mapped")
    made.write_config(okta="coexist = true", rules="[[push_groups]]\nsource = { okta_mappings = true }")
    made.sync(code=None)
    world.set_mapping_status(mapping, "ERROR", "target says no")
    return str(world.group("Mapped").id)


def _protected(made: Rig) -> str:
    made.write_config(safety='protected_users = ["p02@example.com"]')
    made.okta.world.unassign("p02@example.com")
    made.sync()
    return "p02@example.com"


def _group_quarantined(made: Rig) -> str:
    _waits_for_a_failed_group(made)
    return "Later"


def _released(made: Rig) -> str:
    made.run("release", "Crew")
    return "Crew"


def _grace(made: Rig) -> str:
    made.write_config(provisioning='deactivation_grace = "7d"')
    made.sync()
    made.okta.world.unassign("p09@example.com")
    made.sync()
    return "p09@example.com"


def _pending(made: Rig) -> str:
    made.okta.world.update_profile("p01@example.com", givenName="Nina")
    return "p01@example.com"


def _exists_at_target(made: Rig) -> str:
    made.split.world.create_local_group("Taken")
    made.okta.world.create_group("Taken")
    made.pushed.append("Taken")
    made.write_config()
    made.sync()
    return "Taken"


def _no_rule(made: Rig) -> str:
    made.okta.world.create_group("Choir")
    return "Choir"


CASES = [
    Case(_synced, "synced", "the next cycle sends nothing"),
    Case(
        _not_assigned, "not_assigned", "not assigned to the app", frozenset({"assigned", "active", "matched"})
    ),
    Case(_left, "not_assigned", "not assigned to the app", frozenset({"assigned"})),
    Case(_assigned_but_held, "held", "inactive accounts", frozenset({"not_held"})),
    Case(_mass_removal, "held", "6 users would be removed", frozenset({"assigned", "not_held"})),
    Case(_unknown_state, "frozen", "unknown status"),
    Case(_conflict, "conflict", "one@example.com is also the userName of", frozenset({"name_free"})),
    Case(_quarantined, "quarantined", "create_user failed 1 time", frozenset({"not_failed", "matched"})),
    Case(
        _name_too_long, "refused_name", "Split allows fewer than 25", frozenset({"name_allowed", "matched"})
    ),
    Case(_waits_for_a_group, "waiting", "waits for its group", frozenset({"in_groups", "up_to_date"})),
    Case(_waits_for_a_failed_group, "waiting", "create_group failed 1 time", frozenset({"in_groups"})),
    Case(_group_frozen, "frozen", "mapping in Okta is ERROR", frozenset({"usable"})),
    Case(
        _group_quarantined, "quarantined", "create_group failed 1 time", frozenset({"not_failed", "matched"})
    ),
    Case(_protected, "protected", "the user is protected", frozenset({"assigned", "may_change"})),
    Case(_released, "released", "until `syncd link`", frozenset({"in_scope", "may_change"})),
    Case(_grace, "left_alone", "grace period", frozenset({"may_change"})),
    Case(_pending, "pending", "the next cycle brings", frozenset({"up_to_date"})),
    Case(_exists_at_target, "conflict", 'use action = "link"', frozenset({"matched"})),
    Case(_no_rule, "not_in_scope", "no push rule names this group", frozenset({"in_scope"})),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.arrange.__name__.strip("_"))
def test_explain_says_why_in_text_and_json(made: Rig, case: Case) -> None:
    name = case.arrange(made)
    made.forget()

    text = made.run("explain", name).stdout
    document = explained(made, name)

    said = answers(document)
    assert document["state"] == case.state, document
    assert case.said in document["summary"]
    assert {step for step, answer in said.items() if answer == "no"} >= case.no
    verdict = text.splitlines()[1]
    assert verdict.startswith(f"{case.state.replace('_', ' ')}: ")
    assert whole(case.said, of_files([made.config])) in verdict
    for step in document["steps"]:
        mark = {"yes": "✓", "no": "✗", "unknown": "?"}[step["answer"]]
        assert f"  {mark}  {step['question']}" in text
    assert made.writes() == []


# what stands in the answer


def test_a_synced_person_is_found_by_every_name_with_everything_about_them(made: Rig) -> None:
    document = explained(made, "p01@example.com")
    by_okta_id = explained(made, document["okta_id"])
    by_scim_id = explained(made, document["scim_id"])

    without_name = {key: value for key, value in document.items() if key != "asked"}
    assert without_name == {key: value for key, value in by_okta_id.items() if key != "asked"}
    assert without_name == {key: value for key, value in by_scim_id.items() if key != "asked"}
    assert set(answers(document).values()) == {"yes"}
    assert document["assignment"]["through"] == "direct"
    assert document["match"]["managed"] is True
    assert {row["attribute"]: row["target"] for row in document["attributes"]}[
        "userName"
    ] == "p01@example.com"
    assert document["memberships"] == [
        {
            "group_id": made.okta.world.group("Crew").id,
            "group": "Crew",
            "state": "in",
            "detail": f"member of Crew ({made.okta.world.group('Crew').id}) in Okta, and put in by syncd",
        }
    ]
    assert [change["kind"] for change in document["last_changes"]] == ["add_member", "create_user"]
    assert document["last_changes"][0]["run_id"]


def test_somebody_assigned_through_a_group_is_told_which(made: Rig) -> None:
    world = made.okta.world
    group = world.create_group("Everybody here", members=["p00@example.com"])
    world.assign_group(group)
    user = world.add_user("through@example.com", "Th", "Rough")
    world.add_member(group, user)

    document = explained(made, "through@example.com")

    assert document["assignment"]["group"] == {"okta_id": group, "name": "Everybody here"}
    assert "through group Everybody here" in detail(document, "assigned")


def test_a_hold_is_told_with_its_id_its_end_and_what_it_stops(made: Rig) -> None:
    document = explained(made, _mass_removal(made))

    (hold,) = document["holds"]
    assert hold["id"] in document["summary"]
    assert hold["expires_at"]
    assert [change["kind"] for change in hold["changes"]] == ["deactivate_user"]
    assert document["next"] == []
    assert "syncd approve" in detail(document, "not_held")


@pytest.mark.parametrize(("arrange", "state"), [(_protected, "left_alone"), (_left, None)])
def test_the_groups_of_somebody_who_left_are_not_called_theirs(
    made: Rig, arrange: Callable[[Rig], str], state: str | None
) -> None:
    document = explained(made, arrange(made))

    assert [row["state"] for row in document["memberships"]] == ([state] if state else [])


def test_a_membership_on_its_way_is_told(made: Rig) -> None:
    made.okta.world.add_member("Crew", "p07@example.com")
    made.okta.world.remove_member("Crew", "p00@example.com")

    joins, leaves = explained(made, "p07@example.com"), explained(made, "p00@example.com")

    assert [row["state"] for row in joins["memberships"]] == ["to_add"]
    assert [row["state"] for row in leaves["memberships"]] == ["to_remove"]
    assert [change["kind"] for change in leaves["next"]] == ["remove_member"]


def test_a_failure_is_told_with_its_next_try(made: Rig) -> None:
    document = explained(made, _quarantined(made))

    (failure,) = document["failures"]
    assert failure["kind"] == "create_user"
    assert failure["next_attempt"]
    assert "next try" in detail(document, "not_failed")


def test_of_whom_okta_shows_no_groups_nothing_is_said_about_them(made: Rig) -> None:
    okta_id = explained(made, "p01@example.com")["okta_id"]
    made.okta.faults.add("status", path=f"/users/{okta_id}/groups", count=-1, status=500)

    document = explained(made, "p01@example.com", code=1)

    assert document["state"] == "unknown"
    (crew,) = document["memberships"]
    assert (crew["state"], crew["detail"]) == ("unknown", "pushed; Okta could not be asked")
    assert (answers(document)["in_groups"], answers(document)["up_to_date"]) == ("unknown", "unknown")


def test_a_group_whose_members_okta_does_not_show_is_told_as_status_tells_it(made: Rig) -> None:
    okta_id = explained(made, "Crew")["okta_id"]
    made.okta.faults.add("status", path=f"/groups/{okta_id}/users", count=-1, status=403)
    made.okta.world.add_member("Crew", "p05@example.com")
    made.sync(code=4)
    (failing,) = made.run("status", "--json").document["failing"]

    document = explained(made, "Crew", code=None)

    assert document["state"] == "quarantined"
    assert document["failures"] == [failing]
    assert answers(document)["not_failed"] == "no"
    assert failing["message"] in detail(document, "not_failed")
    assert answers(document)["up_to_date"] == "unknown"


def test_whose_address_a_leaver_keeps_is_told_so_in_the_step_about_names(made: Rig) -> None:
    made.okta.world.unassign("p09@example.com")
    made.sync()
    waits = explained(made, "p08@example.com")["okta_id"]
    made.okta.world.update_profile("p08@example.com", email="p09@example.com", directory=False)
    made.sync()

    document = explained(made, waits)

    assert document["state"] == "conflict"
    assert answers(document)["name_free"] == "no"
    assert "p09@example.com" in detail(document, "name_free")
    (said,) = [
        one["text"]
        for one in made.run("report", "--format", "json").document["verdict"]
        if "left" in one["text"]
    ]
    assert said == f"1 object is left out: syncd -c {made.config} skipped says who, why and what to do."


def test_the_last_five_changes_come_youngest_first(made: Rig) -> None:
    for number in range(6):
        made.okta.world.update_profile("p05@example.com", givenName=f"N{number}")
        made.sync("--user", "p05@example.com")

    changes = explained(made, "p05@example.com")["last_changes"]

    assert [change["after"]["name.givenName"] for change in changes] == ["N5", "N4", "N3", "N2", "N1"]
    assert len({change["run_id"] for change in changes}) == 5


def test_what_was_changed_at_the_target_is_seen(made: Rig) -> None:
    made.split.world.edit_user("p01@example.com", name={"givenName": "Edited", "familyName": "01"})

    document = explained(made, "p01@example.com")

    assert answers(document)["as_left"] == "no"
    assert "name.givenName" in detail(document, "as_left")


def _switch_off(made: Rig) -> None:
    made.split.world.set_active("p01@example.com", False)


def _edit(made: Rig) -> None:
    made.split.world.edit_user("p01@example.com", name={"givenName": "Edited", "familyName": "01"})


def _switch_on_again(made: Rig) -> None:
    made.split.world.set_active(_left(made), True)


BEHIND: dict[str, tuple[Callable[[Rig], object], str, str]] = {
    "made_inactive": (_switch_off, "p01@example.com", "changed at the target: active"),
    "edited": (_edit, "p01@example.com", "changed at the target: name.givenName"),
    "account_gone": (
        lambda made: made.split.world.delete_user("p01@example.com"),
        "p01@example.com",
        "the account is gone at the target",
    ),
    "made_active_again": (_switch_on_again, "p09@example.com", "changed at the target: active"),
    "group_gone": (
        lambda made: made.split.world.delete_group("Crew"),
        "Crew",
        "the group is gone at the target",
    ),
    "group_renamed": (
        lambda made: made.split.world.rename_group("Crew", "Mob"),
        "Crew",
        'renamed to "Mob" at the target',
    ),
    "member_removed": (
        lambda made: made.split.world.remove_member("Crew", "p01@example.com"),
        "Crew",
        "1 member removed at the target",
    ),
    "member_added": (
        lambda made: made.split.world.add_member("Crew", "p07@example.com"),
        "Crew",
        "1 member added at the target",
    ),
}
"""By the id of the test: what is done behind syncd, to whom, and what is said of it."""


@pytest.mark.parametrize(("act", "name", "said"), BEHIND.values(), ids=BEHIND)
def test_what_was_changed_behind_syncd_is_never_called_synced(
    made: Rig, act: Callable[[Rig], object], name: str, said: str
) -> None:
    act(made)

    text = made.run("explain", name).stdout
    document = explained(made, name)

    assert document["state"] == "left_alone", document
    assert said in document["summary"]
    assert "syncd drift --fix" in document["summary"]
    summary = whole(document["summary"], of_files([made.config]))
    assert text.splitlines()[1] == f"left alone: {summary}"
    assert answers(document)["as_left"] == answers(document)["up_to_date"] == "no"
    assert document["next"] == []
    made.run("drift", "--fix")
    assert explained(made, name)["state"] in ("synced", "not_assigned")


def test_what_the_next_cycle_does_not_mend_is_told_beside_what_it_sends(made: Rig) -> None:
    _switch_off(made)
    made.okta.world.update_profile("p01@example.com", familyName="Nina")

    document = explained(made, "p01@example.com")

    assert document["state"] == "pending"
    assert "mends nothing of this: changed at the target: active" in document["summary"]


def test_an_account_that_nobody_wants_may_be_gone(made: Rig) -> None:
    _left(made)
    made.split.world.delete_user("p09@example.com")

    assert explained(made, "p09@example.com")["state"] == "not_assigned"


def test_strangers_in_a_linked_group_are_no_change_behind_syncd(made: Rig) -> None:
    account = made.split.world.create_local_user("stranger@example.com", "Stran", "Ger")
    made.split.world.add_member("Crew", account)

    document = explained(made, "Crew")

    assert document["state"] == "synced"
    assert answers(document)["members"] == "yes"
    assert "1 member there not managed by syncd" in detail(document, "members")


def test_a_group_is_told_with_its_members_on_both_sides(made: Rig) -> None:
    document = explained(made, "Crew")

    assert document["object"] == "group"
    assert document["state"] == "synced"
    assert document["members"] == {"okta": 4, "wanted": 4, "pushed": 4, "target": 4}
    assert set(answers(document).values()) == {"yes"}


def test_two_answers_about_one_world_are_the_same_bytes(made: Rig) -> None:
    first = made.run("explain", "p01@example.com", "--json").stdout

    assert made.run("explain", "p01@example.com", "--json").stdout == first


# beside Okta's own provisioning, before any sync, and with one side away


def test_before_any_sync_and_beside_oktas_own_provisioning_it_compares_and_makes_nothing(
    tmp_path: Path,
) -> None:
    with rig(tmp_path, users=0, groups=0, pushed=["Crew"]) as made:
        okta, split = made.okta.world, made.split.world
        okta.set_app(features=["PUSH_NEW_USERS", "PUSH_PROFILE_UPDATES", "GROUP_PUSH"])
        user = okta.add_user("ada@example.com", "Ada", "Love", assign=True)
        okta.add_user("bob@example.com", "Bob", "Ross", assign=True)
        okta.create_group("Crew", members=[user])
        account = split.users[split.create_local_user("ada@example.com", "Ada", "Old")]
        split.replace_user(account, {**account.attributes, "externalId": user}, active=True)
        split.create_local_user("bob@example.com", "Bob", "Ross")
        split.create_local_group("Crew")

        ada, bob, crew = (explained(made, name) for name in ("ada@example.com", "bob@example.com", "Crew"))
        planned = made.plan()

        assert (ada["match"]["how"], ada["match"]["managed"]) == ("externalId", False)
        assert bob["match"]["how"] == "userName"
        assert crew["state"] == "conflict"
        assert ada["state"] == "left_alone"
        assert "Okta provisions the app" in detail(ada, "may_change")
        assert answers(ada)["name_free"] == "unknown"
        assert ada["next"][0]["after"]["name.familyName"] == "Love"
        assert planned["summary"]["adopt_user"] == 2
        assert made.writes() == []
        assert not (tmp_path / "state").exists()
        assert {method.split()[0] for method in made.reads()} == {"GET"}


def test_without_okta_it_says_what_the_store_knows(made: Rig) -> None:
    made.okta.faults.add("status", path="/api/v1/", count=-1, status=401)

    answer = made.run("explain", "p01@example.com", "--json", code=1)
    group = explained(made, "Crew", code=1)

    document = answer.document
    assert document["state"] == group["state"] == "unknown"
    assert "when last read: assigned directly" in detail(document, "assigned")
    assert answers(document)["matched"] == "yes"
    assert answers(document)["in_groups"] == "unknown"
    assert [row["state"] for row in document["memberships"]] == ["unknown"]
    assert len(document["problems"]) == 1
    assert "401" in answer.stderr or "token" in answer.stderr


def test_without_the_target_it_says_so(made: Rig) -> None:
    made.split.faults.add("status", path="/", count=-1, status=401)

    document = explained(made, "p01@example.com", code=1)

    assert answers(document)["matched"] == "unknown"
    assert answers(document)["assigned"] == "yes"
    assert document["problems"]


def test_a_name_that_nobody_knows_is_a_usage_error_with_near_names(made: Rig) -> None:
    answer = made.run("explain", "p01@exmple.com", "--json", code=64)
    made.run("explain", " ", code=64)

    assert "p01@example.com" in answer.document["hint"]


def test_what_only_the_target_knows_is_explained_too(made: Rig) -> None:
    person, group = explained(made, "admin@example.com"), explained(made, "Release Managers")

    assert (person["state"], person["object"]) == ("unmanaged", "user")
    assert (group["state"], group["object"]) == ("unmanaged", "group")
    assert set(person) >= {"holds", "failures", "next", "last_changes", "problems", "memberships"}


def test_hostile_names_reach_no_terminal(made: Rig) -> None:
    made.okta.world.update_profile("p01@example.com", givenName="\x1b[31mred\x07")
    made.okta.world.create_group("\x1b[2Jgone", members=["p01@example.com"])

    text = made.run("explain", "p01@example.com").stdout + made.run("explain", "\x1b[2Jgone").stdout

    assert "\x1b" not in text
    assert "\x07" not in text


def test_a_connection_in_quarantine_is_named(made: Rig) -> None:
    made.split.faults.add("status", path="/", count=-1, status=401)
    made.okta.world.update_profile("p01@example.com", givenName="Nina")
    made.sync(code=1)
    made.split.faults.clear()

    document = explained(made, "p01@example.com")

    assert document["state"] == "left_alone"
    assert "quarantined since" in detail(document, "may_change")
    assert json.dumps(document)


def test_the_okta_group_rules_that_assign_people_to_a_group_are_named_where_okta_shows_them(
    tmp_path: Path,
) -> None:
    with synced_crew(tmp_path, people=4, members=3) as made:
        crew, other = made.okta.world.group("Crew").id, made.okta.world.create_group("Other")
        excluded = made.okta.world.user("p01@example.com").id
        rules = [
            {"id": "0pr1", "name": "All engineers", "groups": [crew, other], "exclude": [excluded]},
            {"id": "0pr2", "name": "Switched off", "status": "INACTIVE", "groups": [crew]},
            {"id": "0pr3", "name": "Of others", "groups": [other]},
        ]
        made.okta.set_knobs(group_rules=rules)

        [row] = made.run("explain", "p00@example.com", "--json").document["memberships"]
        [without] = made.run("explain", "p01@example.com", "--json").document["memberships"]

        assert row["detail"].endswith('; people get into it by Okta\'s group rule "All engineers" (0pr1)')
        assert row["detail"].startswith(f"member of Crew ({crew}) in Okta, and put in by syncd")
        assert "rule" not in without["detail"], (
            "who is excluded from a rule is in the group by something else"
        )

        made.okta.set_knobs(group_rules=None)
        answer = made.run("explain", "p00@example.com", "--json")
        [row] = answer.document["memberships"]
        assert "rule" not in row["detail"]
        assert answer.document["problems"] == []
