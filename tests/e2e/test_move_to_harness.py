"""The day on which a Split organisation moves to Harness: another flavor, address and token on the same store."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from syncd.settings import load, target_fingerprint
from syncd.simulators.split import HarnessKnobs, SplitSimulator
from syncd.simulators.split_world import SplitWorld
from syncd.wiring import open_for_writing
from tests.e2e.rig import SPLIT_TOKEN, Rig, rig
from tests.e2e.test_harness import GENERATIONS, hire, people_there

both = pytest.mark.parametrize("generation", GENERATIONS)
NAMES = ("Engineering", "Product", "R&D", "RD")


@contextmanager
def harness_of(people: int, generation: str = "2026") -> Iterator[SplitSimulator]:
    """The account as the migration leaves it: so many people, p00 and on, are in it."""
    harness = SplitWorld(flavor="harness")
    for number in range(people):
        harness.create_local_user(f"p{number:02}@example.com", f"First{number}", f"Last{number}")
    knobs = HarnessKnobs(generation=generation)  # type: ignore[arg-type]
    with SplitSimulator(harness, token=SPLIT_TOKEN, harness=knobs) as server:
        yield server


@contextmanager
def moved(
    folder: Path, generation: str = "2026", *, migrated: bool = True, people: int = 12
) -> Iterator[Rig]:
    """Synced at Split, and then the settings name Harness, where the migration made everybody's account."""
    with rig(folder, users=0, groups=0, pushed=NAMES) as made:
        hire(made, people, NAMES, every=3)
        made.sync()
        made.assert_exact()
        with harness_of(people if migrated else 0, generation) as server:
            made.split = server
            made.write_config(provisioning='deactivation_grace = "0s"')
            yield made


def test_the_whole_day_of_the_page_step_by_step(tmp_path: Path) -> None:
    """Everybody has an account there after the migration, and the former administrators are one group."""
    names = ("Engineering", "Product")
    with rig(tmp_path, users=0, groups=0, pushed=names) as made, harness_of(20) as there:
        hire(made, 20, names, every=3)
        made.sync()
        there.world.create_local_group("Engineering", members=["p00@example.com", "p03@example.com"])
        old_admin = there.world.create_local_user("old.admin@example.com", "Old", "Admin")
        there.world.add_member("_fme_admins", old_admin)
        old_split = made.split.world
        made.run("pause", "--reason", "the move to Harness")
        made.run("backup", str(tmp_path / "before"))
        assert made.plan()["changes"] == []
        before = (old_split.to_fixture(), set(there.world.users))

        made.split = there
        made.write_config()  # the three settings
        checks = {line["name"]: line for line in made.run("check", "--json", code=None).document["checks"]}
        assert {"create users", "update attributes", "push groups"} <= checks.keys()
        made.forget()
        assert made.run("plan", code=3).stderr.count("relink") > 0
        shown = made.run("relink", "--yes").stdout
        moved_ones, _, missing = shown.partition("Missing")
        assert "Engineering" in moved_ones
        assert "Product" in missing
        planned = made.plan()
        assert "deactivate_user" not in {change["kind"] for change in planned["changes"]}
        assert made.writes() == []

        made.run("resume")
        made.run("apply", "--yes")
        wanted = {name.lower() for name in made.wanted_people()}
        assert set(people_there(made)) == {*wanted, "old.admin@example.com"}
        assert set(there.world.users) == before[1], "nobody is made twice"
        assert made.plan()["changes"] == []

        first = next(iter(made.okta.world.app_users))
        made.okta.world.create_group("_fme_admins", members=[first])
        made.pushed.append("_fme_admins")
        made.write_config()
        made.sync()
        assert there.world.members("_fme_admins") == ["old.admin@example.com", "p00@example.com"]
        items = made.run("drift", "--json", code=None).document["items"]
        found = {(item["kind"], item["object"]["type"], item["object"]["name"]) for item in items}
        assert found - {("unknown", "user", name) for name in made.wanted_people()} == {
            ("extra_member", "membership", "old.admin@example.com")
        }
        assert old_split.to_fixture() == before[0], "nothing was written to Split on that day"


