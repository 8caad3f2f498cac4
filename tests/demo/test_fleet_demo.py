"""The story of a fleet, with four customers: nobody waits for the lease of a worker that is dead for certain."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from rich.console import Console

from syncd.demo.fleet import main, perform
from syncd.demo.fleet.story import FleetStory
from tests.fleet.making import run_out
from tests.postgres.fixtures import needs_a_server

pytestmark = pytest.mark.timeout(600)


def hurried(url: str) -> Callable[[str], None]:
    """The lease of who was killed is over long since; and nobody is quiet after the end of another's."""

    def killed(name: str) -> None:
        run_out(url, name, seconds=60.0)
        with psycopg.connect(url) as session:
            session.execute("UPDATE syncd.worker SET quiet = '0'")

    return killed


def test_one_is_killed_and_one_frozen_and_every_split_is_as_its_okta_wants_it(tmp_path: Path) -> None:
    needs_a_server()
    told = io.StringIO()
    console = Console(file=told, width=120)
    code = perform(console, tmp_path, connections=4, prepared=hurried)
    story = told.getvalue()
    assert code == 0, story
    assert "✗" not in story
    assert len(re.findall("nobody was made twice", story)) == 3
    assert "is killed (SIGKILL)" in story
    assert "what it still wanted to write reached no Split, but for requests it had begun" in story
    assert "4 of 4 audit trails are whole" in story
    assert "all 4 Splits are exactly as their Oktas want them" in story


def test_a_split_that_is_not_as_its_okta_wants_it_ends_the_story_with_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    needs_a_server()
    for act in ("the_fleet", "one_is_killed", "one_is_frozen", "all_stop"):
        monkeypatch.setattr(FleetStory, act, lambda _story: None)
    told = io.StringIO()
    assert perform(Console(file=told, width=120), tmp_path, connections=1) == 1
    assert "has 0 accounts in Split, and should have one" in told.getvalue()


def test_without_a_server_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("syncd.demo.fleet.binaries", lambda: None)
    monkeypatch.setattr("signal.signal", lambda *_: None)
    assert main() == 1
    assert "apt-get install postgresql" in capsys.readouterr().out
