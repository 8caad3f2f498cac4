"""Accidents that remove nobody: at once or in small steps they stop at a person, and go through when approved."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from syncd.engine.cycles.delta import delta, follow
from syncd.engine.cycles.seen import Seen
from syncd.engine.cycles.sync import sync
from syncd.engine.reading.selection import Selection
from syncd.simulators.world import OktaWorld
from tests.chaos.arena import Arena, arena, settings_for
from tests.connection_text import STANDARD_ATTRIBUTES
from tests.e2e.elsewhere import Place
from tests.e2e.rig import Rig, rig
from tests.e2e.test_delta import opened

PEOPLE = 60
EVERYBODY = [f"p{n:02}@example.com" for n in range(PEOPLE)]
NEW_ATTRIBUTES = STANDARD_ATTRIBUTES.replace("{givenName} {familyName}", "{familyName} {givenName}")
TITLE = 'title = "title"\n'


@pytest.fixture
def company(tmp_path: Path) -> Iterator[Rig]:
    """Sixty people, four of them in Crew and one in Administrators, which the target had before."""
    with rig(tmp_path, users=0, groups=0, pushed=["Crew"]) as made:
        world = made.okta.world
        for name in EVERYBODY:
            world.add_user(name, "P", name.partition("@")[0], assign=True)
        world.create_group("Crew", members=EVERYBODY[:4])
        world.create_group("Bosses", members=EVERYBODY[:1])
        made.sync()
        made.assert_exact()
        made.forget()
        yield made


def move_everybody(made: Rig) -> None:
    for name in EVERYBODY:
        made.okta.world.update_profile(name, email=name.replace("example.com", "example.org"))


def blank_last_names(made: Rig) -> None:
    for name in EVERYBODY:
        made.okta.world.update_profile(name, lastName="")


def hire_too_many(made: Rig) -> None:
    for n in range(55):
        made.okta.world.add_user(f"new{n:02}@example.com", "N", f"{n:02}", assign=True)


def mistype_attributes(made: Rig) -> None:
    made.write_config(attributes=NEW_ATTRIBUTES)


def crowd_one_group(made: Rig) -> None:
    for name in EVERYBODY[4:]:
        made.okta.world.add_member("Crew", name)


@dataclass(frozen=True)
class Accident:
    happens: Callable[[Rig], None]
    check: str
    kind: str
    planned: int
    allowed: int
    percent: str


ACCIDENTS = {
    "every e-mail address moved": Accident(
        move_everybody, "identity_changes", "update_user", PEOPLE, 5, "100%"
    ),
    "every last name blanked": Accident(blank_last_names, "blanked", "update_user", PEOPLE, 5, "100%"),
    "hundreds of accounts": Accident(hire_too_many, "creations", "create_user", 55, 50, "92%"),
    "a typo in the attributes": Accident(mistype_attributes, "updates", "update_user", PEOPLE, 20, "100%"),
    "everybody in one group": Accident(crowd_one_group, "member_additions", "add_member", 56, 50, "1,400%"),
}


def held(made: Rig) -> list[dict[str, Any]]:
    holds: list[dict[str, Any]] = made.run("held", "--json").document["holds"]
    return holds


def administrators(made: Rig) -> list[str]:
    """Those that we made; the target has one of its own."""
    return [name for name in made.split.world.members("Administrators") if name in EVERYBODY]


def as_others_run_it(made: Rig, *args: str) -> tuple[int, dict[str, Any]]:
    """By the real executable, in a process of its own."""
    found = Place().run(made, *args, "--json")
    made.said += [found.stdout, found.stderr]
    return found.returncode, json.loads(found.stdout)


@pytest.mark.parametrize("accident", ACCIDENTS.values(), ids=ACCIDENTS)
def test_an_accident_is_held_with_its_numbers_and_approved_in_parts_then_exactly(
    company: Rig, accident: Accident
) -> None:
    accident.happens(company)

    code, result = as_others_run_it(company, "sync")

    assert (code, result["status"], result["summary"]["applied"]) == (3, "refused", {})
    assert company.writes() == []
    [hold] = held(company)
    numbers = hold["numbers"]
    assert (hold["check"], numbers["planned"], numbers["allowed"], numbers["percent"]) == (
        accident.check,
        accident.planned,
        accident.allowed,
        accident.percent,
    )
    assert f"--allow {accident.check}={accident.planned}" in hold["way_out"]
    assert f"{accident.percent} of " in hold["reason"]

    first = [change["id"] for change in hold["changes"][:2]]
    code, part = as_others_run_it(company, "approve", *first, "--now")
    assert part["summary"]["applied"] == {accident.kind: 2}
    code, again = as_others_run_it(company, "sync")
    assert (code, again["summary"]["applied"]) == (3, {})
    [hold] = held(company)
    assert len(hold["changes"]) == accident.planned - 2

    company.run("approve", hold["id"], "--json")
    code, rest = as_others_run_it(company, "sync")
    assert (code, rest["summary"]["applied"]) == (0, {accident.kind: accident.planned - 2})
    company.assert_exact()
    assert company.sync()["summary"]["applied"] == {}


def test_many_become_administrators_by_one_link_only_with_approval(company: Rig) -> None:
    for name in EVERYBODY[1:24]:
        company.okta.world.add_member("Bosses", name)

    code, result = as_others_run_it(company, "link", "Bosses", "Administrators", "--yes")

    assert (code, result["summary"]["applied"]) == (3, {"link_group": 1})
    assert administrators(company) == []
    [hold] = held(company)
    assert (hold["check"], hold["numbers"]["planned"], hold["numbers"]["allowed"]) == (
        "protected_additions",
        24,
        3,
    )
    assert "24 members would be added to protected groups" in hold["reason"]
    company.run("approve", hold["changes"][0]["id"], "--now", "--json")
    assert len(administrators(company)) == 1
    assert company.sync(code=3)["summary"]["applied"] == {}
    company.run("approve", "--all", "--json")
    assert company.sync()["summary"]["applied"] == {"add_member": 23}
    assert administrators(company) == EVERYBODY[:24]


def test_three_administrators_are_no_accident_and_the_fourth_of_the_day_is(company: Rig) -> None:
    company.run("link", "Bosses", "Administrators", "--yes", "--json")
    for name in EVERYBODY[1:3]:
        company.okta.world.add_member("Bosses", name)
    company.sync()
    company.okta.world.add_member("Bosses", EVERYBODY[3])

    company.sync(code=3)

    assert administrators(company) == EVERYBODY[:3]
    assert [hold["check"] for hold in held(company)] == ["protected_additions"]


def test_the_rest_goes_on_beside_what_is_held(company: Rig) -> None:
    """Also another person's ordinary update, however many are held for something graver."""
    move_everybody(company)
    company.okta.world.add_user("new@example.com", "N", "Ew", assign=True)
    company.okta.world.update_profile(EVERYBODY[0], email=EVERYBODY[0], lastName="Renamed")

    result = company.sync(code=3)

    assert result["summary"]["applied"] == {"create_user": 1, "update_user": 1}
    assert result["summary"]["held"] == {"update_user": PEOPLE - 1}
    assert company.actual_people()[EVERYBODY[0]] == ("P", "Renamed")


