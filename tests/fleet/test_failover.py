"""The primary dies and its standby takes its place; and what is said of servers that take no writes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

from syncd.engine.cycles.rolled_back import APART, SOON
from syncd.engine.cycles.second_look import SECOND_LOOK
from syncd.store.postgres.opening import Pools, open_for_reading
from syncd.wiring import utc_now
from tests.e2e.rig import Rig
from tests.fleet.machines import document, fleet, fleet_file, machine, syncd
from tests.fleet.test_outages import TERMS
from tests.postgres.fixtures import needs_a_server, new_database
from tests.postgres.server import running
from tests.postgres.standby import Pair, followed, kill

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def pair() -> Iterator[Pair]:
    needs_a_server()
    with running(tcp=True) as server, followed(server, synchronous=True) as made:
        yield made


@pytest.fixture
def lagging() -> Iterator[Pair]:
    needs_a_server()
    with running(tcp=True) as server, followed(server, synchronous=False) as made:
        yield made


def url_of_two(pair: Pair) -> str:
    return f"postgresql://syncd@127.0.0.1:{pair.primary.port}/test_of_two"


def leading_to(file: Path, *ports: int, attributes: str = "?target_session_attrs=read-write") -> None:
    """Names these servers of this machine, in this order."""
    hosts = ",".join(f"127.0.0.1:{port}" for port in ports)
    (file.parent / "database").write_text(f"postgresql://syncd@{hosts}/test_of_two{attributes}")


@pytest.fixture
def file(pair: Pair, tmp_path: Path) -> Path:
    return file_for(pair, tmp_path)


@pytest.fixture
def lagging_file(lagging: Pair, tmp_path: Path) -> Path:
    return file_for(lagging, tmp_path)


def file_for(pair: Pair, tmp_path: Path) -> Path:
    place = tmp_path / "of the fleet"
    place.mkdir()
    database = new_database(pair.primary, migrated=True)
    name = dict(each.split("=", 1) for each in database.split())["dbname"]
    with psycopg.connect(pair.primary.url(), autocommit=True) as session:
        session.execute(f"ALTER DATABASE {name} RENAME TO test_of_two".encode())
    found = fleet_file(place, database, TERMS)
    leading_to(found, *pair.ports)
    return found


def test_after_a_failover_the_worker_goes_on_with_the_server_that_takes_writes(
    made: Rig, pair: Pair, file: Path
) -> None:
    fleet(file, "apply", made.config, "--yes")
    [said] = [each for each in fleet_check(file)["checks"] if each["name"] == "standbys"]
    assert said["state"] == "ok"
    with machine(file, "one") as one:
        one.logs("cycle done", cycle="full")
        made.forget()
        pair.fail_over()
        made.okta.world.add_user("new@example.com", "New", "Hire", assign=True)
        one.logs("applied", object="new@example.com", patience=120.0)
        made.assert_exact()
        assert made.writes().count("POST /scim/v2/Users") == 1
        assert one.stop() == 0
    assert document("audit", "verify", "--fleet", file, "--connection", "acme")["intact"]


def test_after_a_failover_that_lost_rows_everything_is_compared_soon_and_it_is_said_why(
    made: Rig, lagging: Pair, lagging_file: Path
) -> None:
    """Somebody left and came back: the first was written and is forgotten, so the second seems to be so already."""
    file, world = lagging_file, made.okta.world
    fleet(file, "apply", made.config, "--yes")
    with machine(file, "one") as one:
        one.logs("cycle done", cycle="full")
        lagging.way.cut()
        who = min(made.actual_people())
        world.unassign(who)
        one.logs("applied", object=who, kind="deactivate_user")
        kill(lagging.primary)
        world.assign(who)
        lagging.promote()
        one.logs(
            "its database failed over, or was put back", level="warning", connection="acme", patience=120.0
        )
        world.add_user("new@example.com", "New", "Hire", assign=True)
        one.logs("applied", object="new@example.com")
        next_drift = document("status", "--fleet", file, "--connection", "acme")["next_runs"]["drift"]
        assert datetime.fromisoformat(next_drift) < datetime.now(UTC) + SOON + APART
        assert not made.split.world.user(who).active, "only a comparison tells"
        with closing(Pools(url_of_two(lagging), acts=2, stages=1)) as pools:
            looked_at = SECOND_LOOK.of(open_for_reading(pools, 1, clock=utc_now))
        assert looked_at is not None
        assert world.user(who).id in looked_at.users
        assert one.stop() == 0


def fleet_check(file: Path, code: int = 0) -> dict[str, Any]:
    return document("fleet", "check", "--fleet", file, code=code)


def test_a_server_that_follows_another_one_is_refused_and_told_from_one_that_is_away(
    pair: Pair, file: Path
) -> None:
    leading_to(file, pair.other.port, attributes="")
    said = syncd("worker", "--fleet", file, code=3)
    assert "follows another server and takes no writes" in said.stderr
    assert "target_session_attrs=read-write" in said.stderr
    fleet_check(file, code=1)

    leading_to(file, pair.other.port, 1)
    said = syncd("worker", "--fleet", file, code=1)
    assert "session is read-only; " in said.stderr
    assert f'"127.0.0.1", port {pair.other.port}' in said.stderr
    assert "port 1 failed: Connection refused" in said.stderr
