"""A create that is answered with success, and with somebody else's object; and one that left an account behind."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from syncd.ports.target import Against, Applied
from syncd.scim.split import ScimTarget
from syncd.simulators.world import OktaWorld, SplitWorld, generate_okta
from tests.e2e.rig import Rig, rig

NEW = "Ann.New@example.com"


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Rig]:
    """A target that holds three people of ours and shows externalIds."""
    okta: OktaWorld = generate_okta(users=0, groups=0, seed=1)
    for name in ("bob", "eve", "joe"):
        okta.add_user(f"{name}@example.com", name.title(), "Test", assign=True)
    okta.create_group("Crew", members=["bob@example.com"])
    with rig(tmp_path, okta=okta, split=SplitWorld(flavor="scim"), pushed=["Crew"]) as rigged:
        rigged.write_config(provisioning="push_groups = false")
        rigged.sync()
        yield rigged


def appears(made: Rig, kind: str, **args: Any) -> None:
    """Somebody else makes it between our plan and our POST."""
    act = {"user": "create_local_user", "group": "create_local_group"}[kind]
    made.split.faults.add("act", method="POST", path=f"/{kind.title()}s", act=act, args=args)


def errors(result: dict[str, Any]) -> list[str]:
    return [error["message"] for error in result["errors"]]


def unproven(made: Rig) -> list[str]:
    return [each["object"] for each in made.run("status", "--json").document["unproven"]]


def left_behind(made: Rig) -> list[dict[str, Any]]:
    return [skip for skip in made.sync(code=None)["skipped"] if skip["kind"] == "left_behind"]


def step_of(made: Rig, name: str) -> dict[str, str]:
    steps = made.run("explain", name, "--json", code=None).document["steps"]
    return {step["step"]: step["detail"] for step in steps}


def state_of(made: Rig, name: str) -> dict[str, Any]:
    user = next(user for user in made.split.world.users.values() if user.user_name == name)
    return {**user.attributes, "active": user.active, "version": user.version}


@pytest.mark.parametrize("status", [200, 201])
@pytest.mark.parametrize(
    ("answer", "twin"),
    [("same_letters", NEW.lower()), ("same_name", NEW), ("same_email", "ann@old.example.com")],
)
def test_somebody_else_in_the_answer_is_a_conflict_and_is_left_as_they_are(
    answer: str, twin: str, status: int, made: Rig
) -> None:
    made.split.set_knobs(posts_answer=answer, posts_answer_status=status)
    appears(made, "user", email=twin, given_name="Other", family_name="Person")
    if answer == "same_email":
        made.split.faults.clear()
        made.split.world.create_local_user(twin, "Other", "Person")
        made.split.world.edit_user(twin, emails=[{"value": NEW, "type": "work"}])
    made.okta.world.add_user(NEW, "Ann", "New", assign=True)

    result = made.sync(code=4)

    (message,) = errors(result)
    assert NEW in message, "both are named"
    assert twin in message, "both are named"
    shown = state_of(made, twin)
    assert shown["name"] == {"givenName": "Other", "familyName": "Person"}
    assert "externalId" not in shown
    assert {request.method for request in made.split.requests if twin in request.path} <= {"GET"}
    failing = made.run("status", "--json").document["failing"]
    assert [each["kind"] for each in failing] == ["create_user"]


def test_an_account_that_is_ours_already_is_never_tied_to_another_person(made: Rig) -> None:
    made.split.set_knobs(posts_answer="oldest")
    oldest = next(iter(made.split.world.users.values())).user_name  # three are made at once
    before = state_of(made, oldest)
    made.okta.world.add_user(NEW, "Ann", "New", assign=True)

    result = made.sync(code=4)

    assert f"is tied to {oldest}" in errors(result)[0]
    assert state_of(made, oldest) == before
    made.okta.world.unassign(NEW)
    made.sync(code=None)
    assert state_of(made, oldest)["active"] is True
    made.okta.world.unassign(oldest)
    made.sync()
    assert state_of(made, oldest)["active"] is False


def test_of_creates_that_are_answered_with_one_id_at_the_same_time_one_is_tied(
    made: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When they were answered nothing spoke against it: none of them was stored yet."""
    names = [f"new{number}@example.com" for number in range(3)]
    for name in names:
        made.okta.world.add_user(name, "Nina", "New", assign=True)
    asked, free = threading.Barrier(len(names)), []

    def one_for_all(_: ScimTarget, _id: str, _attributes: object, *, against: Against) -> Applied:
        free.append(against("one-for-all"))
        asked.wait(timeout=20)
        return Applied("one-for-all", 201)

    with monkeypatch.context() as patched:
        patched.setattr(ScimTarget, "create_user", one_for_all)
        result = made.sync(code=4)

    assert free == [None] * len(names)
    assert result["summary"]["applied"] == {"create_user": 1}
    tied = [
        name for name in names if made.run("explain", name, "--json").document["scim_id"] == "one-for-all"
    ]
    assert len(tied) == 1
    failed = sorted(set(names) - set(tied))
    assert sorted(message.split()[0] for message in errors(result)) == failed
    assert all("is tied to" in message for message in errors(result))
    unproven = made.run("status", "--json").document["unproven"]
    assert sorted((each["object"], each["scim_id"]) for each in unproven) == [
        (name, "one-for-all") for name in failed
    ]


