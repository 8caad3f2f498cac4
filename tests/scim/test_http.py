"""Talking: what is retried, what stops everybody, what is never sent anywhere."""

from __future__ import annotations

import gzip
import json
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
import responses

from syncd.errors import AccessDenied, ConfigurationError, PermanentError, SyncdError, TemporaryError
from syncd.scim.answers import Unanswered
from syncd.scim.answers import problem as said
from syncd.scim.bodies import BODY_CAP
from syncd.scim.http import ScimHttp
from syncd.scim.pacing import RetryPolicy, asked_wait
from tests.e2e.echoing import SPELLINGS, leaks
from tests.scim.conftest import HURRY
from tests.scim.scripted import TOKEN, Reply, Script, ScriptedServer, Seen, in_turn, listing, problem

Serve = Callable[[Script], ScriptedServer]
MakeHttp = Callable[..., ScimHttp]
WEB_PAGE = Reply(200, "<!DOCTYPE html><html>Log in</html>", {"Content-Type": "text/html"})


def test_a_get_is_repeated_until_the_server_is_well(serve: Serve, make_http: MakeHttp) -> None:
    server = serve(in_turn(Reply(503, "busy"), Reply(drop=True), Reply(502, "<html>"), listing([])))
    http = make_http(server.base_url, retry=RetryPolicy(attempts=5, first=0.01, ceiling=0.01))

    answer = http.send("GET", ["Users"])

    assert answer.status == 200
    assert http.requests() == {"GET 503": 1, "GET reset": 1, "GET 502": 1, "GET 200": 1}


def test_a_permanent_500_is_bounded(serve: Serve, make_http: MakeHttp) -> None:
    server = serve(in_turn(Reply(500)))

    with pytest.raises(TemporaryError) as caught:
        make_http(server.base_url).send("GET", ["Users"])

    assert caught.value.status == 500
    assert len(server.seen) == 3


@pytest.mark.parametrize("status", [400, 404, 405, 409, 412, 413, 501])
def test_what_is_settled_is_answered_at_once(status: int, serve: Serve, make_http: MakeHttp) -> None:
    server = serve(in_turn(problem(status)))
    http = make_http(server.base_url, media_type="application/scim+json")

    assert http.send("PATCH", ["Users", "1"], body={}).status == status
    assert len(server.seen) == 1


@pytest.mark.parametrize(
    "reply", [Reply(500), Reply(503), Reply(drop=True), Reply(201, {"id": "1"}, cut=True), Reply(504)]
)
def test_a_post_is_never_repeated_when_it_may_have_had_effect(
    reply: Reply, serve: Serve, make_http: MakeHttp
) -> None:
    server = serve(in_turn(reply))

    with pytest.raises(Unanswered):
        make_http(server.base_url).send("POST", ["Users"], body={})

    assert len(server.seen) == 1


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_a_write_that_is_safe_to_repeat_is_repeated(method: str, serve: Serve, make_http: MakeHttp) -> None:
    server = serve(in_turn(Reply(drop=True), Reply(500), Reply(204)))

    assert make_http(server.base_url).send(method, ["Users", "1"]).status == 204
    assert len(server.seen) == 3


def test_a_write_that_stays_unanswered_says_so(serve: Serve, make_http: MakeHttp) -> None:
    server = serve(in_turn(Reply(drop=True)))

    with pytest.raises(Unanswered):
        make_http(server.base_url).send("PATCH", ["Users", "1"], body={})

    assert len(server.seen) == 3


def test_a_post_is_repeated_after_429_because_it_was_refused(serve: Serve, make_http: MakeHttp) -> None:
    server = serve(in_turn(Reply(429, headers={"Retry-After": "0"}), Reply(201, {"id": "1"})))

    assert make_http(server.base_url).send("POST", ["Users"], body={}).status == 201
    assert len(server.seen) == 2


