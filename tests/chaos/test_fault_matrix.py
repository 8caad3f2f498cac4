"""Every kind of request and every fault: the outcome in the table, nobody harmed, and afterwards exact.

`make test` takes a sample of the cells; `make chaos` (CHAOS_EXAMPLES) takes all.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest

from syncd.simulators.okta_wire import limit_of
from syncd.simulators.split import SplitKnobs
from syncd.simulators.world import OktaWorld, SplitWorld
from tests.chaos.arena import Cycle, arena
from tests.chaos.matrix import EVERYBODY, WORDS, Fault, Kind, cells, document, expected, of_everybody
from tests.chaos.oracle import Holdings
from tests.chaos.scene import Scene

WHOLE = bool(os.environ.get("CHAOS_EXAMPLES"))
SAMPLED, SAMPLED_AT_HARNESS = 23, 59
"""Every how many cells `make test` takes one: prime, so that kinds and faults take turns."""
PAGE = 10
SOURCES = {"assigned": "source = { assigned = true }", "mappings": "source = { okta_mappings = true }"}
PUSHED = ("joined", "left", "gone", "renamed")


@dataclass
class Cell(Scene):
    """The start of each cell, and what names mean in it."""

    names: dict[str, str]
    before_healing: list[str] = field(init=False, default_factory=list)
    """SCIM ids of the objects that the paths of the table name."""
    before: Holdings

    def restore(self) -> None:
        while self.arena.split._running:  # what came too late of the cell before would act on this world
            time.sleep(0.01)
        super().restore()

    def differences(self) -> list[str]:
        wanted, have = self.arena.wishes(), self.arena.holdings()
        people = {owner: account.person for owner, account in have.people.items() if account.active}
        found = [
            f"{owner} differs"
            for owner in people.keys() | wanted.people.keys()
            if people.get(owner) != wanted.people.get(owner)
        ]
        groups = {key: group.members for key, group in have.groups.items()}
        found += [
            f"{key} differs"
            for key in groups.keys() | wanted.members.keys()
            if groups.get(key) != wanted.members.get(key)
        ]
        return found

    def assert_nobody_was_harmed(self) -> None:
        wanted, have = self.arena.wishes(), self.arena.holdings()
        for owner in wanted.people.keys() & self.before.people.keys():
            assert owner in have.people
            assert have.people[owner].active or not self.before.people[owner].active
            assert have.people[owner].scim_id == self.before.people[owner].scim_id
        pairs = {(group, member) for group, members in wanted.members.items() for member in members}
        assert not (self.before.memberships - have.memberships) & pairs
        assert not set(wanted.members) & set(self.before.groups) - set(have.groups)
        assert have.strangers == self.before.strangers


def _domain(setting: str) -> str:
    """Harness keeps e-mails in small letters."""
    return "Example.com" if setting == "harness" else "example.com"


def _world(setting: str) -> OktaWorld:
    okta = OktaWorld()
    domain = _domain(setting)
    people = [okta.add_user(f"p{n:02}@{domain}", "P", f"{n:02}", assign=True) for n in range(16)]
    for name in PUSHED:
        okta.create_group(f"push-{name}", members=people[:8])
    if setting == "assigned":
        for name in PUSHED:
            okta.assign_group(f"push-{name}")
    if setting == "mappings":
        for name in PUSHED:
            okta.add_mapping(f"push-{name}", target=f"split-{name}")
    return okta


def _move_on(okta: OktaWorld, setting: str) -> None:
    domain = _domain(setting)
    for number in range(3):
        okta.add_user(f"new{number}@{domain}", "New", str(number), assign=True, groups=["push-joined"])
    okta.update_profile(f"p10@{domain}", lastName="Moved")
    okta.unassign(f"p12@{domain}")
    okta.remove_member("push-left", f"p00@{domain}")
    if setting == "mappings":
        okta.remove_mapping(
            next(m.id for m in okta.mappings.values() if okta.groups[m.source_group_id].name == "push-gone")
        )
    okta.delete_group("push-gone")
    okta.rename_group("push-renamed", "push-named")
    okta.create_group("push-new", members=[f"p01@{domain}"])
    if setting == "assigned":
        okta.assign_group("push-new")
    if setting == "mappings":
        okta.add_mapping("push-new", target="split-new")


def _scene(stack: ExitStack, folder: Path, setting: str) -> Cell:
    okta = _world(setting)
    if setting == "listing":
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setattr("syncd.engine.planning.match.BY_ID_AT_MOST", 1)
    put = setting == "put"
    tables = {
        "okta": 'timeout = "1s"\ncoexist = true',
        "split": 'timeout = "1s"\nconcurrency = 2',
        "safety": 'max_group_deletions = 5\nmax_deactivations = "50%"\nmax_member_removals = "90%"',
        "rule": 'on_removal = "delete"\nrename = true',
        "source": SOURCES.get(setting, 'source = { name_starts_with = "push-" }'),
    }
    knobs = SplitKnobs(patch_users=not put, patch_groups=not put)
    if setting == "harness":
        tables["provisioning"] = 'deactivation_grace = "0s"'
    split = SplitWorld(flavor="harness" if setting == "harness" else "scim")
    stranger = split.create_local_user("stranger@example.com", "Strange", "Er")
    split.create_local_group("Crew", members=[stranger])
    made = stack.enter_context(arena(folder, okta, split=split, knobs=knobs, tables=tables, attempts=3))
    first = made.cycle()
    assert first.exit_code == 0, (first.error, first.result and first.result.document())
    _move_on(okta, setting)
    before = made.holdings()
    ids = {
        group.name.removeprefix("push-").removeprefix("split-"): group.scim_id
        for group in before.groups.values()
    }
    for name, login in (("mover", "p10"), ("leaver", "p12")):
        ids[name] = before.people[okta.user(f"{login}@{_domain(setting)}").id].scim_id
    stored = folder / "stored"
    shutil.copytree(made.store_path.parent, stored)
    return Cell(made, made.split.world.to_fixture(), stored, ids, before)


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Cell]]:
    """One scene for each setting, made when it is first asked for."""
    with ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setattr("syncd.simulators.okta_endpoints.limit_of", lambda *args: min(PAGE, limit_of(*args)))

        class Lazily(dict[str, Cell]):
            def __missing__(self, setting: str) -> Cell:
                self[setting] = made = _scene(stack, tmp_path_factory.mktemp(setting), setting)
                return made

        yield Lazily()


def outcome(found: Cycle, scene: Cell) -> str:
    """The word of the table for what a run came to."""
    if found.exit_code == 1:
        return "stops" if scene.arena.quarantined() else "fails"
    if found.exit_code == 0 and found.result is not None:
        if not scene.differences():
            return "exact"
        return "untouched" if found.result.skipped else "believed what is not so"
    return "waits" if found.exit_code == 4 else f"exit {found.exit_code}"


def play(scene: Cell, kind: Kind, fault: Fault, *, lasting: bool) -> str:
    """One cell: the faulty run, what it harmed, and two clean runs that must end exactly. Returns the outcome."""
    scene.restore()
    side = scene.arena.okta if kind.side == "okta" else scene.arena.split
    names = {name: re.escape(scim_id) for name, scim_id in scene.names.items()}
    side.faults.add(
        fault.action,
        method=kind.method,
        path=re.sub(r"\{(\w+)\}", lambda found: names[found[1]], kind.path),
        count=-1 if lasting else 1,
        after_effect=fault.after_effect,
        **fault.options,
    )
    run = scene.arena.cycle()
    fired = side.faults.as_json()[0]["fired"]
    scene.arena.heal()
    assert fired, "the request was never made"
    scene.assert_nobody_was_harmed()
    came_to = outcome(run, scene)
    scene.before_healing = scene.differences()
    if came_to == "waits" and fault.name in ("401", "403"):
        assert_nobody_else_waits(scene, kind)
    for _ in range(2):
        scene.arena.later(timedelta(hours=25))
        last = scene.arena.cycle()
    scene.assert_nobody_was_harmed()
    assert last.exit_code == 0, (came_to, last.error, last.result and last.result.document())
    assert not scene.differences(), came_to
    return came_to


def assert_nobody_else_waits(scene: Cell, kind: Kind) -> None:
    """While a refusal lasts people are exact if it is about groups, and groups if it is about people who were there."""
    waiting = {each.removesuffix(" differs") for each in scene.before_healing}
    groups = {key for key in waiting if key.startswith("00g")}
    if kind.about == "groups":
        assert not waiting - groups
    elif kind.about == "people":
        assert not groups


def _id(cell: tuple[Kind, Fault, bool]) -> str:
    kind, fault, lasting = cell
    where = "harness: " if kind.is_at_harness else ""
    return f"{where}{kind.name}-{fault.name}-{'always' if lasting else 'once'}"


def _sample() -> list[tuple[Kind, Fault, bool]]:
    return [
        cell
        for at_harness, step in ((False, SAMPLED), (True, SAMPLED_AT_HARNESS))
        for cell in [cell for cell in cells() if cell[0].is_at_harness is at_harness][::step]
    ]


@pytest.mark.parametrize("cell", cells() if WHOLE else _sample(), ids=_id)
def test_every_fault_of_every_request_comes_to_what_the_table_says(
    scenes: dict[str, Cell], cell: tuple[Kind, Fault, bool]
) -> None:
    kind, fault, lasting = cell
    letter = expected(kind, fault, lasting=lasting)
    allowed = ("exact", "waits") if letter == "t" else (WORDS[letter],)
    assert play(scenes[kind.setting], kind, fault, lasting=lasting) in allowed


@pytest.mark.parametrize("side", ["okta", "split", "harness"])
@pytest.mark.parametrize("name", EVERYBODY if WHOLE else list(EVERYBODY)[1:4])
def test_a_side_that_gives_every_request_the_same_answer_is_sick_only_if_it_refuses_us(
    scenes: dict[str, Cell], name: str, side: str
) -> None:
    scene = scenes["harness" if side == "harness" else "plain"]
    anything = Kind("anything", "okta" if side == "okta" else "split", "", "")

    came_to = play(scene, anything, of_everybody(name), lasting=True)

    assert came_to == WORDS[EVERYBODY[name][["okta", "split", "harness"].index(side)]]
    assert scene.before_healing, "nothing is concluded from it"


def test_the_table_in_the_documentation_is_this_table() -> None:
    file = Path(__file__).parents[2] / "docs" / "faults.md"
    assert file.read_text() == document(), "run: python -m tests.chaos.matrix"
