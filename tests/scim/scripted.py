"""A SCIM server that does exactly what a test scripts, on a real socket: also what no decent server would do."""

from __future__ import annotations

import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.serving import Serving

LIST = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
TOKEN = "s3cr3t-Token-value_0123456789"


@dataclass(frozen=True, slots=True)
class Seen:
    """One request as it arrived. `path` is still percent-encoded and has no query; `peer` is the client's port."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: Any
    at: float
    peer: int = 0

    @property
    def line(self) -> str:
        return f"{self.method} {self.path}"


@dataclass(frozen=True, slots=True)
class Reply:
    """`body` is sent as JSON unless it is text or bytes. `drop` closes without an answer, `cut` sends half of it,
    `trickle` sends one byte each so many seconds. `interim`: what is said first (1xx), before the `delay`.
    """

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    drop: bool = False
    cut: bool = False
    delay: float = 0.0
    trickle: float = 0.0
    interim: Sequence[int] = ()


Script = Callable[[Seen], Reply]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def _serve(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        raw = self.rfile.read(length)
        parts = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
        body = json.loads(raw) if raw else None
        seen = Seen(
            self.command,
            parts.path,
            query,
            dict(self.headers.items()),
            body,
            time.monotonic(),
            self.client_address[1],
        )
        with self.server.lock:
            self.server.seen.append(seen)
        self._send(self.server.script(seen))

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815

    def _send(self, reply: Reply) -> None:
        for status in reply.interim:
            self.send_response_only(status)
            self.send_header("Link", "</style.css>; rel=preload")
            self.end_headers()
        time.sleep(reply.delay)
        if reply.drop:
            # A reset, not a polite end.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
            self.connection.close()
            return
        payload = reply.body
        if payload is None:
            raw = b""
        elif isinstance(payload, bytes):
            raw = payload
        else:
            raw = (payload if isinstance(payload, str) else json.dumps(payload)).encode()
        self.send_response(reply.status)
        headers = {"Content-Type": "application/scim+json", **reply.headers}
        for name, value in headers.items():
            self.send_header(name, value)
        if reply.status != 204:
            self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        if reply.trickle:
            for place in range(len(raw)):
                self.wfile.write(raw[place : place + 1])
                self.wfile.flush()
                time.sleep(reply.trickle)
        elif raw and reply.status != 204:
            self.wfile.write(raw[: len(raw) // 2] if reply.cut else raw)
        if reply.cut:
            self.close_connection = True

    def log_message(self, *_words: object) -> None:
        """Quiet."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64
    script: Script
    seen: list[Seen]
    lock: threading.Lock

    def handle_error(self, *_what: object) -> None:
        """A client that went away is no trouble here."""


class ScriptedServer(Serving):
    """Answers every request with what `script` returns."""

    def __init__(self, script: Script) -> None:
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.script = script
        self._server.seen = []
        self._server.lock = threading.Lock()
        super().__init__(self._server)

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/scim/v2"

    @property
    def seen(self) -> Sequence[Seen]:
        return tuple(self._server.seen)

    @property
    def lines(self) -> Sequence[str]:
        """The requests as "METHOD /path" below the base."""
        return [seen.line.replace("/scim/v2", "", 1) for seen in self._server.seen]

    def forget(self) -> None:
        self._server.seen.clear()


def in_turn(*replies: Reply) -> Script:
    """Each reply once, the last one for ever."""
    waiting = list(replies)

    def script(_seen: Seen) -> Reply:
        return waiting.pop(0) if len(waiting) > 1 else waiting[0]

    return script


def listing(records: Sequence[Mapping[str, Any]], total: int | None = None, **more: Any) -> Reply:
    """A list answer."""
    body = {"schemas": [LIST], "totalResults": len(records) if total is None else total, **more}
    return Reply(body={**body, "Resources": list(records)})


def problem(status: int, scim_type: str | None = None, detail: str = "no") -> Reply:
    """A SCIM error (RFC 7644 section 3.12)."""
    body = {
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"],
        "status": str(status),
        "detail": detail,
    }
    return Reply(status, {**body, "scimType": scim_type} if scim_type else body)
