"""`schedule.drift_repair`: the daemon gives back what its comparison finds, under all limits; off, it tells of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import cast

from syncd.errors import TemporaryError
from syncd.ports import Store
from syncd.service.drift_turns import due_in, first_turn
from tests.e2e.rig import Rig
from tests.service.connecting import schedule
from tests.service.supervisor import eventually
from tests.service.test_daemon import Inside, inside

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
OFTEN = 'delta = "1s"\nfull = "1h"\ndrift = "2s"'


def tampered(made: Rig) -> str:
    """Somebody whose name was changed at the target by hand."""
    name = min(made.actual_people())
    made.split.world.edit_user(name, name={"givenName": "By", "familyName": "Hand"})
    return name


def test_what_the_daemon_finds_is_told_and_stays_where_nobody_asked_for_its_repair(world: Rig) -> None:
    schedule(world, OFTEN)
    with inside(Inside([world.config])) as made:
        made.logs("cycle done", cycle="full")
        name = tampered(world)
        made.logs("drift found", level="warning", changed_user=1)
    assert world.actual_people()[name] == ("By", "Hand")
    status = world.run("status", "--json").document["drift"]
    assert [item["object"] for item in status["items"]] == [name]


def test_with_drift_repair_it_is_given_back(world: Rig) -> None:
    schedule(world, f"{OFTEN}\ndrift_repair = true")
    with inside(Inside([world.config])) as made:
        made.logs("cycle done", cycle="full")
        name = tampered(world)
        made.logs("applied", kind="update_user", object=name)
        made.logs("cycle done", cycle="drift")
    world.assert_exact()
    runs = world.run("status", "--json").document["runs"]
    assert {"update_user": 1} in [run["summary"].get("applied") for run in runs if run["kind"] == "drift"]


def test_a_repair_waits_for_the_end_of_a_pause_and_the_comparison_goes_on(world: Rig) -> None:
    schedule(world, f"{OFTEN}\ndrift_repair = true")
    with inside(Inside([world.config])) as made:
        made.logs("cycle done", cycle="full")
        world.run("pause")
        name = tampered(world)
        made.logs("drift found", changed_user=1)
        assert world.actual_people()[name] == ("By", "Hand")
        world.run("resume")
        made.logs("applied", kind="update_user", object=name)


def test_a_repair_obeys_the_limits(world: Rig) -> None:
    world.tables = {**world.tables, "safety": 'max_member_removals = "1%"'}
    schedule(world, f"{OFTEN}\ndrift_repair = true")
    with inside(Inside([world.config])) as made:
        made.logs("cycle done", cycle="full")
        group, members = max(world.actual_groups().items(), key=lambda each: len(each[1]))
        strangers = sorted(world.actual_people().keys() - set(members))
        for name in strangers:
            world.split.world.add_member(group, name)
        made.logs("drift found", extra_member=len(strangers))
        eventually(lambda: world.run("held", "--json").document["holds"], "the removals are held")
    assert set(strangers) <= set(world.actual_groups()[group])


def test_a_store_that_cannot_be_asked_now_ends_no_daemon() -> None:
    class Away:
        def recall(self, key: str) -> str | None:
            raise TemporaryError(f"cannot be reached: {key}")

    every = timedelta(hours=24)
    away = cast("Store", Away())  # nothing else is asked of it
    assert due_in(away, every, NOW) == every.total_seconds()


def test_only_for_a_drift_cycle_the_store_is_asked() -> None:
    def asks() -> float:
        asked.append("store")
        return 7.0

    asked: list[str] = []
    assert [first_turn(kind, 3.0, asks) for kind in ("full", "delta", "drift")] == [3.0, None, 7.0]
    assert asked == ["store"]