def test_one_persons_update_is_one_change_and_nothing_half_done_is_sent(company: Rig) -> None:
    for name in EVERYBODY[:6]:
        company.okta.world.update_profile(
            name, email=name.replace("example.com", "example.org"), lastName="Married"
        )

    company.sync(code=3)

    assert company.writes() == []
    [hold] = held(company)
    assert {"name.familyName", "userName", "emails[work].value"} <= set(hold["changes"][0]["after"])


def test_who_gets_no_account_for_now_gets_no_memberships_either(company: Rig) -> None:
    hire_too_many(company)
    for n in range(10):
        company.okta.world.add_member("Crew", f"new{n:02}@example.com")

    result = company.sync(code=3)
    assert (result["summary"]["applied"], result["summary"]["failed"]) == ({}, {})
    assert result["summary"]["held"] == {"create_user": 55}
    assert "deferred" not in result["summary"]

    company.run("approve", "--all", "--json")
    assert company.sync()["summary"]["applied"] == {"create_user": 55, "add_member": 10}
    company.assert_exact()


def test_accounts_that_are_only_tied_do_not_count_and_those_that_are_changed_do(company: Rig) -> None:
    for n in range(30):
        name = f"old{n:02}@example.com"
        company.okta.world.add_user(name, "O", f"{n:02}", assign=True)
        company.split.world.create_local_user(name, "O", f"{n:02}")
    company.split.world.create_local_user("other@example.com", "X", "Y")
    company.okta.world.add_user("other@example.com", "O", "Ther", assign=True)
    company.write_config(safety="max_creations = 0\nmax_updates = 0")

    result = company.sync(code=3)

    assert result["summary"]["applied"] == {"adopt_user": 30}
    [hold] = held(company)
    assert (hold["check"], [change["name"] for change in hold["changes"]]) == (
        "updates",
        ["other@example.com"],
    )


def test_a_raised_limit_lets_one_run_through(company: Rig) -> None:
    move_everybody(company)
    assert company.plan("--allow", "identity_changes=60", code=3)["holds"][0]["check"] == "updates"

    result = company.sync("--allow", "identity_changes=60", "--allow", "updates=60")

    assert result["summary"]["applied"] == {"update_user": PEOPLE}
    company.assert_exact()


