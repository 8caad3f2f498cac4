"""Event hooks of a fleet: whichever worker hears one, the owner of the connection does what it names."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from syncd.core.hooks import TICKED
from syncd.simulators.okta_hooks import EventHook
from tests.e2e.rig import Rig
from tests.fleet.machines import Machine, document, fleet, fleet_file, machine
from tests.hooks.hooked_daemon import BEFORE, RARELY, SECRET, arrives, hook_url, leaves
from tests.service.connecting import schedule
from tests.service.supervisor import eventually
from tests.serving import free_port

pytestmark = pytest.mark.timeout(300)


def hooks_of_fleet(made: Rig, port: int | None) -> str:
    """`[hooks]` of a worker, who listens there."""
    listen = "" if port is None else f"127.0.0.1:{port}"
    return (
        f'[hooks]\nlisten = "{listen}"\n[[hooks.org]]\norg_url = "{made.okta.url}"\n'
        'secret = { env = "E2E_HOOK" }\nprevious_secret = { env = "E2E_HOOK_BEFORE" }\n'
    )


def waiting(database: str) -> int:
    """Events that no owner has taken up yet."""
    with psycopg.connect(database) as session:
        [number] = session.execute("SELECT count(*) FROM syncd.hook_event").fetchone() or [0]
        return int(number)


@dataclass
class Pair:
    """`owner` has the connection, `ear` hears the hooks."""

    made: Rig
    file: Path
    owner: Machine
    ear: Machine
    hook: EventHook


def hooked(made: Rig, port: int) -> EventHook:
    """A verified hook for everything that is to be ticked."""
    hook = made.okta.hooks.register(hook_url(made, port), secret=SECRET, events=TICKED)
    assert made.okta.hooks.verify(hook)
    return hook


@contextmanager
def pair(made: Rig, database: str) -> Iterator[Pair]:
    """Two workers: one has synced the connection, hooks come to the other one."""
    schedule(made, RARELY)
    place, port = made.folder / "of the fleet", free_port()
    place.mkdir()
    file = fleet_file(place, database)
    fleet(file, "apply", made.config, "--yes")
    with machine(file, "one", tables=hooks_of_fleet(made, None)) as owner:
        owner.logs("cycle done", cycle="full")
        with machine(file, "two", tables=hooks_of_fleet(made, port)) as ear:
            ear.logs("running")
            yield Pair(made, file, owner, ear, hooked(made, port))


@pytest.fixture(autouse=True)
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("E2E_HOOK", SECRET)
    monkeypatch.setenv("E2E_HOOK_BEFORE", BEFORE)


def test_a_hook_that_comes_to_another_worker_is_written_by_the_owner_long_before_the_next_poll(
    made: Rig, database: str
) -> None:
    with pair(made, database) as found:
        made.okta.world.add_user("new@example.com", "New", "Hire", assign=True)
        arrives(made, "new@example.com")
        made.okta.world.set_user_status("new@example.com", "DEPROVISIONED")
        leaves(made, "new@example.com")

        assert set(found.hook.statuses) == {204}
        assert found.owner.events("applied", object="new@example.com")
        assert not found.ear.events("owns a connection")
        eventually(lambda: waiting(database) == 0, "what was taken up waits no more")

        there = ("--fleet", found.file.with_name("two.toml"), "--connection", "acme")
        assert document("hook", "test", *there)["test"]["stored"] is True
        [line] = [each for each in document("check", *there)["checks"] if each["name"] == "event hooks"]
        assert (line["state"], line["detail"][:11]) == ("ok", "they arrive")
        assert found.ear.stop() == 0
        assert found.owner.stop() == 0
