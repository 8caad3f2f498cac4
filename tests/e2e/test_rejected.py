"""Whoever stays active because a person rejected their deactivation is seen: in status, in the report, by approve."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.rig import Rig, synced_crew


@pytest.fixture
def rejected(tmp_path: Path) -> Iterator[Rig]:
    """p01 left and had come by a group; their deactivation, with the membership, was rejected."""
    with synced_crew(tmp_path, people=12, members=4) as made:
        made.write_config(safety="max_deactivations = 0")
        made.okta.world.unassign("p01@example.com")
        made.sync(code=3)
        made.run("reject", deactivation(made))
        yield made


def deactivation(made: Rig) -> str:
    holds = made.run("held", "--json").document["holds"]
    [found] = [each["id"] for hold in holds for each in hold["changes"] if each["kind"] == "deactivate_user"]
    return str(found)


def left_out(made: Rig) -> list[dict[str, Any]]:
    document = made.run("status", "--json").document["left_out"]
    assert document["count"] == len(document["items"])
    assert made.run("skipped", "--json").document["items"] == document["items"]
    return list(document["items"])


def test_status_counts_them_among_what_is_left_out_at_once_and_for_as_long_as_it_lasts(rejected: Rig) -> None:
    for _ in range(2):
        items = left_out(rejected)
        assert {each["kind"] for each in items} == {"rejected"}
        assert {each["object"] for each in items} == {"p01@example.com"}
        word = "has access although Okta does not want it: the deactivation was rejected by"
        assert any(word in each["reason"] for each in items)
        assert "p01@example.com" in rejected.run("status").stdout
        rejected.sync()

    rejected.okta.world.assign("p01@example.com")
    rejected.sync()
    assert left_out(rejected) == []


def test_the_report_says_so_and_shows_todays_reason_as_what_it_is(rejected: Rig) -> None:
    rejected.sync()

    document = rejected.run("report", "--format", "json").document
    text = rejected.run("report").stdout

    assert document["current"]["left_out"] == 1, "one person, with a membership"
    assert "nobody is left out" not in text
    assert {row["assigned"] for row in document["access"] if row["user"] == "p01@example.com"} == {
        "not assigned any more"
    }
    assert {row["assigned"] for row in document["access"] if row["user"] == "p02@example.com"} == {
        "assigned directly"
    }
