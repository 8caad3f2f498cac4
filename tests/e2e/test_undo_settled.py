"""What a run did and only the next run learned of is given back with it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from syncd.core.plan import digest_of
from syncd.engine.writing import apply
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


@pytest.mark.parametrize("forges_the_digest", [False, True])
def test_a_saved_undo_that_names_another_run_is_refused(
    made: Rig, tmp_path: Path, *, forges_the_digest: bool
) -> None:
    made.sync()
    runs = []
    for who in ("p00@example.com", "p01@example.com"):
        made.okta.world.update_profile(who, lastName="Wrong")
        runs.append(made.sync()["run_id"])
    file = tmp_path / "undo.json"
    made.run("undo", runs[0], "-o", str(file))
    saved = json.loads(file.read_text())
    saved["undoes"] = runs[1]
    if forges_the_digest:
        saved["digest"] = digest_of(saved)
    file.write_text(json.dumps(saved))
    made.forget()
    assert made.run("apply", str(file), "--json", code=None).exit_code in (3, 64)
    assert made.writes() == []


def test_an_undo_that_died_after_it_wrote_is_not_taken_back(made: Rig) -> None:
    """Killed between the answer and the end of the run: what is remembered was remembered before the first write."""
    made.sync()
    made.okta.world.update_profile("p00@example.com", lastName="Wrong")
    run = made.sync()["run_id"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(apply, "settle", _dies)
        assert made.run("undo", run, "--yes", code=None).exit_code != 0
    assert made.split.world.user("p00@example.com").attributes["name"]["familyName"] == "00"
    made.sync(code=3)
    made.sync(code=3)
    assert made.split.world.user("p00@example.com").attributes["name"]["familyName"] == "00"


def _dies(*_args: object) -> None:
    raise KeyboardInterrupt
