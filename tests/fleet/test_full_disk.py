"""The disk under the database is full to the last byte while a worker serves a connection from it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.rig import Rig
from tests.fleet.machines import fleet, fleet_file, machine
from tests.fleet.test_outages import TERMS
from tests.postgres.fixtures import needs_a_server, new_database
from tests.postgres.server import Server, running
from tests.postgres.small_disk import DATA, Disk, needs_mounts, small_disks
from tests.service.supervisor import eventually

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def server() -> Iterator[tuple[Server, dict[str, Disk]]]:
    needs_a_server()
    needs_mounts()
    with running() as own, small_disks(own) as disks:
        yield own, disks


def test_what_cannot_be_written_down_is_not_written_to_split_until_there_is_room(
    made: Rig, server: tuple[Server, dict[str, Disk]], tmp_path: Path
) -> None:
    own, disks = server
    place = tmp_path / "of the fleet"
    place.mkdir()
    file = fleet_file(place, new_database(own, migrated=True), TERMS)
    fleet(file, "apply", made.config, "--yes")
    with machine(file, "one") as one:
        one.logs("cycle done", cycle="full")
        made.forget()
        disks[DATA].fill()
        hired: list[str] = []
        while not one.events("cycle failed"):
            assert len(hired) < 40, "there was room for all of them"
            hired.append(f"new{len(hired)}@example.com")
            made.okta.world.add_user(hired[-1], "New", "Hire", assign=True)
            eventually(
                lambda: one.events("applied", object=hired[-1]) or one.events("cycle failed"),
                "somebody new is written, or there is no room",
            )
        assert "the disk is full" in one.events("cycle failed")[0]["error"]
        assert not one.events("applied", object=hired[-1])
        disks[DATA].free()
        one.logs("applied", object=hired[-1], patience=120.0)
        made.assert_exact()
        assert made.writes().count("POST /scim/v2/Users") == len(hired)
        assert one.stop() == 0
