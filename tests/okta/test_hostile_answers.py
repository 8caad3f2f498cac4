"""Answers of Okta that were made to hurt: each is one of the documented errors, or costs only itself."""

from __future__ import annotations

import json
from typing import Any

import pytest

from syncd.errors import IncompleteRead, PermanentError, SyncdError, TemporaryError
from syncd.model import BadRecord
from syncd.okta import transport
from syncd.okta.answers import next_link
from syncd.okta.listing import now_at
from syncd.okta.pace import Clock, RetryPolicy
from syncd.okta.records import app_user, checked
from tests.okta.fakes import APP, FakeOkta, FakeTime, Reply, app_user_json, okta_error, reader

ONCE = RetryPolicy(attempts=1)
HALF = "\ud800"
LOGS = "/api/v1/logs?after=1&limit=1000"


@pytest.mark.parametrize(
    "value",
    [
        "<u>" + "; a " * 2000 + "!",
        "<u>" + " ; a" * 2000 + "\x00",
        "<u>;" + " " * 8000,
        '<u>; a="' + "\\" * 7999,
        "<u>" * 2000,
    ],
)
def test_no_link_header_takes_longer_to_read_than_it_is_long(value: str) -> None:
    """Forty parameters with a blank behind each took years: every blank could belong to either side."""
    with pytest.raises(ValueError, match="malformed"):
        next_link([value], "https://acme.okta.com/")


def test_what_a_link_is_called_hides_no_next_page() -> None:
    values = ['<https://acme.okta.com/2>; title="a; rel=prev, \\"b\\""; rel="next"']

    assert next_link(values, "https://acme.okta.com/") == "https://acme.okta.com/2"


@pytest.mark.parametrize("location", ["http://[", "http://[::1", "//[v1.x/", "https://\x7f["])
def test_a_redirect_to_what_is_no_address_is_a_redirect(location: str) -> None:
    script = Reply(status=302, headers=[("Location", location)])
    with (
        FakeOkta(lambda seen, before: script) as okta,
        reader(okta) as source,
        pytest.raises(PermanentError, match="redirect to an address that nobody can read"),
    ):
        source.application()


def test_of_an_endless_error_nothing_is_read() -> None:
    body = b'{"errorCode": "E0000007", "errorSummary": "gone (AppUser)", "x": [' + b"[]," * 400_000 + b"[]]}"
    with (
        FakeOkta(lambda seen, before: Reply(body, status=404)) as okta,
        reader(okta, retry=ONCE) as source,
        pytest.raises(TemporaryError, match="broken body"),
    ):
        source.user_status("00u1")


def test_an_error_that_goes_on_and_on_is_as_temporary_as_a_short_one() -> None:
    with (
        FakeOkta(lambda seen, before: Reply(b" " * 80_000_000, status=503)) as okta,
        reader(okta) as source,
        pytest.raises(TemporaryError, match="HTTP 503 without a body"),
    ):
        source.application()

    assert len(okta.paths()) == 5


