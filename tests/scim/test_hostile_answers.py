"""Answers of a target that were made to hurt: each is one of the documented errors, or costs only itself."""

from __future__ import annotations

import gc
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from syncd.core.foreign_json import DEEPEST, read_json
from syncd.errors import IncompleteRead, PermanentError, SyncdError, TemporaryError, kept
from syncd.scim import bodies
from syncd.scim.answers import ScimAnswer
from syncd.scim.answers import problem as said_of
from syncd.scim.pacing import LONGEST_PAUSE, ServerClock, asked_wait
from tests.scim.conftest import MakeTarget, person
from tests.scim.scripted import Reply, Script, ScriptedServer, in_turn, listing, problem

Serve = Callable[[Script], ScriptedServer]
HALF = "\\ud800"


def _user(**more: Any) -> dict[str, Any]:
    return {"id": "1", "userName": "ada@example.com", "active": True, **more}


def _nested(depth: int) -> str:
    return '{"a":[' * (depth // 2) + "1" + "]}" * (depth // 2)


def test_half_a_character_becomes_the_sign_for_an_unknown_one() -> None:
    """JSON can say it, in escapes and in raw bytes; UTF-8, SQLite and every further request cannot."""
    assert read_json(b'{"\\ud800": ["a\\udfffb", "\\ud83d\\ude00"]}') == {
        "\ufffd": ["a\ufffdb", "\U0001f600"]
    }
    assert read_json(b'"a\xed\xa0\x80b\xff"') == "a\ufffd\ufffd\ufffdb\ufffd"


@pytest.mark.parametrize(
    "text", ["NaN", "[Infinity]", "-Infinity", "[1e999]", '{"a": -1e400}', "9" * 5000, ""]
)
def test_what_is_no_finite_number_is_no_json(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        read_json(text.encode())


@pytest.mark.parametrize(
    "text", [_nested(DEEPEST + 2), "[" * 100_000 + "]" * 100_000, "[" * 100_000, _nested(900)]
)
def test_what_is_nested_without_end_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="nested too deeply"):
        read_json(text.encode())


def test_what_is_nested_as_deeply_as_may_be_is_read_beside_any_number_of_brackets() -> None:
    text = f'[{_nested(DEEPEST - 2)}, {", ".join(["[[]]"] * 200)}, "{"[" * 500}"]'

    assert read_json(text.encode()) == json.loads(text)


def test_texts_in_other_encodings_of_unicode_are_read_as_ever() -> None:
    for encoding in ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32-be"):
        assert read_json('{"a": "é"}'.encode(encoding)) == {"a": "é"}


def test_half_a_character_in_what_a_list_shows_costs_no_cycle(serve: Serve, make_target: MakeTarget) -> None:
    """It was stored and asked for, and ended the run: no codec takes it."""
    body = json.dumps({"totalResults": 1, "Resources": [_user(displayName="@", externalId="@")]}).replace(
        "@", HALF
    )
    server = serve(lambda seen: Reply(body=body) if seen.query.get("startIndex", "1") == "1" else listing([]))

    [page] = make_target(server.base_url).list_users()

    assert [(user.external_id, user.attributes["displayName"]) for user in page] == [("\ufffd", "\ufffd")]


def test_half_a_character_in_a_cursor_is_asked_for_as_an_unknown_one(
    serve: Serve, make_target: MakeTarget
) -> None:
    first = json.dumps({"totalResults": 2, "nextCursor": "c@", "Resources": [_user()]}).replace("@", HALF)
    server = serve(lambda seen: listing([_user(id="2")]) if "cursor" in seen.query else Reply(body=first))

    listed = make_target(server.base_url).list_users()

    assert [user.scim_id for page in listed for user in page] == ["1", "2"]
    assert server.seen[1].query["cursor"] == "c\ufffd"


@pytest.mark.parametrize("method", ["put", "patch"])
def test_a_user_that_is_nested_without_end_fails_alone(
    method: str, serve: Serve, make_target: MakeTarget
) -> None:
    """What GET showed is walked and written again by PUT: a thousand levels ended the whole run."""
    deep = json.dumps(_user(nested="@")).replace('"@"', _nested(900))
    server = serve(in_turn(Reply(body=deep)))

    with pytest.raises(TemporaryError):
        make_target(server.base_url, update_method=method).update_user(
            "1", {"displayName": "A"}, {"displayName": "B"}
        )


def test_members_that_are_no_texts_are_no_members(serve: Serve, make_target: MakeTarget) -> None:
    members = [
        {"value": "2"},
        "3",
        4,
        ["5"],
        {"value": ["6"]},
        {"value": 7},
        None,
        True,
        {"value": True},
        1.5,
    ]
    server = serve(in_turn(Reply(body={"id": "1", "displayName": "Crew", "members": members})))

    assert make_target(server.base_url).group("1").members == frozenset("2347")


@pytest.mark.parametrize("location", ["http://[", "//[/Users/9", "https://x/scim/v2/Users/%ff%00"])
def test_a_location_that_is_no_address_says_nothing(
    location: str, serve: Serve, make_target: MakeTarget
) -> None:
    """It ended the run with the POST in flight."""

    def script(seen: Any) -> Reply:
        if seen.method == "POST":
            return Reply(201, headers={"Location": location})
        return problem(404) if seen.path.count("/") > 3 else listing([])

    server = serve(script)

    with pytest.raises(SyncdError):
        make_target(server.base_url).create_user("00u1", person("ada"))


def test_an_answer_of_more_values_than_any_list_has_is_refused_before_it_is_decoded(
    serve: Serve, make_target: MakeTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert bodies.MOST_VALUES == 3_000_000
    monkeypatch.setattr(bodies, "MOST_VALUES", 100_000)
    server = serve(in_turn(Reply(body=b"[" + b'{"":0},' * 200_000 + b"{}]")))
    target = make_target(server.base_url)

    with pytest.raises(IncompleteRead, match="more than 100,000 values"):
        list(target.list_users())
    with pytest.raises(PermanentError, match="more than 100,000 values"):
        target.user("1")
    assert len(server.seen) == 2


def test_of_an_endless_error_the_beginning_counts(serve: Serve, make_target: MakeTarget) -> None:
    """It is as temporary as a short one, and no try keeps the bytes of the one before."""
    server = serve(in_turn(Reply(503, body=b'{"detail": "busy"}' + b" " * 40_000_000)))

    with pytest.raises(TemporaryError, match="503 busy") as caught:
        make_target(server.base_url).user("1")

    assert caught.value.status == 503
    assert len(server.seen) == 3


@pytest.mark.parametrize("late", ["Fri, 31 Dec 9999 23:59:59 GMT", "Fri, 31 Dec 9999 23:59:59 -2359"])
def test_the_clock_of_a_server_in_the_year_9999_is_not_counted_on(late: str) -> None:
    clock = ServerClock()
    clock.note(late)

    assert clock.at(1e9) is None


@pytest.mark.parametrize(
    "asked", ["1" + "0" * 30, "-5", "nan", "1e9", "9999999999", "Fri, 31 Dec 9999 23:59:59 GMT"]
)
def test_no_time_to_wait_is_longer_than_an_hour(asked: str) -> None:
    wait = asked_wait({"Retry-After": asked}, datetime(2026, 1, 1, tzinfo=UTC))

    assert wait is None or 0 <= wait <= LONGEST_PAUSE


def test_an_error_document_that_says_nothing_is_not_shown_as_one() -> None:
    """Harness answers so to what it has no words for."""
    body = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"], "detail": None, "status": 404}
    assert said_of(ScimAnswer(409, {}, body, json.dumps(body))) == "(no explanation)"
    told = ScimAnswer(409, {}, {**body, "detail": "taken"}, "")
    assert said_of(told) == "taken"


def test_members_that_failed_keep_no_answer_alive(serve: Serve, make_target: MakeTarget) -> None:
    """An answer may be a million values, and every batch has one."""
    heavy = {"weight": ["heavy"] * 10}
    outcome = make_target(serve(in_turn(Reply(200, heavy))).base_url).change_members(
        "g1", add=["a", "b"], remove=["c"]
    )

    gc.collect()
    answers = [each for each in gc.get_objects() if isinstance(each, ScimAnswer) and each.body == heavy]

    assert set(outcome.failed) == {"a", "b", "c"}
    assert answers == []


def test_an_error_that_is_kept_holds_none_of_the_frames_that_it_and_its_causes_passed() -> None:
    def fail() -> None:
        try:
            int("first")
        except ValueError as cause:
            raise TemporaryError("second") from cause

    with pytest.raises(TemporaryError) as caught:
        fail()
    error = kept(caught.value)

    assert error.__traceback__ is None
    assert error.__cause__ is not None
    assert error.__cause__.__traceback__ is None
    assert str(error) == "second"