def test_who_is_changed_again_and_again_is_one_person(company: Rig) -> None:
    for number in range(4):
        for name in EVERYBODY[:5]:
            email = name if number % 2 else name.replace("example.com", f"example{number}.org")
            company.okta.world.update_profile(name, email=email, lastName=f"N{number}")
        company.sync()
    company.okta.world.update_profile(EVERYBODY[5], email="sixth@example.com")

    company.sync(code=3)

    assert [hold["check"] for hold in held(company)] == ["identity_changes"]


def test_a_repair_of_what_somebody_did_to_everybody_at_the_target_is_held_too(company: Rig) -> None:
    for user in list(company.split.world.users.values()):
        if user.user_name in EVERYBODY:
            company.split.world.edit_user(user.id, name={"givenName": "P", "familyName": "Hacked"})

    company.run("drift", "--fix", "--json", code=3)

    assert company.writes() == []
    assert [(hold["check"], len(hold["changes"])) for hold in held(company)] == [("updates", PEOPLE)]
    company.run("approve", "--all", "--json")
    assert company.sync()["summary"]["applied"] == {"update_user": PEOPLE}
    company.assert_exact()


def test_runs_for_single_people_and_saved_plans_count_with_all_others(company: Rig) -> None:
    for name in EVERYBODY[:4]:
        company.okta.world.update_profile(name, email=name.replace("example.com", "example.org"))
        company.sync("--user", company.okta.world.user(name).id)
    for name in EVERYBODY[4:6]:
        company.okta.world.update_profile(name, email=name.replace("example.com", "example.org"))
    file = company.folder / "the.plan"
    company.run("plan", "--user", company.okta.world.user(EVERYBODY[4]).id, "-o", str(file))
    company.sync("--user", company.okta.world.user(EVERYBODY[5]).id)
    company.forget()

    company.run("apply", str(file), code=3)

    assert company.writes() == []


def test_a_first_sync_that_was_cut_short_is_the_same_first_sync(tmp_path: Path) -> None:
    """And what it did uses up nothing of the day."""
    with rig(tmp_path, users=0, groups=0, pushed=["Crew"]) as made:
        world = made.okta.world
        people = [world.add_user(f"a{n:03}@example.com", "A", f"{n:03}", assign=True) for n in range(120)]
        world.create_group("Crew", members=people)
        made.split.faults.add("status", status=503, method="POST", path="/Users", nth=11, count=-1)
        made.sync(code=None)
        assert 0 < len(made.actual_people()) < 60
        made.split.reset_faults()

        applied = made.sync(code=4)["summary"]["applied"]["create_user"]
        assert applied > 60
        made.run("retry")
        made.sync()
        made.assert_exact()

        for n in range(61):
            world.add_user(f"b{n:02}@example.com", "B", f"{n:02}", assign=True)
        made.sync(code=3)
        assert len(made.actual_people()) == 120
        [hold] = held(made)
        assert hold["check"] == "creations"
        assert hold["numbers"]["last_24_hours"] < 60


def test_a_group_that_is_being_made_is_filled_whatever_its_size(company: Rig) -> None:
    """By a rule that was there before; once it was filled it is a group that exists."""
    company.write_config(rules='[[push_groups]]\nsource = { name_starts_with = "Crew" }')
    company.sync()
    company.okta.world.create_group("Crew of all", members=EVERYBODY)
    company.sync()
    assert company.split.world.members("Crew of all") == EVERYBODY

    for name in EVERYBODY[4:]:
        company.okta.world.remove_member("Crew of all", name)
    company.sync("--allow", "member_removals=60", "--allow", "member_removals_per_group=60")
    for name in EVERYBODY[4:]:
        company.okta.world.add_member("Crew of all", name)
    company.sync(code=3)
    assert [hold["check"] for hold in held(company)] == ["member_additions"]


# in small steps


@contextmanager
def followed(folder: Path) -> Iterator[Arena]:
    """Sixty people, four in a pushed group; followed and synced."""
    okta = OktaWorld()
    people = [okta.add_user(name, "P", name[:3], assign=True) for name in EVERYBODY]
    okta.create_group("push-crew", members=people[:4])
    with arena(folder, okta) as found:
        with opened(found) as job:
            follow(job)
            assert sync(job, Selection()).exit_code == 0
        found.split.reset_requests()
        yield found


def _move(world: OktaWorld, number: int) -> None:
    world.update_profile(EVERYBODY[number], email=f"moved{number:02}@example.org")


def _blank(world: OktaWorld, number: int) -> None:
    world.update_profile(EVERYBODY[number], lastName="")


def _retitle(world: OktaWorld, number: int) -> None:
    world.update_profile(EVERYBODY[number], lastName="Other")


def _hire(world: OktaWorld, number: int) -> None:
    world.add_user(f"new{number:02}@example.com", "N", f"{number:02}", assign=True)


