"""What a server makes of values is learned from evidence alone, and an ignored write is never taken for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from syncd.core.comparison import GROUP_NAME, Habit
from syncd.errors import PermanentError
from tests.scim.conftest import PATHS, Bench, MakeTarget, person
from tests.scim.scripted import Reply, Script, ScriptedServer, Seen
from tests.scim.test_update import MEDIA, OneUser

Serve = Callable[[Script], ScriptedServer]
MakeBench = Callable[..., Bench]
DEAF = ("pathless", "path", "put")


def name_lowered(org: OneUser, name: str) -> OneUser:
    org.user["displayName"] = name
    return org


@pytest.mark.parametrize("path", PATHS)
def test_a_creation_that_comes_back_in_small_letters_teaches_it(path: str, bench: MakeBench) -> None:
    made = bench(lowercase_values=True)

    made.target.create_user("00u1", person("Ann", **{"emails[work].value": "ANN@x.com"}))

    assert Habit.LOWER in made.target.habits().of(path).does
    assert made.spent() == ["POST 201"]


def test_a_creation_that_comes_back_as_it_was_sent_tells_that_letter_case_is_kept(bench: MakeBench) -> None:
    made = bench()

    made.target.create_user("00u1", person("Ann"))

    assert made.target.habits().of("displayName").keeps == {Habit.LOWER}
    assert not made.target.habits().of("displayName").does


def test_a_change_that_was_ignored_and_looks_like_small_letters_teaches_nothing_and_is_no_success(
    serve: Serve, make_target: MakeTarget
) -> None:
    org = name_lowered(OneUser(ignores=DEAF), "ann test")
    target = make_target(serve(org).base_url, learned={**MEDIA, "keeps:displayName": "lower"})

    with pytest.raises(PermanentError, match="does not store displayName"):
        target.update_user("u1", {"displayName": "ann test"}, {"displayName": "Ann Test"})

    assert "does:displayName" not in target.learned()


def test_where_nobody_was_seen_in_capitals_all_forms_are_tried_and_it_stays_untold(
    serve: Serve, make_target: MakeTarget
) -> None:
    org = name_lowered(OneUser(ignores=DEAF), "ann test")
    target = make_target(serve(org).base_url, learned=MEDIA)

    applied = target.update_user("u1", {"displayName": "ann test"}, {"displayName": "Ann Test"})

    assert not applied.verified
    assert "in other letter case, as it was before" in applied.note
    assert org.puts
    assert "does:displayName" not in target.learned()


def test_a_form_that_is_ignored_is_not_taken_for_a_habit_where_another_works(
    serve: Serve, make_target: MakeTarget
) -> None:
    org = name_lowered(OneUser(ignores=("pathless",)), "ann test")
    target = make_target(serve(org).base_url, learned=MEDIA)

    applied = target.update_user("u1", {"displayName": "ann test"}, {"displayName": "Ann Test"})

    assert applied.verified
    assert org.user["displayName"] == "Ann Test"


@pytest.mark.parametrize("kept", [True, False])
def test_a_server_that_takes_letter_case_of_a_user_name_for_nothing_is_told_and_then_known(
    kept: bool, serve: Serve, make_target: MakeTarget
) -> None:
    """RFC 7643 section 4.1.1: userName is not case exact."""
    org = OneUser(ignores=DEAF)
    org.user["userName"] = "ANN@example.com"
    learned = {**MEDIA, **({"keeps:userName": "lower"} if kept else {})}
    server = serve(org)
    target = make_target(server.base_url, learned=learned)

    first = target.update_user("u1", {"userName": "ANN@example.com"}, {"userName": "Ann@example.com"})
    assert "letter case" in first.note
    asked = len(server.seen)
    second = target.update_user("u1", {"userName": "Ann@example.com"}, {"userName": "ann@example.com"})

    assert second.verified
    assert len(server.seen) == asked + 1


@pytest.mark.parametrize("shown", [True, False])
def test_what_was_shown_of_somebody_is_not_hidden(shown: bool, serve: Serve, make_target: MakeTarget) -> None:
    org = OneUser(ignores=DEAF)
    learned = {**MEDIA, **({"shown:title": "yes"} if shown else {})}
    target = make_target(serve(org).base_url, learned=learned, attribute_paths=(*PATHS, "title"))

    if shown:
        with pytest.raises(PermanentError, match="does not store title"):
            target.update_user("u1", {"title": None}, {"title": "Dr"})
    else:
        assert not target.update_user("u1", {"title": None}, {"title": "Dr"}).verified
    assert bool(target.learned().get("hidden:title")) is not shown


UNTYPED = {"value": "old@example.com", "primary": True}
HOME = {"type": "home", "value": "home@example.com"}


@pytest.mark.parametrize("around", [[UNTYPED], [HOME, UNTYPED], [{"value": "old@example.com"}]], ids=str)
@pytest.mark.parametrize("method", ["auto", "patch", "put"])
@pytest.mark.parametrize("before", [{"emails[work].value": "old@example.com"}, {}], ids=str)
def test_an_e_mail_without_a_type_is_written_back_in_its_place(
    around: list[dict[str, Any]],
    method: str,
    before: dict[str, Any],
    serve: Serve,
    make_target: MakeTarget,
) -> None:
    org = OneUser()
    org.user["emails"] = [dict(entry) for entry in around]
    target = make_target(serve(org).base_url, learned=MEDIA, update_method=method)
    assert target.user("u1").attributes["emails[work].value"] == "old@example.com"

    applied = target.update_user("u1", before, {"emails[work].value": "new@example.com"})

    assert applied.verified
    assert org.user["emails"] == [
        {**entry, "value": "new@example.com"} if "type" not in entry else entry for entry in around
    ]


@pytest.mark.parametrize(
    "emails",
    [
        [{"value": "a@x.com"}, {"value": "b@x.com"}],
        [{"value": "a@x.com", "type": "home"}],
        [{"value": "a@x.com"}, {"value": "b@x.com", "type": "home"}],
    ],
    ids=str,
)
def test_which_e_mail_without_a_type_is_the_work_e_mail_is_not_guessed(
    emails: list[dict[str, Any]], serve: Serve, make_target: MakeTarget
) -> None:
    org = OneUser()
    org.user["emails"] = emails

    assert "emails[work].value" not in make_target(serve(org).base_url).user("u1").attributes


def test_the_only_e_mail_is_nobodys_home_e_mail(serve: Serve, make_target: MakeTarget) -> None:
    org = OneUser()
    org.user["emails"] = [UNTYPED]
    target = make_target(serve(org).base_url, attribute_paths=(*PATHS, "emails[home].value"))

    assert "emails[home].value" not in target.user("u1").attributes


def test_a_new_account_that_stays_asleep_waits_for_the_person_and_the_next_is_not_woken(
    bench: MakeBench,
) -> None:
    made = bench(inactive_until_accepted=True)

    first = made.target.create_user("00u1", person("ann"))
    made.spent()
    second = made.target.create_user("00u2", person("bob"))

    assert (first.active, first.verified) == (False, False)
    assert made.target.habits().invites
    assert second.active is False
    assert made.spent() == ["POST 201"]


def test_an_account_that_was_seen_active_and_stays_asleep_is_an_error(
    serve: Serve, make_target: MakeTarget
) -> None:
    org = OneUser(ignores=DEAF)
    org.user["active"] = False
    target = make_target(serve(org).base_url, learned={**MEDIA, "invites": "yes"})

    with pytest.raises(PermanentError, match="does not store active"):
        target.update_user("u1", {"active": False}, {"active": True})


@pytest.mark.parametrize("trusted", [True, False])
def test_an_account_that_is_asleep_anyway_is_deactivated_by_a_form_that_is_known_to_work_or_by_all(
    trusted: bool, serve: Serve, make_target: MakeTarget
) -> None:
    org = OneUser(ignores=("pathless",))
    known = {"form:active": "paths", "trusted:paths:active": "yes"} if trusted else {}
    stored: list[bool] = []

    def script(seen: Seen) -> Reply:
        reply = org(seen)
        stored.append(org.user["active"])
        return Reply(reply.status, {**reply.body, "active": False}) if isinstance(reply.body, dict) else reply

    target = make_target(serve(script).base_url, learned={**MEDIA, **known})

    applied = target.deactivate_user("u1", invited=True)

    assert applied.scim_id == "u1"
    assert stored[-1] is False
    assert (len(stored) == 1) is trusted


@pytest.mark.parametrize(
    ("knob", "habit"), [("trim", Habit.TRIM), ("nfc", Habit.NFC), ("lowercase_values", Habit.LOWER)]
)
def test_names_of_groups_are_compared_so_too(knob: str, habit: Habit, bench: MakeBench) -> None:
    made = bench(**{knob: True})
    name = " Cafe\u0301 Crew"

    group = made.target.create_group("00g1", name).scim_id
    assert group is not None
    assert made.target.habits().of(GROUP_NAME).does == {habit}
    assert made.target.rename_group(group, f"{name} Two").scim_id == group


def test_a_new_account_that_is_awake_ends_what_was_thought_of_invitations(bench: MakeBench) -> None:
    """One account stayed asleep for a reason of its own: a licence was full."""
    made = bench(inactive_until_accepted=True)
    made.target.create_user("00u1", person("ann"))
    assert made.target.habits().invites
    made.simulator.knobs = replace(made.simulator.knobs, inactive_until_accepted=False)

    made.target.create_user("00u2", person("bob"))

    assert not made.target.habits().invites
