"""One HTTP exchange with Okta: the executor's HTTP client, with the doors that its own one leaves open closed.

The SDK's client reads HTTP_PROXY and HTTPS_PROXY, follows redirects with the Authorization header, reads bodies of
any size, logs request headers at DEBUG and hands its ssl context to a parameter that aiohttp has deprecated. The
executor takes another client class as a parameter, so this one is given to it.
"""

from __future__ import annotations

import json
import ssl
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp
from multidict import CIMultiDictProxy
from yarl import URL

from syncd.core.foreign_json import holds_more_values
from syncd.okta.answers import LARGEST_ERROR
from syncd.settings.authorities import authorities_of, trusting, trusting_the_system

LARGEST_BODY = 64 * 1024 * 1024
"""Bytes, decompressed. A page of 500 app users is well under one megabyte."""
MOST_VALUES = 1_000_000
"""JSON values in one answer. A page of 500 app users with 100 attributes each holds a tenth of that."""


@dataclass(frozen=True, slots=True)
class Received:
    """An answer with its whole body. Names that the SDK reads (`status`, `headers`, `content_type`) are its own."""

    status: int
    headers: CIMultiDictProxy[str] = field(repr=False)
    content_type: str
    content: bytes = field(repr=False)


class NoAnswer(Exception):  # noqa: N818  (it is what happened)
    """No usable answer came. `kind` is for counting; `retry` tells whether another try may help."""

    def __init__(self, kind: str, text: str, *, retry: bool = True, hint: str = "") -> None:
        super().__init__(text)
        self.kind = kind
        self.text = text
        self.retry = retry
        self.hint = hint


class TokenRefused(Exception):  # noqa: N818  (it is what happened)
    """The token endpoint did not give an access token."""

    def __init__(self, received: Received) -> None:
        super().__init__(f"the token endpoint answered HTTP {received.status}")
        self.received = received


def _no_answer(error: Exception) -> NoAnswer:
    """What went wrong, in words that hold no header, address of a proxy or other secret."""
    match error:
        case TimeoutError():
            return NoAnswer("timeout", "no answer in time", hint="raise okta.timeout if Okta is merely slow")
        case aiohttp.ClientConnectorCertificateError() | aiohttp.ClientConnectorSSLError():
            return NoAnswer(
                "tls",
                "TLS failed: the server's certificate cannot be verified or no common protocol was found",
                retry=False,
                hint="behind a TLS-inspecting proxy or private CA set okta.ca_file",
            )
        case aiohttp.ClientHttpProxyError():
            return NoAnswer(
                "proxy",
                f"the proxy answered HTTP {error.status}",
                retry=error.status >= 500,
                hint="check okta.proxy and its credentials",
            )
        case aiohttp.ClientProxyConnectionError():
            return NoAnswer("proxy", "the proxy cannot be reached", hint="check okta.proxy")
        case aiohttp.ClientConnectorDNSError():
            return NoAnswer(
                "connection", "the host name cannot be resolved", hint="check okta.org_url and DNS"
            )
        case aiohttp.ClientConnectorError():
            reason = error.os_error.strerror or type(error.os_error).__name__
            return NoAnswer(
                "connection", f"cannot connect: {reason}", hint="check okta.org_url, firewall and proxy"
            )
        case aiohttp.InvalidURL():
            return NoAnswer("url", "the address is not a usable URL", retry=False)
    return NoAnswer("connection", f"the connection broke ({type(error).__name__})")


