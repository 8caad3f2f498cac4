"""A world between an org and a target in which things happen by dice, and what is seen at the target."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from hypothesis import given, note, seed

from syncd.simulators.ids import WorldError
from syncd.simulators.world import OktaWorld, SplitWorld
from tests.chaos.arena import Arena
from tests.chaos.test_stateful import EXAMPLES, SEEDS, chosen_seed, profile
from tests.connection_text import FREE_TO_CHANGE

LOOSE = (
    f'{FREE_TO_CHANGE}max_deactivations = "100%"\nmax_member_removals = "100%"\n'
    'max_member_removals_per_group = "100%"\nmax_group_deletions = 99'
)
"""Lines for `[safety]`: no limit stops what happens here."""


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


class World:
    """Okta's side of it: acts by dice."""

    def __init__(self, dice: random.Random) -> None:
        self.dice = dice
        self.okta = OktaWorld()
        self.named = 0
        self.founds = True
        """Groups are made, too."""

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
        if act == 7 and self.founds:
            return "found", okta.create_group(self.name("push"), members=[self.person(), self.person()])
        if act == 8:
            return "delete", okta.delete_group(self.group())
        return "call", okta.rename_group(self.group(), self.name("push"))


def take_courses(course_of: Callable[[int], None], what: str) -> None:
    """A few repeatable ones, or CHAOS_EXAMPLES of them from CHAOS_SEED."""
    test = profile(8)(given(course=SEEDS)(course_of))
    if EXAMPLES:
        chosen = chosen_seed()
        sys.stderr.write(f"\nCHAOS_EXAMPLES={EXAMPLES} CHAOS_SEED={chosen} ({what})\n")
        test = seed(chosen)(test)
    test()
