"""Who takes over which account, by attributes of one's own choice; and what a change of that choice may do at once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from syncd.core.change import ChangeKind
from syncd.engine.planning.rewriting import Rewriting
from syncd.simulators.split import SplitKnobs
from syncd.simulators.world import SplitWorld
from tests.connection_text import FREE_TO_CHANGE
from tests.core.making import update
from tests.e2e.rig import Rig, rig

ATTRIBUTES = """[attributes]
userName = "email"
displayName = "{givenName} {familyName}"
"emails[work].value" = "email"
title = "title"
"""
TIGHT = 'max_updates = 3\nmax_identity_changes = "100%"\ncanary = false'
FILTERS: dict[str, dict[str, Any]] = {
    "filters": {},
    "ignores filters": {"filter_mode": "ignored"},
    "refuses filters": {"filter_mode": "unsupported_400"},
}


def by(*names: str) -> str:
    return f"{ATTRIBUTES}[matching]\nby = {list(names)!r}\n"


@pytest.fixture(params=list(FILTERS.values()), ids=list(FILTERS))
def made(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Rig]:
    knobs = SplitKnobs(**request.param)
    with rig(tmp_path, users=0, groups=0, pushed=[], split=SplitWorld(), knobs=knobs) as made:
        made.write_config(safety=FREE_TO_CHANGE)
        yield made


def people(made: Rig, count: int = 1) -> list[str]:
    """p0 and on, each with the title T0 and on."""
    world = made.okta.world
    ids = [world.add_user(f"p{n}@example.com", "P", f"{n}", assign=True) for n in range(count)]
    for number, person in enumerate(ids):
        world.update_profile(person, directory=False, title=f"T{number}")
    return ids


def account(made: Rig, name: str, **attributes: Any) -> str:
    scim_id = made.split.world.create_local_user(name, "Some", "Body")
    made.split.world.edit_user(scim_id, **attributes)
    return scim_id


def reasons(plan: dict[str, Any]) -> list[str]:
    return [f"{change['kind']}: {change['reason']}" for change in plan["changes"]]


def test_the_plan_says_by_what_it_matched_and_the_sync_takes_that_account(made: Rig) -> None:
    made.write_config(attributes=by("externalId", "title", "userName"))
    [person] = people(made)
    there = account(made, "old.name@example.com", title="T0")
    account(made, "stranger@example.com", title="T9")

    assert reasons(made.plan()) == [
        "adopt_user: assigned directly; the account exists at the target (same title)"
    ]
    assert made.run("explain", "p0@example.com", "--json").document["match"]["how"] == "title"
    assert [item["kind"] for item in made.run("drift", "--json").document["items"]] == [
        "changed_user",
        "unmanaged_user",
    ]
    made.sync()

    user = made.split.world.users[there]
    assert (user.user_name, user.external_id) == ("p0@example.com", person)
    assert len(made.split.world.users) == 2


def test_an_e_mail_of_any_type_is_found_whatever_its_letters(made: Rig) -> None:
    made.write_config(attributes=by("emails.value~", "userName"))
    people(made)
    there = account(made, "x@example.com", emails=[{"value": "P0@Example.com", "type": "home"}])

    result = made.sync()

    assert result["summary"]["applied"] == {"adopt_user": 1}
    assert made.split.world.users[there].user_name == "p0@example.com"


def test_many_people_are_matched_by_one_listing(made: Rig) -> None:
    made.write_config(attributes=by("externalId", "title"))
    people(made, 60)
    ids = [account(made, f"old{n}@example.com", title=f"T{n}") for n in range(60)]
    made.forget()

    result = made.sync()

    assert result["summary"]["applied"] == {"adopt_user": 60}
    assert [made.split.world.users[each].user_name for each in ids] == [
        f"p{n}@example.com" for n in range(60)
    ]
    listed = [each for each in made.split.requests if each.method == "GET" and each.path.endswith("/Users")]
    assert len(listed) < 20


def test_two_hits_and_somebody_elses_are_conflicts_and_nobody_is_made_beside_them(made: Rig) -> None:
    made.write_config(attributes=by("externalId", "title"))
    people(made, 2)
    for name in ("a@example.com", "b@example.com"):
        account(made, name, title="T0")
    account(made, "c@example.com", title="T1", externalId="00u0000000000000other")

    plan = made.plan()

    assert plan["changes"] == []
    assert sorted(skip["reason"] for skip in plan["skipped"]) == [
        "2 accounts at the target have the same title",
        "c@example.com at the target, which has the same title, belongs to another Okta user (00u0000000000000other)",
    ]
    made.forget()
    made.sync(code=None)
    assert made.writes() == []


def test_a_name_that_is_not_matched_by_is_in_the_way(made: Rig) -> None:
    made.write_config(attributes=by("externalId", "title"))
    people(made)
    account(made, "p0@example.com")

    [skip] = made.plan()["skipped"]

    assert "[matching] does not look by userName" in skip["reason"]


@pytest.mark.parametrize("otherwise", [True, False])
def test_an_adoption_counts_as_brought_by_the_settings_where_people_are_matched_otherwise(
    otherwise: bool,
) -> None:
    told = Rewriting(frozenset(), frozenset(), frozenset(), adoptions=otherwise)
    adoption = update(kind=ChangeKind.ADOPT_USER)

    assert told.made(adoption) is otherwise
    assert not told.made(update(kind=ChangeKind.ADOPT_USER, before={}, after={"externalId": "00u1"}))
    assert not told.made(update())


def test_other_rules_adopt_no_more_people_at_once_than_may_be_updated(tmp_path: Path) -> None:
    with rig(tmp_path, users=0, groups=0, pushed=[], split=SplitWorld()) as made:
        made.write_config(attributes=ATTRIBUTES, safety=TIGHT)
        people(made, 8)
        made.sync()
        new = [made.okta.world.add_user(f"q{n}@example.com", "Q", f"{n}", assign=True) for n in range(5)]
        for number, person in enumerate(new):
            made.okta.world.update_profile(person, directory=False, title=f"S{number}")
            account(made, f"old{number}@example.com", title=f"S{number}")
        made.write_config(attributes=by("externalId", "userName", "title"))
        made.forget()

        held = made.sync(code=3)

        assert held["summary"]["held"] == {"adopt_user": 5}
        assert [hold["check"] for hold in held["holds"]] == ["updates"]
        assert made.writes() == []
        made.run("approve", "--all")
        assert made.sync()["summary"]["applied"] == {"adopt_user": 5}


ALIAS = """[attributes]
userName = "email"
"name.givenName" = "givenName"
"name.familyName" = "familyName"
"emails[work].value" = "alias"
[matching]
by = ["externalId", "emails.value", "userName"]
"""


def somebody(made: Rig, name: str, alias: str | None = None) -> str:
    person = made.okta.world.add_user(name, "Some", "Body", assign=True)
    if alias is not None:
        made.okta.world.app_users[person].profile["alias"] = alias
    return person


def mailbox(made: Rig, name: str, mail: str) -> str:
    return account(made, name, emails=[{"type": "work", "value": mail}])


def conflicts(plan: dict[str, Any]) -> dict[str, str]:
    return {skip["name"]: skip["reason"] for skip in plan["skipped"] if skip["kind"] == "conflict"}


def test_an_account_that_two_people_are_matched_with_goes_to_nobody(made: Rig) -> None:
    made.write_config(safety=FREE_TO_CHANGE, attributes=ALIAS)
    first, second = (
        somebody(made, name, "team@example.com") for name in ("aa@example.com", "bb@example.com")
    )
    somebody(made, "cc@example.com", "team@example.com")
    there = mailbox(made, "old@example.com", "team@example.com")

    found = conflicts(made.plan())
    made.forget()
    made.sync(code=None)

    assert set(found) == {"aa@example.com", "bb@example.com", "cc@example.com"}
    assert f"bb@example.com ({second})" in found["aa@example.com"]
    assert f"aa@example.com ({first})" in found["bb@example.com"]
    assert all("syncd link --user" in reason for reason in found.values())
    made.sync("--user", "aa@example.com", code=None)
    assert made.writes() == []
    assert made.split.world.users[there].user_name == "old@example.com"

    made.run("link", "--user", "bb@example.com", there, "--yes")

    assert made.split.world.users[there].external_id == second


@pytest.mark.parametrize("first", ["aa@example.com", "zz@example.com"])
def test_who_has_the_very_user_name_outranks_who_has_the_same_mail(made: Rig, first: str) -> None:
    made.write_config(safety=FREE_TO_CHANGE, attributes=ALIAS)
    names = [first, "chief@example.com"]
    people = {name: made.okta.world.add_user(name, "Some", "Body", assign=True) for name in names}
    made.okta.world.app_users[people[first]].profile["alias"] = "chief@example.com"
    there = mailbox(made, "chief@example.com", "chief@example.com")

    found = conflicts(made.plan())
    made.sync(code=None)

    assert set(found) == {first}
    assert "chief@example.com" in found[first]
    assert made.split.world.users[there].external_id == people["chief@example.com"]


def test_a_sync_of_one_person_takes_no_account_that_has_the_user_name_of_another(made: Rig) -> None:
    made.write_config(safety=FREE_TO_CHANGE, attributes=ALIAS)
    somebody(made, "seed@example.com")
    made.sync()
    somebody(made, "aa@example.com", "team@example.com")
    chief = somebody(made, "chief@example.com")
    there = mailbox(made, "chief@example.com", "team@example.com")
    free = mailbox(made, "free@example.com", "other@example.com")
    other = somebody(made, "other.one@example.com", "other@example.com")

    found = conflicts(made.plan("--user", "aa@example.com"))
    made.sync("--user", "aa@example.com", "--user", "other.one@example.com", code=None)

    assert (
        f"the userName of another person who is assigned, chief@example.com ({chief})"
        in found["aa@example.com"]
    )
    assert made.split.world.users[there].external_id is None
    assert made.split.world.users[free].external_id == other
    made.sync(code=None)
    assert made.split.world.users[there].external_id == chief


def test_a_protected_account_is_taken_by_its_name_alone(made: Rig) -> None:
    safety = f'{FREE_TO_CHANGE}\nprotected_users = ["root.admin@example.com"]'
    made.write_config(safety=safety, attributes=ALIAS)
    somebody(made, "one@example.com", "it@example.com")
    there = mailbox(made, "root.admin@example.com", "it@example.com")

    found = conflicts(made.plan())
    made.sync(code=None)

    assert "protected" in found["one@example.com"]
    assert made.split.world.users[there].user_name == "root.admin@example.com"
    root = somebody(made, "root.admin@example.com")
    made.sync(code=None)
    assert made.split.world.users[there].external_id == root


@pytest.mark.parametrize(
    "mapped",
    [
        '{ from = "alias", default = "team@example.com" }',
        """'{switch(title, "T", "team@example.com", "all@example.com")}'""",
        '{ from = "alias", default = "team@example.com", on = "create" }',
        """'{switch(title, "T", "team", "all")}@example.com'""",
    ],
)
def test_what_was_filled_in_for_somebody_never_tells_who_they_are(made: Rig, mapped: str) -> None:
    made.write_config(safety=FREE_TO_CHANGE, attributes=ALIAS.replace('"alias"', mapped))
    person = somebody(made, "aa@example.com")
    made.okta.world.update_profile(person, directory=False, title="T")
    there = mailbox(made, "svc@example.com", "team@example.com")

    made.sync()

    assert made.split.world.users[there].user_name == "svc@example.com"
    assert made.split.world.user("aa@example.com").external_id == person
