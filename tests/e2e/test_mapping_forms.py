"""What `[attributes]` says, on its way from Okta to Split: constants, defaults, functions, the user's own profile, and
what is sent once and then left to Split.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from syncd.engine.cycles.delta import delta, follow
from syncd.engine.cycles.seen import Seen
from syncd.engine.cycles.sync import sync
from syncd.engine.job import Job
from syncd.engine.reading.selection import Selection
from syncd.redact import Redactor
from syncd.simulators.split import SplitKnobs
from syncd.simulators.world import OktaWorld, SplitWorld
from syncd.wiring import open_job
from tests.chaos.arena import arena
from tests.connection_text import FREE_TO_CHANGE
from tests.e2e.rig import Rig, rig
from tests.schema.judging import problems

BASE = '[attributes]\nuserName = "email"\ndisplayName = "{givenName} {familyName}"\n"emails[work].value" = "email"\n'
ONCE = f'{BASE}locale = {{ from = "locale", on = "create" }}\n'
METHODS: dict[str, dict[str, Any]] = {
    "patch": {},
    "put": {"patch_users": False},
}


@pytest.fixture(params=list(METHODS.values()), ids=list(METHODS))
def made(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Rig]:
    with rig(
        tmp_path, users=0, groups=0, pushed=[], split=SplitWorld(), knobs=SplitKnobs(**request.param)
    ) as made:
        made.write_config(attributes=ONCE, safety=FREE_TO_CHANGE)
        yield made


@pytest.fixture
def one(tmp_path: Path) -> Iterator[Rig]:
    with rig(tmp_path, users=0, groups=0, pushed=[], split=SplitWorld()) as made:
        made.write_config(attributes=ONCE, safety=FREE_TO_CHANGE)
        yield made


def ann(made: Rig, **profile: Any) -> str:
    return made.okta.world.add_user("ann@example.com", "Ann", "Lee", assign=True, **profile)


def account(made: Rig) -> dict[str, Any]:
    [user] = made.split.world.users.values()
    return dict(user.attributes)


def test_every_form_reaches_split(one: Rig) -> None:
    one.write_config(
        attributes=f"""{BASE}title = {{ value = "Contractor" }}
