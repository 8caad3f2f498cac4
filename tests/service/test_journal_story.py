"""The daemon's log tells a story: what runs and when, what was held with its numbers, what was written and why."""

from __future__ import annotations

import syncd
from syncd.service.daemon import Hooks
from tests.e2e.rig import Rig
from tests.service.connecting import FAST, listen_on, schedule
from tests.service.test_daemon import Inside, inside, listening
from tests.serving import free_port


def test_the_start_line_tells_version_schedule_and_page(world: Rig) -> None:
    schedule(world, f'{FAST}\nwindows = ["Mon-Sun 00:00-24:00 UTC"]')
    port = free_port()
    listen_on(world, port)
    with inside(Inside([world.config], Hooks(http=listening))) as made:
        made.logs("running")
        [said] = made.events("running")
    assert said["version"] == syncd.__version__
    assert said["connections"] == "acme"
    assert said["schedule"] == (
        "delta every 1 s, full every 60 min, drift every 24 h, writing Mon-Sun 00:00-24:00 UTC"
    )
    assert said["page"] == f"http://127.0.0.1:{port}/"


def test_a_hold_is_told_once_with_its_id_numbers_and_reason(world: Rig) -> None:
    world.tables = {**world.tables, "safety": "max_deactivations = 0"}
    schedule(world)
    with inside(Inside([world.config])) as made:
        made.logs("cycle done", cycle="full")
        for name in sorted(world.wanted_people())[:8]:
            world.okta.world.unassign(name, everywhere=True)
        made.logs("held")
        made.daemon._served["acme"].hurry_full()
        made.logs("cycle refused", cycle="full")
        said = {one["hold"]: one for one in made.events("held")}
        assert len(said) == len(made.events("held")), "each once"
    [hold] = world.run("held", "--json").document["holds"]
    told = said[hold["id"]]
    assert told["reason"] == hold["reason"]
    assert f"allowed {hold['numbers']['allowed']}" in told["numbers"]
    assert told["changes"] == len(hold["changes"])


def test_what_was_written_is_told_with_why(world: Rig) -> None:
    with inside(Inside([world.config])) as made:
        made.logs("cycle done", cycle="full")
        world.okta.world.add_user("new@example.com", "New", "Hire", assign=True)
        made.logs("applied", object="new@example.com", kind="create_user")
        [told] = made.events("applied", object="new@example.com", kind="create_user")
    assert "assigned" in told["reason"]


def test_a_reload_that_failed_in_part_does_not_say_reloaded(world: Rig) -> None:
    with inside(Inside([world.config])) as made:
        made.logs("running")
        good = world.config.read_text()
        world.config.write_text("not TOML at all")
        made.daemon.reload()
        made.logs("settings not reloaded, or not all of them", level="warning", in_force_anew="none")
        assert not made.events("settings reloaded")
        world.config.write_text(good)
        made.daemon.reload()
        made.logs("settings reloaded", connections="acme")
