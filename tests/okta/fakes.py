"""A scripted Okta over a real socket, for answers that no well-behaved simulator gives."""

from __future__ import annotations

import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, cast

from syncd.okta.credentials import Ssws
from syncd.okta.listing import ListingLimits
from syncd.okta.orgs import OrgSeat
from syncd.okta.pace import Clock, RetryPolicy
from syncd.okta.reader import OktaReader
from tests.serving import Serving

APP = "0oa1gjh63g214q0Hq0g4"
TOKEN = "00abcDEF-secret-token-value-123456"

USERS = f"/api/v1/apps/{APP}/users"
FIRST_USERS = f"{USERS}?limit=500&expand=user"


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer. `body` is sent as it is when bytes, else as JSON. `drop` closes the socket instead."""

    body: object = b""
    status: int = 200
    headers: Sequence[tuple[str, str]] = ()
    drop: bool = False
    delay: float = 0.0
    date: bool = True
    content_type: str | None = "application/json"
    promised: int | None = None
    """Content-Length to announce when it is not the body's."""


@dataclass(frozen=True, slots=True)
class Seen:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes = b""


Script = Callable[[Seen, int], Reply]


class FakeOkta(Serving):
    """Answers by `script(request, n)`, n being how often this path was asked for before."""

    def __init__(self, script: Script, *, tls: ssl.SSLContext | None = None) -> None:
        self._script = script
        self.seen: list[Seen] = []
        self.most_at_once = 0
        self._at_once = 0
        self._lock = threading.Lock()
        fake = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # Head and body in one packet: two would wait for each other's acknowledgement.
            wbufsize = -1
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                fake._handle(self)

            def do_POST(self) -> None:
                fake._handle(self)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  (the base class's name)
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request: object, client_address: object) -> None:
                pass  # clients that hang up are part of the tests

        server = Server(("127.0.0.1", 0), Handler)
        self._scheme = "http"
        if tls is not None:
            self._scheme = "https"
            server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        super().__init__(server)

    @property
    def url(self) -> str:
        return f"{self._scheme}://127.0.0.1:{self.port}"

    def paths(self) -> list[str]:
        return [seen.path for seen in self.seen]

    def link(self, path: str, rel: str = "next") -> tuple[str, str]:
        return ("Link", f'<{self.url}{path}>; rel="{rel}"')

    def _handle(self, handler: BaseHTTPRequestHandler) -> None:
        length = int(handler.headers.get("Content-Length") or 0)
        seen = Seen(handler.command, handler.path, dict(handler.headers.items()), handler.rfile.read(length))
        with self._lock:
            before = sum(1 for earlier in self.seen if earlier.path == seen.path)
            self.seen.append(seen)
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            reply = self._script(seen, before)
            time.sleep(reply.delay)
        finally:
            with self._lock:
                self._at_once -= 1
        self._send(handler, reply)

    @staticmethod
    def _send(handler: BaseHTTPRequestHandler, reply: Reply) -> None:
        if reply.drop:
            handler.close_connection = True
            handler.connection.shutdown(socket.SHUT_RDWR)
            return
        body = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
        handler.send_response_only(reply.status)
        if reply.date:
            handler.send_header("Date", formatdate(usegmt=True))
        if reply.content_type is not None:
            handler.send_header("Content-Type", reply.content_type)
        for name, value in reply.headers:
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(body) if reply.promised is None else reply.promised))
        handler.end_headers()
        handler.wfile.write(body)
        if reply.promised is not None:
            handler.close_connection = True


@dataclass(slots=True)
class FakeTime:
    """A clock that jumps instead of sleeping; real time passes on top of it."""

    slept: list[float] = field(default_factory=list)
    offset: float = 0.0

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.offset += seconds

    def clock(self) -> Clock:
        return Clock(
            monotonic=lambda: time.monotonic() + self.offset,
            wall=lambda: time.time() + self.offset,
            sleep=self.sleep,
        )


def reader(
    okta: FakeOkta | str,
    *,
    fake_time: FakeTime | None = None,
    share: float = 0.5,
    retry: RetryPolicy | None = None,
    timeout: float = 5.0,
    parallel: int = 8,
    limits: ListingLimits | None = None,
    token: str = TOKEN,
    proxy: str | None = None,
    ca_file: Path | None = None,
    app_id: str = APP,
    user_profiles: bool = False,
    org: OrgSeat | None = None,
) -> OktaReader:
    return OktaReader(
        org_url=okta if isinstance(okta, str) else okta.url,
        app_id=app_id,
        credentials=Ssws(lambda: token),
        rate_limit_share=share,
        timeout=timeout,
        parallel=parallel,
        retry=retry,
        limits=limits,
        user_profiles=user_profiles,
        proxy=proxy,
        ca_file=ca_file,
        clock=(fake_time or FakeTime()).clock(),
        org=org,
    )


def okta_error(code: str, summary: str) -> dict[str, object]:
    return {
        "errorCode": code,
        "errorSummary": summary,
        "errorLink": code,
        "errorId": "sampleQPivGUj_ND5v78vbYWW",
        "errorCauses": [],
    }


def app_user_json(number: int, **changes: object) -> dict[str, Any]:
    okta_id = f"00u{number:017d}"
    email = f"user{number}@example.com"
    record: dict[str, Any] = {
        "id": okta_id,
        "externalId": None,
        "scope": "USER",
        "status": "ACTIVE",
        "credentials": {"userName": email},
        "profile": {"email": email, "givenName": "Given", "familyName": f"Family {number}"},
        "_embedded": {
            "user": {"id": okta_id, "status": "ACTIVE", "profile": {"login": email, "email": email}}
        },
    }
    return cast("dict[str, Any]", {**record, **changes})
