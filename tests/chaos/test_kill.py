"""The executable killed with SIGKILL in the middle of every kind of change: two syncs later nothing shows it.

`make test` takes 20 of the moments, `make chaos` (CHAOS_EXAMPLES) takes 200; a part of them at Harness.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from syncd.simulators.exchange import Call, Reply
from syncd.simulators.hosting import Simulator
from syncd.simulators.world import OktaWorld, SplitWorld
from tests.chaos.arena import OKTA_TOKEN, SPLIT_TOKEN, Arena, arena
from tests.chaos.scene import Scene

MOMENTS = {"scim": 140, "harness": 60} if os.environ.get("CHAOS_EXAMPLES") else {"scim": 14, "harness": 6}
DELAYS = (0.0, 0.0005, 0.001, 0.002, 0.004, 0.008)
RULES = 'on_removal = "delete"\nrename = true\n[[push_groups]]\nsource = { name = "Ops" }\naction = "link"'
KINDS = {
    "create_user", "adopt_user", "update_user", "reactivate_user", "deactivate_user", "create_group",
    "link_group", "rename_group", "delete_group", "add_member", "remove_member",
}  # fmt: skip
AS_A_CREATION = {"reactivate_user"}
"""At Harness, where nobody is inactive."""


@dataclass(frozen=True)
class Moment:
    """The `at`-th request to one side: before it acts, or `delay` seconds after its answer is made."""

    side: str
    at: int
    acts: bool
    delay: float


@dataclass
class Alive(Scene):
    """The same start for every death."""

    ids: dict[str, str]
    """SCIM ids by Okta id of the accounts and groups that stay."""
    requests: dict[str, int] = field(default_factory=dict)
    """How many requests the whole run takes, by side."""

    def assert_exact(self) -> None:
        wanted, have = self.arena.wishes(), self.arena.holdings()
        assert {o: a.person for o, a in have.people.items() if a.active} == wanted.people
        assert {key: group.members for key, group in have.groups.items()} == wanted.members
        linked = [wanted.people[member][0] for member in self.arena.okta.world.group("Ops").members]
        assert self.arena.split.world.members("Ops") == sorted(linked)  # a link leaves no mark at the target
        names = {key: group.name for key, group in have.groups.items()}
        assert names == {key: self.arena.okta.world.groups[key].name for key in names}
        now = {key: account.scim_id for key, account in have.people.items()}
        now |= {key: group.scim_id for key, group in have.groups.items()}
        assert {key: now.get(key) for key in self.ids} == self.ids


def _world(flavor: str) -> tuple[OktaWorld, SplitWorld]:
    okta, split = OktaWorld(), SplitWorld(flavor=flavor)
    people = [okta.add_user(f"p{n:02}@example.com", "P", f"{n:02}", assign=True) for n in range(24)]
    for name, members in (
        ("red", people[:8]),
        ("blue", people[6:14]),
        ("gone", people[:2]),
        ("old", people[3:5]),
    ):
        okta.create_group(f"push-{name}", members=members)
    okta.unassign("p23@example.com")
    okta.create_group("Ops", members=people[:3])
    return okta, split


def _move_on(okta: OktaWorld, split: SplitWorld) -> None:
    """At least two changes of every kind where there can be two."""
    for number in range(4):
        okta.add_user(f"new{number}@example.com", "New", str(number), assign=True, groups=["push-red"])
        here = split.create_local_user(f"here{number}@example.com", "Here", str(number))
        split.users[here].managed = number < 2  # at Harness no list shows the others
        okta.add_user(f"here{number}@example.com", "Here", str(number), assign=True, groups=["push-blue"])
    for number in (10, 11, 12):
        okta.update_profile(f"p{number}@example.com", lastName="Moved", email=f"moved{number}@example.com")
    for number in (20, 21, 13):
        okta.unassign(f"p{number}@example.com")
    for number in (22, 23):
        okta.assign(f"p{number}@example.com")
    for number in range(3):
        okta.remove_member("push-red", f"p{number:02}@example.com")
    okta.delete_group("push-gone")
    okta.rename_group("push-old", "push-young")
    okta.create_group("push-new", members=["p05@example.com", "new0@example.com", "p10@example.com"])
    split.create_local_group("Ops")


@pytest.fixture(scope="module", params=list(MOMENTS))
def scene(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Alive]:
    folder, flavor = tmp_path_factory.mktemp("kill"), str(request.param)
    okta, split = _world(flavor)
    kinds = KINDS - AS_A_CREATION if flavor == "harness" else KINDS
    tables = {
        "provisioning": 'deactivation_grace = "0s"',
        "split": "concurrency = 4",
        "safety": 'max_group_deletions = 5\nmax_deactivations = "90%"\nmax_member_removals = "90%"',
        "rule": RULES,
    }
    with arena(folder, okta, split=split, tables=tables) as made:
        assert made.cycle().exit_code == 0
        okta.unassign("p22@example.com")
        assert made.cycle().exit_code == 0
        _move_on(okta, split)
        stored = folder / "stored"
        shutil.copytree(made.store_path.parent, stored)
        before, wanted = made.holdings(), made.wishes()
        stay = wanted.people if flavor == "harness" else before.people
        ids = {owner: account.scim_id for owner, account in before.people.items() if owner in stay}
        ids |= {key: group.scim_id for key, group in before.groups.items() if key in wanted.members}
        found = Alive(made, split.to_fixture(), stored, ids)
        for side in (made.okta, made.split):
            side.reset_requests()
        result = made.cycle().result
        assert result is not None
        assert {kind.value for kind in result.applied} == kinds
        found.assert_exact()
        found.requests = {"okta": len(made.okta.requests), "split": len(made.split.requests)}
        yield found


@contextmanager
def _watching(server: Simulator, moment: Moment, kill: Callable[[], None]) -> Iterator[None]:
    """Kills at the moment: the request is acted on or not, as the moment says, and its answer is of no use."""
    seen, lock, answer = [0], threading.Lock(), server.answer

    def watched(call: Call) -> Reply:
        with lock:
            seen[0] += 1
            mine = seen[0] == moment.at
        if mine and not moment.acts:
            kill()
            return Reply(503)
        reply = answer(call)
        if mine:
            if moment.delay:
                threading.Timer(moment.delay, kill).start()
            else:
                kill()
        return reply

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(server, "answer", watched)
        yield


def _die(made: Arena, moment: Moment) -> bool:
    """Runs `syncd sync` until the moment comes; True when it was killed, False when it was done before."""
    born = threading.Event()
    processes: list[subprocess.Popen[bytes]] = []

    def kill() -> None:
        born.wait(10)
        processes[0].send_signal(signal.SIGKILL)

    server: Simulator = made.split if moment.side == "split" else made.okta
    environment = {**os.environ, "CHAOS_OKTA": OKTA_TOKEN, "CHAOS_SPLIT": SPLIT_TOKEN}
    command = [sys.executable, "-m", "syncd", "sync", "-c", str(made.folder / "chaos.toml")]
    with (
        _watching(server, moment, kill),
        subprocess.Popen(
            command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as process,
    ):
        processes.append(process)
        born.set()
        process.wait(timeout=60)
        time.sleep(max(0.02, moment.delay * 2))  # what was under way arrives
    assert process.returncode in (-signal.SIGKILL, 0), process.returncode
    return process.returncode != 0


def _moments(requests: dict[str, int], count: int) -> list[Moment]:
    """So many of them, spread evenly over the requests of both sides: the target's writes most."""
    split = [
        Moment("split", at, acts, delay)
        for at, (acts, delay) in (
            (at, way)
            for at in range(1, requests["split"] + 1)
            for way in ((False, 0.0), *((True, delay) for delay in DELAYS))
        )
    ]
    okta = [Moment("okta", at, True, 0.0) for at in range(1, requests["okta"] + 1)]
    share = max(1, count // 10)
    chosen = [okta[place * len(okta) // share] for place in range(share)]
    rest = count - len(chosen)
    return chosen + [split[place * len(split) // rest] for place in range(rest)]


@pytest.mark.timeout(0 if os.environ.get("CHAOS_EXAMPLES") else 300)
def test_killed_at_any_moment_two_syncs_later_nothing_shows_it(scene: Alive) -> None:
    killed, count = 0, MOMENTS[scene.arena.split.world.flavor]
    for moment in _moments(scene.requests, count):
        scene.restore()
        killed += _die(scene.arena, moment)
        try:
            first = scene.arena.cycle()
            assert first.exit_code == 0, (first.error, first.result and first.result.document())
            second = scene.arena.cycle()
            assert second.exit_code == 0, (second.error, second.result and second.result.document())
            assert second.result is not None
            assert not second.result.applied
            scene.assert_exact()
            scene.arena.assert_journal_is_whole()
        except AssertionError as failed:
            raise AssertionError(f"killed at {moment}: {failed}") from failed
    assert killed >= count * 9 // 10
