"""Nobody exhausts the daemon's server: real sockets, many of them, that send nothing, half, slowly, or do not read."""

from __future__ import annotations

import http.client
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

from syncd.service import desk, door
from syncd.service.board import Board
from syncd.service.http import serving
from syncd.service.page import StatusPage
from syncd.service.server_thread import Server
from syncd.service.visitors import PATIENCE, VisitorState
from tests.observing import Log
from tests.service.showing import Shown, document
from tests.service.supervisor import eventually

SEATS = 8


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch, log: Log) -> Iterator[Server]:
    """A server in a process that may have few files open."""
    monkeypatch.setattr(door, "seats_of", lambda _limit: SEATS)
    with serving(("127.0.0.1", 0), Board(), list, full_intervals=dict, observer=log) as server:
        yield server


def patience(monkeypatch: pytest.MonkeyPatch, state: VisitorState, seconds: float) -> None:
    monkeypatch.setitem(PATIENCE, state, seconds)


@contextmanager
def crowd(server: Server, size: int, first: bytes = b"") -> Iterator[list[socket.socket]]:
    with ExitStack() as stack:
        made = []
        for _ in range(size):
            wire = stack.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=20))
            wire.sendall(first)
            made.append(wire)
        yield made


def request(server: Server, path: str = "/healthz", more: str = "") -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n{more}\r\n".encode()


def status(server: Server, path: str = "/healthz") -> int:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
        return answer.status
    finally:
        connection.close()


def is_closed(wire: socket.socket) -> bool:
    """Whether the server has dropped it; what it answered before is read away."""
    wire.setblocking(False)
    try:
        while wire.recv(65536):
            pass
    except BlockingIOError:
        return False
    except ConnectionError:
        return True
    return True


def rest_of(wire: socket.socket) -> bytes:
    found = b""
    while part := wire.recv(65536):
        found += part
    return found


# --- a crowd ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "first",
    [
        b"",
        b"G",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Half: ",
        b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n",
    ],
    ids=["nothing", "a byte", "half a head", "answered and idle"],
)
def test_however_many_are_connected_a_newcomer_is_answered_and_no_more_stay_than_there_are_seats(
    small: Server, log: Log, first: bytes
) -> None:
    with crowd(small, 10 * SEATS, first) as wires:
        for _ in range(3):
            assert status(small) == 200
        eventually(lambda: sum(map(is_closed, wires)) >= 9 * SEATS, "the others had to leave")
    assert {event for _, event, _ in log.said} == {
        "the status server is full: who is idle longest has to leave"
    }
    assert log.said[0][2]["seats"] == SEATS


def test_who_waits_for_an_answer_is_not_sent_away_for_those_who_ask_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(door, "seats_of", lambda _limit: SEATS)
    begun, release = threading.Event(), threading.Event()

    def slow() -> list[dict[str, Any]]:
        begun.set()
        release.wait(60)
        return [document()]

    with (
        serving(("127.0.0.1", 0), Board(), slow, full_intervals=lambda: {"split-prod": 9e9}) as server,
        crowd(server, 1, request(server, "/readyz", "Connection: close\r\n")) as [waiting],
    ):
        assert begun.wait(20)
        with crowd(server, 10 * SEATS) as wires:
            eventually(lambda: sum(map(is_closed, wires)) >= 9 * SEATS, "the others had to leave")
            release.set()
            assert rest_of(waiting).startswith(b"HTTP/1.1 200")


def test_a_crowd_that_asks_without_end_shares_what_was_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "seats_of", lambda _limit: SEATS)
    monkeypatch.setattr(desk, "_SHARED_FOR", 1000.0)
    asked: list[int] = []

    def read() -> list[dict[str, Any]]:
        asked.append(1)
        return [document()]

    with serving(("127.0.0.1", 0), Board(), read, full_intervals=dict) as server:
        for count in (1, 2):
            assert status(server, "/") == 200
            assert len(asked) == count, "a person who asks again sees what is so now"
        with crowd(server, SEATS - 2):
            for _ in range(20):
                assert status(server, "/") == 200
        assert len(asked) <= 3


# --- patience ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("first", [b"", b"GET /healthz HT"])
def test_who_does_not_finish_a_request_is_dropped(
    small: Server, monkeypatch: pytest.MonkeyPatch, first: bytes
) -> None:
    patience(monkeypatch, VisitorState.ASKING, 0.2)
    with crowd(small, 1, first) as [wire]:
        eventually(lambda: is_closed(wire), "dropped")


