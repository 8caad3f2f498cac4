"""Between a worker and its database somebody stops forwarding, and says nothing: a balancer or a pooler that hangs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.rig import Rig
from tests.fleet.machines import Machine, fleet, fleet_file, machine
from tests.fleet.test_outages import TERMS
from tests.postgres.fixtures import needs_a_server, new_database
from tests.postgres.server import running
from tests.postgres.strait import FROM, Strait, strait

pytestmark = pytest.mark.timeout(300)


@dataclass
class Crossing:
    """A worker that owns the connection, and reaches its database through the strait."""

    one: Machine
    strait: Strait
    made: Rig
    file: Path


@pytest.fixture
def crossing(made: Rig, tmp_path: Path) -> Iterator[Crossing]:
    needs_a_server()
    place = tmp_path / "of the fleet"
    place.mkdir()
    with running(tcp=True) as server, strait(server.port) as way:
        database = new_database(server, migrated=True)
        file = fleet_file(place, database, TERMS)
        fleet(file, "apply", made.config, "--yes")
        name = dict(each.split("=", 1) for each in database.split())["dbname"]
        (place / "database").write_text(f"postgresql://syncd@127.0.0.1:{way.port}/{name}")
        with machine(file, "one") as one:
            one.logs("cycle done", cycle="full")
            yield Crossing(one, way, made, file)


def test_who_is_not_answered_says_so_and_goes_on_over_a_new_way(crossing: Crossing) -> None:
    crossing.strait.cut([FROM])
    crossing.one.logs("the lease cannot be renewed")
    crossing.made.forget()
    crossing.made.okta.world.add_user("new@example.com", "New", "Hire", assign=True)
    crossing.strait.mend(forgetting=True)
    crossing.one.logs("applied", object="new@example.com", patience=120.0)
    crossing.made.assert_exact()
    assert crossing.one.stop() == 0