def test_the_settings_alone_move_nobody(tmp_path: Path) -> None:
    with moved(tmp_path) as made:
        before = made.split.world.to_fixture()
        answer = made.run("sync", "--json", code=None)
        assert answer.exit_code == 3, answer.stderr
        assert "relink" in answer.stdout + answer.stderr
        assert made.split.world.to_fixture() == before


def test_back_out_is_the_old_settings_and_the_backup(tmp_path: Path) -> None:
    with moved(tmp_path) as made:
        harness, settings = made.split, made.config.read_text()
        old = settings.replace(harness.base_url, "http://127.0.0.1:1/scim/v2").replace('"harness"', '"split"')
        made.config.write_text(old)
        [connection] = load([made.config], environ=os.environ).connections
        with open_for_writing(connection) as store:  # the simulator of Split had another address
            store.remember_all({"belongs_to": None, "target": target_fingerprint(connection)})
        made.run("backup", str(tmp_path / "before"))
        made.config.write_text(settings)
        made.run("relink", "--yes", code=None)

        made.run("restore", str(tmp_path / "before"), code=3)
        made.config.write_text(old)
        made.run("restore", str(tmp_path / "before"))

        assert made.run("audit", "verify", "--json").document["intact"]
        assert made.run("status", "--json").document["managed"]["users"] == 12


@both
@pytest.mark.parametrize("migrated", [True, False])
def test_relink_leads_everybody_over_and_nobody_is_made_twice(
    tmp_path: Path, generation: str, migrated: bool
) -> None:
    with moved(tmp_path, generation, migrated=migrated) as made:
        made.run("sync", code=None)
        document = made.run("relink", "--json", "--yes", code=None).document
        assert not [each for each in made.writes() if each]
        made.sync(code=None)
        assert people_there(made) == {
            f"p{n:02}@example.com": (f"First{n} Last{n}", f"First{n}", f"Last{n}") for n in range(12)
        }
        groups = {
            g.name: made.split.world.members(g.id) for g in made.split.world.groups.values() if g.id[0] != "_"
        }
        wanted = {name: [m.lower() for m in members] for name, members in made.wanted_groups().items()}
        assert groups == {name: wanted[name] for name in ("Engineering", "Product")}
        assert document is not None
        made.forget()
        made.sync(code=None)
        assert made.writes() == []


def test_groups_whose_identifiers_are_taken_are_shown_first_and_stay_as_they_are(tmp_path: Path) -> None:
    with moved(tmp_path) as made:
        world = made.split.world
        produce = world.create_local_group("Produce", members=["p00@example.com"])
        other = world.create_local_group("RD", members=["p01@example.com"])
        world.groups["Product"] = world.groups.pop(produce)
        world.groups["Product"].id = "Product"
        shown = made.run("relink", "--yes").stderr + made.said[-2]
        conflicts, _, rest = shown.partition("Moved")
        assert 'of "Product", and "Produce" with 1 member has it' in " ".join(conflicts.split())
        assert 'of "R&D", and "RD" with 1 member has it' in " ".join(conflicts.split())
        assert "Engineering" in rest
        made.sync(code=None)
        assert world.members("Product") == ["p00@example.com"]
        assert "p01@example.com" in world.members(other)


def test_no_limit_stops_whom_relink_did_not_find_from_being_found_by_the_next_sync(tmp_path: Path) -> None:
    with moved(tmp_path, people=180) as made:
        made.run("relink", "--yes", code=None)
        document = made.sync(code=None)
        assert [hold["check"] for hold in document["holds"]] == []
        assert len(people_there(made)) == 180
        members = [member.lower() for member in made.wanted_groups()["Engineering"]]
        assert made.split.world.members("Engineering") == members
