"""A process that dies anywhere in a detour: the next run ends it, and nobody stays under a temporary name."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from syncd.simulators.split import SplitKnobs
from syncd.simulators.world import OktaWorld, SplitWorld
from tests.chaos.arena import Arena, Death, arena
from tests.e2e.rig import OKTA_TOKEN, SPLIT_TOKEN, rig

GROUPS = "rename = true"


def world() -> OktaWorld:
    made = OktaWorld()
    for number in range(4):
        made.add_user(f"p{number}@example.com", "P", str(number), assign=True)
        made.create_group(f"push-{number}", members=[f"p{number}@example.com"])
    return made


def swap_people(okta: OktaWorld) -> None:
    ids = [okta.user(f"p{number}@example.com").id for number in range(3)]
    for number, okta_id in enumerate(ids):
        okta.update_profile(okta_id, email=f"p{(number + 1) % 3}@example.com")


def swap_groups(okta: OktaWorld) -> None:
    ids = [okta.group(f"push-{number}").id for number in range(3)]
    for okta_id in ids:
        okta.rename_group(okta_id, f"push-{okta_id}")
    for number, okta_id in enumerate(ids):
        okta.rename_group(okta_id, f"push-{(number + 1) % 3}")


def accounts(made: Arena) -> dict[str, str]:
    """SCIM id to name, of people and groups."""
    split = made.split.world
    return {user.id: user.user_name for user in split.users.values()} | {
        group.id: group.name for group in split.groups.values()
    }


def wanted(before: dict[str, str], kind: str) -> dict[str, str]:
    """A ring of three: 0 becomes 1, 1 becomes 2, 2 becomes 0."""
    after = {f"{kind}{number}": f"{kind}{(number + 1) % 3}" for number in range(3)}
    return {
        key: name.replace(found, after[found]) if (found := name.partition("@")[0]) in after else name
        for key, name in before.items()
    }


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("at", [1, 2, 3, 4])
@pytest.mark.parametrize("place", ["send", "intend", "settle"])
@pytest.mark.parametrize(
    ("swap", "kind"), [(swap_people, "p"), (swap_groups, "push-")], ids=["people", "groups"]
)
def test_the_next_run_ends_what_a_death_left(
    tmp_path: Path, swap: Callable[[OktaWorld], None], kind: str, place: str, at: int, *, after: bool
) -> None:
    with arena(tmp_path, world(), split=SplitWorld(flavor="scim"), tables={"rule": GROUPS}) as made:
        assert made.cycle().exit_code == 0
        before = accounts(made)
        swap(made.okta.world)

        assert made.cycle(death=Death(place, at, after)).killed

        assert len(set(accounts(made).values())) == len(before)
        assert made.cycle().exit_code == 0
        assert accounts(made) == wanted(before, kind)
        made.split.reset_requests()
        assert made.cycle().exit_code == 0
        assert not [request for request in made.split.requests if request.method != "GET"]
        made.assert_journal_is_whole()


def test_the_new_name_makes_no_twin_while_somebody_is_on_a_detour(tmp_path: Path) -> None:
    """Dead after the first step; a new hire comes with an address that the ring is about."""
    with arena(tmp_path, world(), split=SplitWorld(flavor="scim")) as made:
        assert made.cycle().exit_code == 0
        before = accounts(made)
        swap_people(made.okta.world)
        assert made.cycle(death=Death("send", 1, after=True)).killed
        assert "+syncd-" in str(accounts(made))
        hired = made.okta.world.add_user("hired@example.com", "New", "Hire", assign=True)
        made.okta.world.update_profile(hired, email="p2@example.com")

        made.cycle()

        assert len(accounts(made)) == len(before), "nobody is created under an address that two people want"
        made.okta.world.unassign(hired)
        made.okta.world.set_user_status(hired, "DEPROVISIONED")
        made.cycle()
        assert accounts(made) == wanted(before, "p")


def test_who_was_left_on_a_detour_goes_back_when_the_others_are_refused(tmp_path: Path) -> None:
    """The process dies after the detour, and then the target refuses the next of the ring."""
    with arena(tmp_path, world(), split=SplitWorld(flavor="scim"), attempts=2) as made:
        assert made.cycle().exit_code == 0
        okta, split = made.okta.world, made.split.world
        one, other = okta.user("p0@example.com").id, okta.user("p1@example.com").id
        before = accounts(made)
        okta.update_profile(one, email="p1@example.com")
        okta.update_profile(other, email="p0@example.com")
        assert made.cycle(death=Death("send", 1, after=True)).killed
        stuck = next(user for user in split.users.values() if "+syncd-" in user.user_name)
        next_one = split.user("p1@example.com" if stuck.external_id == one else "p0@example.com")
        for method in ("PATCH", "PUT"):
            made.split.faults.add("status", method=method, path=f"/Users/{next_one.id}", count=-1, status=400)
        assert made.cycle().exit_code == 4
        assert made.cycle().exit_code == 4

        assert accounts(made) == before


def test_a_killed_swap_is_ended_by_the_next_sync(tmp_path: Path) -> None:
    """With SIGKILL, while the detour is on the wire."""
    okta = world()
    with rig(tmp_path, okta=okta, pushed=(), knobs=SplitKnobs(latency_seconds=0.1)) as made:
        made.sync()
        ids = {name: made.split.world.user(f"{name}@example.com").id for name in ("p0", "p1", "p2")}
        swap_people(okta)
        made.forget()
        environment = {**os.environ, "E2E_OKTA": OKTA_TOKEN, "E2E_SPLIT": SPLIT_TOKEN}
        command = [sys.executable, "-m", "syncd", "sync", "-c", str(made.config)]
        with subprocess.Popen(
            command, env=environment, stderr=subprocess.PIPE, stdout=subprocess.PIPE
        ) as process:
            while not made.writes() and process.poll() is None:
                time.sleep(0.002)
            process.send_signal(signal.SIGKILL)
            process.communicate(timeout=30)
        assert process.returncode == -signal.SIGKILL

        made.sync()

        people = made.split.world.users
        assert [people[ids[name]].user_name for name in ("p0", "p1", "p2")] == [
            "p1@example.com",
            "p2@example.com",
            "p0@example.com",
        ]
        made.assert_exact()
