"""A database that takes no writes, and one that is restarted, while a worker serves a connection from it."""

from __future__ import annotations

import re
import signal
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from tests.e2e.rig import Rig
from tests.fleet.machines import Machine, fleet, fleet_file, machine
from tests.postgres.fixtures import needs_a_server, new_database
from tests.postgres.server import Server, running
from tests.service.supervisor import eventually
from tests.serving import free_port

TERMS = 'lease = "6s"\nrenew = "1s"\nmargin = "2s"\n'

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def server() -> Iterator[Server]:
    needs_a_server()
    with running() as own:
        yield own


def metric(port: int, name: str) -> float:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as page:
        found = re.search(rf"^{name} (\S+)$", page.read().decode(), re.MULTILINE)
    assert found is not None, name
    return float(found[1])


def takes_writes(server: Server, *, does: bool) -> None:
    with psycopg.connect(server.url(), autocommit=True) as session:
        session.execute("SET default_transaction_read_only = off")
        session.execute(f"ALTER SYSTEM SET default_transaction_read_only = {'off' if does else 'on'}")
        session.execute("SELECT pg_reload_conf()")


def test_nothing_is_written_meanwhile_and_everything_goes_on_alone(
    made: Rig, server: Server, tmp_path: Path
) -> None:
    port, place = free_port(), tmp_path / "of the fleet"
    place.mkdir()
    file = fleet_file(place, new_database(server, migrated=True), TERMS)
    file.write_text(file.read_text().replace('listen = ""', f'listen = "127.0.0.1:{port}"'))
    fleet(file, "apply", made.config, "--yes")
    with machine(file, "one") as one:
        one.logs("cycle done", cycle="full")
        waits_out(one, port, made, "first@example.com", lambda: takes_writes(server, does=False))
        takes_writes(server, does=True)
        goes_on(one, made, "first@example.com")

        waits_out(one, port, made, "second@example.com", lambda: server.stop(signal.SIGINT))
        server.start()
        goes_on(one, made, "second@example.com")

        [record] = fleet(file, "status")["connections"]
        assert record["state"] == "owned"
        assert one.stop() == 0


def waits_out(one: Machine, port: int, made: Rig, newcomer: str, outage: Callable[[], None]) -> None:
    """Somebody joins during the outage; the lease runs out, and nothing was written to Split until then."""
    told = len(one.events("the lease cannot be renewed"))
    outage()
    one.logs("the lease cannot be renewed", times=told + 1)
    made.forget()
    made.okta.world.add_user(newcomer, "New", "Hire", assign=True)
    eventually(lambda: metric(port, "syncd_lease_seconds_left") == 0, "the lease is over", 60.0)
    assert metric(port, "syncd_ready") == 0
    eventually(lambda: metric(port, "syncd_fleet_database_up") == 0, "it says what is wrong")
    assert made.writes() == []


def goes_on(one: Machine, made: Rig, newcomer: str) -> None:
    """Alone: under the same ownership, or under a new one when its lease was ended before it was renewed."""
    one.logs("applied", object=newcomer, patience=120.0)
    eventually(lambda: "POST /scim/v2/Users" in made.writes(), "it arrived at Split")
    made.assert_exact()
