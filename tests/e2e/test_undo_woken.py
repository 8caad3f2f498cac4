"""Who was woken up again by an undo is not taken apart by the cycles that follow."""

from __future__ import annotations

from tests.e2e.rig import Rig
from tests.e2e.test_undo import made, undo

__all__ = ["made"]


def test_who_was_woken_up_keeps_the_memberships_that_came_back(made: Rig) -> None:
    made.sync()
    made.okta.world.unassign("p01@example.com")
    run = made.sync()["run_id"]
    undo(made, run, code=None)
    made.sync(code=3)
    made.sync(code=3)
    assert made.split.world.user("p01@example.com").active
    assert "p01@example.com" in made.split.world.members("Crew")


def test_an_undo_can_be_given_back_with_approval_only_and_then_all_is_exact(made: Rig) -> None:
    made.sync()
    made.okta.world.update_profile("p00@example.com", lastName="Wrong")
    back = undo(made, made.sync()["run_id"])["run_id"]
    undo(made, back, code=3)
    made.run("approve", "--all")
    undo(made, back)
    made.assert_exact()
    made.forget()
    made.sync()
    assert made.writes() == []
