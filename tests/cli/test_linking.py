"""link on a terminal: what it would do is shown first, and no is no."""

from __future__ import annotations

import sys

import pytest

from tests.cli.test_planning import Terminal
from tests.cli.world import World


@pytest.mark.parametrize(("answer", "code"), [("y", 0), ("n", 3), ("", 3)])
def test_link_shows_the_members_that_come_before_it_asks(
    synced: World, monkeypatch: pytest.MonkeyPatch, answer: str, code: int
) -> None:
    synced.split.world.create_local_group("choir")
    group = synced.okta.world.create_group("Choir")
    for user in synced.people:
        synced.okta.world.add_member(group, user)
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setattr(sys, "stdin", Terminal(f"{answer}\n"))
    monkeypatch.setattr(sys, "stderr", Terminal())

    said = synced.syncd("link", "Choir", "choir", *synced.base)
    remembered = synced.syncd("groups", "--json", *synced.base).document

    assert said.exit_code == code
    assert "Members to add" in said.stdout
    assert bool(synced.writes()) is (answer == "y")
    links = {item["name"]: item["link"] for item in remembered["items"]}
    assert links["choir"] == ("by_hand" if answer == "y" else "not_linked")