def test_a_post_to_a_closed_port_is_repeated_and_ends_as_temporary(make_http: MakeHttp) -> None:
    http = make_http("http://127.0.0.1:1/scim")

    with pytest.raises(TemporaryError) as caught:
        http.send("POST", ["Users"], body={})

    assert not isinstance(caught.value, Unanswered)
    assert http.requests() == {"POST refused": 3}


def test_a_slow_answer_ends_as_a_timeout(serve: Serve, make_http: MakeHttp) -> None:
    server = serve(in_turn(Reply(delay=0.6)))
    http = make_http(server.base_url, timeout=0.15)

    with pytest.raises(Unanswered) as caught:
        http.send("POST", ["Users"], body={})

    assert caught.value.running
    assert http.requests() == {"POST timeout": 1}


def test_an_answer_that_trickles_in_is_not_waited_for(serve: Serve, make_http: MakeHttp) -> None:
    server = serve(in_turn(Reply(body=" " * 400 + "{}", trickle=0.02)))
    http = make_http(server.base_url, timeout=0.2, retry=RetryPolicy(attempts=1))
    started = time.monotonic()

    with pytest.raises(TemporaryError, match="did not arrive"):
        http.send("GET", ["Users"])

    assert time.monotonic() - started < 8, "it would have taken longer to arrive"


