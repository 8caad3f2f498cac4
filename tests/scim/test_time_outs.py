"""Each request has its own time-out, also on a connection that is used again."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from syncd.errors import TemporaryError
from syncd.scim.http import ScimHttp
from syncd.scim.pacing import RetryPolicy
from tests.scim.conftest import link_to
from tests.scim.scripted import Reply, Script, ScriptedServer

ONCE = RetryPolicy(attempts=1)
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"


def patient_with_posts(base_url: str, *, timeout: float, post_timeout: float) -> ScimHttp:
    return ScimHttp(link_to(base_url, {"timeout": timeout, "retry": ONCE}), post_timeout=post_timeout)


def slow_to(method: str, seconds: float) -> Script:
    return lambda seen: Reply(body={"id": "1"}, delay=seconds if seen.method == method else 0.0)


def test_a_get_after_a_post_does_not_have_the_time_of_the_post() -> None:
    with ScriptedServer(slow_to("GET", 1.0)) as server:
        http = patient_with_posts(server.base_url, timeout=0.2, post_timeout=30.0)
        assert http.send("POST", ["Users"], body={}).ok
        with pytest.raises(TemporaryError, match="no answer within"):
            http.send("GET", ["Users", "1"])
        assert len({each.peer for each in server.seen}) == 1, "on one connection"
        http.close()


def test_a_post_after_a_get_has_its_own_time() -> None:
    with ScriptedServer(slow_to("POST", 0.6)) as server:
        http = patient_with_posts(server.base_url, timeout=0.2, post_timeout=30.0)
        assert http.send("GET", ["Users", "1"]).ok
        assert http.send("POST", ["Users"], body={}).ok
        assert len({each.peer for each in server.seen}) == 1, "on one connection"
        http.close()


@contextmanager
def slow_reader(answers_after: float, reads_after: float) -> Iterator[str]:
    """Answers the first request late, and is late to read the second."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            conn, _ = server.accept()
            with conn:
                _whole(conn)
                time.sleep(answers_after)
                conn.sendall(ANSWER[:20])
                time.sleep(0.05)  # so that it is read in two pieces
                conn.sendall(ANSWER[20:])
                time.sleep(reads_after)
                _whole(conn)
                with suppress(OSError):  # nobody waits for it any more
                    conn.sendall(ANSWER)
                    conn.recv(1)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        thread.join(30)


def _whole(conn: socket.socket) -> None:
    """Reads one request, or what came of it."""
    got = b""
    while b"\r\n\r\n" not in got and (some := conn.recv(65536)):
        got += some
    head, _, body = got.partition(b"\r\n\r\n")
    length = next((int(line[15:]) for line in head.split(b"\r\n") if line[:15] == b"Content-Length:"), 0)
    left = length - len(body)
    while left > 0 and (some := conn.recv(min(left, 65536))):
        left -= len(some)


def test_what_takes_more_than_one_call_to_send_does_not_have_the_time_of_the_post_before() -> None:
    """A process that stood still meanwhile would go on sending, long after others took over."""
    with slow_reader(answers_after=0.0, reads_after=3.0) as base_url:
        http = patient_with_posts(base_url, timeout=0.5, post_timeout=30.0)
        assert http.send("POST", ["Users"], body={}).ok
        with pytest.raises(TemporaryError):
            http.send("PATCH", ["Users", "1"], body={"displayName": "x" * 20_000_000})
        http.close()


def test_what_is_sent_after_a_late_answer_has_more_than_was_left_of_the_time_for_that() -> None:
    with slow_reader(answers_after=0.8, reads_after=0.6) as base_url:
        http = ScimHttp(link_to(base_url, {"timeout": 1.0, "retry": ONCE}))
        assert http.send("PATCH", ["Users", "1"], body={}).ok
        assert http.send("PATCH", ["Users", "1"], body={"displayName": "x" * 20_000_000}).ok
        http.close()
