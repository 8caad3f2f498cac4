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
def moved(
    folder: Path, generation: str = "2026", *, migrated: bool = True, people: int = 12
) -> Iterator[Rig]:
    """Synced at Split, and then the settings name Harness, where the migration made everybody's account."""
    with rig(folder, users=0, groups=0, pushed=NAMES) as made:
        hire(made, people, NAMES, every=3)
        made.sync()
        made.assert_exact()
        harness = SplitWorld(flavor="harness")
        with SplitSimulator(
            harness,
            token=SPLIT_TOKEN,
            harness=HarnessKnobs(generation=generation),  # type: ignore[arg-type]
        ) as server:
            for number in range(people) if migrated else ():
                harness.create_local_user(f"p{number:02}@example.com", f"First{number}", f"Last{number}")
            made.split = server
            made.write_config(provisioning='deactivation_grace = "0s"')
            yield made


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
