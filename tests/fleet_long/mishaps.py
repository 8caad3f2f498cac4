"""What happens around a fleet: wrong clocks, cut lines, a database that goes and comes, another version."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import urlsplit

from syncd.demo.fleet.postgresql import USER
from tests.e2e.elsewhere import clock_ahead
from tests.fleet_long import ledger
from tests.fleet_long.courses import Figures, all_served, changing, kills, wait_until
from tests.fleet_long.figures import gaps, in_the_end, late_requests, of_ledger, on_the_way, polls, spread
from tests.fleet_long.islands import Island, islands
from tests.fleet_long.park import PLAIN, Park, Way, children_of, park

OFTEN = 'delta = "2s"\nfull = "1h"\ndrift = "24h"'
AN_HOUR = 3600
OLDER = "FLEET_LONG_OLDER"
"""An environment variable: the directory of another version's code."""


def clocks(folder: Path, dice: Random, connections: int, seconds: float) -> Figures:
    """As `kills`, by workers whose clocks are an hour ahead, an hour behind, and right."""
    ways = [Way(environ=clock_ahead(by).environ) for by in (AN_HOUR, -AN_HOUR, AN_HOUR)]
    return kills(folder, dice, connections, seconds, [*ways, PLAIN])


def cutoffs(folder: Path, dice: Random, connections: int, count: int) -> Figures:
    """Owners lose the database, the targets or both while they write, and then they get them back."""
    at_once = 2
    with park(folder, connections, schedule=OFTEN, latency=0.1, tcp=True) as made, islands(4) as places:
        port = made.server.port
        url = f"postgresql://{USER}@127.0.0.1:{port}/postgres"
        made.begin(
            [Way(url=url, prefix=place.prefix) for place in places],
            capacity=max(1, -(-connections // 3)),
        )
        wait_until(lambda: all_served(made), "all connections are served")
        targets = [urlsplit(site.split.base_url).port or 0 for site in made.sites]
        ways: dict[str, Sequence[int]] = {"database": [port], "targets": targets, "both": ()}
        done: list[str] = []
        lengths: list[float] = []
        with changing(made, dice, 0.7 * connections):
            while len(done) < count:
                time.sleep(5)
                length = dice.choice((10.0, 25.0, 40.0, 90.0))
                chosen = [(each, dice.choice(sorted(ways))) for each in dice.sample(list(places), at_once)]
                _cut(chosen, ways, length)
                done += [what for _, what in chosen]
                lengths.append(length)
                wait_until(lambda: _all_owned(made), "all connections are owned")
        owned = ledger.owners(made.url)
        return {
            "connections": connections,
            "cuts": {what: done.count(what) for what in ways},
            "length": spread(lengths),
            "late": asdict(late_requests(made, owned)),
            "late_after_deadline": asdict(late_requests(made, owned, margin=5.0)),
            "seconds_on_the_way": on_the_way(made),
            "store": of_ledger(made),
            **in_the_end(made),
        }


def _cut(chosen: Sequence[tuple[Island, str]], ways: dict[str, Sequence[int]], length: float) -> None:
    for place, what in chosen:
        place.cut(ways[what])
    time.sleep(length)
    for place, _ in chosen:
        place.mend()


def _all_owned(made: Park) -> bool:
    last = {each.connection: each.worker for each in ledger.owners(made.url)}
    return len(last) == len(made.sites)


def database(folder: Path, dice: Random, connections: int, count: int) -> Figures:
    """The server is restarted, killed, or stands still for a while; `back`: until each org is asked again."""
    with park(folder, connections, schedule=OFTEN, latency=0.05) as made:
        made.begin([PLAIN] * 3)
        wait_until(lambda: all_served(made), "all connections are served")
        outages: dict[str, Callable[[], object]] = {
            "restart": lambda: _restart(made, signal.SIGINT, 0.0),
            "kill": lambda: _restart(made, signal.SIGKILL, 0.0),
            "away for 30 s": lambda: _restart(made, signal.SIGINT, 30.0),
            "still for 5 s": lambda: _still(made, 5.0),
            "still for 40 s": lambda: _still(made, 40.0),
        }
        back: dict[str, list[float]] = {each: [] for each in outages}
        with changing(made, dice, 0.3 * connections):
            for _ in range(int(count)):
                what = dice.choice(sorted(outages))
                time.sleep(8)
                outages[what]()
                returned = time.time()
                _wait_until_asked(made, returned)
                back[what] += [asked - returned for asked in _asked(made, returned)]
        owned = ledger.owners(made.url)
        return {
            "connections": connections,
            "back": {what: spread(found) for what, found in back.items()},
            "takeovers": sum(1 for each in owned if not each.clean),
            "late": asdict(late_requests(made, owned)),
            "store": of_ledger(made),
            **in_the_end(made),
        }


def _wait_until_asked(made: Park, since: float) -> None:
    wait_until(lambda: all(_asked(made, since)), "all orgs are asked again", 300)


def _asked(made: Park, since: float) -> list[float]:
    """When each org was asked first since then; 0 for one that was not."""
    return [min((at for at in polls(site) if at > since), default=0.0) for site in made.sites]


def _restart(made: Park, how: signal.Signals, away: float) -> None:
    server = made.server
    assert server.process is not None
    if how is signal.SIGKILL:  # its children see it and end
        children = children_of(server.process.pid)
        server.stop(how)
        wait_until(lambda: not any(Path(f"/proc/{each}").exists() for each in children), "they have ended")
    else:
        server.stop(how)
    time.sleep(away)
    server.start()


def _still(made: Park, seconds: float) -> None:
    """Nobody is answered, and no connection ends."""
    assert made.server.process is not None
    processes = [made.server.process.pid, *children_of(made.server.process.pid)]
    for number in (signal.SIGSTOP, signal.SIGCONT):
        for each in processes:
            try:
                os.kill(each, number)
            except ProcessLookupError:
                continue
        time.sleep(seconds if number is signal.SIGSTOP else 0.0)


def upgrade(folder: Path, dice: Random, connections: int, count: int) -> Figures:
    """One worker after the other is told to stop, and another version takes its place: there, and back again."""
    older = Path(os.environ[OLDER])
    versions: list[Any] = [Way(cwd=older, module="syncd"), Way(module="syncd")]
    with park(folder, connections, schedule=OFTEN) as made:
        made.begin([versions[0]] * 3)
        wait_until(lambda: all_served(made), "all connections are served")
        began, replaced = time.time(), 0
        with changing(made, dice, 2.0):
            for turn in range(int(count)):
                for worker in list(made.workers):
                    time.sleep(10)
                    made.start_worker(versions[(turn + 1) % 2])
                    time.sleep(3)
                    assert made.end_worker(worker, signal.SIGTERM) == 0
                    replaced += 1
            time.sleep(10)
        ended = time.time()
        owned = ledger.owners(made.url)
        return {
            "connections": connections,
            "replaced": replaced,
            "gap": spread(gap for gap, _ in gaps(made.sites, began, ended)),
            "taken_over_without_a_hand_over": sum(1 for each in owned if not each.clean),
            **in_the_end(made),
        }