class Transport:
    """What the executor calls `http_client`. Belongs to one aiohttp session at a time."""

    def __init__(self, *, origin: str, timeout: float) -> None:
        self._origin = URL(origin).origin()
        self._timeout = aiohttp.ClientTimeout(total=timeout)
        self._session: aiohttp.ClientSession | None = None
        self._proxy: str | None = None
        self._on_signed: Callable[[str], None] = lambda _: None
        self.counts: Counter[str] = Counter()
        self.granted: frozenset[str] | None = None
        """Scopes named by the last token answer (RFC 6749 section 5.1); None before there was one."""

    def open(
        self,
        *,
        ca_file: Path | None,
        proxy: str | None,
        connections: int,
        on_signed: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Begins a session; `on_signed` is told of everything signed that is sent, before that. Raises
        ConfigurationError for an unusable CA file. To be called in the loop.
        """
        tls: ssl.SSLContext | bool = True
        if ca_file is not None:
            tls = trusting(authorities_of("okta.ca_file", ca_file))
        elif self._origin.scheme == "https":
            tls = trusting_the_system()
        self._proxy = proxy
        self._on_signed = on_signed
        self.counts = Counter()
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=tls, limit=connections),
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            timeout=self._timeout,
        )

    async def close(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def send_request(
        self, request: dict[str, Any]
    ) -> tuple[None, Received | None, str | None, Exception | None]:
        """The SDK's contract: (request info, response, body text, error)."""
        method = request["method"]
        try:
            received = await self._exchange(method, request)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            failure = _no_answer(error)
            self.counts[f"{method} {failure.kind}"] += 1
            return None, None, None, failure
        except NoAnswer as failure:
            self.counts[f"{method} {failure.kind}"] += 1
            return None, None, None, failure
        self.counts[f"{method} {received.status}"] += 1
        if method == "POST":
            return self._token_answer(received)
        # The executor parses the text of every 2xx body only to decide about its cache, which is off.
        text = "" if received.status == 200 else received.content.decode("utf-8", "replace")
        return None, received, text, None

    async def _exchange(self, method: str, request: dict[str, Any]) -> Received:
        if self._session is None:
            raise NoAnswer("closed", "the reader is closed", retry=False)
        # `encoded` keeps Okta's opaque cursors byte for byte.
        url = URL(request["url"], encoded=True)
        if url.origin() != self._origin:
            raise NoAnswer("origin", "refused to send the token to another origin", retry=False)
        for signed in (request["headers"].get("DPoP"), (request["form"] or {}).get("client_assertion")):
            if signed:
                self._on_signed(signed)
        async with self._session.request(
            method,
            url,
            headers=request["headers"],
            data=urlencode(request["form"]).encode() if request["form"] else None,
            allow_redirects=False,
            proxy=self._proxy,
        ) as response:
            good = method == "GET" and response.status == 200
            content = await (_whole_body(response) if good else _beginning(response))
            return Received(response.status, response.headers, response.content_type, content)

    def _token_answer(self, received: Received) -> tuple[None, Received | None, str | None, Exception | None]:
        """Lets only those answers of the token endpoint through to the SDK that it understands."""
        try:
            body = json.loads(received.content)
        except (ValueError, RecursionError):
            body = None
        if isinstance(body, dict):
            text = json.dumps(body)
            if received.status == 400 and body.get("error") == "use_dpop_nonce":
                return None, received, text, None
            token, lifetime = body.get("access_token"), body.get("expires_in", 3600)
            if received.status == 200 and _sendable(token) and isinstance(lifetime, int):
                scope = body.get("scope")
                self.granted = frozenset(scope.split()) if isinstance(scope, str) else None
                answer = Received(200, received.headers, "application/json", b"")
                return None, answer, text, None
        return None, None, None, TokenRefused(received)


def _sendable(token: object) -> bool:
    return isinstance(token, str) and token.isascii() and token.isprintable() and bool(token)


async def _beginning(response: aiohttp.ClientResponse) -> bytes:
    """Of an error, or of an access token, more than anybody reads; the connection ends with a longer one."""
    content = b""
    async for chunk in response.content.iter_any():
        content += chunk
        if len(content) > LARGEST_ERROR:
            response.close()
            break
    return content[: LARGEST_ERROR + 1]


async def _whole_body(response: aiohttp.ClientResponse) -> bytes:
    chunks: list[bytes] = []
    size = 0
    async for chunk in response.content.iter_any():
        size += len(chunk)
        if size > LARGEST_BODY:
            response.close()
            raise NoAnswer(
                "oversized", f"the answer is larger than {LARGEST_BODY // 1024 // 1024} MiB", retry=False
            )
        chunks.append(chunk)
    body = b"".join(chunks)
    if holds_more_values(body, MOST_VALUES):
        raise NoAnswer("oversized", f"the answer holds more than {MOST_VALUES:,} values", retry=False)
    return body
