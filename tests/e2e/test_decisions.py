"""What people decide has one form, and does what its words say: approve, reject, retry, release."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.rig import Rig, synced_crew


@pytest.fixture
def synced(tmp_path: Path) -> Iterator[Rig]:
    with synced_crew(tmp_path, people=12, members=4) as made:
        yield made


def _hold(made: Rig) -> None:
    for number in range(6, 12):
        made.okta.world.unassign(f"p{number:02}@example.com")
    made.sync(code=3)


def _approve(made: Rig) -> dict[str, Any]:
    _hold(made)
    return made.run("approve", "--all", "--json").document


def _reject(made: Rig) -> dict[str, Any]:
    _hold(made)
    return made.run("reject", "--all", "--json").document


def _retry(made: Rig) -> dict[str, Any]:
    made.split.faults.add("status", status=400, path="/Groups/", method="PATCH", count=-1)
    made.split.faults.add("status", status=400, path="/Groups/", method="PUT", count=-1)
    made.okta.world.add_member("Crew", "p05@example.com")
    made.sync(code=4)
    return made.run("retry", "--json").document


def _release_user(made: Rig) -> dict[str, Any]:
    return made.run("release", "p01@example.com", "--json").document


def _release_group(made: Rig) -> dict[str, Any]:
    return made.run("release", "Crew", "--json").document


@pytest.mark.parametrize("decide", [_approve, _reject, _retry, _release_user, _release_group])
def test_every_decision_is_one_shape(synced: Rig, decide: Any) -> None:
    document = decide(synced)

    assert set(document) == {"schema", "connection", "decision", "decided_by", "reason", "items"}
    assert document["schema"] == "syncd.decision/1"
    assert document["connection"] == "acme"
    assert document["decision"] == decide.__name__.split("_")[1]
    assert "@" in document["decided_by"]
    assert document["items"]
    for item in document["items"]:
        assert set(item) == {"object", "okta_id", "group_id", "name", "id", "kind"}
        assert item["object"] in ("user", "group", "member")
        assert (item["object"] == "member") is (item["group_id"] is not None)
        assert item["okta_id"].startswith("00")


def test_who_released_stands_in_the_trail(synced: Rig) -> None:
    by = _release_user(synced)["decided_by"]

    rows = synced.run("audit", "export", "--json").document["entries"]

    assert [row["details"]["by"] for row in rows if row["kind"] == "release"] == [by]


def test_a_released_user_is_managed_again_after_leaving_and_coming_back(synced: Rig) -> None:
    told = synced.run("release", "p01@example.com").stdout
    synced.okta.world.update_profile("p01@example.com", firstName="Changed")
    synced.forget()
    synced.sync()
    assert synced.writes() == []

    synced.okta.world.unassign("p01@example.com")
    synced.sync()
    assert synced.writes() == []
    synced.okta.world.assign("p01@example.com")
    synced.sync()

    assert f"managed again once syncd -c {synced.config} link --user ties it, or it has left the app" in told
    synced.assert_exact()


def test_nothing_is_said_twice_of_who_is_released(synced: Rig) -> None:
    synced.run("release", "p01@example.com")
    synced.run("release", "Crew")
    synced.okta.world.unassign("p01@example.com")

    said = synced.run("plan").stdout + synced.run("explain", "Crew").stdout

    assert said.count("released: left alone") == 3
    assert "released: released" not in said


def test_a_hold_without_numbers_shows_no_line_for_them(synced: Rig) -> None:
    synced.write_config(provisioning='suspended_users = "deactivate"')
    synced.okta.world.set_user_status("p05@example.com", "SUSPENDED")
    synced.sync(code=3)

    said = synced.run("held").stdout

    assert "scope settings" in said
    assert "numbers:" not in said


def test_a_released_group_stays_released_whatever_becomes_of_its_rule(synced: Rig) -> None:
    told = synced.run("release", "Crew").stdout
    synced.okta.world.add_member("Crew", "p05@example.com")
    before = synced.actual_groups()
    synced.forget()

    synced.write_config(rules="")
    synced.sync()
    synced.write_config(rules='[[push_groups]]\nsource = { name = "Crew" }')
    skipped = synced.sync()["skipped"]

    assert "No sync takes it back" in told
    assert [(skip["kind"], skip["name"]) for skip in skipped] == [("released", "Crew")]
    assert synced.actual_groups() == before
    assert synced.writes() == []


def test_an_approval_that_cannot_be_applied_at_once_stands(synced: Rig) -> None:
    _hold(synced)
    synced.okta.faults.add("status", path="/api/v1/", count=-1, status=401)

    answer = synced.run("approve", "--all", "--now", code=1)
    synced.okta.faults.clear()
    result = synced.sync()

    assert "the approval stands" in answer.stderr
    assert result["summary"]["applied"] == {"deactivate_user": 6}


def test_retry_with_nothing_failed_says_so(synced: Rig) -> None:
    assert synced.run("retry").stdout == "retry: nothing has failed.\n"
    assert synced.run("retry", "--json").document["items"] == []
    synced.run("retry", "p01@example.com", code=64)


@pytest.mark.parametrize(
    "decision",
    [
        ["approve", "--all"],
        ["reject", "--all"],
        ["retry"],
        ["release", "Crew"],
        ["unlink", "--user", "p01@example.com"],
        ["pause"],
        ["resume"],
        ["expect", "deactivations=3", "--on", "2099-01-01"],
    ],
)
def test_every_decision_says_the_reason_that_was_given(synced: Rig, decision: list[str]) -> None:
    document = synced.run(*decision, "--reason", "as agreed", "--json").document

    assert document["schema"] == "syncd.decision/1"
    assert document["reason"] == "as agreed"
