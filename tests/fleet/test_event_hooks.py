"""Event hooks of a fleet: whichever worker hears one, the owner of the connection does what it names."""

from __future__ import annotations

import os
import re
import signal
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
import requests

from syncd.core.hooks import TICKED, org_key, sample
from syncd.engine.cycles.strangers import AT_ONCE
from syncd.model import LogEvent
from syncd.ports.fleet import WATCH
from syncd.settings.fleet_hooks import FleetHooks
from syncd.settings.values import Origin
from syncd.simulators.okta_hooks import EventHook
from syncd.store.postgres.hook_events import PostgresHookEvents
from syncd.store.postgres.registry import PostgresRegistry
from syncd.wiring import utc_now
from tests.e2e.rig import Rig
from tests.fleet.machines import Machine, document, fleet, fleet_file, machine
from tests.fleet.working import Working, enrolled, working
from tests.hooks.hooked_daemon import BEFORE, RARELY, SECRET, active_at_split, arrives, hook_url, leaves
from tests.postgres.fixtures import needs_a_server, new_database
from tests.postgres.server import Server, running
from tests.service.connecting import schedule
from tests.service.supervisor import eventually
from tests.serving import free_port

pytestmark = pytest.mark.timeout(300)

CUSTOM = "https://login.acme.example"


@pytest.fixture(autouse=True)
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("E2E_HOOK", SECRET)
    monkeypatch.setenv("E2E_HOOK_BEFORE", BEFORE)


def hooks_of_fleet(org_url: str, port: int | None) -> str:
    """`[hooks]` of a worker, who listens there."""
    listen = "" if port is None else f"127.0.0.1:{port}"
    return (
        f'[hooks]\nlisten = "{listen}"\n[[hooks.org]]\norg_url = "{org_url}"\n'
        'secret = { env = "E2E_HOOK" }\nprevious_secret = { env = "E2E_HOOK_BEFORE" }\n'
    )


def waiting(database: str) -> list[str]:
    """Kinds of the events that no owner has taken up yet."""
    with psycopg.connect(database) as session:
        return [kind for (kind,) in session.execute("SELECT kind FROM syncd.hook_event")]


def pending(database: str) -> str:
    """What stores remember of hooks until it was looked at."""
    with psycopg.connect(database) as session:
        return str(session.execute("SELECT value FROM syncd.facts_t WHERE key = 'hooks_pending'").fetchall())


def hooked(made: Rig, port: int) -> EventHook:
    """A verified hook for everything that is to be ticked."""
    hook = made.okta.hooks.register(hook_url(made, port), secret=SECRET, events=TICKED)
    eventually(lambda: made.okta.hooks.verify(hook), "the listener gives the challenge back")
    return hook


def was_heard(hook: EventHook) -> bool:
    """And nothing was refused, but for what a slow machine could not store within a second."""
    return 204 in hook.statuses and set(hook.statuses) <= {204, 503}


# two workers in processes of their own


@dataclass
class Pair:
    """`owner` has the connection, `ear` hears the hooks."""

    file: Path
    owner: Machine
    ear: Machine
    hook: EventHook


@contextmanager
def pair(made: Rig, database: str, terms: str) -> Iterator[Pair]:
    """One worker has synced the connection, hooks come to the other one."""
    schedule(made, RARELY)
    place, port = made.folder / "of the fleet", free_port()
    place.mkdir()
    file = fleet_file(place, database, terms)
    fleet(file, "apply", made.config, "--yes")
    with machine(file, "one", tables=hooks_of_fleet(made.okta.url, None)) as owner:
        owner.logs("cycle done", cycle="full")
        with machine(file, "two", tables=hooks_of_fleet(made.okta.url, port)) as ear:
            ear.logs("running")
            yield Pair(file, owner, ear, hooked(made, port))


def test_a_hook_that_comes_to_another_worker_is_written_by_the_owner_long_before_the_next_poll(
    made: Rig, database: str
) -> None:
    made.okta.set_knobs(addresses={"alternate": CUSTOM})
    with pair(made, database, 'lease = "30s"\n') as found:
        made.okta.world.add_user("new@example.com", "New", "Hire", assign=True)
        arrives(made, "new@example.com")

        found.hook.url = found.hook.url.replace(org_key(made.okta.url), org_key(CUSTOM))
        eventually(lambda: made.okta.hooks.verify(found.hook), "the owner has learned of the other address")
        made.okta.hooks.knobs = made.okta.hooks.knobs.changed(address=CUSTOM)
        made.okta.world.set_user_status("new@example.com", "DEPROVISIONED")
        leaves(made, "new@example.com")

        assert was_heard(found.hook)
        assert found.owner.events("applied", object="new@example.com")
        assert not found.ear.events("owns a connection")
        eventually(lambda: not waiting(database), "what was taken up waits no more")

        there = ("--fleet", found.file.with_name("two.toml"), "--connection", "acme")
        assert document("hook", "test", *there)["test"]["stored"] is True
        [line] = [each for each in document("check", *there)["checks"] if each["name"] == "event hooks"]
        assert (line["state"], line["detail"][:11]) == ("ok", "they arrive")
        assert found.ear.stop() == 0
        assert found.owner.stop() == 0


