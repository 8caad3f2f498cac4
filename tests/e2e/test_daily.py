"""The daily summary tells the numbers of a real connection, who is left out first."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from syncd.answers.daily import daily_summary
from syncd.observe.notices import Notice
from syncd.settings import load
from syncd.wiring import open_for_status, open_for_writing
from tests.e2e.rig import Rig, crew
from tests.observe.receiving import Receiver, receiver

hook = pytest.fixture(receiver)


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Rig]:
    with crew(tmp_path, people=12, members=4) as rig:
        yield rig


def summary(rig: Rig) -> Notice:
    [settings] = load([rig.config], environ=os.environ).connections
    with open_for_status(settings) as store:
        return daily_summary(store, settings, datetime.now(UTC))


def test_a_calm_day_says_that_nobody_is_left_out_and_the_numbers(made: Rig) -> None:
    made.sync()
    notice = summary(made)

    first, *rest = notice.text.splitlines()
    assert (notice.severity, first) == ("info", "Nobody is left out.")
    assert "In 24 hours: 12 created, 1 group created, 4 members added." in rest
    assert "Managed: 12 people (12 active), 1 group, 4 memberships." in rest
    assert "Okta was last read whole 0 minutes ago." in rest


def test_people_left_out_come_first_by_name_and_reason_then_what_is_held(made: Rig) -> None:
    world = made.okta.world
    made.sync()
    world.add_user("twin@example.com", "T", "1", assign=True)
    other = world.add_user("other@example.com", "T", "2", assign=True)
    world.update_profile(other, email="twin@example.com")
    for number in range(8):
        world.unassign(f"p{number:02}@example.com")
    made.sync(code=3)

    lines = summary(made).text.splitlines()

    assert lines[0] == "2 left out:"
    assert lines[1].startswith("- twin@example.com: ")
    assert any(line.startswith("Held: 12 changes in ") for line in lines), lines
    assert summary(made).severity == "warning"


def test_before_the_first_sync_it_says_so(made: Rig) -> None:
    assert "Okta was never read whole." in summary(made).text


def test_a_sync_after_the_time_sends_it_and_the_next_one_does_not(
    made: Rig, hook: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("E2E_HOOK", hook.url)
    text = made.config.read_text()
    made.config.write_text(f'{text}\n[notify]\nurls = [{{ env = "E2E_HOOK" }}]\ndaily = "00:00 UTC"\n')
    made.sync()
    assert hook.got == []
    [settings] = load([made.config], environ=os.environ).connections
    with open_for_writing(settings) as store:
        store.remember("notified:daily", (datetime.now(UTC) - timedelta(days=1)).isoformat())

    made.sync()
    made.sync()

    assert [one["title"] for one in hook.got] == ["syncd acme: daily summary"]
    assert "Managed: 12 people" in hook.got[0]["message"]
