"""Whatever happens to a protected group, in 24 hours no more people become members of it than its limit and what a
person approved.
"""

from __future__ import annotations

import random
import tempfile
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, note

from syncd.engine.cycles.delta import delta, follow
from syncd.engine.cycles.seen import Seen
from syncd.errors import SyncdError
from syncd.redact import Redactor
from syncd.simulators.ids import WorldError
from syncd.simulators.world import OktaWorld
from syncd.wiring import open_job
from tests.chaos.arena import Arena, arena
from tests.chaos.test_stateful import DAY, EXAMPLES, SEEDS, profile

LIMIT = 3
_RULE = 'action = "link"\ntarget = "Administrators"'


class _Bosses:
    """An Okta group that is tied to Administrators, and who was put there when without anybody's approval."""

    def __init__(self, made: Arena, dice: random.Random) -> None:
        self.made, self.dice = made, dice
        self.there = self.members()
        self.unasked: list[tuple[datetime, str]] = []
        self.approved: set[str] = set()

    def members(self) -> set[str]:
        return {name for name in self.made.split.world.members("Administrators") if name.startswith("p")}

    def happen(self) -> None:
        okta = self.made.okta.world
        for _ in range(self.dice.randint(0, 5)):
            act = self.dice.choice((okta.add_member, okta.add_member, okta.remove_member))
            with suppress(WorldError):
                act("push-bosses", f"p{self.dice.randrange(12):02}@example.com")
        self.made.later(timedelta(minutes=self.dice.choice((1, 40, 600, 25 * 60))))
        held = [change for hold in self.made.holds() for change in hold.changes]
        if held and self.dice.random() < 0.4:
            chosen = self.dice.sample(held, self.dice.randint(1, min(3, len(held))))
            self.made.decide("approve", [change.id for change in chosen])
            self.approved |= {change.user for change in chosen if change.user and change.after.get("member")}
            note(f"  approved {sorted(self.approved)}")

    def cycle(self) -> None:
        if self.dice.random() < 0.5:
            self.made.cycle(full=self.dice.random() < 0.5)
        else:
            with (
                suppress(SyncdError),
                open_job(
                    self.made.settings,
                    writing=True,
                    observer=self.made.notes,
                    redactor=Redactor(),
                    clock=self.made.clock,
                ) as job,
            ):
                follow(job)
                delta(job, Seen())

    def judge(self) -> None:
        now, there = self.made.clock(), self.members()
        come = there - self.there
        note(f"  {now}: {sorted(come)} came")
        self.unasked += [(now, one) for one in come - self.approved]
        self.approved -= come
        self.there = there
        lately = [one for when, one in self.unasked if now - when < DAY]
        assert len(lately) <= LIMIT, lately


def _course(number: int) -> None:
    dice = random.Random(number)  # noqa: S311  (dice)
    okta = OktaWorld()
    people = [okta.add_user(f"p{n:02}@example.com", "P", f"{n:02}", assign=True) for n in range(12)]
    okta.create_group("push-bosses", members=people[: dice.randint(0, 6)])
    loose = 'max_member_removals = "100%"\nmax_member_removals_per_group = "100%"'
    with (
        tempfile.TemporaryDirectory(prefix="bosses-") as folder,
        arena(
            Path(folder),
            okta,
            tables={"source": 'source = { name = "push-bosses" }', "rule": _RULE, "safety": loose},
        ) as made,
    ):
        bosses = _Bosses(made, dice)
        for _ in range(7):
            bosses.cycle()
            bosses.judge()
            bosses.happen()


@pytest.mark.timeout(0 if EXAMPLES else 180)
def test_no_more_people_become_administrators_in_a_day_than_the_limit_and_those_approved() -> None:
    profile(8)(given(number=SEEDS)(_course))()