@pytest.fixture
def server() -> Iterator[Server]:
    needs_a_server()
    with running() as own:
        yield own


def test_what_was_heard_before_its_owner_died_and_the_database_went_away_is_taken_up_by_the_next_owner(
    made: Rig, server: Server
) -> None:
    database = new_database(server, migrated=True)
    with pair(made, database, 'lease = "6s"\nrenew = "1s"\nmargin = "2s"\n') as found:
        log_denied(made)
        found.owner.signal(signal.SIGKILL)
        found.owner.process.wait(30)
        made.forget()
        newcomer = made.okta.world.add_user("new@example.com", "New", "Hire", assign=True)
        eventually(lambda: "application.user_membership.add" in waiting(database), "it is heard")

        server.stop(signal.SIGINT)
        made.okta.world.add_user("unheard@example.com", "Un", "Heard", assign=True)
        eventually(lambda: found.hook.statuses[-2:] == [503, 503], "Okta tries twice")
        server.start()

        found.ear.logs("owns a connection", connection="acme", clean=False)
        eventually(lambda: not waiting(database), "it waits no more")
        # Written it is once nothing of the dead owner can arrive any more.
        assert newcomer in pending(database) or active_at_split(made, "new@example.com")
        assert not found.ear.events("cycle done", cycle="full")


def posted(port: int, org_url: str, secret: str) -> int:
    """What the listener answers to a sample."""
    place = f"http://127.0.0.1:{port}/okta/{org_key(org_url)}"
    body = sample(org_url, utc_now())
    return requests.post(place, json=body, headers={"Authorization": secret}, timeout=30).status_code


def takes(port: int, org_url: str, secret: str) -> None:
    """What a slow machine could not store within a second is posted again."""
    eventually(lambda: posted(port, org_url, secret) == 204, "it is stored")


def test_a_worker_begins_to_listen_for_another_org_and_stops_when_it_reads_its_file_again(
    tmp_path: Path, database: str
) -> None:
    one, other = "https://one.okta.com", "https://other.okta.com"
    page, port = free_port(), free_port()
    file = fleet_file(tmp_path, database)
    file.write_text(file.read_text().replace('listen = ""', f'listen = "127.0.0.1:{page}"'))
    with machine(file, "one") as worker:
        worker.logs("running")
        own = file.with_name("one.toml")
        silent = own.read_text()

        def says(tables: str, changed: str) -> None:
            times = len(worker.events("settings reloaded")) + 1
            own.write_text(silent + tables)
            worker.signal(signal.SIGHUP)
            worker.logs("settings reloaded", times=times)
            assert worker.events("settings reloaded")[-1]["changed"] == changed

        says(hooks_of_fleet(one, port), "hooks.listen, hooks.org")
        takes(port, one, SECRET)
        takes(port, one, BEFORE)
        assert posted(port, one, "wRoNg-sEcReT-of-nobody-0815") == 401
        assert posted(port, other, SECRET) == 404
        says(hooks_of_fleet(other, port), "hooks.org")
        takes(port, other, SECRET)
        assert posted(port, one, SECRET) == 404
        metrics = requests.get(f"http://127.0.0.1:{page}/metrics", timeout=30).text
        found = re.findall(r'hook_requests_total\{code="(\d+)"\} (\S+)', metrics)
        assert {**dict(found), "503": ""} == {"204": "3.0", "401": "1.0", "404": "2.0", "503": ""}
        says("", "hooks.listen, hooks.org")
        with pytest.raises(requests.ConnectionError):
            posted(port, other, SECRET)
        assert worker.stop() == 0


# a worker of this process


def log_denied(made: Rig) -> None:
    """From now on only hooks, and full cycles, tell what happens."""
    made.okta.faults.add("status", path="/api/v1/logs", count=-1, status=403)