def test_an_oversized_answer_is_refused(
    serve: Serve, make_http: MakeHttp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("syncd.scim.bodies.BODY_CAP", 100_000)
    server = serve(in_turn(Reply(body=gzip.compress(b" " * 300_000), headers={"Content-Encoding": "gzip"})))

    assert BODY_CAP == 32 * 1024 * 1024
    with pytest.raises(PermanentError, match="larger than"):
        make_http(server.base_url).send("GET", ["Users"])


def test_a_compressed_answer_is_read(serve: Serve, make_http: MakeHttp) -> None:
    packed = gzip.compress(json.dumps({"totalResults": 0, "pad": "x" * 200_000}).encode())
    server = serve(in_turn(Reply(body=packed, headers={"Content-Encoding": "gzip"})))

    assert make_http(server.base_url).send("GET", ["Users"]).resource["totalResults"] == 0


def test_a_truncated_get_is_read_again(serve: Serve, make_http: MakeHttp) -> None:
    server = serve(
        in_turn(Reply(body={"id": "1"}, cut=True), Reply(body='{"id": "1'), Reply(body={"id": "1"}))
    )

    assert make_http(server.base_url).send("GET", ["Users", "1"]).resource == {"id": "1"}
    assert len(server.seen) == 3


@pytest.mark.parametrize("method", ["GET", "POST", "PATCH"])
def test_a_web_page_is_no_scim(method: str, serve: Serve, make_http: MakeHttp) -> None:
    server = serve(in_turn(WEB_PAGE))

    with pytest.raises(PermanentError, match="web page, not SCIM") as caught:
        make_http(server.base_url).send(method, ["Users"], body=None if method == "GET" else {})

    assert "base_url" in caught.value.hint
    assert len(server.seen) == 1


def test_a_redirect_is_not_followed(serve: Serve, make_http: MakeHttp) -> None:
    thief = serve(in_turn(listing([])))
    server = serve(in_turn(Reply(307, headers={"Location": f"{thief.base_url}/Users"})))

    with pytest.raises(PermanentError, match="redirect"):
        make_http(server.base_url).send("GET", ["Users"])

    assert thief.seen == ()


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_token_is_access_denied(status: int, serve: Serve, make_http: MakeHttp) -> None:
    server = serve(in_turn(Reply(status, "Unauthorized", {"Content-Type": "text/plain"})))

    with pytest.raises(AccessDenied) as caught:
        make_http(server.base_url).send("GET", ["Users"])

    assert (caught.value.side, caught.value.status) == ("split", status)
    assert len(server.seen) == 1


def test_proxy_variables_netrc_and_cookies_are_ignored(
    serve: Serve, make_http: MakeHttp, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    server = serve(in_turn(Reply(body={}, headers={"Set-Cookie": "session=1; Path=/"})))
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login a password b\n")
    for name, value in {"HTTP_PROXY": "http://127.0.0.1:1", "ALL_PROXY": "http://127.0.0.1:1"}.items():
        monkeypatch.setenv(name, value)
        monkeypatch.setenv(name.lower(), value)
    monkeypatch.setenv("NETRC", str(netrc))
    http = make_http(server.base_url)

    http.send("GET", ["Users"])
    http.send("GET", ["Users"])

    assert [seen.headers["Authorization"] for seen in server.seen] == [f"Bearer {TOKEN}"] * 2
    assert all("Cookie" not in seen.headers for seen in server.seen)


def test_the_configured_proxy_is_used(serve: Serve, make_http: MakeHttp) -> None:
    proxy = serve(in_turn(listing([])))
    http = make_http("http://split.invalid/scim/v2", proxy=proxy.base_url.removesuffix("/scim/v2"))

    assert http.send("GET", ["Users"]).status == 200
    assert len(proxy.seen) == 1


@pytest.mark.parametrize("bad", ["", "  ", "to\nken", "tokén"])
def test_a_token_that_no_header_may_have_is_a_configuration_error(bad: str, make_http: MakeHttp) -> None:
    with pytest.raises(ConfigurationError) as caught:
        make_http("http://127.0.0.1:1", read_token=lambda: bad)

    assert bad.strip() == "" or bad not in str(caught.value)


def test_the_token_is_in_no_message_no_repr_and_no_log(
    serve: Serve, make_http: MakeHttp, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    echo = Reply(400, {"detail": f"bad header Authorization: Bearer {TOKEN} and {TOKEN[::-1]}"})
    server = serve(
        in_turn(echo, Reply(401, f"token {TOKEN} unknown"), Reply(500, f"{TOKEN}"), Reply(drop=True))
    )
    http = make_http(server.base_url)
    texts = [repr(http), repr(vars(http)["_redact"])]
    answer = http.send("GET", ["Users"])
    texts += [said(answer), repr(answer)]
    for method in ("GET", "POST", "POST"):
        try:
            http.send(method, ["Users"], body={} if method == "POST" else None)
        except SyncdError as error:
            seen: BaseException | None = error
            while seen is not None:
                texts += [str(seen), repr(seen), repr(vars(seen))]
                seen = seen.__cause__ or seen.__context__

    texts += [record.getMessage() for record in caplog.records] + [caplog.text]
    assert any("POST /scim/v2/Users" in text for text in texts)
    assert not [text for text in texts if TOKEN in text]


BODIES = {
    "a SCIM error": (400, '{{"schemas": ["{error}"], "scimType": "x", "detail": "{said}"}}'),
    "a SCIM error with success": (200, '{{"schemas": ["{error}"], "detail": "{said}"}}'),
    "a list of errors": (400, '[{{"header": "{said}"}}]'),
    "errors within": (422, '{{"errors": [{{"Authorization": ["{said}"]}}]}}'),
    "a gateway's text": (502, "upstream said {said}"),
    "JSON that is cut": (500, '{{"detail": "{said}'),
    "a refusal": (401, '{{"message": "{said}"}}'),
    "nobody there": (404, '{{"detail": "{said}"}}'),
}


@pytest.mark.parametrize(
    "spelling", ["plain", "JSON escapes", "JSON in JSON", "percent twice", "HTML of some", "cut"]
)
@pytest.mark.parametrize("form", BODIES)
def test_what_is_said_of_the_token_is_redacted_once_it_is_decoded(
    form: str, spelling: str, serve: Serve, make_http: MakeHttp
) -> None:
    status, body = BODIES[form]
    error = "urn:ietf:params:scim:api:messages:2.0:Error"
    text = body.format(error=error, said=f"no {SPELLINGS[spelling](TOKEN)} end")
    http = make_http(serve(lambda _seen: Reply(status, text)).base_url)
    texts = []
    for method in ("GET", "PATCH"):
        try:
            answer = http.send(method, ["Users", "1"], body={} if method == "PATCH" else None)
        except SyncdError as failure:
            texts += [failure.message, failure.hint]
        else:
            texts += [said(answer), repr(answer.body), answer.text]
    assert any("no " in text for text in texts)
    assert [text for text in texts if leaks(text, {"the token": TOKEN})] == []


def test_what_a_good_answer_holds_is_data_and_stays(serve: Serve, make_http: MakeHttp) -> None:
    shown = {"id": "1", "title": "Bearer of 00news", "displayName": f"SSWS {TOKEN}"}
    http = make_http(serve(lambda _seen: Reply(200, shown)).base_url)
    assert http.send("GET", ["Users", "1"]).body == shown


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "7"}, 7),
        ({"x-retry-after": "3"}, 3),
        ({"X-RateLimit-Reset-Seconds-Org": "4", "X-RateLimit-Reset-Seconds-IP": "9"}, 9),
        ({"Retry-After": "0.5"}, 0.5),
        ({"Retry-After": "-5"}, None),
        ({"Retry-After": "soon"}, None),
        ({}, None),
        ({"Retry-After": "99999999"}, 3600),
        ({"Retry-After": "Fri, 31 Dec 9999 23:59:59 -2300"}, None),
    ],
)
def test_every_way_to_ask_for_a_pause_is_understood(headers: dict[str, str], seconds: float | None) -> None:
    assert asked_wait(headers, datetime.now(UTC)) == seconds


