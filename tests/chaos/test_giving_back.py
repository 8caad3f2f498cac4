"""Random runs, each given back: the target is as it was before, apart from what is named; and nothing is made again
until a person says so.

`make test` runs short, repeatable ones; `make chaos` CHAOS_EXAMPLES of them from CHAOS_SEED.
"""

from __future__ import annotations

import random
import tempfile
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import note

from syncd.core.change import ChangeKind
from syncd.core.diff import Skipped
from syncd.engine.cycles.result import RunResult
from syncd.engine.cycles.undo import apply_undo, plan_undo
from syncd.redact import Redactor
from syncd.simulators.world import default_split
from syncd.wiring import open_job
from tests.chaos.arena import DECIDER, Arena, arena
from tests.chaos.happenings import LOOSE, Look, World, take_courses
from tests.chaos.test_stateful import EXAMPLES


def _give_back(made: Arena, run_id: str) -> tuple[RunResult, list[Skipped], set[str]]:
    """With what was named as not given back, and the groups that are said to be made anew without members."""
    with (
        open_job(
            made.settings, writing=True, observer=made.notes, redactor=Redactor(), clock=made.clock
        ) as job,
        plan_undo(job, run_id, DECIDER, {}) as planned,
    ):
        left = list(planned.header.skipped)
        anew = {
            change.name
            for change in planned.changes()
            if change.kind is ChangeKind.CREATE_GROUP and "without members" in change.note
        }
        return apply_undo(job, planned, DECIDER), left, anew


def _differences(before: Look, after: Look, left: list[Skipped], anew: set[str], made: Arena) -> list[str]:
    """What is not as it was and was not named. Who was created is there, inactive; nobody knows a new account."""
    owners = {user.external_id: user.id for user in made.split.world.users.values() if user.external_id}
    aside = {owners.get(one.okta_id, one.okta_id) for one in left}
    named = {one.name.lower() for one in left}  # whom Harness removed has no Okta id there any more
    aside |= {scim_id for scim_id, (name, *_) in before.people.items() if str(name).lower() in named}
    names = {one.name for one in left if one.about == "group"}
    found = [
        f"account {scim_id}: {before.people.get(scim_id)} became {after.people.get(scim_id)}"
        for scim_id in before.people.keys() | after.people.keys()
        if scim_id not in aside
        and before.people.get(scim_id) != after.people.get(scim_id)
        and not (scim_id not in before.people and after.people[scim_id][1] is False)
    ]
    for name in (before.groups.keys() | after.groups.keys()) - names:
        old, new = before.groups.get(name), after.groups.get(name)
        if old is None or new is None or ((old ^ new) - aside and not (name in anew and not new)):
            found.append(f"group {name}: {old and sorted(old)} became {new and sorted(new)}")
    return found


def _a_run_is_given_back(course: int) -> None:
    dice = random.Random(course)  # noqa: S311  (dice)
    flavor = dice.choice(("split", "scim", "harness"))
    world = World(dice)
    world.found()
    note(flavor)
    with (
        tempfile.TemporaryDirectory(prefix="undo-") as folder,
        arena(
            Path(folder),
            world.okta,
            split=default_split(flavor=flavor),
            tables={
                "safety": LOOSE,
                "provisioning": 'deactivation_grace = "0s"',
                "rule": f'on_removal = "delete"\nrename = {str(flavor != "split").lower()}',
            },
        ) as made,
    ):
        assert made.cycle().exit_code == 0
        for _ in range(dice.randint(0, 2)):
            world.things_happen(made)
            assert made.cycle().exit_code in (0, 4), made.notes.lines
            made.later(timedelta(minutes=5))
        before = Look.at(made.split.world)
        note("the run:")
        world.things_happen(made)
        result = made.cycle().result
        assert result is not None
        if not result.applied:
            return

        undone, left, anew = _give_back(made, result.run_id)

        assert undone.exit_code == 0, (undone.document(), made.notes.lines)
        after = Look.at(made.split.world)
        note(f"left: {left}")
        assert _differences(before, after, left, anew, made) == []
        again = made.cycle()
        assert again.exit_code in (0, 3), made.notes.lines
        assert Look.at(made.split.world) == after
        if made.holds():
            made.decide("approve")
        for _ in range(3):
            made.cycle(full=True)
        wanted, have = made.wishes(), made.holdings()
        assert {owner for owner, account in have.people.items() if account.active} == set(wanted.people)
        assert {key: group.members for key, group in have.groups.items() if key in wanted.members} == dict(
            wanted.members
        )


@pytest.mark.timeout(0 if EXAMPLES else 180)
def test_a_random_run_is_given_back_whole_apart_from_what_is_named_and_stays_so() -> None:
    take_courses(_a_run_is_given_back, "giving back")