def hears(made: Rig, port: int | None = None) -> FleetHooks:
    """What the worker's `fleet.toml` says."""
    table = tomllib.loads(hooks_of_fleet(made.okta.url, port))["hooks"]
    return FleetHooks.model_validate(table, context=Origin(made.folder / "fleet.toml", os.environ))


@contextmanager
def owning(made: Rig, database: str, every: str = RARELY, port: int | None = None) -> Iterator[Working]:
    """It has synced the connection."""
    schedule(made, every)
    with PostgresRegistry(database) as registry:
        enrolled(registry, made)
    with working(Working(database, made.folder, "one", hooks=hears(made, port))) as one:
        one.logs("cycle done", cycle="full")
        yield one


def assigned(made: Rig, *okta_ids: str) -> LogEvent:
    """What a hook says of these people."""
    people = [("User", each) for each in okta_ids]
    app = ("AppInstance", made.okta.world.app.id)
    return LogEvent(f"uuid-{okta_ids[0]}", "application.user_membership.add", [*people, app])


def put(database: str, made: Rig, *events: LogEvent) -> None:
    """Some worker heard these."""
    with PostgresHookEvents(database) as heard:
        heard.put(made.okta.url, events)


def test_what_was_heard_while_nobody_owned_the_connection_the_next_owner_does(
    made: Rig, database: str
) -> None:
    with owning(made, database):
        pass
    log_denied(made)
    newcomer = made.okta.world.add_user("new@example.com", "New", "Hire", assign=True)
    put(database, made, assigned(made, newcomer))
    with working(Working(database, made.folder, "two", hooks=hears(made))) as two:
        arrives(made, "new@example.com")
        eventually(lambda: not waiting(database), "it waits no more")
        assert two.events("cycle done", cycle="full") == []


def test_the_owner_asks_the_log_less_often_until_it_shows_what_no_hook_brought(
    made: Rig, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    every = 'delta = "1s"\nfull = "12h"\ndrift = "24h"\ndelta_with_hooks = "3s"'
    ticked = [kind for kind in TICKED if not kind.startswith("application.user_membership.remove")]
    port = free_port()
    with owning(made, database, every, port) as one:

        def interval() -> object:
            return one.daemon._timetable.interval("acme", "delta")

        hook = made.okta.hooks.register(hook_url(made, port), secret=SECRET, events=ticked)
        assert made.okta.hooks.verify(hook)
        assert interval() == timedelta(seconds=1)
        made.okta.world.add_user("new@example.com", "New", "Hire", assign=True)
        eventually(lambda: interval() == timedelta(seconds=3), "hooks come")

        arrives(made, "new@example.com")
        monkeypatch.setattr("syncd.engine.cycles.hooked.OVERDUE", timedelta(seconds=1))
        made.okta.world.unassign("new@example.com")
        eventually(lambda: interval() == timedelta(seconds=1), "one did not come")
        board = one.daemon.board.connection("acme")
        eventually(lambda: "event hooks do not bring" in " ".join(board.snapshot().warnings), "it is said")


def test_a_burst_of_names_costs_no_more_than_on_one_machine(made: Rig, database: str) -> None:
    with owning(made, database) as one:
        known = list(made.okta.world.app_users)
        made.okta.world.update_profile(known[0], lastName="Moved")
        made.forget()
        strangers = [assigned(made, *(f"00uNOBODY{each}x{n}" for n in range(40))) for each in range(20)]
        put(database, made, *(assigned(made, *known) for _ in range(500)), *strangers)

        eventually(lambda: not waiting(database), "all of it is taken up")
        eventually(lambda: made.actual_people() == made.wanted_people(), "what changed is written")
        board = one.daemon.board.connection("acme")
        eventually(
            lambda: board.snapshot().totals.left_to_the_log >= 20 * 40 - AT_ONCE, "the rest is the log's"
        )
        asked = [each for each in made.reads() if "00uNOBODY" in each]
        assert len(asked) <= 2 * AT_ONCE


def test_who_only_watches_neither_listens_nor_takes_anything_up(made: Rig, database: str) -> None:
    schedule(made, RARELY)
    with PostgresRegistry(database) as registry:
        enrolled(registry, made)
    put(database, made, assigned(made, next(iter(made.okta.world.app_users))))
    port = free_port()
    with working(Working(database, made.folder, "one", mode=WATCH, hooks=hears(made, port))) as one:
        one.logs("planned, and writes nothing")
        with pytest.raises(requests.ConnectionError):
            posted(port, made.okta.url, SECRET)
    assert len(waiting(database)) == 1
