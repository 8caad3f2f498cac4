"""Random runs, each given back: the target is as it was before, apart from what is named; and nothing is made again
until a person says so.

`make test` runs short, repeatable ones; `make chaos` CHAOS_EXAMPLES of them from CHAOS_SEED.
"""

from __future__ import annotations

import random
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, note, seed

from syncd.core.change import ChangeKind
from syncd.core.diff import Skipped
from syncd.engine.cycles.result import RunResult
from syncd.engine.cycles.undo import apply_undo, plan_undo
from syncd.redact import Redactor
from syncd.simulators.ids import WorldError
from syncd.simulators.world import OktaWorld, SplitWorld, default_split
from syncd.wiring import open_job
from tests.chaos.arena import DECIDER, Arena, arena
from tests.chaos.test_stateful import EXAMPLES, SEEDS, chosen_seed, profile
from tests.connection_text import FREE_TO_CHANGE

_LOOSE = (
    f'{FREE_TO_CHANGE}max_deactivations = "100%"\nmax_member_removals = "100%"\n'
    'max_member_removals_per_group = "100%"\nmax_group_deletions = 99'
)


@dataclass(frozen=True)
class Look:
    """The target: accounts by SCIM id (name, active, first and last name), members' SCIM ids by group name."""

    people: Mapping[str, tuple[object, ...]]
    groups: Mapping[str, frozenset[str]]

    @classmethod
    def at(cls, world: SplitWorld) -> Look:
        with world.lock:
            people: dict[str, tuple[object, ...]] = {
                user.id: (user.user_name, user.active, repr(user.attributes.get("name")))
                for user in world.users.values()
            }
            return cls(
                people,
                {group.name: frozenset(group.members) & set(people) for group in world.groups.values()},
            )


class _World:
    """Okta's side of it: acts by dice."""

    def __init__(self, dice: random.Random) -> None:
        self.dice = dice
        self.okta = OktaWorld()
        self.named = 0

    def found(self) -> None:
        ids = [self.hire() for _ in range(self.dice.randint(4, 9))]
        for _ in range(3):
            self.okta.create_group(
                self.name("push"), members=[one for one in ids if self.dice.random() < 0.5]
            )

    def name(self, what: str) -> str:
        self.named += 1
        return f"{what}-{self.named:03}"

    def hire(self) -> str:
        name = self.name("p")
        return self.okta.add_user(f"{name}@example.com", "P", name, assign=self.dice.random() < 0.9)

    def person(self) -> str:
        return self.dice.choice(sorted(self.okta.users))

    def group(self) -> str:
        return self.dice.choice(sorted(g.id for g in self.okta.groups.values() if g.name.startswith("push-")))

    def things_happen(self, made: Arena) -> None:
        for _ in range(self.dice.randint(1, 8)):
            with suppress(WorldError, IndexError):  # what Okta refuses does not happen
                note(f"  {self.one_thing()}")
            made.holdings()  # at Harness the oracle knows groups by the names that it saw

    def one_thing(self) -> tuple[Any, ...]:
        okta, act = self.okta, self.dice.randrange(10)
        if act == 0:
            return "hire", self.hire()
        if act == 1:
            return "unassign", okta.unassign(self.person())
        if act == 2:
            return "assign", okta.assign(self.person())
        if act == 3:
            return "rename", okta.update_profile(self.person(), lastName=self.name("N"))
        if act == 4:
            return "move", okta.update_profile(self.person(), email=f"{self.name('m')}@example.com")
        if act == 5:
            return "join", okta.add_member(self.group(), self.person())
        if act == 6:
            return "leave", okta.remove_member(self.group(), self.person())
        if act == 7:
            return "found", okta.create_group(self.name("push"), members=[self.person(), self.person()])
        if act == 8:
            return "delete", okta.delete_group(self.group())
        return "call", okta.rename_group(self.group(), self.name("push"))


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
    world = _World(dice)
    world.found()
    note(flavor)
    with (
        tempfile.TemporaryDirectory(prefix="undo-") as folder,
        arena(
            Path(folder),
            world.okta,
            split=default_split(flavor=flavor),
            tables={
                "safety": _LOOSE,
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
    test = profile(8)(given(course=SEEDS)(_a_run_is_given_back))
    if EXAMPLES:
        chosen = chosen_seed()
        sys.stderr.write(f"\nCHAOS_EXAMPLES={EXAMPLES} CHAOS_SEED={chosen} (giving back)\n")
        test = seed(chosen)(test)
    test()
