"""A full licence, a bad member: one cause stops its own kind, and everybody else gets what they need."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from syncd.simulators.split import SplitKnobs
from tests.chaos.arena import impatient
from tests.connection_text import FREE_TO_CHANGE
from tests.e2e.rig import Rig, rig

HIRES = 30


@pytest.fixture
def synced(tmp_path: Path) -> Iterator[Rig]:
    with impatient(attempts=3), rig(tmp_path, users=20, groups=2) as made:
        for number in range(40):
            made.okta.world.add_user(f"p{number:02}@example.com", "P", f"{number:02}", assign=True)
        made.sync()
        made.forget()
        yield made


def hire(made: Rig, *, groups: tuple[str, ...] = ()) -> list[str]:
    names = [f"n{number:02}@example.com" for number in range(HIRES)]
    for name in names:
        made.okta.world.add_user(name, "New", "Hire", assign=True, groups=list(groups))
    return names


def taken_in(made: Rig, names: list[str]) -> list[str]:
    return [name for name in names if name in made.actual_people()]


@pytest.mark.parametrize("status", [400, 402, 403, 409, 500])
def test_a_full_licence_keeps_no_leaver_in_and_their_seats_go_to_hires(synced: Rig, status: int) -> None:
    world = synced.okta.world
    seats = sum(user.active for user in synced.split.world.users.values())
    synced.split.set_knobs(seats=seats, seats_status=status)
    names = hire(synced, groups=("Product",))
    leavers = ["p00@example.com", "p01@example.com"]
    for name in leavers:
        world.unassign(name)
    world.update_profile("p02@example.com", firstName="Moved")

    result = synced.sync(code=4)

    assert result["quarantine"] is None
    assert not set(leavers) & set(synced.actual_people())
    assert synced.actual_people()["p02@example.com"][0] == "Moved"
    assert result["summary"]["applied"]["deactivate_user"] == 2
    posts = sum(line.startswith("POST") for line in synced.writes())
    assert posts <= (HIRES + len(leavers)) * (2 if status == 500 else 1)
    if status != 500:  # after a 500 nobody knows, and nothing is sent twice in one run
        seated = taken_in(synced, names)
        assert len(seated) == 2
        assert set(seated) <= set(synced.actual_groups()["Product"])
        assert result["summary"]["applied"]["create_user"] == 2
    told = [
        result["summary"].get(part, {}).get("create_user", 0) for part in ("applied", "failed", "deferred")
    ]
    assert sum(told) == HIRES, "nobody is passed over in silence"
    synced.split.set_knobs(seats=0)
    synced.run("retry")
    synced.sync()
    synced.assert_exact()


def test_a_full_licence_is_one_line_and_everybody_is_told_of_in_result_and_status(synced: Rig) -> None:
    seats = sum(user.active for user in synced.split.world.users.values())
    synced.split.set_knobs(seats=seats, seats_status=403)
    names = hire(synced)
    synced.okta.world.update_profile("p02@example.com", firstName="Moved")

    said = synced.run("sync", "--json", code=4)

    (line,) = [
        line for line in said.stderr.splitlines() if "not applied" in line and "warning" in line.lower()
    ]
    refused = [error["object"] for error in said.document["errors"]]
    assert "more" in line
    assert f"count={len(refused)}" in line
    assert refused[0] in line
    status = synced.run("status", "--json").document
    assert {each["object"] for each in status["failing"]} == set(refused) <= set(names)
    assert status["left_out"]["count"] >= len(names) - len(refused)


def test_a_run_in_which_nothing_was_taken_has_failed_and_quarantines_nobody(synced: Rig) -> None:
    synced.split.set_knobs(seats=1)
    hire(synced)

    result = synced.sync(code=1)

    assert result["quarantine"] is None
    assert "writes failed" in result["errors"][-1]["message"]
    synced.okta.world.unassign("p00@example.com")
    synced.sync(code=4)
    assert "p00@example.com" not in synced.actual_people()


@pytest.mark.parametrize("status", [400, 500])
def test_one_bad_member_keeps_nobody_out_and_costs_few_requests(tmp_path: Path, status: int) -> None:
    knobs = SplitKnobs(bad_member="p17@example.com", bad_member_status=status)
    with impatient(), rig(tmp_path, users=5, groups=2, knobs=knobs, pushed=("Crew",)) as made:
        world = made.okta.world
        people = [world.add_user(f"p{n:02}@example.com", "P", f"{n:02}", assign=True) for n in range(60)]
        world.create_group("Crew", members=people[:1])
        made.write_config(safety=FREE_TO_CHANGE)
        made.sync()
        made.forget()
        for person in people[1:]:
            world.add_member("Crew", person)

        result = made.sync(code=4)

        assert result["quarantine"] is None
        assert made.actual_groups()["Crew"] == [f"p{n:02}@example.com" for n in range(60) if n != 17]
        assert result["summary"]["failed"] == {"add_member": 1}
        assert len([r for r in made.split.requests if "/Groups" in r.path]) <= 40


def test_a_target_that_answers_500_to_everything_stops_after_about_20(synced: Rig) -> None:
    synced.write_config(safety=FREE_TO_CHANGE)
    hire(synced)
    for number in range(40):
        synced.okta.world.update_profile(f"p{number:02}@example.com", firstName="Moved")
    for method in ("POST", "PATCH", "PUT", "DELETE"):
        synced.split.faults.add("status", method=method, count=-1, status=500)

    result = synced.sync(code=1)

    assert result["quarantine"]["side"] == "split"
    assert result["summary"]["applied"] == {}
    assert sum(result["summary"]["failed"].values()) <= 20 + 10 + 2 * 10, "and what was under way"