def test_who_got_a_colleague_for_an_answer_is_told_nothing_against_that_colleague(made: Rig) -> None:
    """The account in the answer is in order. What helps is one of their own, which the next plan finds and adopts."""
    made.split.set_knobs(posts_answer="oldest")
    made.okta.world.add_user(NEW, "Ann", "New", assign=True)

    (error,) = made.sync(code=4)["errors"]
    (skip,) = made.sync()["skipped"]

    assert "the name is held" not in error["hint"]
    assert "delete it" not in skip["reason"]
    assert f"make an account {NEW} in Split" in skip["reason"]

    made.split.world.create_local_user(NEW, "Ann", "New")
    assert made.sync()["summary"]["applied"] == {"adopt_user": 1}
    assert made.run("status", "--json").document["unproven"] == []


def test_who_the_server_gave_our_values_and_our_mark_is_a_stranger_until_a_person_repairs_it(
    made: Rig,
) -> None:
    """It re-activates an account with this e-mail, renames it and writes our externalId into it."""
    made.split.world.create_local_user("old@example.com", "Old", "Hand", active=False)
    made.split.world.edit_user("old@example.com", emails=[{"value": NEW, "type": "work"}])
    account = next(user for user in made.split.world.users.values() if user.user_name == "old@example.com")
    account.created = account.modified = "2026-01-01T00:00:00Z"
    made.split.set_knobs(posts_answer="same_email", posts_touch=True)
    made.okta.world.add_user(NEW, "Ann", "New", assign=True)

    first = made.sync(code=4)
    made.run("retry")
    made.forget()
    second = made.sync(code=None)

    assert "was there before" in errors(first)[0]
    assert [skip["kind"] for skip in second["skipped"]] == ["conflict"]
    assert "was there before, as old@example.com" in second["skipped"][0]["reason"]
    (unproven,) = made.run("status", "--json").document["unproven"]
    assert (unproven["object"], unproven["scim_id"]) == (NEW, account.id)
    assert made.writes() == [], "not even the create is repeated: it would change the account again"

    made.okta.world.unassign(NEW)
    left = made.sync(code=None)
    assert made.writes() == []
    assert [skip["kind"] for skip in left["skipped"]] == ["left_behind"]
    assert account.id in left["skipped"][0]["reason"]

    made.split.world.set_active(NEW, active=False)
    assert made.sync()["skipped"] == []
    assert made.sync()["skipped"] == []


