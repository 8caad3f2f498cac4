"""The real daemon, for as long as one likes, while people come and go: `python -m tests.chaos.soak --minutes 30`.

`syncd run` with short intervals runs against both simulators, each a process of its own. Okta's pages take seconds, its
lists lag, its events come late and twice. In the end, when all is quiet, the worlds must be equal, and the target's own
log is the witness that nobody was let in or locked out for a moment, and that no group was deleted and made again. Exit
code 1 when something was found.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random, SystemRandom
from typing import Any, Self

import requests

from syncd.simulators.ids import WorldError, perform
from syncd.simulators.world import OktaWorld, SplitWorld, default_split
from tests.chaos.oracle import holdings
from tests.chaos.owners import PREFIX
from tests.chaos.target_log import TargetLog
from tests.chaos.timeline import Key, Timeline, Write, held, parts, parts_of, unequal, wanted
from tests.connection_text import FREE_TO_CHANGE, connection_text
from tests.simulators.program import started

TOKENS = {"okta": "00tOkTa-soak-0042", "split": "spl.soak-4711"}
ANCHOR = "anchor@example.com"
ACTS = (
    "hire", "leave", "leave", "leave", "come_back", "come_back", "come_back", "rename_person", "readdress",
    "join", "join", "leave_group", "leave_group", "found_a_group", "delete_a_group", "rename_a_group", "leave_the_rule",
)  # fmt: skip
LISTS = r"/apps/[^/]+/users\?|/api/v1/groups(\?|/[^/]+/users)"


@dataclass(frozen=True)
class Course:
    """What to do and for how long; all times in seconds."""

    seconds: float
    seed: int
    people: int = 60
    groups: int = 6
    full: int = 20
    page: float = 3.0
    lag: float = 20.0
    every: float = 0.7
    margin: float = 15.0
    """So long after an answer by id syncd may still write what it had planned before."""


class Server:
    """A simulator in a process of its own, by its control interface."""

    def __init__(self, kind: str, url: str) -> None:
        self.kind, self.url = kind, url
        self._session = requests.Session()
        self._session.trust_env = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._session.close()

    def control(self, method: str, what: str, body: object = None) -> Any:
        answer = self._session.request(method, f"{self.url}/_control/{what}", json=body, timeout=30)
        answer.raise_for_status()
        return answer.json()

    def requests(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.control("GET", "requests")
        return found


@contextmanager
def simulated(kind: str, fixture: Path) -> Iterator[Server]:
    process = started(kind, fixture, TOKENS[kind])
    try:
        assert process.stdout is not None
        word = {"okta": "org_url", "split": "base_url"}[kind]
        line = next(line for line in process.stdout if word in line)
        with Server(kind, line.split()[1].removesuffix("/scim/v2")) as server:
            yield server
    finally:
        process.kill()
        process.communicate()


class Org:
    """The Okta org, twice: as it is served, and here as the oracle knows it."""

    def __init__(self, world: OktaWorld, server: Server, dice: Random) -> None:
        self.world, self.server, self.dice = world, server, dice
        self.timeline = Timeline()
        self.done: Counter[str] = Counter()
        self._named = 0
        self.timeline.note(parts(world), began=0.0, ended=time.monotonic())

    def act(self, act: str, **arguments: Any) -> Any:
        """Does it here, and there. Raises WorldError where Okta refuses."""
        result = perform(self.world, self.world.ACTS, act, dict(arguments))
        began = time.monotonic()
        there = self.server.control("POST", "act", {"act": act, **arguments})["result"]
        assert there == result, f"{act} {arguments}: {there} there, {result} here"
        self.timeline.note(parts(self.world), began=began, ended=time.monotonic())
        return result

    def something_happens(self) -> None:
        name = self.dice.choice(ACTS)
        with suppress(WorldError):
            getattr(self, name)()
            self.done[name] += 1

    def person(self) -> str:
        return self.dice.choice(sorted(u.id for u in self.world.users.values() if u.login != ANCHOR))

    def group(self) -> str:
        ids = sorted(g.id for g in self.world.groups.values() if g.name.startswith(PREFIX))
        if not ids:
            raise WorldError("no group is pushed")
        return self.dice.choice(ids)

    def name(self) -> str:
        self._named += 1
        return f"{self._named:04}"

    def hire(self) -> None:
        name = self.name()
        person = self.act(
            "add_user", email=f"n{name}@example.com", first_name="N", last_name=name, assign=True
        )
        self.act("add_member", group=self.group(), user=person)

    def leave(self) -> None:
        self.act("unassign", user=self.person())

    def come_back(self) -> None:
        away = sorted(set(self.world.users) - set(self.world.app_users))
        if away:
            self.act("assign", user=self.dice.choice(away))

    def rename_person(self) -> None:
        self.act("update_profile", user=self.person(), lastName=f"L{self.name()}")

    def readdress(self) -> None:
        self.act("update_profile", user=self.person(), email=f"r{self.name()}@example.com")

    def join(self) -> None:
        self.act("add_member", group=self.group(), user=self.person())

    def leave_group(self) -> None:
        group = self.group()
        members = sorted(set(self.world.groups[group].members) - {self.world.user(ANCHOR).id})
        if members:
            self.act("remove_member", group=group, user=self.dice.choice(members))

    def found_a_group(self) -> None:
        if sum(g.name.startswith(PREFIX) for g in self.world.groups.values()) < 12:
            members = [self.world.user(ANCHOR).id, *{self.person() for _ in range(4)}]
            self.act("create_group", name=f"{PREFIX}f{self.name()}", members=members)

    def delete_a_group(self) -> None:
        if self.dice.random() < 0.3:
            self.act("delete_group", group=self.group())

    def rename_a_group(self) -> None:
        self.act("rename_group", group=self.group(), name=f"{PREFIX}r{self.name()}")

    def leave_the_rule(self) -> None:
        """For good: whatever makes such a group again is wrong."""
        if self.dice.random() < 0.5:
            self.act("rename_group", group=self.group(), name=f"left-{self.name()}")


@dataclass
class Soak:
    """One course. `found` is what should not be."""

    course: Course
    folder: Path
    org: Org
    okta: Server
    split: Server
    daemon: subprocess.Popen[bytes]
    found: list[str] = field(default_factory=list)
    owners: dict[str, str] = field(default_factory=dict)
    writes: list[Write] = field(default_factory=list)

    def run(self) -> None:
        self.wait_for_fulls(1, since=0.0)
        over = time.monotonic() + self.course.seconds
        while time.monotonic() < over and self.daemon.poll() is None:
            self.org.something_happens()
            self.look()
            time.sleep(self.org.dice.expovariate(1 / self.course.every))
        time.sleep(self.course.lag)
        last = self.wait_for_fulls(3, since=time.monotonic())
        written = [r for r in self.split.requests() if r["method"] != "GET" and r["started"] > last]
        self.found += [f"a quiet full cycle wrote {r['method']} {r['path']} {r['body']}" for r in written]
        self.daemon.send_signal(signal.SIGTERM)
        code = self.daemon.wait(timeout=60)
        self.found += [f"the daemon ended with exit code {code}"] if code else []
        self.judge()

    def look(self) -> None:
        """Who owns what at the target; what is deleted soon is never seen again."""
        world = self.split.control("GET", "state")["world"]
        for kind in ("users", "groups"):
            self.owners |= {each["id"]: each["externalId"] for each in world[kind] if each.get("externalId")}

    def wait_for_fulls(self, count: int, *, since: float) -> float:
        """Until so many full cycles that began after `since` have ended; when the second but last one had."""
        first = rf"/apps/{self.org.world.app.id}/users?limit"
        deadline = time.monotonic() + 120 + (count + 1) * (self.course.full + 20 * self.course.page)
        while time.monotonic() < deadline:
            begun = [
                r["started"]
                for r in self.okta.requests()
                if r["started"] > since and first in r["path"] and "after=" not in r["path"]
            ]
            if len(begun) > count:  # the one after them has begun
                return float(begun[count - 1])
            time.sleep(0.5)
            self.look()
        raise TimeoutError(f"{count} full cycles did not come to pass")

    # the judgement

    def judge(self) -> None:
        self.look()
        document = self.split.control("GET", "state")["world"]
        have = held(holdings(SplitWorld.from_fixture(document)))
        self.found += unequal(wanted(self.org.world), have, deletes=True)
        log = TargetLog(self.owners)
        self.writes = list(log.writes(self.split.requests()))
        self.found += [
            f"group {group} was created {times} times" for group, times in log.created.items() if times > 1
        ]
        asked = self.asked_by_id()
        last: dict[Key, float] = {}
        for write in self.writes:

            def knew(part: Key, write: Write = write) -> float:
                latest = write.started - self.course.margin
                known = [at for at, ended in asked.get(_about(part), ()) if ended < latest]
                return max(
                    [0.0, last.get(write.key, 0.0), *known, *([latest] if write.value is None else [])]
                )

            if not self.org.timeline.explains(write, knew):
                told = [
                    f"{' '.join(part)} was {self.org.timeline.values(part, knew(part), write.ended)} for "
                    f"{write.ended - knew(part):.1f} s"
                    for part in parts_of(write.key)
                ]
                self.found.append(f"{write}: {', '.join(told)}{self.story(write)}")
            last[write.key] = write.started
        wrong = ("cycle crashed", "cycle failed", "could not be run")
        self.found += [line for line in self.said() if any(word in line for word in wrong)]

    def asked_by_id(self) -> dict[Key, list[tuple[float, float]]]:
        """When each person's assignment, and each group, was asked for by id: began, answered."""
        found: dict[Key, list[tuple[float, float]]] = {}
        for request in self.okta.requests():
            match request["path"].partition("?")[0].split("/")[3:]:
                case ["apps", _, "users", person] if request["status"] in (200, 404):
                    found.setdefault(("person", person), []).append((request["started"], request["ended"]))
                case ["users", person, "groups"] if request["status"] == 200:
                    found.setdefault(("member", person), []).append((request["started"], request["ended"]))
                case ["groups", group] if request["status"] in (200, 404):
                    found.setdefault(("group", group), []).append((request["started"], request["ended"]))
        return found

    def story(self, write: Write) -> str:
        """What happened about it in the seconds before."""
        begin, ids = write.started - self.course.lag - 2 * self.course.margin, set(write.key[1:])
        told = [
            *((each.started, f"target: {each}") for each in self.writes if ids & set(each.key[1:])),
            *(
                (at, f"Okta: {' '.join(key)} became {value!r}")
                for key, at, value in self.org.timeline.changes(ids)
            ),
            *(
                (
                    r["started"],
                    f"asked: {r['path'].partition('?')[0]} {r['status']}, {r['ended'] - r['started']:.1f} s",
                )
                for r in self.okta.requests()
                if ids & set(re.split(r"[/?]", r["path"])) or re.search(r"/apps/[^/]+/users\?", r["path"])
            ),
        ]
        return "".join(
            f"\n      {at - write.started:+7.2f} {what}"
            for at, what in sorted(told)
            if begin < at <= write.ended
        )

    def said(self) -> list[str]:
        return (self.folder / "daemon.log").read_text().splitlines()

    def summary(self) -> str:
        log = [json.loads(line) for line in self.said() if line.startswith("{")]
        cycles = Counter((e.get("cycle"), e["event"]) for e in log if e["event"].startswith("cycle"))
        lists = sum("/users?limit" in r["path"] and "after=" not in r["path"] for r in self.okta.requests())
        written = Counter(f"{w.key[0]} {'taken' if w.value is None else 'given'}" for w in self.writes)
        lines = [
            f"seed {self.course.seed}: {self.course.seconds:.0f} s, then quiet",
            f"happened: {sum(self.org.done.values())}: {_counts(self.org.done)}",
            f"Okta: {len(self.okta.requests())} requests, {lists} lists begun",
            f"said: {_counts({f'{kind} {event}': n for (kind, event), n in cycles.items()})}",
            f"written: {_counts(written)}",
            f"found: {len(self.found)}",
            *(f"  {each}" for each in self.found),
        ]
        return "\n".join(lines) + "\n"


