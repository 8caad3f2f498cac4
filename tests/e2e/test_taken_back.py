"""Decisions are listed with who, when and why, and a person takes them back by name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.rig import Rig, synced_crew
from tests.schema.judging import problems

LEAVER = "p01@example.com"


@pytest.fixture
def held(tmp_path: Path) -> Iterator[Rig]:
    """p01 and p02 left, p01 out of a group; both are held."""
    with synced_crew(tmp_path, people=12, members=2) as made:
        made.write_config(safety="max_deactivations = 0\nmax_member_removals = 0")
        made.okta.world.unassign(LEAVER)
        made.okta.world.unassign("p02@example.com")
        made.sync(code=3)
        yield made


def decided(made: Rig) -> list[dict[str, Any]]:
    document = made.run("held", "--decided", "--json").document
    assert problems(document) == []
    found: list[dict[str, Any]] = document["decided"]
    return found


def test_a_leaver_is_rejected_by_their_e_mail_and_the_other_one_goes_on_waiting(held: Rig) -> None:
    made = held.run("reject", LEAVER, "--json", "--reason", "on parental leave").document

    assert problems(made) == []
    assert {item["kind"] for item in made["items"]} == {"deactivate_user", "remove_member"}
    assert {row["name"] for row in decided(held)} == {LEAVER}
    assert {(row["decision"], row["reason"]) for row in decided(held)} == {("reject", "on parental leave")}
    shown = held.run("held", "--decided").stdout
    assert "Rejected" in shown
    assert "on parental leave" in shown
    assert held.run("held", "--json").document.get("decided") is None


def test_what_was_rejected_is_approved_with_its_memberships_and_then_done(held: Rig) -> None:
    held.run("reject", LEAVER)
    assert held.run("skipped", "--json").document["by_kind"] == {"rejected": 1}
    [way_out] = {
        item["way_out"] for item in held.run("skipped", "--json").document["items"] if item["type"] == "user"
    }

    made = held.run(*way_out.split()[3:], "--reason", "they are gone", "--json").document

    assert {item["kind"] for item in made["items"]} == {"deactivate_user", "remove_member"}
    assert {row["decision"] for row in decided(held)} == {"approve"}
    held.sync(code=3)
    assert LEAVER not in held.actual_people()
    assert "p02@example.com" in held.actual_people()
    assert decided(held) == []
    assert held.run("audit", "verify", "--json").document["intact"]


def test_one_that_is_approved_at_once_makes_nothing_untrue_of_those_who_wait(tmp_path: Path) -> None:
    """They left the app and stay in Okta's group, as leavers do; nobody looked at them in that run."""
    with synced_crew(tmp_path, people=12, members=8) as made:
        made.write_config(safety="max_deactivations = 0\nmax_member_removals = 0")
        for number in (1, 2, 3):
            made.okta.world.unassign(f"p{number:02}@example.com")
        made.sync(code=3)

        made.run("approve", LEAVER, "--now", "--json")

        assert LEAVER not in made.actual_people()
        assert made.run("skipped", "--json").document["items"] == []
        waiting = made.run("held", "--json").document["holds"]
        assert {change["name"] for hold in waiting for change in hold["changes"]} == {
            "p02@example.com",
            "p03@example.com",
        }


def test_an_approval_that_was_not_used_yet_is_rejected_again(held: Rig) -> None:
    held.run("approve", LEAVER)
    held.run("reject", LEAVER)

    held.sync(code=3)

    assert LEAVER in held.actual_people()
    assert {row["decision"] for row in decided(held)} == {"reject"}


def test_a_whole_hold_that_was_rejected_is_approved_by_its_id(held: Rig) -> None:
    [hold] = [
        each for each in held.run("held", "--json").document["holds"] if each["check"] == "deactivations"
    ]
    held.run("reject", hold["id"])
    held.sync()

    held.run("approve", hold["id"])
    held.sync()

    assert not {LEAVER, "p02@example.com"} & held.actual_people().keys()


def test_approving_the_rest_of_a_hold_takes_no_rejection_back(held: Rig) -> None:
    held.run("reject", LEAVER)

    held.run("approve", "--all")
    held.sync()

    assert LEAVER in held.actual_people()
    assert "p02@example.com" not in held.actual_people()
    assert {(row["name"], row["decision"]) for row in decided(held)} == {(LEAVER, "reject")}


def test_a_former_e_mail_names_the_person_too(held: Rig) -> None:
    held.okta.world.update_profile(
        "p05@example.com", email="married@example.com", login="married@example.com"
    )
    held.sync(code=3)
    held.okta.world.unassign("married@example.com")
    held.sync(code=3)

    made = held.run("reject", "p05@example.com", "--json").document

    assert {item["name"] for item in made["items"]} == {"married@example.com"}
    assert (
        held.run("explain", "p05@example.com", "--json", code=None).document["name"] == "married@example.com"
    )


def test_a_group_s_name_means_all_that_waits_about_it(held: Rig) -> None:
    made = held.run("approve", "Crew", "--json").document

    assert {(item["object"], item["name"]) for item in made["items"]} == {("member", LEAVER)}


def test_what_nothing_waits_of_is_a_mistake(held: Rig) -> None:
    assert (
        "nothing of p07@example.com waits for a decision"
        in held.run("approve", "p07@example.com", code=64).stderr
    )
    assert "no open hold" in held.run("approve", "nonsense", code=64).stderr


def test_every_decision_takes_a_reason_and_the_report_tells_it(held: Rig) -> None:
    held.run("release", "p06@example.com", "--reason", "a robot")
    held.run("approve", LEAVER, "--reason", "gone for good")
    held.run("reject", "p02@example.com", "--reason", "comes back")

    rows = held.run("report", "--format", "json").document["decisions"]

    told = {(row["decision"], row["reason"]) for row in rows}
    assert {("release", "a robot"), ("approve", "gone for good"), ("reject", "comes back")} <= told
    for form in ("text", "md", "html", "csv"):
        assert "gone for good" in held.run("report", "--format", form).stdout


def test_an_empty_reason_is_none(held: Rig) -> None:
    assert "--reason needs a text" in held.run("approve", LEAVER, "--reason", " ", code=64).stderr
