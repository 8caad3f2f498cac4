"""Workers that own connections of one org ask its System Log once for all of them."""

from __future__ import annotations

import hashlib
import re
import signal
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from syncd.ports.fleet import Enrolment
from syncd.simulators.split import SplitSimulator
from syncd.simulators.world import default_split
from syncd.store.postgres.registry import PostgresRegistry
from tests.e2e.rig import SPLIT_TOKEN, Rig
from tests.fleet.machines import fleet, fleet_file, machine
from tests.fleet.working import Working, working
from tests.postgres.fixtures import needs_a_server, new_database
from tests.postgres.server import running
from tests.service.connecting import schedule
from tests.service.supervisor import eventually
from tests.serving import free_port

pytestmark = pytest.mark.timeout(300)

NAMES = ("acme", "globex", "initech")


@contextmanager
def sides(made: Rig, names: Sequence[str]) -> Iterator[Mapping[str, SplitSimulator]]:
    """For each name a Split organisation of its own, and a settings file for it with the org of the rig."""
    text = made.config.read_text()
    with ExitStack() as stack:
        found = {}
        for name in names:
            split = stack.enter_context(SplitSimulator(default_split(), token=SPLIT_TOKEN))
            changed = text.replace('name = "acme"', f'name = "{name}"')
            (made.folder / f"{name}.toml").write_text(changed.replace(made.split.base_url, split.base_url))
            found[name] = split
        yield found


def has(split: SplitSimulator, email: str) -> bool:
    return any(user.user_name == email and user.active for user in split.world.users.values())


def asked(made: Rig) -> int:
    """How often the System Log was, since the rig forgot."""
    return sum("/logs" in each for each in made.reads())


def long_ago(database: str) -> None:
    """For nobody's next delta what the org was asked last is fresh any more."""
    with psycopg.connect(database) as session:
        session.execute("UPDATE syncd.org_log SET asked = asked - interval '9 minutes'")


@dataclass
class Three:
    """Workers, each of which owns one connection of the org."""

    made: Rig
    database: str
    workers: Mapping[str, Working]
    """By what they own."""
    splits: Mapping[str, SplitSimulator]

    def looks(self, *names: str) -> None:
        """Has these have a delta, now."""
        before = {name: self._polls(name) for name in names}
        for name in names:
            self.workers[name].daemon._timetable.bring_forward(name, "delta")
        eventually(lambda: all(self._polls(name) > before[name] for name in names), "each has looked")

    def _polls(self, name: str) -> int:
        return self.workers[name].daemon.board.connection(name).snapshot().totals.polls

    def questions(self) -> int:
        """That all of them ask when each has a delta."""
        self.made.forget()
        long_ago(self.database)
        self.looks(*self.workers)
        return asked(self.made)

    def come_together(self) -> None:
        eventually(lambda: [self.questions() for _ in range(3)] == [1, 1, 1], "they ask once")

    def arrives(self, email: str) -> None:
        eventually(lambda: all(has(split, email) for split in self.splits.values()), f"{email} is everywhere")


@contextmanager
def enrolled(made: Rig, registry: PostgresRegistry) -> Iterator[Mapping[str, SplitSimulator]]:
    """Three connections of one org; nobody has a delta by himself."""
    schedule(made, 'delta = "10m"\nfull = "12h"\ndrift = "24h"')
    with sides(made, NAMES) as splits:
        enrolments = []
        for name, split in splits.items():
            text = (made.folder / f"{name}.toml").read_text()
            digest = hashlib.sha256(text.encode()).hexdigest()
            enrolments.append(Enrolment(name, text, digest, made.okta.url, split.base_url))
        registry.enrol(enrolments, "ada")
        yield splits


@pytest.fixture
def three(made: Rig, database: str, registry: PostgresRegistry) -> Iterator[Three]:
    with enrolled(made, registry) as splits, ExitStack() as stack:
        by_name = {
            name: stack.enter_context(working(Working(database, made.folder, name, capacity=1)))
            for name in ("one", "two", "three")
        }
        for each in by_name.values():
            each.logs("cycle done", cycle="full")
        owners = {each.name: by_name[each.owner] for each in registry.look().connections}
        yield Three(made, database, owners, splits)


