"""A plan says how large the blow is before its details, and a saved one is shown without applying it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from syncd.report.size_text import size_sentence
from tests.e2e.rig import Rig
from tests.e2e.test_limits import EVERYBODY, company, move_everybody
from tests.schema.judging import problems

__all__ = ["company"]


def saved(made: Rig, *args: str, code: int = 3) -> Path:
    file = made.folder / "the.plan"
    made.run("plan", "-o", str(file), *args, code=code)
    return file


def mixed(made: Rig) -> None:
    move_everybody(made)
    made.okta.world.add_user("new@example.com", "N", "<b>Ew</b>", assign=True)
    made.okta.world.update_profile(EVERYBODY[0], email=EVERYBODY[0], lastName="Renamed")
    made.okta.world.unassign(EVERYBODY[1])


def test_the_head_line_says_what_it_means_to_people_with_percent_and_what_is_held(company: Rig) -> None:
    mixed(company)

    first = company.run("plan", code=3).stdout.splitlines()[0]

    assert first == (
        "In short: 1 person (1.7%) changed, 1 account (1.7%) created, 1 person (1.7%) deactivated, 1 member removed; "
        "held: 58 people (97%) changed, 58 of them get another userName (the e-mail address)."
    )


def test_people_let_into_protected_groups_are_named_by_the_group(company: Rig) -> None:
    for name in EVERYBODY[1:3]:
        company.okta.world.add_member("Bosses", name)
    company.run("link", "Bosses", "Administrators", "--yes", "--json")
    company.okta.world.add_member("Bosses", EVERYBODY[5])
    company.okta.world.add_member("Crew", EVERYBODY[5])

    first = company.run("plan", code=3).stdout.splitlines()[0]

    assert first == "In short: 1 member added; held: 1 person let into the protected group Administrators."


def test_all_shows_every_line(company: Rig) -> None:
    move_everybody(company)
    few, all_of_them = company.run("plan", code=3).stdout, company.run("plan", "--all", code=3).stdout

    assert "… and 10 more" in few
    assert "more (use" not in all_of_them
    assert all(name in all_of_them for name in EVERYBODY)


def test_a_saved_plan_is_shown_as_text_like_the_plan_itself(company: Rig) -> None:
    mixed(company)
    file = saved(company)
    shown = company.run("plan", code=3).stdout

    company.forget()
    company.config.unlink()
    assert company.run("show", str(file)).stdout == shown
    assert company.reads() == company.writes() == []


@pytest.mark.parametrize("form", ["md", "html"])
def test_a_saved_plan_is_shown_for_a_pull_request_and_a_browser(company: Rig, form: str) -> None:
    mixed(company)
    file = saved(company)
    page = company.run("show", str(file), "--format", form).stdout

    assert "58 people (97%) changed" in page.replace("\\", "")
    assert "Held: identity" in page.replace("\\", "")
    assert "<b>Ew</b>" not in page
    written = company.folder / f"plan.{form}"
    company.run("show", str(file), "--format", form, "-o", str(written))
    assert written.read_text() == page


def test_a_saved_plan_is_shown_as_the_document_that_it_is(company: Rig) -> None:
    mixed(company)
    file = saved(company)

    document = company.run("show", str(file), "--json").document

    assert document == json.loads(file.read_text())
    assert problems(document) == []
    assert document["size"]["managed"] == 60
    assert document["size"]["held"]["identity_changes"] == 58
    assert company.run("show", str(file), "--format", "json").document == document


def test_an_edited_plan_is_not_shown_and_what_is_none_is_a_usage_error(company: Rig) -> None:
    mixed(company)
    file = saved(company)
    text = file.read_text()
    file.write_text(
        text.replace('"managed":60', '"managed":6000').replace('"managed": 60', '"managed": 6000')
    )
    assert file.read_text() != text
    company.run("show", str(file), code=3)
    company.run("show", str(company.config), code=64)
    company.run("show", str(company.folder / "nowhere"), code=64)
    company.run("show", str(file), "--json", "--format", "md", code=64)


def test_nothing_to_do_is_said_so() -> None:
    nothing = {"kinds": {}, "updates": 0, "identity_changes": 0, "blanked": 0, "protected": {}}
    assert size_sentence({"managed": 0, "applies": nothing, "held": nothing}) == "nothing is changed"
    first = {**nothing, "kinds": {"create_user": 2}}
    assert size_sentence({"managed": 0, "applies": first, "held": nothing}) == "2 accounts created"
