"""Every way in which one page of a list can go wrong: healed by a retry it is complete, else it says which page."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import pytest

from syncd.errors import AccessDenied, ConnectionSick, IncompleteRead, Scope
from syncd.model import AppUser, ReadProof
from syncd.okta.listing import ListingLimits
from syncd.okta.pace import RetryPolicy
from syncd.ports import Page
from tests.okta.fakes import (
    APP,
    FIRST_USERS,
    USERS,
    FakeOkta,
    FakeTime,
    Reply,
    Seen,
    app_user_json,
    okta_error,
    reader,
)

SECOND = f"{USERS}?after=c%2Bd%2F%2C1&limit=500&expand=user"
THIRD = f"{USERS}?after=third&limit=500&expand=user"

FAULTS: dict[str, Reply] = {
    "a 500 with Okta's error body": Reply(okta_error("E0000009", "Internal Server Error"), 500),
    "a 500 with an empty body": Reply(b"", 500, content_type=None),
    "a 500 with an empty body that calls itself JSON": Reply(b"", 500),
    "a 502 with a web page": Reply(b"<html>Bad Gateway</html>", 502, content_type="text/html"),
    "a 503 without rate-limit headers or Date": Reply(okta_error("E0000010", "read-only"), 503, date=False),
    "a 504": Reply(b"", 504),
    "a 408": Reply(b"", 408),
    "a 423": Reply(okta_error("E0000239", "Please try again later"), 423),
    "a 425": Reply(b"", 425),
    "a 429 without headers": Reply(okta_error("E0000047", "too many requests"), 429, date=False),
    "a 429 with a reset in the past": Reply(
        okta_error("E0000047", "too many requests"),
        429,
        headers=[("X-Rate-Limit-Limit", "600"), ("X-Rate-Limit-Remaining", "0"), ("X-Rate-Limit-Reset", "1")],
    ),
    "a 429 for concurrency": Reply(
        okta_error("E0000047", "too many requests"),
        429,
        headers=[
            ("X-Rate-Limit-Limit", "0"),
            ("X-Rate-Limit-Remaining", "0"),
            ("X-Rate-Limit-Reset", "4000000000"),
        ],
    ),
    "a 200 with an empty body": Reply(b"", 200),
    "a 200 with a web page": Reply(b"<!doctype html><title>Login</title>", 200, content_type="text/html"),
    "truncated JSON": Reply(json.dumps([app_user_json(1)]).encode()[:-20], 200),
    "a body shorter than announced": Reply(b"[", 200, promised=5000),
    "JSON that is not UTF-8": Reply(b'[{"id": "\xff\xfe"}]', 200),
    "NaN, which is no JSON": Reply(b'[{"id": NaN}]', 200),
    "endless nesting": Reply(b"[" * 200_000, 200),
    "an object instead of a list": Reply({"records": []}, 200),
    "a string instead of a list": Reply(b'"nothing"', 200),
    "null instead of a list": Reply(b"null", 200),
    "a 206": Reply([app_user_json(1)], 206),
    "a 204": Reply(b"", 204),
    "a dropped connection": Reply(drop=True),
    "an answer that takes too long": Reply([], delay=0.4),
    "a broken Link header": Reply([app_user_json(1)], headers=[("Link", '<http://x; rel="next"')]),
    "two different next links": Reply(
        [app_user_json(1)],
        headers=[("Link", '<http://x/1>; rel="next"'), ("Link", '<http://x/2>; rel="next"')],
    ),
}
FINAL: dict[str, Reply] = {
    "a redirect": Reply(b"", 302, headers=[("Location", "http://127.0.0.1:9/login")]),
    "a 400": Reply(okta_error("E0000001", "Api validation failed: after"), 400),
    "a 501": Reply(b"", 501),
    "a 404 that says nothing": Reply(b"<html>", 404, content_type="text/html"),
    "a 404 about something else": Reply(okta_error("E0000008", "The requested path was not found"), 404),
}


def three_pages(
    okta: Callable[[], FakeOkta], fault: Reply | None, times: int, refusal: Reply | None = None
) -> Callable[[Seen, int], Reply]:
    """Users 0 and 1, then 2 (where the fault strikes so many times), then 3. `refusal` answers harmless reads."""

    def script(seen: Seen, before: int) -> Reply:
        if seen.path == FIRST_USERS:
            return Reply([app_user_json(0), app_user_json(1)], headers=[okta().link(SECOND)])
        if seen.path == SECOND:
            if fault is not None and before < times:
                return fault
            return Reply([app_user_json(2)], headers=[okta().link(THIRD)])
        if seen.path == THIRD:
            return Reply([app_user_json(3)])
        assert seen.path in (f"/api/v1/apps/{APP}", f"{USERS}?limit=1"), "a harmless read"
        return refusal if refusal is not None else Reply([] if "?" in seen.path else {"id": APP})

    return script


def read(
    fault: Reply | None, times: int, limits: ListingLimits | None = None, refusal: Reply | None = None
) -> tuple[list[Page[AppUser]], ReadProof | None, Exception | None, FakeOkta, FakeTime]:
    """The pages that came, the proof, the error, and who saw what."""
    okta = FakeOkta(three_pages(lambda: okta, fault, times, refusal))
    clock = FakeTime()
    pages: list[Page[AppUser]] = []
    with okta, reader(okta, fake_time=clock, timeout=0.2, limits=limits) as source:
        listing = source.app_users()
        try:
            pages.extend(listing)
        except Exception as error:  # noqa: BLE001  (the tests look at it)
            with pytest.raises(IncompleteRead):
                _ = listing.proof
            return pages, None, error, okta, clock
        return pages, listing.proof, None, okta, clock


def numbers(pages: list[Page[AppUser]]) -> list[int]:
    return [int(user.okta_id[3:]) for page in pages for user in page.records]


def test_a_list_without_trouble_is_complete_and_asks_for_every_page_once() -> None:
    pages, proof, error, okta, clock = read(None, 0)

    assert error is None
    assert numbers(pages) == [0, 1, 2, 3]
    assert proof is not None
    assert (proof.what, proof.pages, proof.records) == ("app users", 3, 4)
    assert okta.paths() == [FIRST_USERS, SECOND, THIRD]
    assert clock.slept == []


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_that_a_retry_heals_leaves_a_complete_list(name: str) -> None:
    pages, proof, error, okta, _ = read(FAULTS[name], 1)

    assert error is None
    assert numbers(pages) == [0, 1, 2, 3]
    assert proof is not None
    assert proof.records == 4
    assert okta.paths().count(SECOND) >= 2


def is_incomplete(proof: ReadProof | None, error: Exception | None, *, page: int) -> None:
    assert proof is None
    assert isinstance(error, IncompleteRead)
    assert (error.what, error.page) == ("app users", page)


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_that_outlasts_the_retries_names_the_list_and_the_page(name: str) -> None:
    pages, proof, error, okta, clock = read(FAULTS[name], 10_000)

    is_incomplete(proof, error, page=2)
    assert "5 tries" in str(error)
    assert numbers(pages) == [0, 1], "what came before the fault stays good"
    assert len(clock.slept) == 4, "four retries, each after a backoff"
    assert okta.paths().count(THIRD) == 0


@pytest.mark.parametrize("name", FINAL)
def test_what_no_retry_can_mend_is_not_tried_again(name: str) -> None:
    pages, proof, error, okta, _ = read(FINAL[name], 10_000)

    is_incomplete(proof, error, page=2)
    assert numbers(pages) == [0, 1]
    assert okta.paths().count(SECOND) == 1


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_token_is_said_at_once_and_not_tried_again(status: int) -> None:
    refusal = Reply(okta_error("E0000011", "Invalid token provided"), status)

    _, proof, error, okta, _ = read(refusal, 10_000, refusal=refusal)

    assert proof is None
    assert isinstance(error, AccessDenied)
    assert (error.side, error.scope, error.status) == ("okta", Scope.CONNECTION, status)
    assert "token" in error.hint
    assert okta.paths().count(SECOND) == 1


@pytest.mark.parametrize("status", [401, 403])
def test_a_page_that_is_refused_while_the_app_can_be_read_is_a_page_that_is_missing(status: int) -> None:
    pages, proof, error, okta, _ = read(Reply(okta_error("E0000006", "no permission"), status), 10_000)

    assert proof is None
    assert isinstance(error, IncompleteRead)
    assert (error.what, error.page, error.status) == ("app users", 2, status)
    assert numbers(pages) == [0, 1]
    assert okta.paths().count(SECOND) == 1


def test_an_app_that_vanishes_while_its_list_is_read_is_not_an_empty_list() -> None:
    gone = Reply(okta_error("E0000007", f"Not found: Resource not found: {APP} (AppInstance)"), 404)

    _, proof, error, _, _ = read(gone, 10_000)

    assert proof is None
    assert isinstance(error, ConnectionSick)
    assert APP in error.message


def test_a_cursor_travels_byte_for_byte() -> None:
    *_, okta, _ = read(None, 0)

    assert SECOND in okta.paths()


@pytest.mark.parametrize(
    ("target", "why"),
    [
        ("http://127.0.0.1:9{path}", "another origin"),
        ("https://{host}{path}", "another origin"),
        ("http://someone@{host}{path}", "another origin"),
        ("http://localhost:{port}{path}", "another origin"),
        ("http://{host}.example.com{path}", "another origin"),
        ("http://{host}/oauth2/v1/userinfo?after=z", "leaves the API"),
        ("http://{host}/api/v1/../../evil?after=z", "leaves the API"),
        ("http://{host}" + FIRST_USERS, "repeats an earlier page"),
    ],
)
def test_a_next_link_that_leads_astray_is_never_followed(target: str, why: str) -> None:
    def script(seen: Seen, before: int) -> Reply:
        host = okta.url.removeprefix("http://")
        link = target.format(host=host, port=host.rpartition(":")[2], path=THIRD)
        return Reply([app_user_json(0)], headers=[("Link", f'<{link}>; rel="next"')])

    with (okta := FakeOkta(script)), reader(okta) as source:
        listing = source.app_users()
        with pytest.raises(IncompleteRead, match=why) as caught:
            list(listing)

    assert caught.value.page == 2
    assert okta.paths() == [FIRST_USERS]


@pytest.mark.parametrize(
    ("other_records", "query"), [(True, "limit={turn}&after=same"), (False, "after={turn}")]
)
def test_a_chain_of_pages_that_goes_in_a_circle_is_noticed_by_its_cursor_or_by_its_records(
    query: str, *, other_records: bool
) -> None:
    def script(seen: Seen, before: int) -> Reply:
        turn = len(okta.seen)
        person = app_user_json(turn if other_records else 0)
        return Reply([person], headers=[okta.link(f"{USERS}?{query.format(turn=turn)}")])

    with (okta := FakeOkta(script)), reader(okta) as source, pytest.raises(IncompleteRead, match="repeats"):
        list(source.app_users())

    assert len(okta.seen) == 2


def test_a_chain_that_never_ends_is_cut() -> None:
    def script(seen: Seen, before: int) -> Reply:
        turn = len(okta.seen)
        return Reply([app_user_json(turn)], headers=[okta.link(f"{USERS}?after={turn}")])

    limits = ListingLimits(pages=7)
    with (
        (okta := FakeOkta(script)),
        reader(okta, limits=limits) as source,
        pytest.raises(IncompleteRead, match="more than 7 pages"),
    ):
        list(source.app_users())

    assert len(okta.seen) == 7


def test_an_endless_body_is_not_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("syncd.okta.transport.LARGEST_BODY", 100_000)

    _, _, error, okta, _ = read(Reply(b"[" + b" " * 200_000 + b"]"), 10_000)

    assert isinstance(error, IncompleteRead)
    assert "larger than" in error.message
    assert okta.paths().count(SECOND) == 1


def test_empty_pages_do_not_end_a_list() -> None:
    def script(seen: Seen, before: int) -> Reply:
        pages = {FIRST_USERS: ([], SECOND), SECOND: ([app_user_json(2)], THIRD), THIRD: ([], None)}
        body, following = pages[seen.path]
        return Reply(body, headers=[okta.link(following)] if following else [])

    with (okta := FakeOkta(script)), reader(okta) as source:
        listing = source.app_users()
        found = numbers(list(listing))

    assert found == [2]
    assert (listing.proof.pages, listing.proof.records) == (3, 1)


@pytest.mark.parametrize("style", ["next first", "one line", "lower case", "no quotes", "relative"])
def test_links_are_understood_in_every_form_that_rfc_8288_allows(style: str) -> None:
    def script(seen: Seen, before: int) -> Reply:
        if seen.path == SECOND:
            return Reply([app_user_json(1)])
        self_link, next_link = okta.link(FIRST_USERS, "self"), okta.link(SECOND)
        headers = {
            "next first": [next_link, self_link],
            "one line": [("link", f"{self_link[1]},{next_link[1]}")],
            "lower case": [("link", f'<{okta.url}{SECOND}>; title="a, b"; REL="Last NEXT"')],
            "no quotes": [("Link", f"<{okta.url}{SECOND}>;rel=next")],
            "relative": [("Link", f'<{SECOND}>; rel="next"')],
        }[style]
        return Reply([app_user_json(0)], headers=headers)

    with (okta := FakeOkta(script)), reader(okta) as source:
        assert numbers(list(source.app_users())) == [0, 1]


def test_the_next_page_is_fetched_while_this_one_is_used() -> None:
    okta = FakeOkta(three_pages(lambda: okta, None, 0))
    with okta, reader(okta) as source:
        pages = iter(source.app_users())
        next(pages)
        for _ in range(200):
            if SECOND in okta.paths():
                break
            time.sleep(0.01)
        assert SECOND in okta.paths()
        assert numbers(list(pages)) == [2, 3]


def test_a_listing_left_halfway_proves_nothing() -> None:
    okta = FakeOkta(three_pages(lambda: okta, None, 0))
    with okta, reader(okta) as source:
        listing = source.app_users()
        for _ in listing:
            break
        with pytest.raises(IncompleteRead):
            _ = listing.proof


def test_retries_end_with_their_time_as_well_as_with_their_number() -> None:
    okta = FakeOkta(lambda seen, before: Reply(b"", 500))
    clock = FakeTime()
    policy = RetryPolicy(attempts=1000, first=8.0, ceiling=8.0, deadline=60.0)
    with okta, reader(okta, fake_time=clock, retry=policy) as source, pytest.raises(IncompleteRead):
        list(source.app_users())

    assert sum(clock.slept) <= 60
    assert 6 < len(okta.seen) < 100


def test_a_retry_after_is_waited_for() -> None:
    _, proof, _, _, clock = read(Reply(b"", 503, headers=[("Retry-After", "7")]), 1)

    assert proof is not None
    assert clock.slept
    assert clock.slept[0] >= 7