def test_each_interval_costs_one_question_and_a_change_is_asked_for_once(three: Three) -> None:
    three.come_together()
    three.made.okta.world.add_user("new@example.com", "New", "Hire", assign=True)
    three.made.forget()
    long_ago(three.database)
    three.looks("acme")
    three.arrives("new@example.com")
    assert asked(three.made) == 1


def test_whoever_takes_a_connection_over_goes_on_where_the_others_are(three: Three) -> None:
    three.come_together()
    leaver = three.workers["acme"]
    leaver.daemon.stop()
    three.made.okta.world.add_user("new@example.com", "New", "Hire", assign=True)
    heir = Working(three.database, three.made.folder, "heir", capacity=1)
    with working(heir):
        heir.logs("owns a connection", connection="acme", clean=True)
        three.workers = {**three.workers, "acme": heir}
        three.come_together()
        three.arrives("new@example.com")
        assert heir.events("cycle done", cycle="full") == []


def test_a_worker_that_has_all_connections_of_an_org_shares_nothing_with_the_database(
    made: Rig, database: str, registry: PostgresRegistry
) -> None:
    with enrolled(made, registry) as splits, working(Working(database, made.folder, "one")) as one:
        one.logs("cycle done", times=len(NAMES), cycle="full")
        all_here = Three(made, database, dict.fromkeys(NAMES, one), splits)
        made.okta.world.add_user("new@example.com", "New", "Hire", assign=True)
        made.forget()
        all_here.looks("acme")
        all_here.arrives("new@example.com")
        assert asked(made) == 1
        assert one.trunks._session.process is None, "not even a session"
        with psycopg.connect(database) as session:
            assert session.execute("SELECT count(*) FROM syncd.org_log").fetchone() == (0,)


def polls(port: int) -> float:
    """How often the connections of this worker looked at the System Log, whoever asked it."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as page:
        found = re.findall(r"^syncd_polls_total\{.*\} (\S+)$", page.read().decode(), re.MULTILINE)
    return sum(map(float, found))


def test_workers_go_on_whoever_of_them_is_lost_whatever_okta_refuses_and_when_the_database_was_away(
    made: Rig, tmp_path: Path
) -> None:
    needs_a_server()
    schedule(made, 'delta = "1s"\nfull = "12h"\ndrift = "24h"')
    place, ports = tmp_path / "of the fleet", (free_port(), free_port())
    place.mkdir()
    with running() as server, sides(made, NAMES[:2]) as splits, ExitStack() as stack:
        database = new_database(server, migrated=True)
        file = fleet_file(place, database, 'lease = "20s"\ncapacity = 1\n')
        file.write_text(file.read_text().replace('listen = ""\n', ""))
        fleet(file, "apply", made.folder, "--yes")
        for each in [
            stack.enter_context(machine(file, f"w{port}", tables=f'listen = "127.0.0.1:{port}"\n'))
            for port in ports
        ]:
            each.logs("cycle done", cycle="full")

        def share() -> None:
            made.forget()
            before = sum(map(polls, ports))
            eventually(lambda: sum(map(polls, ports)) - before - asked(made) > 3, "one asks for both")

        def arrives(email: str) -> None:
            made.okta.world.add_user(email, "New", "Hire", assign=True)
            eventually(lambda: all(has(each, email) for each in splits.values()), f"{email} is everywhere")

        share()
        arrives("first@example.com")

        with psycopg.connect(database) as session:  # a third one asks, and dies
            session.execute(
                "UPDATE syncd.org_log SET asker = gen_random_uuid(), asking_from = clock_timestamp(),"
                " asking_until = clock_timestamp() + interval '1 s'"
            )
        arrives("second@example.com")

        made.okta.faults.add("status", path="/api/v1/logs", count=1, status=400)
        arrives("third@example.com")

        server.stop(signal.SIGQUIT)  # as in a crash: what they shared is gone
        server.start()
        arrives("fourth@example.com")
        share()