def test_a_date_in_retry_after_is_judged_by_the_servers_own_clock() -> None:
    theirs = datetime(2020, 1, 1, tzinfo=UTC)
    headers = {
        "Date": format_datetime(theirs),
        "Retry-After": format_datetime(theirs + timedelta(seconds=20)),
    }

    assert asked_wait(headers, datetime.now(UTC)) == 20


def test_a_429_seen_by_one_thread_pauses_all(serve: Serve, make_http: MakeHttp) -> None:
    first = threading.Event()

    def script(_seen: Seen) -> Reply:
        if not first.is_set():
            first.set()
            return Reply(429, headers={"X-RateLimit-Reset-Seconds-Org": "1.0", "Retry-After": "0.1"})
        return listing([])

    server = serve(script)
    waits: list[tuple[float, str]] = []
    http = make_http(server.base_url, on_wait=lambda seconds, why: waits.append((seconds, why)))
    with ThreadPoolExecutor(4) as pool:
        limited = pool.submit(http.send, "GET", ["Users"])
        while not first.is_set():
            time.sleep(0.001)
        time.sleep(0.05)
        others = [pool.submit(http.send, "GET", ["Groups"]) for _ in range(3)]
        statuses = [task.result().status for task in (limited, *others)]

    assert statuses == [200] * 4
    assert min(seen.at for seen in server.seen[1:]) - server.seen[0].at >= 1.0
    assert len(waits) == 1
    assert waits[0][0] == pytest.approx(1.0, abs=0.5)


def test_a_pause_longer_than_patience_is_told_and_not_waited_for(serve: Serve, make_http: MakeHttp) -> None:
    server = serve(in_turn(Reply(429, headers={"Retry-After": "3000"})))
    http = make_http(server.base_url)
    started = time.monotonic()

    with pytest.raises(TemporaryError) as first:
        http.send("GET", ["Users"])
    with pytest.raises(TemporaryError, match="pause"):
        http.send("GET", ["Users"])

    assert first.value.retry_after == 3000
    assert len(server.seen) == 1
    assert time.monotonic() - started < 60