def _join(world: OktaWorld, number: int) -> None:
    world.add_member("push-crew", EVERYBODY[4 + number])


STEPS = {
    "identity_changes": (_move, 5, 9),
    "blanked": (_blank, 5, 9),
    "updates": (_retitle, 20, 24),
    "creations": (_hire, 50, 54),
    "member_additions": (_join, 50, 54),
}


@pytest.mark.parametrize("check", STEPS)
@pytest.mark.parametrize("restarts", [False, True], ids=["one daemon", "a restart each time"])
def test_an_accident_that_trickles_through_deltas_meets_the_same_limit(
    tmp_path: Path, check: str, *, restarts: bool
) -> None:
    step, most, tries = STEPS[check]
    with followed(tmp_path) as made:
        seen, applied = Seen(), 0
        for number in range(0, tries, 2):
            step(made.okta.world, number)
            step(made.okta.world, number + 1)
            with opened(made) as job:
                found = delta(job, Seen() if restarts else seen)
            assert found.result is not None
            applied += sum(found.result.applied.values())
        with opened(made) as job:
            holds = job.store.holds()

        assert applied <= most
        assert applied >= most - 1  # the last step was two
        assert {hold.check for hold in holds} == {check}
        assert sum(len(hold.changes) for hold in holds) == len(range(0, tries, 2)) * 2 - applied


# settings that rewrite people


def _mistyped(made: Arena) -> None:
    """Other display names for everybody."""
    tables = {"rule": "", "attributes": NEW_ATTRIBUTES}
    made.settings = settings_for(made.folder, made.okta, made.split, tables)


def test_what_new_settings_rewrite_is_held_however_slowly_it_comes(tmp_path: Path) -> None:
    """Ten people a day, each asked for by name before any full cycle: the third ten are over the limit of all."""
    with followed(tmp_path) as made:
        _mistyped(made)
        results = []
        for day in range(4):
            made.later(timedelta(hours=25))
            with opened(made) as job:
                results.append(sync(job, Selection(users=tuple(EVERYBODY[10 * day : 10 * day + 10]))))
        with opened(made) as job:
            holds = job.store.holds()

        assert [sum(found.applied.values()) for found in results] == [10, 10, 0, 0]
        assert {hold.check for hold in holds} == {"scope_change"}
        assert "--allow updates=40" in holds[-1].way_out
        assert (holds[-1].numbers["last_24_hours"], holds[-1].numbers["allowed"]) == (20, 20)


def test_an_honest_day_under_new_settings_passes_and_is_not_counted_with_them(tmp_path: Path) -> None:
    """A new attribute that three people have; twenty others move house."""
    with followed(tmp_path) as made:
        tables = {
            "rule": "",
            "attributes": STANDARD_ATTRIBUTES + TITLE,
        }
        made.settings = settings_for(made.folder, made.okta, made.split, tables)
        for name in EVERYBODY[:3]:
            made.okta.world.update_profile(name, title="Dr")
        for name in EVERYBODY[10:27]:
            made.okta.world.update_profile(name, lastName="Moved")

        with opened(made) as job:
            result = sync(job, Selection())

        assert (result.exit_code, sum(result.applied.values())) == (0, 20)


def test_a_new_rule_that_fills_a_large_group_waits_for_a_decision_also_in_the_next_cycles(
    company: Rig,
) -> None:
    company.okta.world.create_group("Everybody", members=EVERYBODY)
    company.sync()
    company.pushed.append("Everybody")
    company.write_config()

    for _ in range(2):
        result = company.sync(code=3)
        assert result["summary"]["held"] == {"add_member": PEOPLE}
        assert [hold["check"] for hold in result["holds"]] == ["scope_change"]
    assert company.split.world.members("Everybody") == []

    company.run("approve", "--all", "--json")
    assert company.sync()["summary"]["applied"] == {"add_member": PEOPLE}
    company.assert_exact()


def test_a_new_group_of_an_old_rule_is_no_change_of_settings(company: Rig) -> None:
    company.write_config(rules='[[push_groups]]\nsource = { name_starts_with = "Crew" }')
    company.sync()
    company.okta.world.create_group("Crew of all", members=EVERYBODY)

    assert company.sync()["summary"]["applied"] == {"create_group": 1, "add_member": PEOPLE}


def test_a_raised_limit_lets_new_settings_through_and_a_hold_that_is_approved_too(company: Rig) -> None:
    mistype_attributes(company)
    company.sync(code=3)

    result = company.sync("--allow", f"updates={PEOPLE}")

    assert result["summary"]["applied"] == {"update_user": PEOPLE}
    company.sync()
    company.okta.world.update_profile(EVERYBODY[0], lastName="Later")
    company.sync()
