"""The server of `syncd run`, over real sockets."""

from __future__ import annotations

import http.client
import socket
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import pytest

from syncd.errors import ConfigurationError, PermanentError, SyncdError
from syncd.redact import Redactor
from syncd.service import desk, server_thread
from syncd.service.board import Board
from syncd.service.http import address_of, own_names, serving
from syncd.service.server_thread import Server
from tests.e2e.echoing import leaks
from tests.observing import Log
from tests.service.showing import HOSTILE, Shown, a_bad_day, document, never_synced, quarantine

PATHS = ("/", "/healthz", "/readyz", "/metrics")


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    text: str


def ask(server: Server, path: str, method: str = "GET", *, host: str | None = None) -> Answer:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    try:
        connection.putrequest(method, path, skip_host=host is not None)
        if host:
            connection.putheader("Host", host)
        connection.endheaders()
        answer = connection.getresponse()
        return Answer(answer.status, dict(answer.headers), answer.read().decode())
    finally:
        connection.close()


def raw(server: Server, text: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        connection.sendall(text)
        found = b""
        while part := connection.recv(65536):
            found += part
        return found


@pytest.fixture
def well() -> Iterator[Server]:
    with Shown().serving() as server:
        yield server


# --- health -----------------------------------------------------------------------------------------


def test_a_process_that_serves_is_healthy_whatever_its_connections_are() -> None:
    with a_bad_day().serving() as server:
        assert (ask(server, "/healthz").status, ask(server, "/healthz").text) == (200, "ok\n")


def test_it_is_ready_while_every_complete_read_is_young(well: Server) -> None:
    assert (ask(well, "/readyz").status, ask(well, "/readyz").text) == (200, "ready\n")


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        (
            {"last_complete_read_age_seconds": 12 * 3600},
            "split-prod: the last complete read is 12 h old, more than 12 h",
        ),
        (
            {"state": "quarantined", "quarantine": quarantine()},
            "split-prod: quarantined since 2026-03-01T11:10:00Z: Split refused the token (401)",
        ),
    ],
)
def test_it_is_not_ready_and_says_why(changed: dict[str, Any], reason: str) -> None:
    with Shown([document(**changed), document("other")]).serving() as server:
        answer = ask(server, "/readyz")
    assert (answer.status, answer.text) == (503, reason + "\n")


def test_it_is_ready_until_twice_the_full_interval() -> None:
    with Shown([document(last_complete_read_age_seconds=12 * 3600 - 1)]).serving() as server:
        assert ask(server, "/readyz").status == 200


def test_every_reason_has_its_line_and_no_name_can_make_another() -> None:
    shown = Shown([never_synced("new"), document("sick", quarantine=quarantine(f"{HOSTILE}\nready"))])
    shown.board.set_broken({"bad": "okta.app_id\nis missing"})
    with shown.serving() as server:
        lines = ask(server, "/readyz").text.splitlines()
    assert [line.split(":")[0] for line in lines] == ["bad", "new", "sick"]
    assert lines[0] == "bad: the settings cannot be used: okta.app_id\\x0ais missing"
    assert lines[1] == "new: Okta was never read completely"


def test_no_secret_that_a_store_has_from_before_is_served_whole_or_cut() -> None:
    secret = "00aBcDeFgHiJkLmNoPqRsTuVwXyZ-12_3456-x_Y"
    reason = "x" * 270 + f" said {secret}, and {quote(secret, safe='')} as well"
    shown = Shown([document("sick", quarantine=quarantine(reason))])
    shown.board.connection("sick").warn("system_log", "it said \\u0030" + secret[1:])
    with shown.serving(redactor=Redactor([secret])) as server:
        answers = [ask(server, path).text for path in PATHS]
    assert "[redacted]" in answers[0]
    assert [text for text in answers if leaks(text, {"it": secret})] == []


def test_a_connection_whose_status_is_not_known_is_not_ready() -> None:
    shown = Shown([], intervals={"split-prod": 60.0})
    with shown.serving() as server:
        assert ask(server, "/readyz").text == "split-prod: its status is not known\n"


