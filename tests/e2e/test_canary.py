"""Big runs feel their way: one object, then ten, and the rest only if these are as they were asked to be."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from syncd.simulators.split import SplitKnobs
from syncd.simulators.split_world import SplitWorld
from tests.connection_text import FREE_TO_CHANGE
from tests.e2e.rig import Rig, rig
from tests.e2e.test_undo import kinds

UNLIMITED = FREE_TO_CHANGE.replace("canary = false\n", "")
PEOPLE = 60


@contextmanager
def crowd(folder: Path, knobs: SplitKnobs | None = None, flavor: str = "scim") -> Iterator[Rig]:
    """Sixty people assigned and in one pushed group, nothing synced; limits out of the way."""
    with rig(
        folder, users=0, groups=0, pushed=["Crew"], split=SplitWorld(flavor=flavor), knobs=knobs
    ) as made:
        made.write_config(safety=UNLIMITED)
        world = made.okta.world
        ids = [world.add_user(f"p{n:02}@example.com", f"F{n}", f"L{n}", assign=True) for n in range(PEOPLE)]
        world.create_group("Crew", members=ids)
        yield made


def accounts(made: Rig) -> int:
    return sum(1 for user in made.split.world.users.values() if user.external_id)


def reads_back(made: Rig) -> int:
    return sum(1 for r in made.split.requests if r.method == "GET" and "/Users/" in r.path)


def the_hold(document: dict[str, Any]) -> dict[str, Any]:
    (hold,) = (each for each in document["holds"] if each["check"] == "canary")
    return hold  # type: ignore[no-any-return]


def test_a_target_that_takes_everything_gets_everything_for_at_most_eleven_reads_a_kind(
    tmp_path: Path,
) -> None:
    with crowd(tmp_path) as made:
        document = made.sync()
        assert kinds(document) == {"create_user": 60, "create_group": 1, "add_member": 60}
        made.assert_exact()
        assert reads_back(made) <= 11


def test_ties_that_ask_nothing_of_the_target_are_not_read_back(tmp_path: Path) -> None:
    with crowd(tmp_path) as made:
        made.sync()
        for file in made.store.parent.glob("acme.db*"):
            file.unlink()
        made.forget()

        assert kinds(made.sync())["adopt_user"] == 60
        assert reads_back(made) == 0


def test_few_writes_are_not_watched(tmp_path: Path) -> None:
    with crowd(tmp_path) as made:
        for okta_id in list(made.okta.world.app_users)[:15]:
            made.okta.world.unassign(okta_id)
        made.sync()
        assert reads_back(made) == 0


def test_what_is_not_as_asked_holds_the_rest_with_what_was_seen(tmp_path: Path) -> None:
    """The server was seen to take such changes without a word; now it says the same and does nothing."""
    with crowd(tmp_path, SplitKnobs(patch_204=True)) as made:
        made.sync()
        people = list(made.okta.world.app_users)
        for name in ("Tried", "Trusted"):
            made.okta.world.update_profile(people[0], lastName=name)
            made.sync()
        for okta_id in people:
            made.okta.world.update_profile(okta_id, lastName="Married")
        made.split.faults.add("empty", method="PATCH", path="/Users/", status=204, count=-1)
        made.forget()

        document = made.sync(code=3)

        assert len(made.writes()) == 1
        hold = the_hold(document)
        assert hold["changes"] == 59
        assert "is not as it was asked to be" in hold["reason"]


def test_a_target_that_stores_nothing_stops_the_run_after_eleven(tmp_path: Path) -> None:
    with crowd(tmp_path) as made:
        made.sync()
        for okta_id in made.okta.world.app_users:
            made.okta.world.update_profile(okta_id, lastName="Married")
        made.split.faults.add("empty", method="PATCH", path="/Users/", status=200, count=-1)
        made.split.faults.add("empty", method="PUT", path="/Users/", status=200, count=-1)
        made.forget()
        document = made.sync(code=None)
        assert the_hold(document)["changes"] == 49
        assert kinds(document) == {}
        assert len({write.split("/")[-1] for write in made.writes()}) == 11


def test_a_target_that_fails_stops_the_run_after_eleven(tmp_path: Path) -> None:
    with crowd(tmp_path) as made:
        made.split.faults.add("status", method="POST", path="/Users", status=400, count=-1, nth=3)
        document = made.sync(code=None)
        hold = the_hold(document)
        assert accounts(made) <= 11
        assert "failed" in hold["reason"]
        assert document["summary"]["held"]["create_user"] == 49
        assert kinds(document).get("add_member", 0) <= 11


def test_held_stays_held_until_a_person_decides_and_then_goes_on(tmp_path: Path) -> None:
    with crowd(tmp_path) as made:
        made.split.faults.add("status", method="POST", path="/Users", status=400, count=9, nth=3)
        made.sync(code=None)
        there = accounts(made)
        made.run("retry")
        again = made.sync(code=3)
        assert the_hold(again)["changes"] == 49
        assert accounts(made) == 11
        assert there < 11
        made.run("approve", "--all")
        made.sync()
        made.assert_settled()


def test_a_saved_plan_tells_what_was_held_too(tmp_path: Path) -> None:
    with crowd(tmp_path) as made:
        made.sync()
        for okta_id in made.okta.world.app_users:
            made.okta.world.update_profile(okta_id, lastName="Married")
        made.run("plan", "-o", str(tmp_path / "plan.json"))
        for method in ("PATCH", "PUT"):
            made.split.faults.add("empty", method=method, path="/Users/", status=200, count=-1)

        document = made.run("apply", str(tmp_path / "plan.json"), "--yes", "--json", code=3).document

        assert (
            document["summary"]["held"]
            == {"update_user": 49}
            == {"update_user": the_hold(document)["changes"]}
        )


def test_it_can_be_switched_off(tmp_path: Path) -> None:
    with crowd(tmp_path) as made:
        made.write_config(safety=f"{UNLIMITED}canary = false")
        made.sync()
        assert reads_back(made) == 0
        made.assert_exact()


@pytest.mark.parametrize("flavor", ["scim", "split", "harness"])
def test_leavers_in_number_feel_their_way_too(tmp_path: Path, flavor: str) -> None:
    with crowd(tmp_path, flavor=flavor) as made:
        made.write_config(
            safety=f'{UNLIMITED}max_deactivations = "100%"\nmax_member_removals = "100%"\n'
            'max_member_removals_per_group = "100%"',
            provisioning='deactivation_grace = "0s"',
        )
        made.sync()
        for okta_id in list(made.okta.world.app_users)[1:]:
            made.okta.world.unassign(okta_id)
        document = made.sync()
        assert kinds(document)["deactivate_user"] == 59
