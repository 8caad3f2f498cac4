"""Random histories of which an older copy of the store knows a part: put back, it writes nothing that was done, and
brings about what was not. At Harness nothing says whose a group or an account is: what is made
after the copy has the name by which it is found.

`make test` runs short, repeatable ones; `make chaos` CHAOS_EXAMPLES of them from CHAOS_SEED.
"""

from __future__ import annotations

import random
import tempfile
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import note

from syncd import custody
from syncd.answers.decisions import resume
from syncd.engine.cycles.drift import repair
from syncd.engine.reading.selection import Selection
from syncd.redact import Redactor
from syncd.simulators.world import default_split
from syncd.wiring import open_for_deciding, open_job
from tests.chaos.arena import DECIDER, Arena, arena
from tests.chaos.happenings import LOOSE, Look, World, take_courses
from tests.chaos.test_stateful import EXAMPLES


def _syncs(made: Arena, *, full: bool = False) -> int | None:
    """Whoever looks approves what is held."""
    code = made.cycle(full=full).exit_code
    assert code in (0, 3, 4), made.notes.lines
    if made.holds():
        made.decide("approve")
    made.later(timedelta(minutes=5))
    return code


def _lives_on(made: Arena, world: World, turns: int) -> None:
    """Things happen and are synced, to the end."""
    for _ in range(turns):
        world.things_happen(made)
        _syncs(made)
    while _syncs(made, full=True):
        continue


def _put_back(made: Arena, copy: Path) -> None:
    custody.restore(made.settings, copy, made.clock, by=DECIDER)
    with open_for_deciding(made.settings, clock=made.clock) as store:
        resume(store, made.settings.name, DECIDER, "looked at", made.clock())


def _repair(made: Arena) -> None:
    """As `syncd drift --fix`: what the copy remembers and the target has lost since is made again."""
    with open_job(
        made.settings, writing=True, observer=made.notes, redactor=Redactor(), clock=made.clock
    ) as job:
        _, result = repair(job, Selection(full=True))
    assert result.exit_code == 0, (result.document(), made.notes.lines)


def _writes(made: Arena) -> list[str]:
    return [f"{each.method} {each.path} {each.body}" for each in made.split.requests if each.method != "GET"]


def _an_older_copy_is_put_back(course: int) -> None:
    dice = random.Random(course)  # noqa: S311  (dice)
    flavor = dice.choice(("split", "scim", "harness"))
    world = World(dice)
    world.found()
    note(flavor)
    tables = {
        "safety": LOOSE,
        "provisioning": 'deactivation_grace = "0s"',
        "rule": f'on_removal = "delete"\nrename = {str(flavor != "split").lower()}',
    }
    with (
        tempfile.TemporaryDirectory(prefix="restored-") as folder,
        arena(Path(folder), world.okta, split=default_split(flavor=flavor), tables=tables) as made,
    ):
        _lives_on(made, world, dice.randint(0, 2))
        copy = Path(folder) / "copy.backup"
        custody.back_up(made.settings, copy, made.clock)
        known = made.holdings().people.keys()
        world.founds = flavor != "harness"
        note("after the copy:")
        _lives_on(made, world, dice.randint(1, 4))
        before, written = Look.at(made.split.world), len(_writes(made))

        _put_back(made, copy)
        note("after it was put back:")
        more = flavor != "harness" and dice.random() < 0.5
        if more:
            world.things_happen(made)
        for _ in range(3):
            _syncs(made, full=True)
        _repair(made)
        if not more:
            assert _writes(made)[written:] == []
            assert Look.at(made.split.world) == before
        assert list(made.holds()) == []
        wanted, have = made.wishes(), made.holdings()
        # Who came after the copy and left before it was put back is known to nobody (docs/operations.md).
        lost = have.people.keys() - known - wanted.people.keys()
        active = {owner for owner, account in have.people.items() if account.active}
        assert active - lost == set(wanted.people)
        found = {key: group.members - lost for key, group in have.groups.items() if key in wanted.members}
        assert found == dict(wanted.members)
        made.assert_journal_is_whole()


@pytest.mark.timeout(0 if EXAMPLES else 180)
def test_an_older_copy_that_is_put_back_writes_nothing_that_was_done_and_does_what_was_not() -> None:
    take_courses(_an_older_copy_is_put_back, "restored")