def test_new_documents_show_at_the_next_question() -> None:
    shown = Shown([never_synced("split-prod")])
    with shown.serving() as server:
        assert ask(server, "/readyz").status == 503
        shown.documents = [document()]
        assert ask(server, "/readyz").status == 200


# --- stores that fail -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("failure", "said"),
    [
        (PermanentError("the store is damaged"), "the stores cannot be read: the store is damaged"),
        (ZeroDivisionError("secret"), "the stores cannot be read: ZeroDivisionError"),
    ],
)
def test_a_store_that_fails_is_said_and_the_rest_goes_on(failure: Exception, said: str) -> None:
    def fails() -> list[dict[str, Any]]:
        raise failure

    board = Board()
    board.connection("split-prod")
    with serving(("127.0.0.1", 0), board, fails, full_intervals=dict) as server:
        assert ask(server, "/healthz").status == 200
        assert (ask(server, "/readyz").status, ask(server, "/readyz").text) == (503, said + "\n")
        assert 'syncd_polls_total{connection="split-prod"} 0.0' in ask(server, "/metrics").text
        assert "1 thing needs attention" in ask(server, "/").text


def test_a_store_that_hangs_is_asked_once_and_stops_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desk, "STORES_TIMEOUT", 0.05)
    asked: list[int] = []
    release = threading.Event()

    def hangs() -> list[dict[str, Any]]:
        asked.append(1)
        release.wait(60)
        return []

    with serving(("127.0.0.1", 0), Board(), hangs, full_intervals=dict) as server:
        for _ in range(3):
            assert "did not answer" in ask(server, "/readyz").text
        assert ask(server, "/healthz").status == 200
        assert asked == [1]
    release.set()


def test_it_stops_though_somebody_waits_for_a_store_that_hangs() -> None:
    begun, release = threading.Event(), threading.Event()

    def hangs() -> list[dict[str, Any]]:
        begun.set()
        release.wait(60)
        return []

    with serving(("127.0.0.1", 0), Board(), hangs, full_intervals=dict) as server:
        waiting = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
        waiting.request("GET", "/readyz")
        assert begun.wait(20)
    assert not [thread for thread in threading.enumerate() if thread.name == "syncd-http"]
    release.set()
    waiting.close()


def test_a_page_that_cannot_be_made_is_told_to_the_log_not_to_the_visitor() -> None:
    log = Log()
    unusable = [{"connection": "split-prod"}]
    with serving(("127.0.0.1", 0), Board(), lambda: unusable, full_intervals=dict, observer=log) as server:
        answer = ask(server, "/")
    assert (answer.status, answer.text) == (500, "This page cannot be made; the log says why.\n")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    [(level, event, fields)] = log.said
    assert (level, event, fields["path"]) == ("error", "status server failed", "/")


# --- who may ask what -------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [*PATHS, "/nowhere", "/%2e%2e/etc/passwd"])
def test_every_answer_carries_the_headers_of_a_page_that_trusts_nobody(well: Server, path: str) -> None:
    headers = ask(well, path).headers
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert headers["Server"] == "syncd"


@pytest.mark.parametrize("path", PATHS)
def test_it_only_shows(well: Server, path: str) -> None:
    for method in ("POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"):
        answer = ask(well, path, method)
        assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD")
    head = ask(well, path, "HEAD")
    assert (head.status, head.text) == (200, "")
    assert int(head.headers["Content-Length"]) > 0


@pytest.mark.parametrize("path", ["/nowhere", "/metrics/", "//", "/healthz/../metrics", "/%6detrics"])
def test_there_is_nothing_else(well: Server, path: str) -> None:
    assert ask(well, path).status == 404


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "LOCALHOST", "[::1]"])
def test_it_answers_to_its_own_names(well: Server, name: str) -> None:
    assert ask(well, "/healthz", host=f"{name}:{well.port}").status == 200