def test_bytes_one_by_one_give_no_more_time(small: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    patience(monkeypatch, VisitorState.ASKING, 0.5)
    with crowd(small, 2, b"GET / HTTP/1.1\r\nX: ") as wires:
        wires[1].sendall(b"\r\n" + request(small).partition(b"\r\n")[2])
        assert wires[1].recv(1)  # answered; and begins another request

        def drips(wire: socket.socket) -> bool:
            wire.setblocking(True)
            try:
                wire.sendall(b"X")
            except OSError:
                return True
            return is_closed(wire)

        for wire in wires:
            eventually(lambda wire=wire: drips(wire), "dropped")  # type: ignore[misc]


def test_who_was_answered_and_asks_nothing_more_is_dropped(
    small: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    patience(monkeypatch, VisitorState.RESTING, 0.2)
    with crowd(small, 1, request(small)) as [wire]:
        assert rest_of(wire).endswith(b"ok\n")


def test_who_does_not_take_the_answer_is_dropped_with_what_is_left_of_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    large = 40_000_000
    monkeypatch.setattr(
        desk, "status_page", lambda _view, refresh: StatusPage("x" * large, "default-src 'none'")
    )
    patience(monkeypatch, VisitorState.SERVED, 0.5)
    dropped = threading.Event()
    lost = door.Connection.connection_lost

    def is_lost(connection: door.Connection, exc: BaseException | None) -> None:
        lost(connection, exc)
        dropped.set()

    monkeypatch.setattr(door.Connection, "connection_lost", is_lost)
    with Shown().serving() as server, crowd(server, 1, request(server, "/")) as [wire]:
        assert dropped.wait(30)
        assert status(server) == 200
        taken = 0
        try:
            while part := wire.recv(1 << 20):
                taken += len(part)
        except ConnectionError:
            pass
        assert taken < large


def test_a_body_that_never_ends_is_not_waited_for(small: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    patience(monkeypatch, VisitorState.ASKING, 0.5)
    first = (
        request(small).replace(b"GET", b"POST").replace(b"\r\n\r\n", b"\r\nContent-Length: 999999\r\n\r\nx")
    )
    with crowd(small, 1, first) as [wire]:
        assert rest_of(wire).startswith(b"HTTP/1.1 405")


# --- requests, as they come -------------------------------------------------------------------------


def test_a_request_in_pieces_is_answered_and_two_at_once_are_both(small: Server) -> None:
    with crowd(small, 2) as [pieces, two]:
        for byte in request(small, more="Connection: close\r\n"):
            pieces.sendall(bytes([byte]))
        assert rest_of(pieces).endswith(b"ok\n")

        two.sendall(request(small) + request(small, "/readyz", "Connection: close\r\n"))
        assert rest_of(two).count(b"HTTP/1.1 ") == 2


@pytest.mark.parametrize(
    "sent",
    [
        b"NONSENSE\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\n: nameless\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost : b\r\n\r\n",
        b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\nabc",
        b"GET / HTTP/1.1\r\nX: " + b"x" * 9000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"".join(b"X%d: 1\r\n" % number for number in range(200)) + b"\r\n",
        b"GET /" + b"x" * 5000 + b" HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03secret-of-the-visitor",
        b"\x00\x00\x00\x00",
        b"get / HTTP/1.1\r\n\r\n",
    ],
)
def test_what_is_no_request_is_answered_in_our_words_with_the_same_headers(
    small: Server, sent: bytes
) -> None:
    with crowd(small, 1, sent) as [wire]:
        head, _, body = rest_of(wire).partition(b"\r\n\r\n")
    assert head.startswith((b"HTTP/1.0 400 ", b"HTTP/1.1 400 "))
    assert body == b"This is no request that can be answered.\n"
    assert_trusts_nobody(head)


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        (b"OPTIONS * HTTP/1.1", b"404"),
        (b"GET healthz HTTP/1.1", b"400"),
        (b"GET http://127.0.0.1/nowhere HTTP/1.1", b"404"),
        (b"CONNECT other.example:443 HTTP/1.1", b"404"),
        (b"PROPFIND / HTTP/1.1", b"405"),
        (b"GET /\xff\xfe HTTP/1.1", b"404"),
        (b"GET /%00 HTTP/1.1", b"404"),
    ],
)
def test_what_is_not_here_is_answered_with_the_same_headers(
    small: Server, line: bytes, answer: bytes
) -> None:
    host = b"\r\nHost: 127.0.0.1:%d\r\nConnection: close\r\n\r\n" % small.port
    with crowd(small, 1, line + host) as [wire]:
        head, _, _ = rest_of(wire).partition(b"\r\n\r\n")
    assert head.split(b" ")[1] in (answer, b"400")
    assert_trusts_nobody(head)


def assert_trusts_nobody(head: bytes) -> None:
    lines = {
        name.lower(): value for name, _, value in (line.partition(b": ") for line in head.split(b"\r\n")[1:])
    }
    assert lines[b"server"] == b"syncd"
    assert lines[b"cache-control"] == b"no-store"
    assert lines[b"x-content-type-options"] == b"nosniff"
    assert b"default-src 'none'" in lines[b"content-security-policy"]
    assert b"aiohttp" not in head.lower()
    assert b"python" not in head.lower()


def test_a_head_that_never_ends_is_dropped_before_it_fills_the_memory(small: Server) -> None:
    def refuses(wire: socket.socket) -> bool:
        try:
            wire.sendall(b"X-More: " + b"x" * 4000 + b"\r\n")
        except OSError:
            return True
        return False

    with crowd(small, 1, b"GET / HTTP/1.1\r\n") as [wire]:
        eventually(lambda: refuses(wire), "dropped")


# --- file descriptors -------------------------------------------------------------------------------


def test_the_last_descriptors_are_for_the_cycles(monkeypatch: pytest.MonkeyPatch, log: Log) -> None:
    monkeypatch.setattr(door, "fence_of", lambda _limit: 0)
    with (
        serving(("127.0.0.1", 0), Board(), list, full_intervals=dict, observer=log) as server,
        crowd(server, 3) as wires,
    ):
        eventually(lambda: all(map(is_closed, wires)), "nobody is let in")
    assert {event for _, event, _ in log.said} == {
        "few file descriptors are free: the status server takes no more of them"
    }


def test_localhost_is_every_loopback_address_of_this_machine() -> None:
    found = door.listening("localhost", 0)
    assert len({each.getsockname()[1] for each in found}) == 1
    for each in found:
        each.close()


def test_a_stop_drops_everybody_whatever_they_do() -> None:
    with ExitStack() as crowds:
        with Shown().serving() as server:
            made = [crowds.enter_context(crowd(server, 5, sent)) for sent in (b"", b"GET", request(server))]
        for wire in (wire for wires in made for wire in wires):
            eventually(lambda wire=wire: is_closed(wire), "closed")  # type: ignore[misc]
