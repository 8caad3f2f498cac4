"""The first eleven writes of a kind: which ones they are, and what is said by those that could not go."""

from __future__ import annotations

from pathlib import Path

from syncd.simulators.split import SplitKnobs
from syncd.simulators.split_world import SplitWorld
from tests.e2e.rig import rig
from tests.e2e.test_canary import UNLIMITED, crowd, the_hold
from tests.e2e.test_undo import kinds


def test_a_server_that_writes_names_of_groups_in_small_letters_holds_nothing_up(tmp_path: Path) -> None:
    split = SplitWorld(flavor="scim")
    with rig(
        tmp_path, users=0, groups=0, pushed=[], split=split, knobs=SplitKnobs(lowercase_values=True)
    ) as made:
        made.write_config(rules='[[push_groups]]\nsource = { name_starts_with = "Crew" }')
        for number in range(60):
            made.okta.world.create_group(f"Crew {number:02}")
        assert kinds(made.sync()) == {"create_group": 60}


def test_swaps_of_names_feel_their_way_too(tmp_path: Path) -> None:
    """Sixty people swap addresses in pairs: nobody else is put under a temporary name once the eleventh was not."""
    with crowd(tmp_path) as made:
        made.sync()
        world = made.okta.world
        ids = [world.user(f"p{n:02}@example.com").id for n in range(60)]
        before = {u.id: u.user_name for u in made.split.world.users.values()}
        for number, okta_id in enumerate(ids):
            world.update_profile(okta_id, email=f"p{number ^ 1:02}@example.com")
        made.split.faults.add("status", method="PATCH", path="/Users/", status=400, count=-1, nth=2)
        made.split.faults.add("status", method="PUT", path="/Users/", status=400, count=-1)
        made.forget()
        document = made.sync(code=None)
        assert the_hold(document)["check"] == "canary"
        assert len({write.split("/")[-1] for write in made.writes()}) <= 11
        made.split.faults.clear()
        made.run("approve", "--all", code=None)
        made.run("retry", code=None)
        made.sync(code=None)
        made.sync(code=None)
        made.assert_exact()
        assert before.keys() == {u.id for u in made.split.world.users.values()}


def test_swaps_that_are_taken_are_all_written(tmp_path: Path) -> None:
    with crowd(tmp_path) as made:
        made.sync()
        world = made.okta.world
        ids = [world.user(f"p{n:02}@example.com").id for n in range(60)]
        for number, okta_id in enumerate(ids):
            world.update_profile(okta_id, email=f"p{number ^ 1:02}@example.com")
        assert kinds(made.sync()) == {"update_user": 60}
        made.assert_exact()
        assert made.run("audit", "verify", "--json").document["intact"]


def test_an_approval_for_another_reason_does_not_send_all_at_once(tmp_path: Path) -> None:
    with crowd(tmp_path) as made:
        made.sync()
        made.write_config(safety=UNLIMITED.replace("max_updates = 100000", "max_updates = 20"))
        for okta_id in made.okta.world.app_users:
            made.okta.world.update_profile(okta_id, lastName="Married")
        made.sync(code=3)
        made.run("approve", "--all")
        made.split.faults.add("status", method="PATCH", path="/Users/", status=400, count=-1)
        made.split.faults.add("status", method="PUT", path="/Users/", status=400, count=-1)
        made.forget()
        document = made.sync(code=None)
        assert the_hold(document)["changes"] == 49
        assert len({write.split("/")[-1] for write in made.writes()}) == 11
        made.forget()
        made.sync(code=None)
        assert len({write.split("/")[-1] for write in made.writes()}) <= 11
        made.split.faults.clear()
        made.run("approve", "--all")
        made.run("retry")
        made.sync(code=None)
        made.assert_exact()


def all_marry(folder: Path, knobs: SplitKnobs) -> None:
    with crowd(folder, knobs) as made:
        made.sync()
        for okta_id in made.okta.world.app_users:
            made.okta.world.update_profile(okta_id, lastName="Married")
        assert kinds(made.sync())["update_user"] == 60


def test_accounts_that_wait_for_their_invitation_hold_nothing_up(tmp_path: Path) -> None:
    all_marry(tmp_path, SplitKnobs(inactive_until_accepted=True))


def test_names_that_are_shown_in_lists_only_hold_nothing_up(tmp_path: Path) -> None:
    all_marry(tmp_path, SplitKnobs(names_by_id=False))


def test_a_change_of_letter_case_that_the_server_makes_small_holds_nothing_up(tmp_path: Path) -> None:
    with crowd(tmp_path, SplitKnobs(lowercase_values=True)) as made:
        made.sync()
        for number, okta_id in enumerate(made.okta.world.app_users):
            made.okta.world.update_profile(okta_id, lastName=f"l{number}".upper() + "X")
        assert "canary" not in {hold["check"] for hold in made.sync(code=None)["holds"]}
