"""Good answers of Okta that hold a secret of the connection: each costs only the record that it stands in."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from syncd.errors import IncompleteRead, PermanentError, TemporaryError
from syncd.model import BadRecord
from syncd.okta.reader import OktaReader
from tests.okta.fakes import TOKEN, FakeOkta, Reply, app_user_json, reader

ESCAPED = "".join(f"\\u{ord(letter):04x}" for letter in TOKEN)
LOGS = "/api/v1/logs?after=1"
USER, OTHER = app_user_json(1), app_user_json(2)


def ask(body: object, question: Callable[[OktaReader], Any]) -> Any:
    """`body` with "SECRET" in it as the token, escaped."""
    text = json.dumps(body).replace("SECRET", ESCAPED).encode()
    with FakeOkta(lambda seen, before: Reply(text)) as okta, reader(okta) as source:
        return question(source)


@pytest.mark.parametrize("others", [1, 400])
@pytest.mark.parametrize("secret", ["SECRET", TOKEN])
def test_a_user_with_a_secret_in_the_profile_is_a_bad_record_and_the_others_are_good(
    others: int, secret: str
) -> None:
    odd = app_user_json(0, profile={"email": f"{secret}@example.com"})
    rest = [app_user_json(number + 1) for number in range(others)]

    (page,) = ask([odd, *rest], lambda source: list(source.app_users()))

    assert [user.okta_id for user in page.records] == [user["id"] for user in rest]
    assert [bad.okta_id for bad in page.bad] == [odd["id"]]
    assert "repeats a secret" in page.bad[0].problem
    assert TOKEN not in repr(page)


def test_an_id_with_a_secret_is_nobodys() -> None:
    (page,) = ask([app_user_json(1, id=f"00u{TOKEN}"), OTHER], lambda source: list(source.app_users()))
    assert [bad.okta_id for bad in page.bad] == [None]
    assert TOKEN not in repr(page)
    with pytest.raises(IncompleteRead, match="repeats a secret"):
        ask([{"id": "SECRET"}], lambda source: source.groups_of("00u1"))


@pytest.mark.parametrize("field", ["name", "description"])
def test_a_group_with_a_secret_cannot_be_understood(field: str) -> None:
    group = {"id": "00g1", "type": "OKTA_GROUP", "profile": {"name": "Crew", field: "SECRET"}}
    (page,) = ask([group], lambda source: list(source.groups()))
    assert [bad.okta_id for bad in page.bad] == ["00g1"]
    with pytest.raises(TemporaryError, match="repeats a secret"):
        ask(group, lambda source: source.group("00g1"))


def test_one_user_with_a_secret_asked_for_by_id() -> None:
    user = {**USER, "profile": {"email": "SECRET"}}
    found = ask(user, lambda source: source.app_user(USER["id"]))
    assert isinstance(found, BadRecord)
    assert found.okta_id == USER["id"]
    with pytest.raises(TemporaryError, match="no status"):
        ask({"id": "00u1", "status": "SECRET"}, lambda source: source.user_status("00u1"))


def test_the_name_of_a_group_of_a_user_is_left_out_when_it_holds_a_secret() -> None:
    groups = [{"id": "00g1", "profile": {"name": "SECRET"}}, {"id": "00g2", "profile": {"name": "Crew"}}]
    assert ask(groups, lambda source: source.groups_of("00u1")) == {"00g1": "", "00g2": "Crew"}


def test_an_event_names_nobody_by_a_secret() -> None:
    events = [
        {
            "eventType": "user.lifecycle.create",
            "uuid": "SECRET",
            "target": [{"id": "SECRET", "type": "User"}, {"id": "00u2", "type": "SECRET"}],
        },
        {"eventType": "SECRET", "uuid": "2", "target": []},
    ]
    text = json.dumps(events).replace("SECRET", ESCAPED).encode()
    with (
        (okta := FakeOkta(lambda seen, before: Reply(text, headers=[okta.link(LOGS)]))),
        reader(okta) as source,
    ):
        page = source.log_page(f"{okta.url}{LOGS}")

    assert [(each.uuid, each.kind, list(each.targets)) for each in page.events] == [
        ("", "user.lifecycle.create", [("", "00u2")])
    ]


def test_a_place_in_the_log_that_has_a_short_secret_by_chance_is_one() -> None:
    with (
        (okta := FakeOkta(lambda seen, before: Reply([], headers=[okta.link("/api/v1/logs?after=1763")]))),
        reader(okta, token="logs", proxy=None) as source,
    ):
        assert source.log_page(f"{okta.url}{LOGS}").cursor.endswith("after=1763")


def test_a_place_in_the_log_that_repeats_the_token_is_none() -> None:
    with (
        (
            okta := FakeOkta(
                lambda seen, before: Reply([], headers=[okta.link(f"/api/v1/logs?after={TOKEN}")])
            )
        ),
        reader(okta) as source,
        pytest.raises(PermanentError, match="repeats a secret"),
    ):
        source.log_page(f"{okta.url}{LOGS}")
