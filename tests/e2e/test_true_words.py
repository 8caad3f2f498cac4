"""What is answered is true: each sentence that was not, and the one that is."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from syncd.cli.app import cli
from tests.e2e.rig import Rig, crew, rig


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Rig]:
    """Twelve people, four of them in Crew, all at the target."""
    with rig(tmp_path, users=0, groups=0, pushed=["Crew"]) as rigged:
        world = rigged.okta.world
        people = [world.add_user(f"p{n:02}@example.com", "P", f"{n:02}", assign=True) for n in range(12)]
        world.create_group("Crew", members=people[:4])
        rigged.sync()
        yield rigged


def explained(made: Rig, name: str) -> dict[str, Any]:
    return made.run("explain", name, "--json", code=None).document


def test_the_reason_of_a_membership_names_the_okta_group_also_when_it_is_linked_under_another_name(
    made: Rig,
) -> None:
    group = made.okta.world.create_group("Night shift", members=["p05@example.com"])
    made.split.world.create_local_group("nights")
    made.run("link", "Night shift", "nights", "--yes")

    [row] = [
        row
        for row in made.run("report", "--format", "json").document["access"]
        if row["user"] == "p05@example.com"
    ]

    assert row["group"] == "nights"
    assert row["reason"] == f"member of Night shift ({group}) in Okta"
    [membership] = explained(made, "p05@example.com")["memberships"]
    assert membership["detail"] == f'member of Night shift ({group}) in Okta, and put in by syncd as "nights"'


def test_explain_says_released_and_by_whom_also_of_a_group_that_a_rule_names(made: Rig) -> None:
    made.run("release", "p05@example.com", "--reason", "a robot")
    made.run("unlink", "Crew", "--keep", "--yes")
    listed = {item["object"]: item["reason"] for item in made.run("skipped", "--json").document["items"]}

    person, group = explained(made, "p05@example.com"), explained(made, "Crew")

    assert (person["state"], group["state"]) == ("released", "released")
    assert person["summary"] == listed["p05@example.com"]
    assert group["summary"] == listed["Crew"]
    [step] = [each for each in group["steps"] if each["step"] == "in_scope"]
    assert step["answer"] == "no"
    assert "unlinked by hand by" in step["detail"]


def test_explain_says_rejected_by_whom_in_the_words_of_the_list(made: Rig) -> None:
    made.write_config(safety="max_deactivations = 0")
    made.okta.world.unassign("p05@example.com")
    made.sync(code=3)
    made.run("reject", "p05@example.com")

    [item] = made.run("skipped", "--json").document["items"]

    assert explained(made, "p05@example.com")["summary"] == item["reason"]
    assert "rejected by" in item["reason"]


def test_a_renaming_that_is_not_followed_is_mentioned(made: Rig) -> None:
    made.write_config(rules='[[push_groups]]\nsource = { name_starts_with = "C" }')
    made.sync(code=None)
    made.okta.world.rename_group("Crew", "Crowd")

    skipped = made.plan(code=None)["skipped"]

    [said] = [each for each in skipped if each["kind"] == "rename_off"]
    assert (
        said["reason"] == 'called Crowd in Okta by now; at the target it stays "Crew", because rename is off'
    )


def test_a_typo_in_a_name_is_no_failed_run(made: Rig) -> None:
    before = made.run("status", "--json").document["runs"]

    answer = made.run("sync", "--user", "tpyo@example.com", code=64)

    assert "Okta knows no user tpyo@example.com" in answer.stderr
    assert made.run("status", "--json").document["runs"] == before


def test_who_was_synced_for_one_person_only_was_not_never_synced(tmp_path: Path) -> None:
    with rig(tmp_path, users=4, groups=1) as fresh:
        first = min(fresh.wanted_people())
        fresh.sync("--user", first)

        assert fresh.run("status", "--json").document["state"] == "partly_synced"
        assert "acme: partly synced" in fresh.run("status").stdout


def test_an_account_goes_from_active_to_inactive_and_not_from_true_to_false(made: Rig) -> None:
    made.okta.world.unassign("p05@example.com")

    text = made.run("plan").stdout

    assert "active → inactive" in text
    assert "True" not in text


def test_the_deletion_of_a_group_says_how_many_lose_it(made: Rig) -> None:
    answer = made.run("unlink", "Crew", "--delete", "--yes", "--allow", "group_deletions=1")

    assert "note: 4 members lose the group" in answer.stdout


def test_a_plan_that_is_applied_twice_says_that_it_was_applied(made: Rig, tmp_path: Path) -> None:
    made.okta.world.update_profile("p05@example.com", lastName="Changed")
    file = tmp_path / "plan.json"
    made.run("plan", "-o", str(file))
    made.run("apply", str(file))

    answer = made.run("apply", str(file), code=3)

    assert "the plan was applied already, at " in answer.stderr


def test_what_is_skipped_is_printed_once(made: Rig) -> None:
    made.split.world.create_local_user("P.One@example.com")
    made.okta.world.add_user("p.one@example.com", "P", "One", assign=True)

    text = made.run("apply", "--yes").stdout

    assert text.count("only in letter case") == 1


def test_a_plan_and_the_list_of_runs_say_what_is_wrong(made: Rig) -> None:
    made.split.faults.add("status", method="POST", path="/Users", count=-1, status=400)
    made.okta.world.add_user("bad@example.com", "B", "Ad", assign=True)
    made.sync(code=4)
    assert "1 failed" in made.run("status").stdout.split("Last runs")[1].split("Failing")[0]

    made.split.faults.add("status", method="GET", path="/", count=-1, status=401)
    made.split.faults.add("status", method="PATCH", path="/", count=-1, status=401)
    made.split.faults.add("status", method="PUT", path="/", count=-1, status=401)
    made.okta.world.update_profile("p05@example.com", lastName="Changed")
    made.sync(code=None)
    made.split.faults.clear()
    assert "acme is quarantined since" in made.run("plan", code=None).stderr


def test_an_option_that_says_nothing_about_the_simulator_is_refused() -> None:
    answer = CliRunner().invoke(cli, ["simulate", "split", "--users", "5"])

    assert answer.exit_code == 64
    assert "--users says nothing about split" in answer.stderr


def test_check_suggests_the_name_that_differs_by_a_letter(made: Rig) -> None:
    made.write_config(rules='[[push_groups]]\nsource = { name = "Crw" }')

    lines = made.run("check", "--json", code=None).document["checks"]

    [line] = [each for each in lines if each["name"] == "push rules"]
    assert 'Did you mean "Crew"?' in line["hint"]


def hints(made: Rig, name: str, text: str) -> list[str]:
    """What `check` advises about this line, with these settings."""
    before = made.config.read_text()
    made.config.write_text(text)
    lines = made.run("check", "--json", code=None).document["checks"]
    made.config.write_text(before)
    return [line["hint"] for line in lines if line["name"] == name and line["state"] == "fail"]


def test_check_says_what_a_good_looking_address_is(made: Rig) -> None:
    text, base = made.config.read_text(), made.split.base_url
    elsewhere = base.replace("/scim/v2", "/scim/v3")

    [wrong_path] = hints(made, "Split users", text.replace(base, elsewhere))
    [not_okta] = hints(made, "Okta token", text.replace(made.okta.url, base.removesuffix("/scim/v2")))

    assert f"Somebody answers at {elsewhere}, and has neither users nor groups there" in wrong_path
    assert "an Okta org at all?" in not_okta


def test_check_names_what_is_still_the_examples(made: Rig) -> None:
    text = made.config.read_text().replace(made.okta.url, "https://example.okta.com")

    [hint] = hints(made, "settings", text)

    assert "Put your own there" in hint


def test_check_falls_back_where_sync_does(made: Rig) -> None:
    made.split.faults.add("status", method="GET", path=r"/Users.*count=", count=-1, status=500)

    made.forget()

    lines = made.run("check", "--json", code=None).document["checks"]

    assert [line["state"] for line in lines if line["name"] == "Split users"] == ["ok"]
    asked = [request for request in made.split.requests if "/Users" in request.path]
    assert [request.status for request in asked][-1] == 200
    assert "count=" not in asked[-1].path


def test_check_says_that_a_target_may_have_no_groups(made: Rig) -> None:
    made.split.faults.add("status", method="GET", path="/Groups", count=-1, status=404)

    [hint] = hints(made, "Split groups", made.config.read_text())

    assert "provisioning.push_groups = false" in hint


def test_an_account_that_is_made_again_keeps_its_since_and_why_and_is_nobody_added(tmp_path: Path) -> None:
    with crew(tmp_path, people=5, members=3) as made:
        made.sync()
        before = made.run("report", "--format", "json").document
        time.sleep(1.1)  # times are told by the second
        for gone in ("p01@example.com", "p04@example.com"):
            made.split.world.delete_user(made.split.world.user(gone).id)
        made.sync()
        made.run("drift", "--fix")

        after = made.run("report", "--format", "json").document

        assert (after["summary"]["people_added"], after["summary"]["people_again"]) == (5, 2)
        assert (after["summary"]["members_added"], after["summary"]["members_again"]) == (3, 1)
        assert after["summary"]["drift"] == {"found": 3, "repaired": 3}
        for part in ("access", "without_group"):
            had = {row["user"]: (row["since"], row["reason"]) for row in before[part]}
            assert {row["user"]: (row["since"], row["reason"]) for row in after[part]} == had
        ids = {row["user"]: row["scim_id"] for row in after["access"]}
        assert ids["p01@example.com"] == made.split.world.user("p01@example.com").id
        assert "5 added, 0 changed, 0 removed, 2 given back" in made.run("report").stdout
        made.okta.world.unassign("p04@example.com")
        made.sync()
        made.okta.world.assign(made.okta.world.user("p04@example.com").id)
        made.sync()
        again = made.run("report", "--format", "json").document["summary"]
        assert (again["people_added"], again["people_again"], again["people_removed"]) == (6, 2, 1)
