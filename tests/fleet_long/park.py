"""Many connections, each between an org and an organisation of its own, one database, and workers as processes."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import IO

from syncd.ports.fleet import Enrolment
from syncd.simulators.okta import OktaSimulator
from syncd.simulators.split import SplitKnobs, SplitSimulator
from syncd.simulators.world import OktaWorld, default_split
from syncd.store.postgres import schema
from syncd.store.postgres.opening import Pools, open_for_reading
from syncd.store.postgres.registry import PostgresRegistry
from syncd.store.postgres.sessions import connect
from syncd.wiring import utc_now
from tests.chaos.oracle import holdings, wishes
from tests.connection_text import FREE_TO_CHANGE, connection_text
from tests.fleet.test_commands import url_of
from tests.fleet_long import ledger
from tests.fleet_long.harbour import Harbour
from tests.postgres.server import Server, running
from tests.serving import free_port

TOKENS = {"FLEET_LONG_OKTA": "00tOkTa-fleet-0042", "FLEET_LONG_SPLIT": "spl.fleet-4711"}
CONCURRENCY = 4


@dataclass
class Site:
    """One connection: both of its sides."""

    name: str
    okta: OktaSimulator
    split: SplitSimulator
    number: int = 0
    """In the fleet."""
    people: int = 0
    changes: int = 0

    def hire(self, groups: int = 1) -> str:
        self.people += 1
        world = self.okta.world
        person = world.add_user(f"p{self.people:04}@example.com", "P", f"{self.people:04}", assign=True)
        if groups:
            world.add_member(min(world.groups), person)
        self.changes += 1
        return person

    def change(self, dice: Random) -> None:
        """Somebody comes, goes, or has another name."""
        world = self.okta.world
        someone = dice.choice(sorted(world.users))
        match dice.randrange(4):
            case 0:
                self.hire()
            case 1 if someone in world.app_users and len(world.app_users) > 3:
                world.unassign(someone)
            case 2 if someone not in world.app_users:
                world.assign(someone)
            case _:
                world.update_profile(someone, lastName=f"N{self.changes:04}")
        self.changes += 1

    def differs(self) -> str:
        """What the target has and should not have; "" when both sides are equal. Raises AssertionError for twins."""
        wanted, have = wishes(self.okta.world), holdings(self.split.world)
        active = {owner: each.person for owner, each in have.people.items() if each.active}
        if active != dict(wanted.people):
            return f"{self.name}: people {set(active.items()) ^ set(wanted.people.items())}"
        for key, members in wanted.members.items():
            found = have.groups.get(key)
            if found is None or {one for one in found.members if one in active} != members:
                return f"{self.name}: group {key}: {found} {members}"
        return ""

    def made_twice(self) -> list[str]:
        """Who was created more than once, by the target's own log."""
        made = [
            str(each.body.get("userName"))
            for each in self.split.requests
            if each.method == "POST" and each.path.endswith("/Users") and each.status == 201
        ]
        return sorted({one for one in made if made.count(one) > 1})


@dataclass(frozen=True)
class Way:
    """How a worker runs. `url`: the database by another way; `prefix`: a command that runs it; `cwd`: of its code."""

    url: str = ""
    prefix: Sequence[str] = ()
    environ: Mapping[str, str] = field(default_factory=dict)
    cwd: Path | None = None
    module: str = ""


PLAIN = Way()


@dataclass
class Worker:
    """A process, and the file with what it says."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path
    way: Way
    listen: str = ""
    """The address of its status page; "" where it has none."""

    def cpu(self) -> float:
        return cpu_of(self.process.pid)

    def said(self, event: str) -> int:
        return self.log.read_text(errors="replace").count(f'"event":"{event}"') + self.log.read_text(
            errors="replace"
        ).count(f'"event": "{event}"')


def cpu_of(pid: int, *, waited_for: bool = False) -> float:
    """Seconds of processor time that it has used; `waited_for`: and its children that are gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(map(int, fields[11 : 15 if waited_for else 13])) / os.sysconf("SC_CLK_TCK")


def children_of(pid: int) -> list[int]:
    try:
        return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