def _about(part: Key) -> Key:
    return (part[0] if part[0] in ("group", "member") else "person", part[-1])


def _counts(counted: dict[str, int] | Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counted.items()))


def _settings(folder: Path, course: Course, okta: Server, split: Server, app: str) -> Path:
    file = folder / "soak.toml"
    more = f"""[safety]
max_deactivations = 100000
max_group_deletions = 100000
max_member_removals = 100000
max_member_removals_per_group = "100%"
{FREE_TO_CHANGE}
[schedule]
full = "{course.full}s"
delta = "1s"
drift = "1h"
[server]
listen = ""
[[push_groups]]
source = {{ name_starts_with = "{PREFIX}" }}
on_removal = "delete"
rename = true
"""
    text = connection_text(
        "soak",
        okta=(okta.url, app),
        split=f"{split.url}/scim/v2",
        tokens=("SOAK_OKTA", "SOAK_SPLIT"),
        okta_more="rate_limit_share = 1.0",
        split_more='flavor = "scim"\nmax_requests_per_second = 0',
        more=more,
    )
    file.write_text(text)
    return file


def _world(course: Course) -> OktaWorld:
    world = OktaWorld()
    people = [
        world.add_user(f"p{n:03}@example.com", "P", f"{n:03}", assign=True) for n in range(course.people)
    ]
    anchor = world.add_user(ANCHOR, "An", "Chor", assign=True)
    for number in range(course.groups):
        world.create_group(f"{PREFIX}{number:02}", members=[anchor, *people[number :: course.groups]])
    return OktaWorld.from_fixture(world.to_fixture())


