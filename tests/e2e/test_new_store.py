"""What a new store cannot know, and what docs/operations.md says to do about it: whoever left before its first sync."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.rig import Rig, synced_crew


@pytest.fixture
def moved_away(tmp_path: Path) -> Iterator[Rig]:
    """p01, a member of Crew, left; before that was done the store was moved away, and a new one was made."""
    with synced_crew(tmp_path, people=12, members=4) as made:
        made.okta.world.unassign("p01@example.com")
        made.store.parent.rename(tmp_path / "old")
        made.write_config(rules='[[push_groups]]\nsource = { name = "Crew" }\naction = "link"')
        made.forget()
        made.sync()
        yield made


def differences(made: Rig) -> list[dict[str, Any]]:
    """Without accounts and groups that are nobody's."""
    items = made.run("drift", "--json").document["items"]
    return [each for each in items if not each["kind"].startswith("unmanaged_")]


def test_drift_names_who_left_and_never_says_that_somebody_else_put_them_there(moved_away: Rig) -> None:
    assert "p01@example.com" in moved_away.actual_people()

    items = differences(moved_away)

    found = {(each["kind"], each["object"]["type"]): each for each in items}
    assert set(found) == {("wrongly_active_user", "user"), ("extra_member", "membership")}
    assert {each["object"]["name"] for each in items} == {"p01@example.com"}
    assert (
        "not assigned to the app in Okta, active at the target"
        in found["wrongly_active_user", "user"]["reason"]
    )
    reason = found["extra_member", "membership"]["reason"]
    assert "not by syncd" not in reason
    assert "carries an Okta user's id" in reason


def test_assigning_and_unassigning_them_takes_them_out(moved_away: Rig) -> None:
    moved_away.okta.world.assign("p01@example.com")
    moved_away.sync()
    moved_away.okta.world.unassign("p01@example.com")

    moved_away.sync()

    assert "p01@example.com" not in moved_away.actual_people()
    assert differences(moved_away) == []