@dataclass
class Park:
    folder: Path
    server: Server
    url: str
    sites: Sequence[Site]
    terms: str
    environ: Mapping[str, str]
    schedule: str
    listening: bool = False
    """Workers that are started have a status page."""
    workers: list[Worker] = field(default_factory=list)
    module: str = "tests.fleet_long.witnessed_worker"
    started: int = 0
    spent: float = 0.0
    """Seconds of processor time of workers that are gone."""
    _logs: list[IO[bytes]] = field(default_factory=list)

    def begin(self, ways: Sequence[Way], *, capacity: int = 10_000) -> None:
        """Workers, and then the connections: whoever came first would have all of them."""
        for way in ways:
            self.start_worker(way, capacity=capacity)
        with PostgresRegistry(self.url) as registry:
            while len(registry.look().workers) < len(ways):
                time.sleep(0.2)
            registry.enrol([_enrolment(site, self.schedule) for site in self.sites], "ada")
            numbers = {each.name: each.id for each in registry.look().connections}
        for site in self.sites:
            site.number = numbers[site.name]

    def start_worker(self, way: Way = PLAIN, *, capacity: int = 10_000) -> Worker:
        self.started += 1
        name = f"w{self.started}"
        place = self.folder / name
        place.mkdir()
        secret = place / "database"
        secret.write_text(way.url or url_of(self.url))
        secret.chmod(0o600)
        listen = f"127.0.0.1:{free_port()}" if self.listening else ""
        file = place / "fleet.toml"
        file.write_text(
            f'[fleet]\ndatabase = {{ file = "database" }}\nlisten = "{listen}"\nworker = "{name}"\n'
            f"capacity = {capacity}\n{self.terms}"
        )
        log = place / "log"
        out = log.open("wb")
        self._logs.append(out)
        run = [*way.prefix, sys.executable, "-m", way.module or self.module, "worker", "--log-format", "json"]
        process = subprocess.Popen(
            [*run, "--fleet", str(file)],
            env={**os.environ, **self.environ, **way.environ},
            stdout=subprocess.DEVNULL,
            stderr=out,
            cwd=way.cwd,
        )
        made = Worker(name, process, log, way, listen)
        self.workers.append(made)
        return made

    def end_worker(self, worker: Worker, how: signal.Signals) -> int:
        worker.process.send_signal(signal.SIGCONT)
        self.spent += worker.cpu()
        worker.process.send_signal(how)
        code = worker.process.wait(60)
        self.workers.remove(worker)
        return code

    def stop(self) -> None:
        for worker in self.workers:
            worker.process.send_signal(signal.SIGCONT)
            worker.process.kill()
            worker.process.wait(30)
        for log in self._logs:
            log.close()

    def wait_until_equal(self, patience: float) -> list[str]:
        """What still differs when it is over."""
        deadline = time.monotonic() + patience
        while (found := [each for site in self.sites if (each := site.differs())]) and (
            time.monotonic() < deadline
        ):
            time.sleep(1)
        return found

    def trails(self) -> tuple[int, int]:
        """How many trails are whole, and how many intents are open."""
        whole = left = 0
        pools = Pools(self.url, acts=2, stages=1)
        try:
            for site in self.sites:
                store = open_for_reading(pools, site.number, clock=utc_now)
                whole += store.verify_journal().intact
                left += len(list(store.open_intents()))
                store.close()
        finally:
            pools.close()
        return whole, left


@contextmanager
def park(
    folder: Path,
    connections: int,
    *,
    terms: str = "",
    schedule: str = 'delta = "30s"\nfull = "1h"\ndrift = "24h"',
    people: int = 4,
    latency: float = 0.0,
    environ: Mapping[str, str] | None = None,
    tcp: bool = False,
    **settings: str,
) -> Iterator[Park]:
    """`terms`: lines of `[fleet]`; `tcp`: the server listens on 127.0.0.1 too; `settings`: its own."""
    with ExitStack() as stack:
        server = stack.enter_context(
            running(settings={"max_connections": "600", "autovacuum": "on", **settings}, tcp=tcp)
        )
        url = server.url()
        with connect(url) as conn:
            schema.migrate(conn)
        ledger.prepare(url)
        sites = [_site(f"c{number:04}", people, latency) for number in range(connections)]
        stack.enter_context(Harbour([each for site in sites for each in (site.okta, site.split)]))
        made = Park(folder, server, url, sites, terms, {**TOKENS, **(environ or {})}, schedule)
        stack.callback(made.stop)
        yield made


def _site(name: str, people: int, latency: float) -> Site:
    okta = OktaSimulator(OktaWorld(), token=TOKENS["FLEET_LONG_OKTA"])
    split = SplitSimulator(
        default_split(), token=TOKENS["FLEET_LONG_SPLIT"], knobs=SplitKnobs(latency_seconds=latency)
    )
    site = Site(name, okta, split)
    okta.world.create_group("push-crew", members=[])
    for _ in range(people):
        site.hire()
    return site


def _enrolment(site: Site, schedule: str) -> Enrolment:
    text = connection_text(
        site.name,
        okta=(site.okta.url, site.okta.world.app.id),
        split=site.split.base_url,
        tokens=("FLEET_LONG_OKTA", "FLEET_LONG_SPLIT"),
        okta_more="rate_limit_share = 1.0",
        split_more=f'flavor = "split"\nmax_requests_per_second = 0\nconcurrency = {CONCURRENCY}',
        more="[safety]\nmax_deactivations = 100000\nmax_group_deletions = 100000\nmax_member_removals = 100000\n"
        f'max_member_removals_per_group = "100%"\n{FREE_TO_CHANGE}'
        f'[[push_groups]]\nsource = {{ name_starts_with = "push-" }}\n[schedule]\n{schedule}\n',
    )
    digest = hashlib.sha256(text.encode()).hexdigest()
    return Enrolment(site.name, text, digest, site.okta.url, site.split.base_url)
