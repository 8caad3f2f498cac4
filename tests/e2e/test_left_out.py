"""Nobody is left out in silence: `skipped`, status and report say who, why, since when, and what settles it."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.cli.invoking import Answer
from tests.e2e.rig import Rig, rig
from tests.schema.judging import problems

TWICE = "mixed.case@example.com"


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Rig]:
    """Ten people and a group, all at the target, with a name that Split refuses and an account in other letters."""
    with rig(tmp_path, users=0, groups=0, pushed=["Crew", "A name with many more than 24 letters"]) as rigged:
        world = rigged.okta.world
        people = [world.add_user(f"p{n:02}@example.com", "P", f"{n:02}", assign=True) for n in range(10)]
        world.create_group("Crew", members=people[:4])
        world.create_group("A name with many more than 24 letters", members=people[:2])
        rigged.split.world.create_local_user("Mixed.Case@example.com")
        world.add_user(TWICE, "Mixed", "Case", assign=True)
        rigged.sync()
        yield rigged


def skipped(made: Rig) -> Mapping[str, Mapping[str, Any]]:
    """The items by object."""
    document = made.run("skipped", "--json").document
    assert problems(document) == []
    assert document["count"] == len(document["items"]) == sum(document["by_kind"].values())
    return {item["object"]: item for item in document["items"]}


def test_each_has_its_kind_its_reason_since_when_and_the_whole_command_that_settles_it(made: Rig) -> None:
    found = skipped(made)

    assert {name: item["kind"] for name, item in found.items()} == {
        TWICE: "conflict",
        "A name with many more than 24 letters": "refused_name",
    }
    assert "differs from mixed.case@example.com only in letter case" in found[TWICE]["reason"]
    assert found[TWICE]["way_out"] == f"syncd -c {made.config} link --user {TWICE}"
    group = found["A name with many more than 24 letters"]
    assert shlex.split(group["way_out"])[3:] == ["sync", "--group", group["object"]]
    assert "change the name in Okta" in group["advice"]
    since = {name: item["since"] for name, item in found.items()}
    made.sync()
    assert {name: item["since"] for name, item in skipped(made).items()} == since


def test_a_connection_with_people_left_out_is_not_plain_well(made: Rig) -> None:
    document = made.run("status", "--json").document

    assert document["state"] == "left_out"
    assert document["left_out"]["count"] == 2
    assert document["left_out"]["items"] == made.run("skipped", "--json").document["items"]
    text = made.run("status").stdout
    assert "acme: left out" in text
    assert f"syncd -c {made.config} link --user {TWICE}" in text
    assert f"2 objects are left out: syncd -c {made.config} skipped says who" in made.run("report").stdout

    made.okta.world.unassign(TWICE)
    made.okta.world.rename_group("A name with many more than 24 letters", "Short")
    made.write_config(rules='[[push_groups]]\nsource = { name = "Crew" }')
    made.sync(code=None)
    assert skipped(made) == {}
    assert made.run("status", "--json").document["state"] in ("well", "held")


def test_the_first_five_stand_in_status_and_all_of_them_in_skipped(made: Rig) -> None:
    for number in range(6):
        made.split.world.create_local_user(f"Twin{number}@example.com")
        made.okta.world.add_user(f"twin{number}@example.com", "T", str(number), assign=True)
    made.sync()

    found = made.run("status", "--json").document["left_out"]

    assert (found["count"], len(found["items"]), len(skipped(made))) == (8, 5, 8)
    assert f"and 3 more: syncd -c {made.config} skipped" in made.run("status").stdout


def test_what_a_person_released_says_who_did_it_and_how_it_comes_back(made: Rig) -> None:
    made.run("release", "p00@example.com")
    made.run("release", "Crew")

    found = skipped(made)

    person, group = found["p00@example.com"], found["Crew"]
    assert (person["kind"], group["kind"]) == ("released", "released")
    assert "released by " in person["reason"]
    assert person["way_out"] == f"syncd -c {made.config} link --user p00@example.com"
    assert group["way_out"] == f"syncd -c {made.config} link Crew Crew"
    made.sync()
    assert {"p00@example.com", "Crew"} <= skipped(made).keys()


def test_a_group_that_was_unlinked_by_hand_says_so(made: Rig) -> None:
    made.run("unlink", "Crew", "--keep", "--yes")

    item = skipped(made)["Crew"]

    assert "unlinked by hand by " in item["reason"]
    assert shlex.split(item["way_out"])[3:] == ["link", "Crew", "Crew"]


def test_what_failed_is_left_out_until_it_succeeds(made: Rig) -> None:
    made.split.faults.add("status", method="POST", path="/Users", count=-1, status=400)
    made.okta.world.add_user("bad@example.com", "B", "Ad", assign=True)
    made.sync(code=4)

    item = skipped(made)["bad@example.com"]

    assert item["kind"] == "failed"
    assert item["reason"].startswith("create_user failed: ")
    assert item["way_out"] == f"syncd -c {made.config} retry bad@example.com"
    assert item["next_look"]
    made.split.faults.clear()
    made.run("retry", "bad@example.com")
    made.sync()
    assert "bad@example.com" not in skipped(made)


def test_the_log_has_a_line_when_it_begins_and_when_it_ends(made: Rig) -> None:
    made.split.world.create_local_user("Other.One@example.com")
    made.okta.world.add_user("other.one@example.com", "Other", "One", assign=True)

    begun = lines(made.run("sync", "--log-format", "json"), "left out")
    again = lines(made.run("sync", "--log-format", "json"), "left out")
    made.okta.world.unassign("other.one@example.com")
    ended = lines(made.run("sync", "--log-format", "json"), "no longer left out")

    assert [(line["object"], line["kind"]) for line in begun] == [("other.one@example.com", "conflict")]
    assert "only in letter case" in begun[0]["reason"]
    assert again == []
    assert [line["object"] for line in ended] == ["other.one@example.com"]


def lines(answer: Answer, event: str) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in answer.stderr.splitlines() if line.startswith("{")]
    return [each for each in found if each["event"] == event]


def test_check_names_who_is_left_out_and_calls_no_quarantine_ready(made: Rig) -> None:
    document = made.run("check", "--json").document
    [line] = [each for each in document["checks"] if each["name"] == "left out"]
    assert TWICE in line["detail"]
    assert line["hint"] == f"syncd -c {made.config} skipped"

    with made.split.world.lock:
        for user in list(made.split.world.users.values()):
            made.split.world.delete_user(user.id)
    made.okta.world.update_profile("p00@example.com", lastName="Changed")
    made.sync(code=None)
    for number in range(1, 9):
        made.okta.world.update_profile(f"p{number:02}@example.com", lastName="Changed")
    made.sync(code=None)
    sick = made.run("check", "--json", code=1).document
    [line] = [each for each in sick["checks"] if each["name"] == "quarantine"]
    assert line["state"] == "fail"
    assert "syncd relink" in line["hint"]
    assert not sick["ok"]


def test_a_retry_of_what_was_done_meanwhile_says_that_and_not_that_it_never_failed(made: Rig) -> None:
    made.split.faults.add("status", method="POST", path="/Users", count=-1, status=400)
    made.okta.world.add_user("late@example.com", "L", "Ate", assign=True)
    made.sync(code=4)
    made.split.faults.clear()
    made.run("retry", "late@example.com", "--now")

    again = made.run("retry", "late@example.com", "--now", code=64)

    assert "nothing of late@example.com fails or waits for another look now" in again.stderr
    assert "done meanwhile" in again.stderr
    assert "nothing that failed is called typo" in made.run("retry", "typo", code=64).stderr