@pytest.mark.parametrize(
    "name",
    [
        "evil.example:PORT",
        "127.0.0.1",
        "127.0.0.1:1",
        "localhost.evil.example:PORT",
        "10.0.0.1:PORT",
        "::1:PORT",
        "[localhost]:PORT",
    ],
)
def test_it_answers_to_no_other_name(well: Server, name: str) -> None:
    for path in PATHS:
        assert ask(well, path, host=name.replace("PORT", str(well.port))).status == 421


def test_no_host_or_two_hosts_are_none(well: Server) -> None:
    assert raw(well, b"GET /healthz HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.0 421")
    assert raw(well, b"GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n").startswith(b"HTTP/1.0 400")
    mine = b"Host: 127.0.0.1:%d\r\n" % well.port
    answer = raw(
        well, b"GET /healthz HTTP/1.1\r\n" + mine + b"Host: evil.example\r\nConnection: close\r\n\r\n"
    )
    assert answer.startswith((b"HTTP/1.1 421", b"HTTP/1.0 400", b"HTTP/1.1 400"))


def test_a_server_on_every_address_answers_to_addresses_and_never_to_names() -> None:
    ours = own_names("0.0.0.0", 9464)  # noqa: S104
    assert ours("10.1.2.3:9464")
    assert ours("[2001:db8::1]:9464")
    assert not ours("evil.example:9464")
    assert not own_names("10.1.2.3", 9464)("10.1.2.4:9464")
    assert own_names("10.1.2.3", 80)("10.1.2.3")


def test_nonsense_stops_nothing_and_says_nothing(well: Server, capfd: pytest.CaptureFixture[str]) -> None:
    raw(well, b"\x16\x03\x01\x02\x00 hello\r\n\r\n")
    raw(well, b"NONSENSE / HTTP/1.1\r\n\r\n")
    raw(well, b"GET / HTTP/1.1\r\nHost: a\r\n" + b"x" * 20_000 + b"\r\n\r\n")
    assert ask(well, "/healthz").status == 200
    assert capfd.readouterr().err == ""


# --- its life ---------------------------------------------------------------------------------------


def test_a_port_that_is_taken_is_an_error_that_names_the_setting(well: Server) -> None:
    with (
        pytest.raises(SyncdError, match=rf"127\.0\.0\.1:{well.port} \(server\.listen\)") as failed,
        serving(("127.0.0.1", well.port), Board(), list, full_intervals=dict),
    ):
        pass
    assert "another `syncd run`" in failed.value.hint
    assert failed.value.exit_code == 1


def test_an_address_that_is_not_of_this_machine_is_an_error() -> None:
    with (
        pytest.raises(SyncdError, match=r"192\.0\.2\.1:9464 \(server\.listen\)"),
        serving(("192.0.2.1", 9464), Board(), list, full_intervals=dict),
    ):
        pass


def test_a_port_for_root_only_is_a_matter_of_settings() -> None:
    refused = server_thread._not_listening(
        "server.listen", "127.0.0.1", 80, PermissionError(13, "Permission denied")
    )
    assert isinstance(refused, ConfigurationError)


def test_it_stops_with_visitors_still_connected_and_its_port_is_free_again() -> None:
    with Shown().serving() as server:
        lingering = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
        lingering.request("GET", "/healthz")
        assert lingering.getresponse().read() == b"ok\n"
    assert not [thread for thread in threading.enumerate() if thread.name == "syncd-http"]
    with serving(("127.0.0.1", server.port), Board(), list, full_intervals=dict) as again:
        assert ask(again, "/healthz").status == 200
    lingering.close()


@pytest.mark.parametrize(
    ("listen", "address"),
    [
        ("127.0.0.1:9464", ("127.0.0.1", 9464)),
        ("[::1]:80", ("::1", 80)),
        ("localhost:0", ("localhost", 0)),
    ],
)
def test_the_setting_is_an_address(listen: str, address: tuple[str, int]) -> None:
    assert address_of(listen) == address