def test_an_answer_of_more_values_than_any_page_has_is_refused_before_it_is_decoded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Eight bytes of text each, 240 of memory."""
    assert transport.MOST_VALUES == 1_000_000
    monkeypatch.setattr(transport, "MOST_VALUES", 100_000)
    body = b"[" + b'{"a":0},' * 200_000 + b"{}]"
    with (
        FakeOkta(lambda seen, before: Reply(body)) as okta,
        reader(okta) as source,
        pytest.raises(IncompleteRead, match="more than 100,000 values"),
    ):
        list(source.app_users())


@pytest.mark.parametrize("depth", [70, 900, 5000])
def test_a_record_that_is_nested_without_end_costs_at_most_its_page(depth: int) -> None:
    given = json.dumps(app_user_json(1, profile={"email": "\U0001f600", "x": "@"}))
    deep = given.replace('"@"', "[" * depth + "]" * depth)
    body = f"[{json.dumps(app_user_json(0))}, {deep}]".encode()
    with FakeOkta(lambda seen, before: Reply(body)) as okta, reader(okta, retry=ONCE) as source:
        try:
            [page] = source.app_users()
        except IncompleteRead as error:
            assert "malformed" in error.message  # noqa: PT017  (either may be, and nothing else)
        else:
            assert page.records[0].okta_id == app_user_json(0)["id"]


def test_a_record_that_cannot_be_walked_is_a_bad_record() -> None:
    record: dict[str, Any] = app_user_json(1)
    deep: list[Any] = []
    for _ in range(3000):
        deep = [deep]
    record["profile"] = {"x": deep}

    assert checked(record, app_user) == BadRecord(record["id"], "it is nested too deeply")


def _group(name: str) -> dict[str, Any]:
    return {"id": "00g1", "profile": {"name": name}}


def test_half_a_character_in_the_name_of_somebodys_group_is_no_name() -> None:
    with (
        FakeOkta(lambda seen, before: Reply([_group(HALF), {**_group("ok"), "id": "00g2"}])) as okta,
        reader(okta) as source,
    ):
        assert source.groups_of("00u1") == {"00g1": "", "00g2": "ok"}


def test_half_a_character_is_no_status_of_a_user() -> None:
    with (
        FakeOkta(lambda seen, before: Reply({"id": "00u1", "status": HALF})) as okta,
        reader(okta) as source,
        pytest.raises(TemporaryError, match="no status"),
    ):
        source.user_status("00u1")


def test_half_a_character_in_the_name_of_a_mappings_target_is_no_name() -> None:
    mapping = {"id": "gPm1", "sourceGroupId": "00g1", "targetGroupId": "00g2", "status": "ACTIVE"}

    def answer(path: str) -> Reply:
        return Reply([mapping]) if "mappings" in path else Reply({**_group(HALF), "id": "00g2"})

    with FakeOkta(lambda seen, before: answer(seen.path)) as okta, reader(okta) as source:
        [page] = source.mappings()

    assert [found.target_name for found in page.records] == [None]


def test_events_keep_only_what_can_be_stored() -> None:
    events = [
        {"eventType": HALF, "uuid": "1", "target": [{"id": "00u1", "type": "User"}]},
        {"eventType": "user.lifecycle.create", "uuid": HALF, "target": [{"id": "00u2", "type": HALF}]},
        {
            "eventType": "group.lifecycle.create",
            "uuid": "x" * 5000,
            "target": [{"id": "00g1", "type": "AD Group"}],
        },
    ]
    with (
        (okta := FakeOkta(lambda seen, before: Reply(events, headers=[okta.link(LOGS)]))),
        reader(okta) as source,
    ):
        page = source.log_page(f"{okta.url}{LOGS}")

    assert [(event.uuid, event.kind, list(event.targets)) for event in page.events] == [
        ("", "user.lifecycle.create", [("", "00u2")]),
        ("", "group.lifecycle.create", [("AD Group", "00g1")]),
    ]


@pytest.mark.parametrize(
    "place",
    [
        "/api/v1/logs?after=\xff",
        "/api/v1/logs?after=a\x7fb",
        "/api/v1/users?after=1",
        "/api/v1/logs/../x?after=1",
    ],
)
def test_a_next_place_in_the_log_that_cannot_be_stored_or_is_none_is_refused(place: str) -> None:
    link = ("Link", f'<{place}>; rel="next"')
    with (
        FakeOkta(lambda seen, before: Reply([], headers=[link])) as okta,
        reader(okta) as source,
        pytest.raises(PermanentError, match="no next page on its own origin"),
    ):
        source.log_page(f"{okta.url}{LOGS}")


@pytest.mark.parametrize(
    "garbage", ["", "x", "http://[", "https://evil.example/api/v1/logs?after=1", "\ud800", "\0" * 100]
)
def test_garbage_in_the_place_of_the_log_is_refused_without_a_request(garbage: str) -> None:
    with FakeOkta(lambda seen, before: Reply([])) as okta, reader(okta) as source:
        for cursor in (garbage, f"{okta.url}/api/v1/logs?{garbage}" if not garbage.isascii() else garbage):
            with pytest.raises(PermanentError, match="not of this org"):
                source.log_page(cursor)

    assert okta.paths() == []


def test_a_server_in_the_year_9999_is_followed_by_our_own_clock() -> None:
    """Its time plus the seconds since its answer is no time any more."""
    late = ("Date", "Fri, 31 Dec 9999 23:59:59 GMT")

    def answer(path: str) -> Reply:
        body = [] if "logs" in path else {"id": APP, "label": "Split", "status": "ACTIVE"}
        return Reply(body, headers=[late, okta.link(LOGS)], date=False)

    time = FakeTime()
    with (okta := FakeOkta(lambda seen, before: answer(seen.path))), reader(okta, fake_time=time) as source:
        source.application()
        time.offset += 5
        source.log_cursor()
        offset = source.clock_offset()

    assert offset is not None
    assert now_at(offset, Clock(wall=lambda: 4e9)).year < 2100
    assert "since=20" in okta.paths()[1]


@pytest.mark.parametrize("seconds", ["1" + "0" * 30, "-1", "1e9", "Fri, 31 Dec 9999 23:59:59 GMT", "nan"])
def test_no_retry_after_makes_us_wait_for_longer_than_a_window(seconds: str) -> None:
    time = FakeTime()
    said = Reply(okta_error("E0000047", "too many"), status=429, headers=[("Retry-After", seconds)])
    with (
        FakeOkta(lambda seen, before: said) as okta,
        reader(okta, fake_time=time) as source,
        pytest.raises(SyncdError),
    ):
        source.application()

    assert max(time.slept) <= 125
