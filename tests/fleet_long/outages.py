"""What happens to the database: its disk is full, it fails over, and the way to it is cut or slow."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from syncd.demo.fleet.postgresql import USER
from syncd.engine.cycles.rolled_back import comes_in
from syncd.engine.cycles.second_look import AFTER
from tests.fleet_long import ledger
from tests.fleet_long.courses import Figures, all_served, changing, wait_until
from tests.fleet_long.figures import UNIX, in_the_end, late_requests, of_ledger, polls, spread
from tests.fleet_long.mishaps import OFTEN
from tests.fleet_long.park import PLAIN, TOKENS, Park, Site, Way, park
from tests.fleet_long.trails import not_journalled
from tests.postgres.small_disk import DATA, LOG, Disk, small_disks
from tests.postgres.standby import followed
from tests.postgres.strait import BOTH, FROM, TO, Strait, strait

WORKERS = 4


@dataclass
class Back:
    """Seconds from the return until each org was asked again, and until somebody who was hired then arrived."""

    asked: dict[str, list[float]] = field(default_factory=dict)
    written: dict[str, list[float]] = field(default_factory=dict)

    def after(self, made: Park, what: str) -> None:
        """Waits until it is so everywhere."""
        returned = time.time()
        hired = {site.name: _mail(site) for site in made.sites}
        wait_until(
            lambda: all(_asked(site, returned) for site in made.sites), f"asked again after {what}", 300
        )
        wait_until(
            lambda: all(_arrived(site, hired[site.name]) for site in made.sites), f"written after {what}", 300
        )
        self.asked.setdefault(what, []).extend(_asked(site, returned) - returned for site in made.sites)
        self.written.setdefault(what, []).extend(
            _arrived(site, hired[site.name]) - returned for site in made.sites
        )

    def as_json(self) -> Mapping[str, Any]:
        return {
            what: {"asked": spread(found), "written": spread(self.written[what])}
            for what, found in self.asked.items()
        }


def _mail(site: Site) -> str:
    with site.okta.world.lock:
        person = site.hire()
        return str(site.okta.world.users[person].profile["email"])


def _asked(site: Site, since: float) -> float:
    """When the org was asked first since then, in Unix time; 0 when it was not."""
    return min((at for at in polls(site) if at > since), default=0.0)


def _arrived(site: Site, mail: str) -> float:
    """When the target was told of somebody; 0 when it was not, or the person was taken out meanwhile."""
    for each in site.split.requests:
        if each.method == "POST" and each.body.get("userName") == mail and each.status == 201:
            return each.started + UNIX
    with site.okta.world.lock:
        gone = all(row.profile["email"] != mail for row in site.okta.world.app_users.values())
    return time.time() if gone else 0.0


def _judged(made: Park, back: Back, **more: object) -> Figures:
    owned = ledger.owners(made.url)
    return {
        "connections": len(made.sites),
        **more,
        "back": back.as_json(),
        "takeovers": sum(1 for each in owned if not each.clean),
        "late": asdict(late_requests(made, owned)),
        "late_after_deadline": asdict(late_requests(made, owned, margin=5.0)),
        "store": of_ledger(made),
        **in_the_end(made),
        "writes_without_an_intent": not_journalled(made),
    }


def straits(folder: Path, dice: Random, connections: int, count: int) -> Figures:
    """A proxy before the database stops forwarding for some or all workers, in one direction or both, or is slow."""
    with park(folder, connections, schedule=OFTEN, latency=0.05, tcp=True) as made, ExitStack() as stack:
        ways = [stack.enter_context(strait(made.server.port)) for _ in range(WORKERS)]
        made.begin([Way(url=_through(way)) for way in ways], capacity=max(1, -(-connections // 2)))
        wait_until(lambda: all_served(made), "all connections are served")
        mishaps: dict[str, Callable[[Strait], None]] = {
            "cut": lambda way: way.cut(BOTH),
            "cut to the server": lambda way: way.cut([TO]),
            "cut from the server": lambda way: way.cut([FROM]),
            "2.5 s each way": lambda way: way.slow(2.5),
            "5 s each way": lambda way: way.slow(5.0),
        }
        back, lengths = Back(), []
        with changing(made, dice, 0.3 * connections):
            for turn in range(int(count)):
                what = sorted(mishaps)[turn % len(mishaps)]
                chosen = ways if dice.random() < 0.6 else dice.sample(ways, 2)
                forgetting, length = dice.random() < 0.5, dice.choice((10.0, 20.0, 30.0, 60.0, 90.0))
                time.sleep(8)
                for way in chosen:
                    mishaps[what](way)
                time.sleep(length)
                for way in chosen:
                    way.slow(0.0)
                    way.mend(forgetting=forgetting)
                lengths.append(length)
                whom = "all" if len(chosen) == WORKERS else "some"
                back.after(made, f"{what}, {whom}{', forgotten' if forgetting else ''}, {length:.0f} s")
        return _judged(made, back, length=spread(lengths))


def _through(way: Strait) -> str:
    return f"postgresql://{USER}@127.0.0.1:{way.port}/postgres"


def standby(folder: Path, dice: Random, connections: int, count: int) -> Figures:
    """The primary is killed, and its synchronous standby takes its place: nothing that was acknowledged is lost."""
    return _failing_over(folder, dice, connections, int(count), synchronous=True)


def lagging(folder: Path, dice: Random, connections: int, count: int) -> Figures:
    """The same with one that lags some seconds behind: what was written last is lost."""
    return _failing_over(folder, dice, connections, int(count), synchronous=False)


def _failing_over(folder: Path, dice: Random, connections: int, count: int, *, synchronous: bool) -> Figures:
    with (
        park(folder, connections, schedule=OFTEN, latency=0.05, tcp=True) as made,
        followed(made.server, synchronous=synchronous) as pair,
        strait(made.server.port) as way,
    ):
        hosts = ",".join(f"127.0.0.1:{port}" for port in pair.ports)
        both = f"postgresql://{USER}@{hosts}/postgres?target_session_attrs=read-write"
        made.begin([Way(url=each) for each in (both, _through(way)) * 2])
        wait_until(lambda: all_served(made), "all connections are served")
        said, back, lags = _said_of_copies(folder, both), Back(), []
        with changing(made, dice, 0.3 * connections):
            for turn in range(count):
                time.sleep(12)
                if synchronous and turn % 3 == 2:  # no commit is answered
                    pair.way.cut()
                    time.sleep(30)
                    pair.way.mend()
                    back.after(made, "the standby is not heard for 30 s")
                    continue
                lag = 0.0 if synchronous else dice.choice((1.0, 4.0, 8.0))
                if lag:
                    pair.way.cut()
                    time.sleep(lag)
                lags.append(lag)
                after = dice.choice((0.0, 5.0, 20.0))
                pair.fail_over(after)
                way.leads_to, made.url, made.server = pair.primary.port, pair.primary.url(), pair.primary
                back.after(made, f"{after:.0f} s")
                pair.way.drop()
                pair.way.mend()
                pair.follow()
        more = {} if synchronous else {"after_losses": _looked_for(folder, made)}
        return _judged(made, back, failovers=count, lag=spread(lags), check=said, **more)


def _looked_for(folder: Path, made: Park) -> Mapping[str, object]:
    """How many connections differ because rows were lost: at once, after what was looked at a second time and compared
    since, and after `syncd drift --fix`.
    """
    lost = made.wait_until_equal(10.0)
    looked_at = made.wait_until_equal(AFTER.total_seconds() + 60.0)
    compared = made.wait_until_equal(comes_in("", len(made.sites)).total_seconds() + len(made.sites) * 4.0)
    command = [sys.executable, "-m", "syncd", "drift", "--fix", "--fleet", str(folder / "fleet.toml")]
    done = subprocess.run(command, check=False, capture_output=True, text=True, env={**os.environ, **TOKENS})
    return {
        "differ": len(lost),
        "looked_at": looked_at,
        "compared": compared,
        "exit_code_of_drift": done.returncode,
        "said": done.stderr[-300:],
    }


def _said_of_copies(folder: Path, url: str) -> str:
    """What `syncd fleet check` says of the standbys."""
    secret = folder / "database"
    secret.write_text(url)
    secret.chmod(0o600)
    (folder / "fleet.toml").write_text('[fleet]\ndatabase = { file = "database" }\n')
    command = [
        sys.executable,
        "-m",
        "syncd",
        "fleet",
        "check",
        "--json",
        "--fleet",
        str(folder / "fleet.toml"),
    ]
    said = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return next(f"{each['state']}: {each['detail']}" for each in said["checks"] if each["name"] == "standbys")


def full_disk(folder: Path, dice: Random, connections: int, count: int) -> Figures:
    """The disk of the data, of the write-ahead log or of both is filled to the last byte, and freed."""
    with (
        park(folder, connections, schedule=OFTEN, latency=0.05) as made,
        small_disks(made.server) as disks,
    ):
        made.begin([PLAIN] * 3)
        wait_until(lambda: all_served(made), "all connections are served")
        kinds: dict[str, Sequence[str]] = {"data": [DATA], "log": [LOG], "both": [DATA, LOG]}
        back, starts = Back(), 0
        with changing(made, dice, 0.5 * connections):
            for turn in range(int(count)):
                what = sorted(kinds)[turn % len(kinds)]
                length = dice.choice((10.0, 30.0, 60.0))
                time.sleep(8)
                with _kept_full([disks[each] for each in kinds[what]]):
                    time.sleep(length)
                starts += _started_again(made)
                back.after(made, f"{what}, {length:.0f} s")
        return _judged(made, back, started_again=starts)


@contextmanager
def _kept_full(disks: Sequence[Disk]) -> Iterator[None]:
    """What PostgreSQL frees in between is filled again."""
    over = threading.Event()

    def go_on() -> None:
        while True:
            for disk in disks:
                disk.fill()
            if over.wait(0.3):
                return

    thread = threading.Thread(target=go_on, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(30)
        for disk in disks:
            disk.free()


def _started_again(made: Park) -> int:
    """As a service manager does with a server that has ended: how often that was needed."""
    server = made.server
    assert server.process is not None
    deadline = time.monotonic() + 20
    while server.process.poll() is None and time.monotonic() < deadline:
        if _answers(made):
            return 0
        time.sleep(0.2)
    if server.process.poll() is None:
        return 0
    server.start()
    return 1


def _answers(made: Park) -> bool:
    import psycopg  # noqa: PLC0415

    try:
        with psycopg.connect(made.url, connect_timeout=3):
            return True
    except psycopg.Error:
        return False
