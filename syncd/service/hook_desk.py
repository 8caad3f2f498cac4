"""What the listener of event hooks answers. It is the one door of syncd that faces the internet.

In this order: the path, the secret, the length, the encoding, the rate, the body (its size and how long it takes), and
what it says. Whatever is refused is counted by its status and leaves no word of its content anywhere. 204 is said once
the names are stored.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from aiohttp import web

from syncd.core.hooks import BODY_AT_MOST, NotAHook, org_key, read_events
from syncd.errors import SyncdError
from syncd.service.door import Connection
from syncd.service.hook_intake import HookIntake, HookReceiver
from syncd.settings.schema import HooksSettings

PATH = "/okta/"
CHALLENGE = "X-Okta-Verification-Challenge"
BODY_WITHIN = 10.0
"""Seconds for a whole body."""
STORED_WITHIN = 1.0
"""Seconds for the names to be stored: Okta waits three for the answer."""
_A_SECOND, _BURST = 20.0, 100.0
"""Posts of one org: sustained, and at once."""
_CHALLENGE_AT_MOST = 512
_CONTINUE = "100-continue"
_ALWAYS = {"Server": "syncd", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
_TELLS_EVERY = 60.0


@dataclass
class _Bucket:
    """What of its rate an org has left; by the event loop's clock."""

    left: float = _BURST
    at: float = 0.0

    def take(self, now: float) -> bool:
        self.left = min(_BURST, self.left + (now - self.at) * _A_SECOND) if self.at else _BURST
        self.at = now
        if self.left < 1.0:
            return False
        self.left -= 1.0
        return True


@dataclass
class HookDesk:
    """`receivers` gives the connections that are served now; `count` hears of the status of each answer."""

    receivers: Callable[[], Sequence[HookReceiver]]
    intake: HookIntake
    count: Callable[[int], None]
    tell: Callable[..., None]
    _buckets: dict[str, _Bucket] = field(default_factory=dict)
    _told: dict[int, float] = field(default_factory=dict)
    _refused: Counter[int] = field(default_factory=Counter)

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        if isinstance(request.protocol, Connection):
            await request.protocol.takes_its_turn()
        why = ""
        try:
            response = await self._answer(request)
        except _Refusal as refused:
            why, response = refused.why, _said(refused.status)
            if refused.unread:  # what is left of the body is not worth reading
                response.force_close()
        self.count(response.status)
        self._tell_refusals(response.status, why)
        return response

    def refuse(self, status: int) -> web.Response:
        """The answer to what is no request, or to a fault of ours."""
        self.count(status)
        return _said(status)

    async def _answer(self, request: web.BaseRequest) -> web.Response:
        mine = self._of_path(request.rel_url.raw_path)
        if not mine:
            raise _Refusal(404)
        allowed = _with_secret(mine, request)
        if not allowed:
            raise _Refusal(401)
        if request.method == "GET":
            return _verified(request)
        if request.method != "POST":
            raise _Refusal(405)
        if (request.content_length or 0) > BODY_AT_MOST:
            raise _Refusal(413)
        if request.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise _Refusal(415)
        bucket = self._buckets.setdefault(org_key(allowed[0].org_urls[0]), _Bucket())
        if not bucket.take(asyncio.get_running_loop().time()):
            raise _Refusal(429)
        body = await _body(request)
        try:
            events = read_events(body, *dict.fromkeys(url for each in allowed for url in each.org_urls))
        except NotAHook as error:
            raise _Refusal(400, unread=False, why=str(error)) from None
        return await self._stored(allowed, events)

    async def _stored(self, receivers: Sequence[HookReceiver], events: Sequence[object]) -> web.Response:
        if not events:  # of kinds that nobody asked for: nothing to store
            return _said(204)
        stored = asyncio.wrap_future(self.intake.put(receivers, events))  # type: ignore[arg-type]
        try:
            await asyncio.wait_for(asyncio.shield(stored), STORED_WITHIN)
        except TimeoutError:
            stored.add_done_callback(_heard)
            raise _Refusal(503, unread=False) from None
        except SyncdError:
            raise _Refusal(503, unread=False) from None
        return _said(204)

    def _of_path(self, path: str) -> Sequence[HookReceiver]:
        """The connections of the org that the path names."""
        if not path.startswith(PATH):
            return ()
        key = path[len(PATH) :]
        return [
            each
            for each in self.receivers()
            if each.terms.come and any(org_key(url) == key for url in each.org_urls)
        ]

    def _tell_refusals(self, status: int, why: str) -> None:
        """That there are some, at most once a minute for each status."""
        if status < 400:
            return
        self._refused[status] += 1
        now = asyncio.get_running_loop().time()
        if now - self._told.get(status, -_TELLS_EVERY) >= _TELLS_EVERY:
            self._told[status] = now
            told = {"why": why} if why else {}
            self.tell(
                "warning", "event hooks are refused", status=status, refused=self._refused[status], **told
            )


class _Refusal(Exception):  # noqa: N818  (control flow)
    def __init__(self, status: int, *, unread: bool = True, why: str = "") -> None:
        super().__init__(status)
        self.status = status
        self.why = why
        """In our own words."""
        self.unread = unread


def _with_secret(receivers: Sequence[HookReceiver], request: web.BaseRequest) -> Sequence[HookReceiver]:
    """Those of whom the request has the secret, in exactly one header. Takes as long whatever was sent."""
    allowed = []
    for each in receivers:
        given = request.headers.getall(each.terms.header, [])
        sent = _digest(given[0].strip()) if len(given) == 1 else _digest("")
        right = False
        for secret in secrets_of(each.terms):
            right |= hmac.compare_digest(sent, _digest(secret))
        if right and len(given) == 1:
            allowed.append(each)
    return allowed


def secrets_of(terms: HooksSettings) -> Sequence[str]:
    """The secret and the one before it, as they are now; without one that cannot be read."""
    found = []
    for ref in (terms.secret, terms.previous_secret):
        if ref is not None:
            try:
                found.append(ref.read())
            except SyncdError:
                continue
    return found


def _digest(text: str) -> bytes:
    """Of one length, so that comparing tells nothing of the secret's own."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def _verified(request: web.BaseRequest) -> web.Response:
    """The one-time verification (Okta, "Event hooks"): the challenge is given back."""
    challenge = request.headers.getall(CHALLENGE, [])
    if len(challenge) != 1 or not 0 < len(challenge[0]) <= _CHALLENGE_AT_MOST:
        raise _Refusal(400)
    return web.json_response({"verification": challenge[0]}, headers=_ALWAYS)


async def _body(request: web.BaseRequest) -> bytes:
    """Never more than is allowed, nor for longer."""
    found = bytearray()
    try:
        async with asyncio.timeout(BODY_WITHIN):
            if request.headers.get("Expect", "").lower() == _CONTINUE:
                await _go_on(request)
            async for piece in request.content.iter_chunked(65_536):
                found += piece
                if len(found) > BODY_AT_MOST:
                    raise _Refusal(413)
    except TimeoutError:
        raise _Refusal(408) from None
    return bytes(found)


async def _go_on(request: web.BaseRequest) -> None:
    """Whoever waits with the body until it is wanted (RFC 9110, 10.1.1); whoever is refused never sends it."""
    await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    request.writer.output_size = 0  # no part of the answer


def _said(status: int) -> web.Response:
    """Without a body: whoever posts reads none."""
    return web.Response(status=status, headers=_ALWAYS)


def _heard(future: asyncio.Future[None]) -> None:
    """An exception that came too late is not one that nobody looked at."""
    if not future.cancelled():
        future.exception()
