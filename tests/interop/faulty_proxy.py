"""A proxy on loopback that stands before a server we did not write, and spoils some of its answers from a seed."""

from __future__ import annotations

import http.client
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from tests.serving import Serving

FAULTS = ("lost before", "lost after", "503 before", "503 after", "429", "truncated", "empty 500")


class FaultyProxy(ThreadingHTTPServer):
    """Spoils about `share` of the exchanges while `spoiling`. `spoiled` names what was done."""

    daemon_threads = True

    def __init__(self, upstream: str, *, seed: int, share: float) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.upstream = urlsplit(upstream)
        self.dice = random.Random(seed)  # noqa: S311  (dice)
        self.share = share
        self.spoiling = True
        self.spoiled: list[str] = []
        self.lock = threading.Lock()

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}{self.upstream.path}"

    def draw(self, what: str) -> str | None:
        with self.lock:
            if not self.spoiling or self.dice.random() >= self.share:
                return None
            fault = self.dice.choice(FAULTS)
            self.spoiled.append(f"{fault}: {what}")
            return fault

    def handle_error(self, request: object, client_address: object) -> None:
        """A connection that we dropped ourselves is no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: FaultyProxy

    def _forward(self) -> tuple[int, list[tuple[str, str]], bytes]:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length) if length else None
        headers = {
            name: value for name, value in self.headers.items() if name not in ("Host", "Accept-Encoding")
        }
        connection = http.client.HTTPConnection(str(self.server.upstream.netloc), timeout=20)
        try:
            connection.request(self.command, self.path, body, headers)
            answer = connection.getresponse()
            kept = [
                (name, value)
                for name, value in answer.getheaders()
                if name.lower() not in ("transfer-encoding", "content-length", "connection", "date", "server")
            ]
            return answer.status, kept, answer.read()
        finally:
            connection.close()

    def _serve(self) -> None:
        fault = self.server.draw(f"{self.command} {self.path.partition('?')[0]}")
        if fault in ("lost before", "503 before", "429"):
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if fault == "lost before":
                self.close_connection = True
                return
            limited = fault == "429"
            self._answer(
                429 if limited else 503, [("Retry-After", "0")] if limited else [], b"", "text/plain"
            )
            return
        status, headers, body = self._forward()
        if fault == "lost after":
            self.close_connection = True
            return
        if fault == "503 after":
            self._answer(503, [], b"busy", "text/plain")
        elif fault == "empty 500":
            self._answer(500, [], b"", None)
        elif fault == "truncated" and len(body) > 2:
            self._answer(status, headers, body[: len(body) // 2], None)
        else:
            self._answer(status, headers, body, None)

    def _answer(self, status: int, headers: list[tuple[str, str]], body: bytes, kind: str | None) -> None:
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        if kind is not None:
            self.send_header("Content-Type", kind)
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if status != 204:
            self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815  (the standard library's names)

    def log_message(self, *args: object) -> None:
        """Tests are quiet."""


@contextmanager
def faulty(upstream: str, *, seed: int, share: float = 0.15) -> Iterator[FaultyProxy]:
    with FaultyProxy(upstream, seed=seed, share=share) as proxy, Serving(proxy):
        yield proxy
