"""An answer that begins plainly is read at once; to whoever asks it is what the standard library makes of it."""

from __future__ import annotations

import http.client
import socket
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.scim.connections import _Answer

PLAIN = b"HTTP/1.1 201 Created\r\nDate: Sun, 29 Nov 2026 12:00:00 GMT\r\nContent-Length: 2\r\n\r\n{}"
HEADS = (
    PLAIN,
    b"HTTP/1.1 204 No Content\r\nServer: x\r\n\r\n",
    b"HTTP/1.1 200 \r\nContent-Length:2\r\nX-Empty:\r\nx-twice: a\r\nX-Twice:\t b \r\n\r\n{}",
    b"HTTP/1.1 200 OK\r\nConnection: Close\r\ncontent-length: 2\r\n\r\n{}",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n folded: 1\r\n\r\n{}",
    b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n{}",
    b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n{}",
    b"HTTP/1.1 200 OK\r\n" + b"X: 1\r\n" * 101 + b"Content-Length: 2\r\n\r\n{}",
    b"HTTP/1.1 200 OK\r\n" + b"X: 1\r\n" * 99 + b"Content-Length: 2\r\n\r\n{}",
    b"HTTP/1.1 200 OK\r\n" + b"X: 1\r\n" * 98 + b"Content-Length: 2\r\n\r\n{}",
    b"HTTP/1.1 304 Not Modified\r\nContent-Length: 2\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\nX: 1\r\n\r\n" + PLAIN,
    b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}",
    b"HTTP/1.1 200 OK\r\n\r\n{}",
    b"HTTP/1.1 099 No\r\nContent-Length: 2\r\n\r\n{}",
    b"HTTP/1.1 200 OK\nContent-Length: 2\n\n{}",
    b"HTTP/1.1 200 OK\r\nX: caf\xe9\r\nContent-Length: 2\r\n\r\n{}",
    b"HTTP/1.1 200 OK\r\nNot a name: 1\r\nContent-Length: 2\r\n\r\n{}",
    b"HTTP/1.1 200 OK\r\nContent-Type: multipart/mixed; boundary=x\r\nContent-Length: 2\r\n\r\n{}",
    b"",
)


def _read(kind: type[http.client.HTTPResponse], said: bytes, method: str) -> dict[str, Any]:
    here, there = socket.socketpair()
    with here, there:
        there.sendall(said)
        there.shutdown(socket.SHUT_WR)
        here.settimeout(5)
        answer = kind(here, method=method)
        try:
            answer.begin()
            names = ("status", "code", "reason", "version", "chunked", "length", "will_close")
            found = {name: getattr(answer, name) for name in names}
            return {**found, "headers": answer.headers.items(), "body": answer.read()}
        except (http.client.HTTPException, ValueError) as error:
            return {"error": type(error)}
        finally:
            answer.close()


@pytest.mark.parametrize("said", HEADS)
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_every_head_is_read_as_the_standard_library_reads_it(said: bytes, method: str) -> None:
    assert _read(_Answer, said, method) == _read(http.client.HTTPResponse, said, method)


_LINES = st.sampled_from([
    b"Content-Length: 2", b"content-length:2", b"Transfer-Encoding: chunked", b"Connection: close",
    b"Connection: keep-alive", b"X:", b": no name", b"X-A: \x7f", b"X-A:\tb\t", b" folded", b"X A: 1", b"Date: now",
])  # fmt: skip
_ENDS = st.sampled_from([b"\r\n", b"\r\n", b"\r\n", b"\n"])


@given(st.sampled_from([200, 201, 204, 304, 404, 500]), st.lists(st.tuples(_LINES, _ENDS), max_size=6))
def test_so_is_every_mixture_of_lines(status: int, lines: list[tuple[bytes, bytes]]) -> None:
    said = b"HTTP/1.1 %d X\r\n" % status + b"".join(line + end for line, end in lines) + b"\r\n{}"

    assert _read(_Answer, said, "GET") == _read(http.client.HTTPResponse, said, "GET")


def test_a_plain_head_is_read_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(http.client, "parse_headers")

    assert _read(_Answer, PLAIN, "POST")["status"] == http.client.CREATED
