"""What waits for a decision, beside a cycle that could not see everything."""

from __future__ import annotations

from pathlib import Path

from syncd.simulators.world import OktaWorld
from tests.chaos.arena import arena


def test_what_is_held_is_not_nibbled_away_by_a_full_cycle_that_is_not_whole(tmp_path: Path) -> None:
    """Ten leave each of two groups, and fifteen may: none does, also when one group cannot be read."""
    world = OktaWorld()
    people = [
        world.add_user(f"p{number:02}@example.com", "P", f"{number:02}", assign=True) for number in range(20)
    ]
    groups = [world.create_group(f"push-{name}", members=people) for name in "ab"]
    safety = 'max_member_removals = 15\nmax_member_removals_per_group = "100%"'

    with arena(tmp_path, world, tables={"safety": safety}, attempts=2) as made:
        assert made.cycle().exit_code == 0
        for name in "ab":
            for person in people[10:]:
                world.remove_member(f"push-{name}", person)
        assert made.cycle().exit_code == 3
        made.okta.faults.add("status", path=f"/groups/{groups[0]}/users", count=-1, status=500)

        made.cycle(full=True)

        assert [len(made.split.world.members(f"push-{name}")) for name in "ab"] == [20, 20]
        made.heal()
        assert made.cycle(full=True).exit_code == 3
        assert [len(made.split.world.members(f"push-{name}")) for name in "ab"] == [20, 20]
        assert sum(len(hold.changes) for hold in made.holds()) == 20
