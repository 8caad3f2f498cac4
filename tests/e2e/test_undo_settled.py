"""What a run did and only the next run learned of is given back with it."""

from __future__ import annotations

from tests.e2e.rig import Rig
from tests.e2e.test_undo import made, undo

__all__ = ["made"]


def test_a_write_of_the_run_that_was_settled_later_is_given_back_with_it(made: Rig) -> None:
    made.sync()
    made.okta.world.update_profile("p00@example.com", lastName="Wrong")
    made.split.faults.add("drop", method="PATCH", path="/Users/", count=-1, after_effect=True)
    made.split.faults.add("drop", method="PUT", path="/Users/", count=-1, after_effect=True)
    made.split.faults.add("drop", method="GET", path="/Users/", count=-1)
    run = made.sync(code=None)["run_id"]
    made.split.faults.clear()
    made.sync(code=None)
    assert made.split.world.user("p00@example.com").attributes["name"]["familyName"] == "Wrong"

    undo(made, run)

    assert made.split.world.user("p00@example.com").attributes["name"]["familyName"] == "00"


def test_an_undo_of_which_nothing_was_left_to_do_is_no_undo(made: Rig) -> None:
    """What was changed since by hand, and is put back by hand, can be given back after all."""
    made.sync()
    made.okta.world.update_profile("p00@example.com", lastName="Wrong")
    run = made.sync()["run_id"]
    made.split.world.edit_user("p00@example.com", displayName="By Hand")
    assert undo(made, run)["summary"]["applied"] == {}
    made.split.world.edit_user("p00@example.com", displayName="P Wrong")
    assert undo(made, run)["summary"]["applied"] == {"update_user": 1}


def test_deltas_and_saved_plans_hold_it_too(made: Rig) -> None:
    made.sync()
    made.okta.world.add_member("Crew", "p10@example.com")
    undo(made, made.sync()["run_id"])
    made.sync("--group", "Crew", code=3)
    made.run("drift", "--fix", "--json", code=None)
    made.sync(code=3)
    assert "p10@example.com" not in made.split.world.members("Crew")
    assert made.run("audit", "verify", "--json").document["intact"]
