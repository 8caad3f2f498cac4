"""A proxy that sees every secret on its way and says them again, in whatever spelling; and who looks for them after."""

from __future__ import annotations

import base64
import html
import http.client
import http.server
import json
import re
import socket
import threading
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from tests.serving import Serving

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
    "percent nine times": lambda s: _each("%" + "25" * 8 + "{0:02X}", s),
    "full width": lambda s: "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in s),
    "variation selectors": lambda s: "\ufe0f".join(s),
    "base64 of JSON escapes": lambda s: _b64(_each("\\u{0:04x}", s)),
    "base64 of percent": lambda s: _b64(_each("%{0:02X}", s)),
    "base64 of base64": lambda s: _b64(f"Authorization: Basic {_b64(s)}"),
    "base64 of UTF-16": lambda s: base64.b64encode(s.encode("utf-16-le")).decode(),
    "hex of base64": lambda s: _b64(s).encode().hex(),
    "hex with colons": lambda s: s.encode().hex(":"),
    "hex as an array": lambda s: ", ".join(f"0x{byte:02x}" for byte in s.encode()),
    "bytes as numbers": lambda s: str(list(s.encode())),
    "quoted-printable": lambda s: _each("={0:02X}", s),
    "in quotes and pluses": lambda s: _lines(s, 5, "' + '"),
    "in tags": lambda s: _lines(s, 5, "</b><b>"),
    "in many fields": lambda s: _lines(s, 8, "', 'x': '"),
    "over two headers": lambda s: f"X-One: {s[: len(s) // 2]}, X-Two: {s[len(s) // 2 :]}",
    "cut": lambda s: s[: len(s) - 3],
}
"""What stands between the quotes of a JSON text."""
DECODED = (
    *("base64 of JSON escapes", "base64 of percent", "base64 of base64", "base64 of UTF-16", "hex of base64"),
    *("hex with colons", "hex as an array", "bytes as numbers", "quoted-printable"),
)
PIECES = ("in quotes and pluses", "in tags", "in many fields", "over two headers", "cut", *DECODED)
"""What only foreign text is searched for: a document of ours has no such spelling of what it was never given."""


@dataclass(frozen=True)
class Reply:
    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    reason: str = "No"


@dataclass
class Echo:
    """`answers` decides what the proxy says itself; None passes the request on, and `alters` what comes back."""

    port: int
    answers: Callable[[str, str], Reply | None] = lambda _method, _path: None
    alters: Callable[[str, str, Reply], Reply] = lambda _method, _path, reply: reply
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
            reply = made.answers(self.command, path)
            if reply is None:
                reply = made.alters(self.command, path, self._passed_on(url.netloc, path, body))
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
                kept = {
                    k: v
                    for k, v in self.headers.items()
                    if not k.lower().startswith(("proxy-", "conn", "accept-enc"))
                }
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
    made = Echo(server.server_address[1])
    with Serving(server):
        yield made


@contextmanager
def answering(raw: bytes) -> Iterator[int]:
    """The port of a proxy that answers everything with these bytes, HTTP or not."""

    def serve() -> None:
        while True:
            try:
                link, _ = listening.accept()
            except OSError:
                return
            with link, suppress(OSError):
                link.settimeout(5)
                link.recv(65536)
                link.sendall(raw)
                link.shutdown(socket.SHUT_WR)
                link.recv(10)

    with socket.create_server(("127.0.0.1", 0), backlog=50) as listening:
        threading.Thread(target=serve, daemon=True).start()
        yield listening.getsockname()[1]


# looking for them: another opinion than the redactor's


def _readings(text: str) -> Iterator[str]:
    before = ""
    while text != before:
        yield text
        before = text
        text = html.unescape(unquote(text))
        text = re.sub(r"%u([0-9A-Fa-f]{4})", lambda m: chr(int(m[1], 16)), text)
        text = re.sub(r"\\{1,2}u\{?([0-9A-Fa-f]{2,4})\}?", lambda m: chr(int(m[1], 16)), text)
        text = re.sub(r"\\{1,2}x([0-9A-Fa-f]{2})", lambda m: chr(int(m[1], 16)), text)
        text = re.sub(r"\\{1,2}([01][0-7]{2})", lambda m: chr(int(m[1], 8)), text)
        text = re.sub(r"\\{1,2}[rnt/]|\s", lambda m: "/" if m[0].endswith("/") else "", text)


def _bones(text: str) -> str:
    """Only letters and digits, however they are dressed, and no tags."""
    return re.sub(r"<[^<>]*>|[^0-9a-z]", "", unicodedata.normalize("NFKD", text).lower())


def _decoded(text: str) -> Iterator[str]:
    for run in re.findall(r"[A-Za-z0-9+/_-]{20,}", text):
        for start in range(4):
            data = run[start : start + (len(run) - start) // 4 * 4]
            yield base64.urlsafe_b64decode(data.replace("+", "-").replace("/", "_")).decode("latin-1")
    for run in re.findall(r"(?:(?:0x)?[0-9A-Fa-f]{2}[:, -]{0,2}){12,}", text):
        digits = re.sub("0x|[:, -]", "", run)
        yield from (
            bytes.fromhex(digits[at : at + len(digits[at:]) // 2 * 2]).decode("latin-1") for at in (0, 1)
        )
    for run in re.findall(r"(?:[0-9]{2,3}, ){11,}[0-9]{2,3}", text):
        yield "".join(chr(int(number)) for number in run.split(", "))
    if len(re.findall("=[0-9A-F]{2}", text)) > PIECE:
        yield re.sub("=([0-9A-F]{2})", lambda m: chr(int(m[1], 16)), text)


def _once(file: bytes) -> bytes:
    """Each piece of a binary file once: pages of a store say the same many times."""
    return b"\0\0".join(dict.fromkeys(re.split(rb"[\x00-\x08\x0e-\x1f]{2,}", file)))


def leaks(said: str | bytes, secrets: Mapping[str, str]) -> list[str]:
    """The secrets of which a piece stands there, in any spelling."""
    text = said if isinstance(said, str) else _once(said).decode("utf-8", "replace")
    readings = list(_readings(text))
    inner = [found for reading in readings for found in _decoded(reading)]
    inner += [found for each in inner for found in _decoded(each)]
    inner = [reading for each in dict.fromkeys(inner) for reading in _readings(each)]
    bones = {_bones(each) for each in (*readings, *inner)}
    pieces = {
        name: {piece[at : at + PIECE] for at in range(len(piece) - PIECE + 1)}
        for name, secret in secrets.items()
        for piece in [_bones(secret)]
    }
    return [name for name, parts in pieces.items() if any(part in each for each in bones for part in parts)]


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