@pytest.mark.parametrize("method", ["GET", "POST", "PATCH"])
def test_a_429_without_a_time_is_waited_for_like_any_rate_limit(
    method: str, serve: Serve, make_http: MakeHttp
) -> None:
    """It is no failed try: five of them in a row outlast the three tries that a broken server gets."""
    server = serve(in_turn(*[Reply(429)] * 5, Reply(200, {"id": "1"})))

    assert make_http(server.base_url).send(method, ["Users"], body={}).status == 200


def test_a_429_without_a_time_ends_when_patience_does(serve: Serve, make_http: MakeHttp) -> None:
    server = serve(in_turn(Reply(429)))
    hurry = replace(HURRY, limit_waits=4)

    with pytest.raises(TemporaryError) as caught:
        make_http(server.base_url, retry=hurry).send("GET", ["Users"])

    assert caught.value.status == 429
    assert len(server.seen) == 5


def test_a_429_without_a_time_waits_for_seconds_that_grow_and_not_beyond_the_time_budget(
    serve: Serve, make_http: MakeHttp
) -> None:
    assert [RetryPolicy().limited(times) for times in range(1, 7)] == [5, 10, 20, 40, 60, 60]
    server = serve(in_turn(Reply(429)))

    with pytest.raises(TemporaryError):
        make_http(server.base_url, retry=RetryPolicy(deadline=4.0)).send("GET", ["Users"])

    assert len(server.seen) == 1


@pytest.mark.parametrize("asked", ["0", "Thu, 01 Jan 2026 00:00:00 GMT"])
def test_a_429_that_asks_for_no_wait_again_and_again_is_waited_for_as_if_it_named_none(
    asked: str, serve: Serve, make_http: MakeHttp
) -> None:
    server = serve(in_turn(*[Reply(429, headers={"Retry-After": asked})] * 3, listing([])))
    hurry = replace(HURRY, limited_first=0.1, limited_ceiling=0.1)
    waits: list[str] = []
    http = make_http(server.base_url, retry=hurry, on_wait=lambda _seconds, why: waits.append(why))

    assert http.send("GET", ["Users"]).status == 200
    assert waits.count("429 without a time to come back") == 2


def test_a_429_without_a_time_pauses_every_thread(serve: Serve, make_http: MakeHttp) -> None:
    server = serve(in_turn(Reply(429), listing([])))
    hurry = replace(HURRY, limited_first=0.3, limited_ceiling=0.3)
    waits: list[tuple[float, str]] = []
    http = make_http(server.base_url, retry=hurry, on_wait=lambda seconds, why: waits.append((seconds, why)))
    with ThreadPoolExecutor(4) as pool:
        limited = pool.submit(http.send, "GET", ["Users"])
        while not waits:
            time.sleep(0.001)
        others = [pool.submit(http.send, "GET", ["Groups"]) for _ in range(3)]
        statuses = [task.result().status for task in (limited, *others)]

    assert statuses == [200] * 4
    assert min(seen.at for seen in server.seen[1:]) - server.seen[0].at >= 0.3
    assert [why for _, why in waits] == ["429 without a time to come back"]


def test_requests_a_second_are_bounded_over_all_threads(serve: Serve, make_http: MakeHttp) -> None:
    server = serve(in_turn(listing([])))
    http = make_http(server.base_url, rate=40.0)
    started = time.monotonic()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: http.send("GET", ["Users"]), range(13)))

    assert time.monotonic() - started >= 12 / 40


def test_requests_at_once_are_bounded(serve: Serve, make_http: MakeHttp) -> None:
    at_once, most, lock = 0, 0, threading.Lock()

    def script(_seen: Seen) -> Reply:
        nonlocal at_once, most
        with lock:
            at_once += 1
            most = max(most, at_once)
        time.sleep(0.02)
        with lock:
            at_once -= 1
        return listing([])

    http = make_http(serve(script).base_url, concurrency=2)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: http.send("GET", ["Users"]), range(12)))

    assert most == 2


