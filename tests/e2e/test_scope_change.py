"""A change of the scope settings: what the first full cycle under the new ones would remove waits for a decision, and
nobody else does.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.rig import Rig, crew

KEEP = 'suspended_users = "keep"'
DEACTIVATE = 'suspended_users = "deactivate"'


@pytest.fixture
def synced(tmp_path: Path) -> Iterator[Rig]:
    """Forty people, the first twenty in Crew; the last is suspended, and kept."""
    with crew(tmp_path, people=40, members=20) as made:
        made.okta.world.set_user_status(person(39), "SUSPENDED")
        made.write_config(safety='max_deactivations = "50%"')
        made.sync()
        yield made


@pytest.fixture
def undecided(synced: Rig) -> Rig:
    """New settings would deactivate the suspended one, and the first full cycle held that."""
    synced.write_config(provisioning=DEACTIVATE)
    assert checks(synced.sync(code=3)) == ["scope_change"]
    return synced


def person(number: int) -> str:
    return f"p{number:02}@example.com"


def checks(document: dict[str, Any]) -> list[str]:
    return [hold["check"] for hold in document["holds"]]


def held(made: Rig) -> list[str]:
    holds = made.run("held", "--json").document["holds"]
    return sorted(change["name"] for hold in holds for change in hold["changes"])


def test_who_leaves_later_is_an_ordinary_leaver_however_many_follow(undecided: Rig) -> None:
    for number in range(30, 34):
        undecided.okta.world.unassign(person(number))
        result = undecided.sync(code=3)

        assert result["summary"]["applied"] == {"deactivate_user": 1}
        assert held(undecided) == [person(39)]
    assert person(39) in undecided.actual_people()


def test_a_run_for_one_person_who_left_later_takes_them_out_too(undecided: Rig) -> None:
    undecided.okta.world.unassign(person(30))

    undecided.sync("--user", person(30))

    assert person(30) not in undecided.actual_people()


def test_before_a_full_cycle_saw_everything_each_removal_is_held(synced: Rig) -> None:
    synced.write_config(provisioning=DEACTIVATE)
    synced.okta.world.unassign(person(30))

    for name in (person(30), person(39)):
        assert checks(synced.sync("--user", name, code=3)) == ["scope_change"]

    assert {person(30), person(39)} <= set(synced.actual_people())


@pytest.mark.parametrize("decision", ["approve", "reject"])
def test_a_decision_about_these_settles_it_beside_a_new_leaver(undecided: Rig, decision: str) -> None:
    undecided.run(decision, "--all")
    undecided.okta.world.unassign(person(30))

    undecided.sync()

    assert person(30) not in undecided.actual_people()
    assert (person(39) in undecided.actual_people()) is (decision == "reject")
    undecided.okta.world.set_user_status(person(38), "SUSPENDED")
    undecided.sync()
    assert person(38) not in undecided.actual_people()


def test_who_waits_goes_on_waiting_when_the_hold_ends_for_a_while(undecided: Rig) -> None:
    """For once Okta says what nobody understands: nothing of theirs is planned, and that decides nothing."""
    undecided.okta.world.set_user_status(person(39), "ACTIVE")
    undecided.okta.world.set_app_user(person(39), status="HIBERNATING")
    undecided.sync(code=None)
    undecided.okta.world.set_app_user(person(39), status="ACTIVE")
    undecided.okta.world.set_user_status(person(39), "SUSPENDED")

    assert checks(undecided.sync(code=3)) == ["scope_change"]

    assert person(39) in undecided.actual_people()


def test_whoever_could_not_be_read_in_the_first_full_cycle_is_held_when_they_can(synced: Rig) -> None:
    synced.okta.world.set_app_user(person(39), status="HIBERNATING")
    synced.write_config(provisioning=DEACTIVATE)
    synced.sync(code=None)
    synced.okta.world.set_app_user(person(39), status="ACTIVE")

    assert checks(synced.sync(code=3)) == ["scope_change"]

    assert person(39) in synced.actual_people()


def test_a_membership_of_a_group_that_could_not_be_read_is_held_when_it_can(synced: Rig) -> None:
    crew = synced.okta.world.group("Crew")
    synced.okta.faults.add("status", path=f"/groups/{crew.id}/users", count=-1, status=403)
    synced.write_config(provisioning=DEACTIVATE)
    synced.okta.world.remove_member("Crew", person(3))
    synced.sync("--full", code=None)
    synced.okta.faults.clear()

    result = synced.sync("--full", code=3)

    assert checks(result) == ["scope_change"]
    assert person(3) in synced.actual_groups()["Crew"]


def test_going_back_to_the_old_settings_is_a_change_of_its_own(synced: Rig) -> None:
    """Under the new ones somebody was let live whom the old ones would have deactivated."""
    synced.write_config(provisioning=DEACTIVATE)
    synced.sync(code=3)
    synced.run("approve", "--all")
    synced.sync()
    synced.write_config(provisioning=KEEP)
    synced.okta.world.unassign(person(30))
    assert checks(synced.sync(code=3)) == ["scope_change"]
    synced.okta.world.set_user_status(person(31), "SUSPENDED")
    synced.sync(code=3)
    synced.write_config(provisioning=DEACTIVATE)

    assert checks(synced.sync(code=3)) == ["scope_change"]

    waiting = [person(30), person(31), person(39)]
    assert set(waiting) <= set(synced.actual_people())
    assert held(synced) == waiting


def test_grace_is_kept_by_later_leavers_and_hides_nobody_who_waits(synced: Rig) -> None:
    synced.write_config(provisioning='deactivation_grace = "7d"')
    synced.sync(code=None)
    synced.okta.world.unassign(person(30))
    synced.write_config(provisioning=f'deactivation_grace = "7d"\n{DEACTIVATE}')
    synced.sync(code=3)
    assert held(synced) == [person(30), person(39)]
    synced.okta.world.unassign(person(3))

    result = synced.sync(code=3)

    assert result["summary"]["skipped"] == {"grace": 1}
    assert held(synced) == [person(30), person(39)]
    assert person(3) in synced.actual_groups()["Crew"]
