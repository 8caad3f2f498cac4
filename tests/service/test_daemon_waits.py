"""The daemon beside a pause and outside its windows: it reads and plans, writes nothing, and alarms nobody."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta

from syncd.answers.decisions import pause
from syncd.core.pausing import Pause
from syncd.settings import load
from syncd.wiring import open_for_deciding, utc_now
from tests.e2e.rig import Rig
from tests.service.connecting import FAST, schedule
from tests.service.test_daemon import Inside, inside


def test_a_pause_counts_at_once_for_a_running_daemon_and_a_resume_brings_what_waited(world: Rig) -> None:
    with inside(Inside([world.config])) as made:
        made.logs("cycle done", cycle="full")
        world.run("pause", "--reason", "maintenance")
        world.forget()
        world.okta.world.add_user("new@example.com", "New", "Hire", assign=True)

        made.logs("not written yet", level="info", cycle="delta")
        assert world.writes() == []
        assert "new@example.com" not in world.actual_people()
        assert not [one for one in made.log if one["level"] in ("warning", "error")]
        assert "maintenance" in made.events("not written yet")[0]["error"]

        world.run("resume")
        made.logs("writing goes on")
        made.logs("applied", object="new@example.com")
    world.assert_exact()


def test_a_pause_that_has_an_end_is_over_at_that_moment_and_not_with_the_next_delta(world: Rig) -> None:
    schedule(world, 'delta = "1h"\nfull = "1h"\ndrift = "24h"')
    world.sync()
    world.okta.world.add_user("new@example.com", "New", "Hire", assign=True)
    now = utc_now()
    (settings,) = load([world.config], environ=os.environ).connections
    with open_for_deciding(settings) as store:
        pause(store, "acme", Pause("me", now, now + timedelta(seconds=6), "a test"))
    with inside(Inside([world.config])) as made:
        made.logs("applied", object="new@example.com")
    world.assert_exact()


def _every_hour_but_this(now: datetime) -> str:
    """A window that is shut now and for an hour at least."""
    begins, ends = now + timedelta(hours=2), now - timedelta(hours=1)
    return f"Mon-Sun {begins:%H:%M}-{ends:%H:%M} UTC"


def test_outside_its_windows_the_daemon_reads_and_inside_it_writes(world: Rig) -> None:
    window = _every_hour_but_this(datetime.now(UTC))
    schedule(world, f'{FAST}\nwindows = ["{window}"]')
    with inside(Inside([world.config])) as made:
        made.logs("not written yet", level="info", cycle="full")
        assert world.writes() == []
        assert made.events("not written yet")[0]["deferred"] > 0
        assert window in made.events("not written yet")[0]["error"]

        made.ahead = timedelta(hours=3)
        made.logs("writing goes on")
        made.logs("cycle done", cycle="full")
    world.assert_exact()
