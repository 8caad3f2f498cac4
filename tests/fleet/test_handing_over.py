"""What a worker leaves half done when it is told to stop, the next one does without waiting for the turn of a full
cycle, which is hours away.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from tests.e2e.rig import Rig
from tests.fleet.machines import Machine, fleet, fleet_file, machine
from tests.service.connecting import schedule
from tests.service.supervisor import eventually

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def file(made: Rig, database: str) -> Path:
    """Settings of a fleet with the one connection of the rig, which writes one thing after the other, slowly."""
    made.write_config(split="concurrency = 1")
    schedule(made, 'delta = "1s"\nfull = "12h"\ndrift = "24h"')
    place = made.folder / "of the fleet"
    place.mkdir()
    found = fleet_file(place, database)
    fleet(found, "apply", made.config, "--yes")
    return found


def slowly(made: Rig, seconds: float = 0.3) -> None:
    made.split.knobs = replace(made.split.knobs, latency_seconds=seconds)


@contextmanager
def synced(made: Rig, file: Path) -> Iterator[Machine]:
    """A worker that has done its first full cycle, before a slow target."""
    with machine(file, "one") as one:
        one.logs("cycle done", cycle="full")
        made.assert_exact()
        slowly(made)
        made.forget()
        yield one


def is_writing(made: Rig, writes: int = 2) -> None:
    eventually(lambda: len(made.writes()) >= writes, "it is in the middle of writing")


def becomes_exact(made: Rig, file: Path) -> None:
    """By another worker."""
    slowly(made, 0.0)
    with machine(file, "two") as two:
        two.logs("owns a connection", connection="acme", patience=120.0)
        eventually(lambda: is_exact(made), "everything is at Split", 60.0)
        assert two.stop() == 0


def is_exact(made: Rig) -> bool:
    return made.actual_people() == made.wanted_people() and made.actual_groups() == made.wanted_groups()


def everybody_is_renamed(made: Rig) -> None:
    for row in list(made.okta.world.app_users.values()):
        made.okta.world.update_profile(row.id, lastName="Renamed")


def test_a_first_sync_that_was_stopped(made: Rig, file: Path) -> None:
    slowly(made)
    with machine(file, "one") as one:
        is_writing(made)
        assert one.stop() == 0
    assert not is_exact(made)
    becomes_exact(made, file)


def test_a_delta_that_was_stopped(made: Rig, file: Path) -> None:
    with synced(made, file) as one:
        everybody_is_renamed(made)
        is_writing(made)
        assert one.stop() == 0
    assert not is_exact(made)
    becomes_exact(made, file)
