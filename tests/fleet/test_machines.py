"""Two workers in processes of their own serve one connection: one of them dies, freezes, or is told to stop."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from tests.e2e.rig import Rig
from tests.fleet.machines import Machine, fleet, fleet_file, machine
from tests.service.supervisor import eventually

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def file(made: Rig, database: str) -> Path:
    """Settings of a fleet with the one connection of the rig."""
    place = made.folder / "of the fleet"
    place.mkdir()
    found = fleet_file(place, database)
    fleet(found, "apply", made.config, "--yes")
    return found


def owner_of(one: Machine, other: Machine) -> tuple[Machine, Machine]:
    """Who owns the connection, and the other one."""
    eventually(lambda: one.events("owns a connection") or other.events("owns a connection"), "an owner", 60.0)
    return (one, other) if one.events("owns a connection") else (other, one)


@contextmanager
def taken_over(made: Rig, file: Path, mishap: signal.Signals) -> Iterator[tuple[Machine, Machine]]:
    """The owner, to whom this happened in the middle of writing, and the other one, which has brought it to its end."""
    made.split.knobs = replace(made.split.knobs, latency_seconds=0.15)
    with machine(file, "one") as one, machine(file, "two") as two:
        owner, taker = owner_of(one, two)
        eventually(lambda: len(made.writes()) >= 4, "it is in the middle of writing")
        owner.signal(mishap)
        taker.logs("owns a connection", connection="acme", clean=False)
        taker.logs("cycle done", cycle="full", patience=120.0)
        made.assert_exact()
        yield owner, taker


def test_a_worker_syncs_what_is_in_the_fleet_and_hands_over_when_it_is_told_to_stop(
    made: Rig, file: Path
) -> None:
    with machine(file, "one") as one:
        one.logs("cycle done", cycle="full")
        made.assert_exact()
        assert fleet(file, "status")["connections"][0]["owner"] == "one"
        with machine(file, "two") as two:
            two.logs("joined the fleet")
            assert one.stop() == 0
            two.logs("owns a connection", connection="acme", clean=True, quiet=0.0)
            made.forget()
            made.okta.world.add_user("new@example.com", "New", "Hire", assign=True)
            two.logs("applied", object="new@example.com")
            assert not [each for each in made.reads() if each.endswith("/users")], "no full read"
            made.assert_exact()
            status = fleet(file, "status")
            assert [each["name"] for each in status["workers"]] == ["two"]
            assert status["connections"][0]["people"] == len(made.wanted_people()) - 1
            assert two.stop() == 0
    assert fleet(file, "status")["connections"][0]["state"] == "free"


def test_when_the_owner_is_killed_the_other_one_settles_what_was_under_way_and_goes_on(
    made: Rig, file: Path
) -> None:
    with taken_over(made, file, signal.SIGKILL) as (_, taker):
        created = [each for each in made.writes() if each.endswith("POST /scim/v2/Users")]
        assert len(created) == len(made.wanted_people()), "nobody was made twice"
        assert taker.stop() == 0


def test_an_owner_that_was_frozen_sends_nothing_after_its_lease(made: Rig, file: Path) -> None:
    with taken_over(made, file, signal.SIGSTOP) as (owner, taker):
        made.forget()
        owner.signal(signal.SIGCONT)
        owner.logs("joined the fleet", times=2)
        owner.logs("connection taken out", connection="acme")
        made.okta.world.add_user("new@example.com", "New", "Hire", assign=True)
        taker.logs("applied", object="new@example.com")
        written = [
            (each.method, each.path, each.body) for each in made.split.requests if each.method != "GET"
        ]
        assert len(written) == 1, f"the new owner's alone: {written}"
        [(method, path, body)] = written
        assert (method, path, body["userName"]) == ("POST", "/scim/v2/Users", "new@example.com")
        made.assert_exact()
        assert owner.stop() == 0
        assert taker.stop() == 0