def test_an_account_that_a_refused_create_opened_is_linked_and_taken_back(made: Rig) -> None:
    made.split.faults.add("status", method="POST", path="/Users", status=400, after_effect=True)
    made.okta.world.add_user(NEW, "Ann", "New", assign=True)

    made.sync()

    assert state_of(made, NEW)["active"] is True
    made.okta.world.unassign(NEW)
    made.sync()
    assert state_of(made, NEW)["active"] is False


@pytest.mark.parametrize("shows_age", [True, False])
def test_an_account_that_an_unanswered_create_opened_is_taken_back_if_it_is_provably_ours(
    shows_age: bool, made: Rig
) -> None:
    """The answer is lost, no search finds the account, and the person leaves before anything else happens."""
    made.split.faults.add("status", method="POST", path="/Users", status=504, after_effect=True)
    made.split.set_knobs(filter_mode="no_match_404", meta_shown=shows_age)
    made.okta.world.add_user(NEW, "Ann", "New", assign=True)
    made.sync(code=None)
    made.sync(code=None)
    made.split.set_knobs(filter_mode="works")
    assert state_of(made, NEW)["active"] is True
    made.okta.world.unassign(NEW)

    made.run("retry")
    made.sync(code=None)

    assert state_of(made, NEW)["active"] is False


@pytest.mark.parametrize("status", [200, 201])
@pytest.mark.parametrize("answer", ["same_name", "same_letters", "oldest"])
def test_a_group_that_was_there_is_never_taken_for_the_new_one(answer: str, status: int, made: Rig) -> None:
    made.split.set_knobs(posts_answer=answer, posts_answer_status=status)
    appears(made, "group", name="crew" if answer == "same_letters" else "Crew", members=["eve@example.com"])
    made.write_config(provisioning="push_groups = true")

    result = made.sync(code=4)

    assert "Crew" in errors(result)[0]
    (group,) = made.split.world.groups.values()
    assert made.split.world.members(group.id) == ["eve@example.com"]
    assert [line for line in made.writes() if "/Groups/" in line] == []
    made.run("retry")
    again = made.sync(code=None)
    assert {skip["kind"] for skip in again["skipped"]} == {"conflict"}
    assert made.split.world.members(group.id) == ["eve@example.com"]


def test_a_stranger_for_a_group_is_forgotten_once_okta_has_the_group_no_more(made: Rig) -> None:
    made.split.set_knobs(posts_answer="same_name", posts_answer_status=200)
    appears(made, "group", name="Crew", members=["eve@example.com"])
    made.write_config(provisioning="push_groups = true")
    made.sync(code=4)
    assert unproven(made) == ["Crew"]
    assert "one since" in step_of(made, "Crew")["proven"]

    made.okta.world.delete_group("Crew")
    assert left_behind(made) == []
    assert unproven(made) == []


def test_a_group_that_a_refused_create_may_have_left_is_reported_until_it_is_gone(made: Rig) -> None:
    made.split.set_knobs(external_id_shown=False)
    made.split.faults.add("status", method="POST", path="/Groups", status=400, after_effect=True)
    made.write_config(provisioning="push_groups = true")
    made.sync(code=4)
    (group,) = made.split.world.groups.values()
    made.okta.world.delete_group("Crew")

    for _ in range(2):
        (skip,) = left_behind(made)
        assert skip["name"] == "Crew"
        assert group.id in skip["reason"]
    made.split.world.delete_group(group.id)

    assert left_behind(made) == []
    assert unproven(made) == []


def test_a_group_is_asked_for_by_name_though_the_listing_showed_none(made: Rig) -> None:
    made.split.set_knobs(duplicates="twin")
    made.write_config(provisioning="push_groups = true", rules='[[push_groups]]\nsource = { name = "Crew" }')
    made.split.faults.add(
        "act", method="POST", path="/Users", act="create_local_group", args={"name": "Crew"}
    )
    made.okta.world.add_user(NEW, "Ann", "New", assign=True)  # is created first; then the group is there

    result = made.sync(code=4)

    assert "the name is taken" in errors(result)[0]
    assert len(made.split.world.groups) == 1
