"""What happens to a fleet: each course returns its figures."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from random import Random
from typing import Any

from tests.fleet_long import ledger
from tests.fleet_long.figures import UNIX, believed, gaps, in_the_end, late_requests, of_ledger, polls, spread
from tests.fleet_long.lateness import between, lateness
from tests.fleet_long.park import PLAIN, Park, Site, Way, Worker, children_of, cpu_of, park
from tests.fleet_long.usage import core_percent, usage

Figures = Mapping[str, Any]
FASTER = 'lease = "5s"\nrenew = "1s"\nmargin = "1s"\n'


def wait_until(true: Callable[[], object], what: str, patience: float = 900.0) -> None:
    deadline = time.monotonic() + patience
    while not true():
        assert time.monotonic() < deadline, what
        time.sleep(0.2)


def all_served(made: Park) -> bool:
    return all(polls(site) for site in made.sites) and not any(site.differs() for site in made.sites)


@contextmanager
def changing(made: Park, dice: Random, per_second: float) -> Iterator[None]:
    """Meanwhile people come, go and change."""
    over = threading.Event()

    def go_on() -> None:
        while not over.wait(1 / per_second):
            dice.choice(made.sites).change(dice)

    thread = threading.Thread(target=go_on, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(10)


def kills(
    folder: Path, dice: Random, connections: int, seconds: float, ways: Sequence[Way] = (PLAIN,) * 4
) -> Figures:
    """SIGKILL of a random worker every 20 seconds, another takes its place at once; 5 changes a second."""
    with park(folder, connections) as made:
        began = time.monotonic()
        made.begin(ways)
        wait_until(lambda: all_served(made), "all connections are served", 1800)
        served_after = time.monotonic() - began
        began, killed, before = time.time(), 0, usage(made)
        with changing(made, dice, 5.0):
            while time.time() < began + seconds:
                time.sleep(20)
                victim = dice.choice(made.workers)
                made.end_worker(victim, signal.SIGKILL)
                killed += 1
                made.start_worker(victim.way)
        ended, after = time.time(), usage(made)
        looks = gaps(made.sites, began, ended)
        worst = max(looks)
        end = in_the_end(made)
        owned = ledger.owners(made.url)
        return {
            "connections": connections,
            "first_sync_of_all": round(served_after, 1),
            "seconds": round(ended - began, 1),
            "killed": killed,
            "core_percent": core_percent(before, after),
            "load": os.getloadavg(),
            "gap": spread(gap for gap, _ in looks),
            "longest_gap": {"seconds": round(worst[0], 1), "connection": worst[1]},
            "over_60_s": sum(1 for gap, _ in looks if gap > 60),
            "takeovers": sum(1 for each in owned if not each.clean),
            "late": asdict(late_requests(made, owned)),
            "store": of_ledger(made),
            **end,
        }


def failover(folder: Path, dice: Random, connections: int, tries: int) -> Figures:
    """The owner is killed while somebody new waits: when Okta is asked, and when the target is written, by its logs."""
    reads: list[float] = []
    writes: list[float] = []
    each_time = 5
    with park(folder, connections) as made:
        made.begin([PLAIN] * 8)
        wait_until(lambda: all_served(made), "all connections are served")
        done = 0
        while done < int(tries):
            time.sleep(10)
            had = {each.connection: each.worker for each in ledger.owners(made.url)}
            owning = [each for each in made.workers if each.name in had.values()]
            victims = dice.sample(owning, min(each_time, int(tries) - done, len(owning)))
            for victim in victims:
                lost = [site for site in made.sites if had[site.number] == victim.name]
                made.end_worker(victim, signal.SIGKILL)
                at = time.time()
                for site in lost:
                    site.hire()
                done += 1
                threading.Thread(target=_measure, args=(lost, at, reads, writes), daemon=True).start()
            for _ in victims:
                made.start_worker()
            time.sleep(50)
            wait_until(lambda: all_served(made), "all connections are served again")
        time.sleep(5)
        return {
            "connections": connections,
            "owners_killed": done,
            "first_read": spread(reads),
            "first_write": spread(writes),
            "late": asdict(late_requests(made, ledger.owners(made.url))),
            "store": of_ledger(made),
            **in_the_end(made),
        }


def _measure(sites: list[Site], at: float, reads: list[float], writes: list[float]) -> None:
    """`at`: Unix time of the kill."""
    for site in sites:
        for server, kinds, into in (
            (site.okta, {"GET"}, reads),
            (site.split, {"POST", "PATCH", "PUT"}, writes),
        ):
            first: list[float] = []
            deadline = time.time() + 120
            while not first and time.time() < deadline:
                first = [
                    each.started + UNIX
                    for each in server.requests
                    if each.method in kinds and each.started + UNIX > at
                ]
                time.sleep(0.2)
            into.append(first[0] - at if first else float("inf"))


def pauses(folder: Path, dice: Random, connections: int, count: int) -> Figures:
    """SIGSTOP for longer than the lease, SIGCONT: while they write, several owners at a time, the others take over."""
    workers, at_once = 16, 8
    schedule = 'delta = "1s"\nfull = "1h"\ndrift = "24h"'
    delivered = 3.0
    with park(
        folder,
        connections,
        terms=FASTER,
        schedule=schedule,
        latency=0.1,
        environ={"FLEET_LONG_DELIVERED": str(delivered)},
    ) as made:
        room = max(1, -(-connections // at_once))
        made.begin([PLAIN] * workers, capacity=room)
        wait_until(lambda: all_served(made), "all connections are served")
        paused, writing, lengths = 0, 0, []
        with changing(made, dice, 0.7 * connections):
            while paused < count:
                writing += _wait_for_writers(made)
                owning = _owning(made)
                victims = dice.sample(owning, min(at_once, len(owning)))
                for victim in victims:
                    victim.process.send_signal(signal.SIGSTOP)
                    time.sleep(dice.random() * 0.1)
                length = dice.choice((5.5, 6.0, 7.0, 9.0, 12.0))
                time.sleep(length)
                for victim in victims:
                    victim.process.send_signal(signal.SIGCONT)
                paused += len(victims)
                lengths.append(length)
        owned = ledger.owners(made.url)
        return {
            "connections": connections,
            "pauses": paused,
            "owners_that_had_begun_to_write": writing,
            "length": spread(lengths),
            "late": asdict(late_requests(made, owned)),
            "late_after_deadline": asdict(late_requests(made, owned, margin=1.0)),
            "store": of_ledger(made),
            **in_the_end(made),
        }


def _wait_for_writers(made: Park) -> int:
    """Until each connection was written by its owner of now, or for 15 seconds: how many were."""
    deadline = time.monotonic() + 15
    while True:
        epochs = {each.connection: each.epoch for each in ledger.owners(made.url)}
        found = sum(
            1
            for site in made.sites
            if any(
                each.method != "GET" and believed(each) == epochs[site.number] for each in site.split.requests
            )
        )
        if found == len(made.sites) or time.monotonic() > deadline:
            return found
        time.sleep(0.5)


def _owning(made: Park) -> list[Worker]:
    """Workers that own something now. After a pause a process goes on under a new name: it is known by its log."""
    had = {each.connection: each.worker for each in ledger.owners(made.url)}
    names = set(had.values())
    found = []
    for worker in made.workers:
        own = [worker.name]
        own += [
            line.partition('"worker":')[2].strip().split('"')[1]
            for line in worker.log.read_text(errors="replace").splitlines()
            if "joined the fleet" in line
        ]
        if own[-1] in names:
            found.append(worker)
    return found


def quiet(folder: Path, dice: Random, connections: int, seconds: float) -> Figures:
    """Nothing happens: what three workers and the database cost, and how late deltas begin, by the workers' own word.

    From poll to poll it is 29 to 31 seconds by intent: turns come up to a second early or late.
    """
    del dice
    with park(folder, connections) as made:
        made.module, made.listening = "syncd", True
        began = time.monotonic()
        made.begin([PLAIN] * 3)
        wait_until(lambda: all_served(made), "all connections are served", 1800)
        first = time.monotonic() - began
        time.sleep(60)
        assert made.server.process is not None
        server = made.server.process.pid
        late = lateness(made)
        time.sleep(10)  # whoever shows metrics has read the status of each connection
        before, used = _cpu(made, server), usage(made)
        commits, moment = _commits(made), time.time()
        time.sleep(seconds)
        after, using, lasted = _cpu(made, server), usage(made), time.time() - moment
        commits = _commits(made) - commits
        found = sorted(gap for gap, _ in gaps(made.sites, moment, moment + lasted, ends=False))
        return {
            "connections": connections,
            "first_sync_of_all": round(first, 1),
            "seconds": round(lasted, 1),
            "core_percent": {
                name: round(100 * (after[name] - before[name]) / lasted, 2)
                for name in after
                if name in before
            },
            "of_all": core_percent(used, using),
            "load": os.getloadavg(),
            "commits_a_second": round(commits / lasted, 2),
            "deltas_late": between(late, lateness(made)),
            "from_poll_to_poll": {**spread(found), "least": round(min(found, default=0.0), 2)},
            "polls": sum(1 for site in made.sites for at in polls(site) if at > moment),
        }


def _cpu(made: Park, server: int) -> dict[str, float]:
    found = {each.name: each.cpu() for each in made.workers}
    found["postgresql"] = cpu_of(server) + sum(cpu_of(each) for each in children_of(server))
    return found


def _commits(made: Park) -> int:
    import psycopg  # noqa: PLC0415

    with psycopg.connect(made.url) as session:
        row = session.execute(
            "SELECT sum(xact_commit) FROM pg_stat_database WHERE datname = current_database()"
        ).fetchone()
    assert row is not None
    return int(row[0])
