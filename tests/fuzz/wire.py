"""Whole answers, from the status line on, as bytes on a real socket."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable

from syncd.errors import SyncdError
from syncd.okta.credentials import Ssws
from syncd.okta.pace import RetryPolicy as OktaRetry
from syncd.okta.reader import OktaReader
from syncd.redact import Redactor
from syncd.scim.http import Link
from syncd.scim.pacing import RetryPolicy as ScimRetry
from syncd.scim.split import ScimTarget
from tests.fuzz.messages import storable
from tests.fuzz.raw_server import CHUNKED, OK, RawServer
from tests.fuzz.target import Target

_SECONDS = 5.0
_TOKEN = "00abcDEF-secret-token-value-123456"


class _Said:
    """A server that says the input, whichever it is at the time."""

    def __init__(self) -> None:
        self.data = b""
        self.server = RawServer(lambda connection: connection.sendall(self.data))
        self.server.__enter__()  # until the process ends


def _okta() -> Callable[[bytes], object]:
    said = _Said()

    def take(data: bytes) -> None:
        said.data = data
        with OktaReader(
            org_url=said.server.url,
            app_id="0oa1",
            credentials=Ssws(lambda: _TOKEN),
            rate_limit_share=1.0,
            timeout=_SECONDS,
            retry=OktaRetry(attempts=1, limit_waits=0),
            redactor=Redactor(),
        ) as reader:
            storable(reader.user_status("00u1"))

    return take


def _scim() -> Callable[[bytes], object]:
    said = _Said()

    def take(data: bytes) -> None:
        said.data = data
        link = Link(
            base_url=f"{said.server.url}/scim/v2",
            read_token=lambda: _TOKEN,
            rate=0,
            retry=ScimRetry(attempts=1, limit_waits=0, deadline=0.5),
            timeout=_SECONDS,
        )
        target = ScimTarget(link, flavor="scim", attribute_paths=("userName",))
        try:
            storable(target.user("1"))
        finally:
            target.close()

    return take


_BODY = b'{"id":"00u1","status":"ACTIVE","userName":"ada@example.com","active":true}'


def _whole(body: bytes, *headers: bytes, first: bytes = OK) -> bytes:
    return (
        first
        + b"".join(header + b"\r\n" for header in headers)
        + b"Content-Length: %d\r\n\r\n" % len(body)
        + body
    )


_SEEDS = (
    _whole(_BODY),
    _whole(_BODY, b"Connection: close", b"Date: Mon, 21 Sep 2026 14:13:20 GMT", b'ETag: W/"1"'),
    CHUNKED + b"%x\r\n" % len(_BODY) + _BODY + b"\r\n0\r\n\r\n",
    CHUNKED
    + b"5;a=b\r\n"
    + _BODY[:5]
    + b"\r\n%x\r\n" % (len(_BODY) - 5)
    + _BODY[5:]
    + b"\r\n0\r\nX-A: b\r\n\r\n",
    _whole(gzip.compress(_BODY), b"Content-Encoding: gzip"),
    _whole(zlib.compress(_BODY), b"Content-Encoding: deflate"),
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + _whole(_BODY),
    b"HTTP/1.0 404 Not Found\r\nContent-Type: application/json\r\n\r\n{}",
    b"HTTP/1.1 302 Found\r\nLocation: https://elsewhere.example/\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 204 No Content\r\n\r\n",
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n",
    b"HTTP/1.1 429 \r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n",
)
_WORDS = (
    b"HTTP/1.1 200 OK\r\n",
    b"HTTP/2 ",
    b"HTTP/1.1 999999999999 ",
    b"HTTP/1.1 -1 x\r\n",
    b"Content-Length: ",
    b"Content-Length: -1\r\n",
    b"Content-Length: 99999999999999999999\r\n",
    b"Content-Length: 1, 2\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Transfer-Encoding: gzip, chunked\r\n",
    b"Content-Encoding: br\r\n",
    b"Content-Encoding: zstd\r\n",
    b"Content-Encoding: gzip, deflate, gzip\r\n",
    b"Set-Cookie: a=b; expires=x\r\n",
    b"ffffffffffffffff\r\n",
    b"-1\r\n",
    b"0\r\n\r\n",
    b"\r\n",
    b"\n",
    b"\r",
    b" \r\n folded\r\n",
    b": nameless\r\n",
    b"X-A\xff: \xfe\r\n",
    b"Connection: keep-alive, close\r\n",
    b"Trailer: x\r\n",
    b"Keep-Alive: timeout=-1\r\n",
    b'WWW-Authenticate: Basic realm="\r\n',
    b"Content-Type: \x00;;=\r\n",
)
WIRE_TARGETS = (
    Target("okta-wire", _okta, (SyncdError,), _SEEDS, words=_WORDS),
    Target("scim-wire", _scim, (SyncdError,), _SEEDS, words=_WORDS),
)