@contextmanager
def soaking(folder: Path, course: Course) -> Iterator[Soak]:
    """Both simulators and the daemon, running."""
    world = _world(course)
    files = {"okta": folder / "okta.json", "split": folder / "split.json"}
    files["okta"].write_text(json.dumps(world.to_fixture()))
    files["split"].write_text(json.dumps(default_split(flavor="scim").to_fixture()))
    with ExitStack() as stack:
        okta, split = (stack.enter_context(simulated(kind, file)) for kind, file in files.items())
        okta.control(
            "POST",
            "knobs",
            {"page_size": 20, "list_lag": {"*": course.lag}, "stamp_lag_seconds": course.lag,
             "log_delay_seconds": 0.5, "log_duplicates": True},
        )  # fmt: skip
        slow = {"action": "delay", "path": LISTS, "seconds": course.page, "after_effect": True, "count": -1}
        okta.control("POST", "faults", slow)
        log = stack.enter_context((folder / "daemon.log").open("wb"))
        config = _settings(folder, course, okta, split, world.app.id)
        daemon = subprocess.Popen(
            [sys.executable, "-m", "syncd", "run", "--log-format", "json", "-c", str(config)],
            env={**os.environ, "SOAK_OKTA": TOKENS["okta"], "SOAK_SPLIT": TOKENS["split"]},
            stderr=log,
        )
        try:
            dice = Random(course.seed)  # noqa: S311
            yield Soak(course, folder, Org(world, okta, dice), okta, split, daemon)
        finally:
            daemon.kill()
            daemon.wait()


def soak(course: Course) -> tuple[list[str], str]:
    """What was found, and the summary."""
    with (
        tempfile.TemporaryDirectory(prefix="soak-") as folder,
        soaking(Path(folder), course) as running,
    ):
        running.run()
        return running.found, running.summary()


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.chaos.soak", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=None)
    asked = parser.parse_args(arguments)
    chosen = asked.seed if asked.seed is not None else SystemRandom().randrange(2**32)
    found, summary = soak(Course(seconds=asked.minutes * 60, seed=chosen))
    sys.stdout.write(summary)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