def test_connections_are_kept_alive(serve: Serve, make_http: MakeHttp) -> None:
    server = serve(in_turn(listing([])))
    http = make_http(server.base_url)
    for _ in range(5):
        http.send("GET", ["Users"])

    assert len({seen.peer for seen in server.seen}) == 1


@pytest.mark.parametrize("interim", [[100], [102], [103], [103, 100, 103]], ids=str)
def test_what_is_said_before_an_answer_is_not_the_answer(
    interim: list[int], serve: Serve, make_http: MakeHttp
) -> None:
    """RFC 9110, 15.2. Who takes it for the answer gives the real one to whoever asks next."""
    server = serve(lambda seen: Reply(201, {"userName": seen.body["userName"]}, interim=interim, delay=0.2))
    http = make_http(server.base_url)

    found = [http.send("POST", ["Users"], body={"userName": name}) for name in ("ann", "bob")]

    assert [(each.status, each.body) for each in found] == [
        (201, {"userName": "ann"}),
        (201, {"userName": "bob"}),
    ]
    assert len({seen.peer for seen in server.seen}) == 1


def test_nothing_more_is_asked_on_a_connection_that_changed_its_protocol(
    serve: Serve, make_http: MakeHttp
) -> None:
    server = serve(in_turn(Reply(200, {"id": "stale"}, interim=[101], delay=0.2), Reply(200, {"id": "2"})))
    http = make_http(server.base_url)

    with pytest.raises(PermanentError, match="101"):
        http.send("GET", ["Users", "1"])
    assert http.send("GET", ["Users", "2"]).body == {"id": "2"}


def test_a_write_whose_answer_contradicts_itself_may_have_had_effect(
    serve: Serve, make_http: MakeHttp
) -> None:
    server = serve(lambda _: Reply(201, {"id": "1"}, {"Content-Length": "3"}))
    http = make_http(server.base_url)

    with pytest.raises(Unanswered, match="the head of the answer contradicts itself"):
        http.send("POST", ["Users"], body={"userName": "ann"})
    assert len(server.seen) == 1
    with pytest.raises(TemporaryError, match="the head of the answer contradicts itself"):
        http.send("GET", ["Users", "1"])


def test_closing_ends_a_wait(serve: Serve, make_http: MakeHttp) -> None:
    server = serve(in_turn(Reply(429, headers={"Retry-After": "60"})))
    http = make_http(server.base_url, retry=replace(HURRY, deadline=120.0))
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(http.send, "GET", ["Users"])
        while not server.seen:
            time.sleep(0.005)
        time.sleep(0.05)
        started = time.monotonic()
        http.close()
        with pytest.raises(TemporaryError):
            waiting.result()

    assert time.monotonic() - started < 30, "half of the wait"


def test_ids_are_percent_encoded_as_one_segment(serve: Serve, make_http: MakeHttp) -> None:
    server = serve(in_turn(Reply(204)))

    make_http(server.base_url).send("DELETE", ["Groups", "a+b@e.com/../x?y#z ü"])

    assert server.lines == ["DELETE /Groups/a%2Bb%40e.com%2F..%2Fx%3Fy%23z%20%C3%BC"]


@pytest.mark.parametrize("bad", ["", ".", ".."])
def test_an_id_that_would_change_the_path_is_refused(bad: str, make_http: MakeHttp) -> None:
    with pytest.raises(PermanentError, match="cannot stand in a URL"):
        make_http("http://127.0.0.1:1").send("DELETE", ["Users", bad])


def test_a_value_in_the_query_survives_as_it_is(serve: Serve, make_http: MakeHttp) -> None:
    server = serve(in_turn(listing([])))

    make_http(server.base_url + "/").send("GET", ["Users"], {"filter": 'userName eq "a+b&c@e.com"'})

    assert server.seen[0].query == {"filter": 'userName eq "a+b&c@e.com"'}
    assert server.seen[0].path == "/scim/v2/Users"