userType = {{ value = 7 }}
nickName = {{ from = "user.nickName" }}
locale = {{ from = "locale", default = "en" }}
timezone = "{{switch(upper(department), 'ENGINEERING', 'Europe/Berlin', 'UTC')}}"
profileUrl = 'https://people.example/{{before(lower(email), "@")}}'
"name.formatted" = "credentials.userName"
"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department" = "{{join(units, ', ')}}"
"""
    )
    person = ann(one, nickName="Annie")
    one.okta.world.update_profile(person, directory=False, department="Engineering", units=["Web", "Core"])
    one.sync()

    found = account(one)
    assert {
        key: found[key] for key in ("title", "userType", "nickName", "locale", "timezone", "profileUrl")
    } == {
        "title": "Contractor",
        "userType": "7",
        "nickName": "Annie",
        "locale": "en",
        "timezone": "Europe/Berlin",
        "profileUrl": "https://people.example/ann",
    }
    assert found["name"]["formatted"] == "ann@example.com"
    assert found["urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"] == {"department": "Web, Core"}
    one.forget()
    one.sync()
    assert one.writes() == []


def test_what_is_sent_once_is_left_to_split_from_then_on(made: Rig) -> None:
    person = ann(made, locale="de")
    made.okta.world.update_profile(person, directory=False, locale="de")
    made.sync()
    assert account(made)["locale"] == "de"
    made.forget()

    made.okta.world.update_profile(person, directory=False, locale="fr")
    made.sync()
    assert made.writes() == [], "a change in Okta is not followed"

    [scim_id] = made.split.world.users
    made.split.world.edit_user(scim_id, locale="it")
    assert made.run("drift", "--json").document["items"] == []
    made.run("drift", "--fix", "--json")
    assert made.writes() == [], "nor is a change in Split drift"

    made.okta.world.update_profile(person, firstName="Anna")
    made.sync()
    assert (account(made)["displayName"], account(made)["locale"]) == ("Anna Lee", "it")


def test_a_person_who_moves_from_oktas_own_push_keeps_what_was_set_in_split(made: Rig) -> None:
    person = ann(made)
    other = made.okta.world.add_user("ben@example.com", "Ben", "Ode", assign=True)
    for each in (person, other):
        made.okta.world.update_profile(each, directory=False, locale="de")
    split = made.split.world
    ids = [split.create_local_user(f"{name}@example.com", "", "") for name in ("ann", "ben")]
    split.edit_user(ids[0], externalId=person, locale="it")
    split.edit_user(ids[1], externalId=other)

    result = made.sync()

    assert result["summary"]["applied"] == {"adopt_user": 2}
    assert split.users[ids[0]].attributes["locale"] == "it"
    assert split.users[ids[1]].attributes["locale"] == "de", "who has none is given what Okta has"
    assert made.run("drift", "--json").document["items"] == []
    made.forget()
    made.sync()
    assert made.writes() == []


def test_a_mapping_that_becomes_once_only_takes_nothing_away(made: Rig) -> None:
    made.write_config(attributes=f'{BASE}locale = "locale"\n')
    person = ann(made)
    made.okta.world.update_profile(person, directory=False, locale="de")
    made.sync()
    made.write_config(attributes=ONCE)
    made.forget()

    made.sync()
    assert made.writes() == []
    made.okta.world.update_profile(person, firstName="Anna", locale="fr")
    made.sync()
    assert (account(made)["displayName"], account(made)["locale"]) == ("Anna Lee", "de")


def test_an_account_that_is_made_again_is_given_it_again(one: Rig) -> None:
    person = ann(one)
    one.okta.world.update_profile(person, directory=False, locale="de")
    one.sync()
    one.split.world.delete_user(next(iter(one.split.world.users)))

    one.okta.world.update_profile(person, firstName="Anna")
    one.sync()

    assert (account(one)["displayName"], account(one)["locale"]) == ("Anna Lee", "de")


def test_an_adoption_that_sent_it_is_given_back_whole(one: Rig) -> None:
    person = ann(one)
    one.okta.world.update_profile(person, directory=False, locale="de")
    scim_id = one.split.world.create_local_user("ann@example.com", "A", "L")
    run_id = one.sync()["run_id"]
    assert one.split.world.users[scim_id].attributes["locale"] == "de"

    one.run("undo", run_id, "--yes", "--json")

    found = one.split.world.users[scim_id].attributes
    assert ("locale" in found, found["displayName"]) == (False, "A L")


def test_a_change_in_the_users_own_profile_comes_by_the_next_delta(tmp_path: Path) -> None:
    okta = OktaWorld()
    person = okta.add_user("ann@example.com", "Ann", "Lee", assign=True, nickName="Annie")
    tables = {"attributes": f'{BASE}nickName = "{{upper(user.nickName)}}"\n', "safety": FREE_TO_CHANGE}
    with arena(tmp_path, okta, tables=tables) as made:

        def step(run: Callable[[Job], object]) -> None:
            with open_job(
                made.settings, writing=True, observer=made.notes, redactor=Redactor(), clock=made.clock
            ) as job:
                run(job)

        step(follow)
        step(lambda job: sync(job, Selection()))
        seen = Seen()
        [user] = [each for each in made.split.world.users.values() if each.external_id == person]
        assert user.attributes["nickName"] == "ANNIE"
        step(lambda job: delta(job, seen))
        okta.update_profile(person, app=False, nickName="Nan")
        made.okta.reset_requests()
        step(lambda job: delta(job, seen))
        asked = [each.path for each in made.okta.requests]
        assert not [path for path in asked if path.endswith("/users")], "no list is read for it"
        assert user.attributes["nickName"] == "NAN"


def test_an_empty_result_is_a_blank_and_counts_as_one(one: Rig) -> None:
    one.write_config(
        attributes=f'{BASE}title = "{{upper(title)}}"\n', safety="max_blanked = 0\ncanary = false"
    )
    person = ann(one)
    one.okta.world.update_profile(person, directory=False, title="Lead")
    one.sync()
    assert account(one)["title"] == "LEAD"

    one.okta.world.update_profile(person, directory=False, title="")
    held = one.sync(code=3)

    assert [hold["check"] for hold in held["holds"]] == ["blanked"]
    assert account(one)["title"] == "LEAD"


def test_explain_shows_what_was_read_how_it_is_mapped_what_comes_of_it_and_what_split_has(one: Rig) -> None:
    one.write_config(
        attributes=f"""{ONCE}title = "{{upper(title)}} {{user.nickName}}"
"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department" = "{{join(units, ', ')}}"
"""
    )
    person = ann(one, nickName="Annie")
    one.okta.world.update_profile(person, directory=False, title="Lead", units=["Web", "Core"], locale="de")
    one.sync()
    [scim_id] = one.split.world.users
    one.split.world.edit_user(scim_id, locale="it", title="Boss")

    rows = {
        row["attribute"]: row
        for row in one.run("explain", "ann@example.com", "--json").document["attributes"]
    }

    assert rows["title"] == {
        "attribute": "title",
        "input": {"title": "Lead", "user.nickName": "Annie"},
        "source": "{upper(title)} {user.nickName}",
        "sent_once": False,
        "wanted": "LEAD Annie",
        "pushed": "LEAD Annie",
        "target": "Boss",
    }
    assert (rows["locale"]["sent_once"], rows["locale"]["wanted"], rows["locale"]["target"]) == (
        True,
        "de",
        "it",
    )
    said = one.run("explain", "ann@example.com").stdout
    assert "mapped by" in said
    assert 'title "Lead", user.nickName "Annie"' in said


def test_the_documents_about_one_person_are_valid(one: Rig) -> None:
    ann(one)
    one.sync()

    assert problems(one.run("explain", "ann@example.com", "--json").document) == []
