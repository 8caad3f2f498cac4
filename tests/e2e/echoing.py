"""A proxy that sees every secret on its way and says them again, in whatever spelling; and who looks for them after."""

from __future__ import annotations

import base64
import html
import http.client
import http.server
import json
import re
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, unquote, urlsplit

PROXY_USER, PROXY_PASSWORD = "pr0xyUser-7788", "Pa55+w0rd/proxy=77"
PIECE = 12
"""So many characters of a secret in a row are as bad as the whole."""


def proxy_url(port: int) -> str:
    return f"http://{PROXY_USER}:{quote(PROXY_PASSWORD, safe='')}@127.0.0.1:{port}"


def _b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _each(form: str, text: str, every: int = 1) -> str:
    return "".join(form.format(ord(c), c) if at % every == 0 else c for at, c in enumerate(text))


def _lines(text: str, width: int, between: str) -> str:
    return between.join(text[at : at + width] for at in range(0, len(text), width))


_NAMED = {".": "&period;", "_": "&lowbar;", "+": "&plus;", "/": "&sol;", "=": "&equals;"}

SPELLINGS: Mapping[str, Callable[[str], str]] = {
    "plain": lambda s: s,
    "JSON escapes": lambda s: _each("\\u{0:04x}", s),
    "JSON escapes in capitals": lambda s: _each("\\u{0:04X}", s),
    "JSON escapes of some": lambda s: _each("\\u{0:04x}", s, 3),
    "JSON in JSON": lambda s: _each("\\\\u{0:04x}", s),
    "escaped slashes": lambda s: _each("\\u{0:04x}", s, 5).replace("/", "\\/"),
    "Python escapes": lambda s: _each("\\\\x{0:02x}", s),
    "octal escapes": lambda s: _each("\\\\{0:03o}", s),
    "braces": lambda s: _each("\\\\u{{{0:x}}}", s),
    "percent": lambda s: _each("%{0:02X}", s),
    "percent of some": lambda s: _each("%{0:02x}", s, 4),
    "percent twice": lambda s: _each("%25{0:02X}", s),
    "percent as of old": lambda s: _each("%u{0:04X}", s),
    "base64": _b64,
    "base64 with Bearer": lambda s: _b64(f"Bearer {s}"),
    "base64 with SSWS": lambda s: _b64(f"SSWS {s}"),
    "base64 in a longer text": lambda s: _b64(f"X-Sent: {s}\r\nAccept: */*"),
    "base64url": lambda s: base64.urlsafe_b64encode(s.encode()).decode().rstrip("="),
    "base64 in lines": lambda s: _lines(_b64(s), 20, "\\r\\n"),
    "base64 in a URL": lambda s: quote(_b64(s), safe=""),
    "hex": lambda s: s.encode().hex(),
    "hex in capitals": lambda s: f"Bearer {s}".encode().hex().upper(),
    "HTML decimal": lambda s: _each("&#{0};", s),
    "HTML hexadecimal": lambda s: _each("&#x{0:X};", s),
    "HTML named": lambda s: "".join(_NAMED.get(c, c) for c in s),
    "HTML of some": lambda s: _each("&#{0};", s, 3),
    "HTML twice": lambda s: _each("&amp;#{0};", s),
    "a folded header": lambda s: _lines(s, 9, "\\r\\n\\t"),
    "over two headers": lambda s: f"X-One: {s[: len(s) // 2]}, X-Two: {s[len(s) // 2 :]}",
    "cut": lambda s: s[: len(s) - 3],
}
"""What stands between the quotes of a JSON text."""


@dataclass(frozen=True)
class Reply:
    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    reason: str = "No"


@dataclass
class Echo:
    """`answers` decides what the proxy says itself; None passes the request on."""

    port: int
    answers: Callable[[str, str], Reply | None] = lambda _method, _path: None
    asked: list[str] = field(default_factory=list)


@contextmanager
def echoing() -> Iterator[Echo]:
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            url = urlsplit(self.path)
            path = url.path + (f"?{url.query}" if url.query else "")
            made.asked.append(f"{self.command} {path}")
            reply = made.answers(self.command, path) or self._passed_on(url.netloc, path, body)
            self.send_response(reply.status, reply.reason)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body)

        do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815  (the names http.server calls)

        def _passed_on(self, netloc: str, path: str, body: bytes) -> Reply:
            link = http.client.HTTPConnection(netloc, timeout=30)
            try:
                kept = {k: v for k, v in self.headers.items() if not k.lower().startswith(("proxy-", "conn"))}
                link.request(self.command, path, body=body or None, headers=kept)
                answer = link.getresponse()
                data = answer.read()
                drop = ("transfer-encoding", "content-length", "connection")
                heads = {k: v for k, v in answer.getheaders() if k.lower() not in drop}
                return Reply(answer.status, data, heads, answer.reason)
            finally:
                link.close()

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    made = Echo(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()


# looking for them: another opinion than the redactor's


def _readings(text: str) -> Iterable[str]:
    for _ in range(4):
        yield text
        text = html.unescape(unquote(text))
        text = re.sub(r"%u([0-9A-Fa-f]{4})", lambda m: chr(int(m[1], 16)), text)
        text = re.sub(r"\\{1,2}u\{?([0-9A-Fa-f]{2,4})\}?", lambda m: chr(int(m[1], 16)), text)
        text = re.sub(r"\\{1,2}x([0-9A-Fa-f]{2})", lambda m: chr(int(m[1], 16)), text)
        text = re.sub(r"\\{1,2}([01][0-7]{2})", lambda m: chr(int(m[1], 8)), text)
        text = re.sub(r"\\{1,2}[rnt/]|\s", lambda m: "/" if m[0].endswith("/") else "", text)


def leaks(said: str | bytes, secrets: Mapping[str, str]) -> list[str]:
    """The secrets of which a piece stands there, in any spelling."""
    text = said.decode("latin-1") if isinstance(said, bytes) else said
    readings = [reading.lower() for reading in _readings(text)]
    found = []
    for name, secret in secrets.items():
        forms = {
            secret,
            secret.encode().hex(),
            *(_b64(" " * n + secret)[4:-4].replace("+", "-").replace("/", "_") for n in range(3)),
            *(_b64(" " * n + secret)[4:-4] for n in range(3)),
        }
        pieces = {
            form[at : at + size].lower()
            for form in forms
            for size in [PIECE if form is secret else 2 * PIECE]
            for at in range(len(form) - size + 1)
        }
        if any(piece in reading for reading in readings for piece in pieces):
            found.append(name)
    return found


def okta_error(said: str) -> bytes:
    return f'{{"errorCode": "E0000006", "errorSummary": "no {said} end", "errorCauses": []}}'.encode()


def scim_error(said: str, status: int) -> bytes:
    schema = json.dumps("urn:ietf:params:scim:api:messages:2.0:Error")
    return f'{{"schemas": [{schema}], "status": "{status}", "detail": "no {said} end"}}'.encode()


def headers_with(secrets: Iterable[str]) -> dict[str, Any]:
    said = list(secrets)
    first = said[0]
    return {
        "X-Echo": " ".join(said),
        "X-Echo-One": first[: len(first) // 2],
        "X-Echo-Two": first[len(first) // 2 :],
        "WWW-Authenticate": f'Bearer realm="{first}"',
        "ETag": f'"{first}"',
        "Retry-After": first,
        "Location": f"http://{quote(first, safe='')}.example.com/{first}",
    }