def test_a_server_that_refuses_scim_json_gets_plain_json_from_then_on(
    serve: Serve, make_http: MakeHttp
) -> None:
    def script(seen: Seen) -> Reply:
        plain = seen.headers["Content-Type"] == "application/json"
        return Reply(201, {"id": "1"}) if plain else Reply(415)

    server = serve(script)
    http = make_http(server.base_url)

    assert [http.send("POST", ["Users"], body={}).status for _ in range(2)] == [201, 201]
    assert len(server.seen) == 3
    assert http.proven_media_type == "application/json"


def test_a_server_whose_parser_ignores_scim_json_gets_plain_json(serve: Serve, make_http: MakeHttp) -> None:
    def script(seen: Seen) -> Reply:
        plain = seen.headers["Content-Type"] == "application/json"
        return Reply(201, {"id": "1"}) if plain else problem(400, "invalidSyntax", "no body")

    server = serve(script)

    assert make_http(server.base_url).send("POST", ["Users"], body={}).status == 201
    assert len(server.seen) == 2


def test_a_real_400_keeps_its_own_words(serve: Serve, make_http: MakeHttp) -> None:
    def script(seen: Seen) -> Reply:
        plain = seen.headers["Content-Type"] == "application/json"
        return Reply(415) if plain else problem(400, "invalidValue", "bad title")

    http = make_http(serve(script).base_url)

    assert said(http.send("POST", ["Users"], body={})) == "invalidValue: bad title"
    assert http.media_type == "application/scim+json"


def test_scim_json_is_asked_for_and_406_falls_back(serve: Serve, make_http: MakeHttp) -> None:
    def script(seen: Seen) -> Reply:
        return Reply(406) if "scim" in seen.headers["Accept"] else listing([])

    server = serve(script)

    assert make_http(server.base_url).send("GET", ["Users"]).status == 200
    assert server.seen[0].headers["Accept"] == "application/scim+json, application/json;q=0.9"


HOSTILE_ERRORS: list[Any] = [
    b"",
    b"\xff\xfe\x00garbage",
    "plain text",
    "<html><body>502 Bad Gateway</body></html>",
    '{"detail": ["a", {"b": 1}]}',
    '{"status": 400}',
    '{"detail": null, "status": null, "scimType": 7}',
    '["a list"]',
    '"a string"',
    "null",
    "[" * 100_000,
    '{"detail": "\\u001b[31mred\\u0000\\n\\u202e"}',
    '{"detail": "' + "x" * 10_000 + '"}',
]


@pytest.mark.parametrize("body", HOSTILE_ERRORS, ids=range(len(HOSTILE_ERRORS)))
def test_reading_an_error_never_raises(body: Any, serve: Serve, make_http: MakeHttp) -> None:
    server = serve(in_turn(Reply(400, body)))

    words = said(make_http(server.base_url).send("GET", ["Users", "1"]))

    assert 0 < len(words) < 600
    assert words.isprintable()


def test_a_private_certificate_needs_ca_file(make_http: MakeHttp) -> None:
    import requests  # noqa: PLC0415

    with responses.RequestsMock() as mock:
        import ssl  # noqa: PLC0415

        distrust = ssl.SSLCertVerificationError("self-signed certificate")
        distrust.verify_message = "self-signed certificate"
        mock.get("https://split.example/scim/Users", body=requests.exceptions.SSLError(distrust))
        with pytest.raises(PermanentError, match="self-signed certificate") as caught:
            make_http("https://split.example/scim").send("GET", ["Users"])

    assert "ca_file" in caught.value.hint


@responses.activate
def test_a_single_exchange_sends_what_the_rfc_asks_for(make_http: MakeHttp) -> None:
    responses.post("https://split.example/scim/Users", json={"id": "1"}, status=201)

    make_http("https://split.example/scim").send("POST", ["Users"], body={"userName": "ü"})

    sent = responses.calls[0].request
    assert sent.headers["Content-Type"] == "application/scim+json"
    assert sent.body == '{"userName": "ü"}'.encode()
