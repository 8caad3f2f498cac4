"""The only place that talks HTTP to Split: one `send`, with everything a hostile or tired server needs.

The token goes to the configured origin and nowhere else: no redirect is followed, no environment proxy, netrc or
cookie is used, and what the server says is redacted before anybody can print it.
"""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import requests
import requests.structures
import tenacity
import urllib3.exceptions

from syncd.errors import AccessDenied, ConfigurationError, NotFound, PermanentError, TemporaryError
from syncd.ports.permit import Permit
from syncd.redact import Redactor, clip, strip_controls
from syncd.scim.adapter import Adapter
from syncd.scim.answers import (
    GONE,
    LIKELY_WEB_PAGE,
    ScimAnswer,
    Unanswered,
    asks_to_wait,
    error_for,
    is_temporary,
    is_web_page,
    problem,
    says_no,
)
from syncd.scim.bodies import BrokenBody, beginning, json_of, whole_body
from syncd.scim.calls import Call, is_harmless, object_of, path_of, prepared, query_of
from syncd.scim.connections import guard
from syncd.scim.echoes import Echoes
from syncd.scim.network_failures import certificate_words, links, root_words
from syncd.scim.pacing import OnWait, Pacer, RetryPolicy, ServerClock, asked_wait
from syncd.scim.refusals import Refusals
from syncd.scim.tries import Again, Doubt, Sent, Trial, Tries, failure_of

_TEXT_CAP = 4 * 1024
_LOCKED = 423
_MEDIA_TRIES = 3
"""How often a 400 may be taken for a content type that the server does not read."""
SCIM_JSON = "application/scim+json"
PLAIN_JSON = "application/json"
_ACCEPT = {SCIM_JSON: f"{SCIM_JSON}, {PLAIN_JSON};q=0.9", PLAIN_JSON: PLAIN_JSON}


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Link:
    """How a server is reached. Shows nothing of itself: the proxy may have a password."""

    base_url: str
    read_token: Callable[[], str]
    concurrency: int = 8
    rate: float = 20.0
    """Requests a second, 0: no bound."""
    timeout: float = 60.0
    """Seconds, for connecting (at most 15) and for each answer."""
    ca_file: Path | None = None
    proxy: str | None = None
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    on_wait: OnWait | None = None
    permit: Permit | None = None
    """Asked before anything goes to the server (see `connections`); may raise LockLost."""
    delivered_within: float | None = None
    """Seconds in which what was sent has to arrive, else it never does; None: as long as the kernel tries."""
    redactor: Redactor = field(default_factory=Redactor)
    """It may know other secrets too."""


class ScimHttp:
    """`send` is safe to call from several threads."""

    def __init__(
        self, link: Link, *, post_timeout: float | None = None, media_type: str | None = None
    ) -> None:
        """`post_timeout` where creating takes longer than the rest. `media_type` is what an earlier run found to be
        accepted, None when nothing is known.

        Raises ConfigurationError for a token that cannot stand in an HTTP header, and for an unusable `ca_file`.
        """
        token = link.read_token().strip()
        if not token or not token.isascii() or not token.isprintable():
            raise ConfigurationError(
                "the Split token is empty or has characters that no HTTP header may have",
                hint="copy the token again, without line breaks",
            )
        self._base = prepared(link.base_url)
        self._redact = link.redactor
        self._redact.add(token, link.proxy or "")
        self.echoes = Echoes(self._redact)
        self._policy = link.retry
        self.pacer = Pacer(concurrency=link.concurrency, rate=link.rate, on_wait=link.on_wait)
        self._timeout = link.timeout
        self._post_timeout = post_timeout or link.timeout
        self._proxies = {"http": link.proxy, "https": link.proxy} if link.proxy else {}
        self.media_type = PLAIN_JSON if media_type == PLAIN_JSON else SCIM_JSON
        self._media_proven = media_type is not None
        self._media_tries = _MEDIA_TRIES
        self._counts: Counter[str] = Counter()
        self._lock = threading.Lock()
        self.doubt, self.sent, self.trial = Doubt(), Sent(), Trial()
        self.clock = ServerClock()
        self.refusals = Refusals(self._list_one_user)
        self._headers = {
            "Authorization": f"Bearer {token}",
            "User-Agent": "syncd",
            "Accept-Encoding": "gzip, deflate",
        }
        # The adapter alone, without a Session: no cookies, no netrc, no proxy of the environment, no redirects.
        self._adapter = Adapter(
            link.ca_file, self._base, pool_connections=2, pool_maxsize=max(1, link.concurrency)
        )
        pools = self._adapter
        manager = pools.proxy_manager_for(link.proxy) if link.proxy else pools.poolmanager
        guard(manager, link.permit, link.delivered_within)

    def __repr__(self) -> str:
        return f"ScimHttp({self._base!r})"

    def send(
        self,
        method: str,
        segments: Sequence[str],
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        once: bool = False,
    ) -> ScimAnswer:
        """One request to base URL + percent-encoded `segments`, repeated where that can help and do no harm.

        `once`: sent twice it would do more than once, like a POST.

        Returns any answer that settles the matter, 2xx and 4xx alike. Raises AccessDenied (401, 403) with its scope,
        ConnectionSick (404 to a POST and to the list of users), PermanentError (redirect, web page,
        oversized answer, TLS), TemporaryError (retries used up) and, for writes, Unanswered.
        """
        self.doubt.sends(method)
        try:
            answer = self._send(method, segments, query, body, headers, once=once)
            if method == "POST" and answer.status in GONE:
                self.refusals.judge(NotFound(f"{method} /{segments[0]}", status=answer.status))
        except AccessDenied as denied:
            if is_harmless(method, segments, query):
                raise denied.of_the_connection() from denied
            if self.refusals.judge(denied, object_of(segments)):
                raise denied.of_the_object("users can be listed") from denied
            raise
        self.doubt.answered(method, f"{method} /{path_of(segments)}", answer)
        return answer

    def _list_one_user(self) -> ScimAnswer:
        return self._send("GET", ["Users"], {"startIndex": "1", "count": "1"})

    def _send(
        self,
        method: str,
        segments: Sequence[str],
        query: Mapping[str, str] | None,
        body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        once: bool = False,
    ) -> ScimAnswer:
        data = None if body is None else json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")
        used = self.media_type
        answer = self._deliver(self._call(method, segments, query, data, headers, used, once))
        refused = answer.status in (406, 415) or (
            # Body parsers that ignore application/scim+json see an empty body and answer 400.
            answer.status == 400
            and data is not None
            and not self._media_proven
            and self._media_tries > 0
            and answer.scim_type != "uniqueness"
        )
        if refused:
            self._media_tries -= 1
            other = PLAIN_JSON if used == SCIM_JSON else SCIM_JSON
            second = self._deliver(self._call(method, segments, query, data, headers, other, once))
            if second.ok:
                self.media_type = other
                answer = second
            elif answer.status in (406, 415):
                answer = second
        if answer.ok and data is not None:
            self._media_proven = True
        return answer

    def _call(
        self,
        method: str,
        segments: Sequence[str],
        query: Mapping[str, str] | None,
        data: bytes | None,
        headers: Mapping[str, str] | None,
        media_type: str,
        once: bool,  # noqa: FBT001  (private, one caller)
    ) -> Call:
        path, query_text = path_of(segments), query_of(query or {})
        url = f"{self._base}/{path}{query_text}"
        sent = {**self._headers, "Accept": _ACCEPT[media_type], **(headers or {})}
        if data is not None:
            sent |= {"Content-Type": media_type, "Content-Length": str(len(data))}
        timeout = self._post_timeout if method == "POST" else self._timeout
        return Call(method, url, f"{method} /{path}", data, sent, timeout, once)

    def _deliver(self, call: Call) -> ScimAnswer:
        try:
            return self._try(call)
        except Again as again:
            first = again
        return self._repeat(call, first)

    def _repeat(self, call: Call, first: Again) -> ScimAnswer:
        """The tries after one that failed; `first` counts as the first of them."""
        failed = [first]

        def attempt() -> ScimAnswer:
            if failed:
                raise failed.pop()
            return self._try(call)

        tries = Tries(self._policy, self.pacer, self.trial.errors_at_most)
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(Again),
            wait=lambda state: tries.wait(failure_of(state)),
            stop=lambda _state: tries.over,
            before_sleep=lambda state: tries.announce(state.upcoming_sleep, failure_of(state)),
            sleep=self.pacer.sleep,
            reraise=True,
        )
        try:
            return retrying(attempt)
        except Again as again:
            raise again.error from again.__cause__

    def between_tries(self) -> Iterator[float]:
        """The delays of the retry policy in seconds, each slept before it is yielded: look, then repeat."""
        for failures in range(1, self._policy.attempts):
            seconds = self._policy.delay(failures)
            self.pacer.sleep(seconds)
            if self.pacer.stopped:
                return
            yield seconds

    def _try(self, call: Call) -> ScimAnswer:
        try:
            return self._exchange(call)
        except (Again, Unanswered) as failure:
            error = failure.error if isinstance(failure, Again) else failure
            if isinstance(error, Unanswered) and error.may_have_acted:
                self.doubt.last = error
            raise

    def _exchange(self, call: Call) -> ScimAnswer:
        with self.pacer.place(self._policy.deadline):
            self.sent.note(call.method, call.what)
            try:
                response = self._adapter.send(
                    call.request(),
                    stream=True,
                    timeout=(min(call.timeout, 15.0), call.timeout),
                    verify=True,
                    proxies=self._proxies,
                )
            except requests.exceptions.RequestException as failure:
                raise self._lost(call, failure) from failure
            try:
                answer = self._answer(response, call.timeout)
            except (BrokenBody, urllib3.exceptions.HTTPError, OSError) as failure:
                response.close()
                raise self._cut_off(call, response.status_code, failure) from failure
        self.clock.note(response.headers.get("Date"))
        self._count(f"{call.method} {response.status_code}")
        return self._judge(call, answer)

    def _answer(self, response: requests.Response, timeout: float) -> ScimAnswer:
        """What a good answer holds is data; of any other every word is redacted, once it is decoded. The bytes are
        not kept: errors, and what led to them, live as long as the tries.
        """
        good, text = 200 <= response.status_code < 300, ""
        raw = (whole_body if good else beginning)(response.raw, timeout)
        if good:
            self.echoes.listen(raw)
        body = json_of(raw)
        if not good or body is None:
            text = self._redact.foreign(raw[:_TEXT_CAP].decode("utf-8", "replace"))
        if not good or says_no(body):
            body = self._redact.answer(body)
        return ScimAnswer(response.status_code, response.headers, body, text)

    def _judge(self, call: Call, answer: ScimAnswer) -> ScimAnswer:
        status = answer.status
        if is_temporary(status) or asks_to_wait(answer):
            raise self._not_now(call, answer)
        if 200 <= status < 300:
            if is_web_page(answer):
                raise PermanentError(
                    f"{call.what}: the base URL answers a web page, not SCIM",
                    hint=LIKELY_WEB_PAGE,
                    status=status,
                )
            if call.method == "GET" and (answer.body is None or answer.says_no):
                said = problem(answer) if answer.says_no else "without readable JSON"
                raise Again(TemporaryError(f"{call.what}: Split answers {status} {said}", status=status))
        elif status in (401, 403) or status < 400:
            raise error_for(answer, call.what)
        return answer

    def _not_now(self, call: Call, answer: ScimAnswer) -> Exception:
        """408, 423, 425, 429, most 5xx, and a 403 that says when to come back: what to raise, after closing the gate
        if the server named a time.
        """
        status = answer.status
        limited = status in (403, 429)
        pause = asked_wait(answer.headers, datetime.now(UTC)) if limited or status == 503 else None
        if pause is not None:
            self.pacer.close_gate(pause, f"Split answers {status} and asks for a pause")
        message = f"{call.what}: Split answers {status} {problem(answer)}"
        if call.method == "GET" or limited or status == _LOCKED:
            return Again(
                TemporaryError(message, status=status, retry_after=pause), pause=pause, limited=limited
            )
        error = Unanswered(message, status=status, retry_after=pause, running=status in (408, 504))
        return Again(error, pause=pause) if call.repeatable else error

    def _lost(self, call: Call, failure: requests.exceptions.RequestException) -> Exception:
        """No answer at all: refused, reset, timed out."""
        chain = links(failure)
        if (distrust := certificate_words(chain)) is not None:
            self._count(f"{call.method} tls")
            said = strip_controls(clip(self._redact.foreign(distrust), 200))
            hint = "set [split] ca_file to the certificate authority of this server"
            return PermanentError(f"{call.what}: the certificate of Split is not trusted: {said}", hint=hint)
        if isinstance(failure, requests.exceptions.Timeout):
            unsent = isinstance(failure, requests.exceptions.ConnectTimeout)
            word, said = "timeout", f"no answer within {call.timeout:.0f} s"
        elif isinstance(failure, requests.exceptions.ConnectionError):
            # ProxyError is raised only when the proxy could not be reached, before anything was sent.
            unsent = isinstance(failure, requests.exceptions.ProxyError) or any(
                isinstance(link, urllib3.exceptions.NewConnectionError) for link in chain
            )
            word, said = ("refused", "cannot connect") if unsent else ("reset", "the connection broke")
        elif isinstance(failure, requests.exceptions.InvalidHeader):  # the answer's: ours are made by hand
            unsent, word, said = False, "invalid", "the head of the answer contradicts itself"
        else:
            self._count(f"{call.method} invalid")
            return PermanentError(f"{call.what}: the request cannot be sent ({type(failure).__name__})")
        self._count(f"{call.method} {word}")
        cause = strip_controls(clip(self._redact.foreign(root_words(chain)), 200))
        message = f"{call.what}: {said} ({cause})"
        if unsent or call.method == "GET":
            return Again(TemporaryError(message))
        error = Unanswered(message, running=word == "timeout")
        return Again(error) if call.repeatable else error

    def _cut_off(self, call: Call, status: int, failure: Exception) -> Exception:
        """The head of the answer came, its body did not come whole."""
        self._count(f"{call.method} {status}")
        said = str(failure) if isinstance(failure, BrokenBody) else "the answer was cut off"
        message = f"{call.what}: Split answers {status}, but {said}"
        if status in (401, 403):
            return error_for(ScimAnswer(status, {}, None, ""), call.what)
        if call.method == "GET":
            if isinstance(failure, BrokenBody) and failure.too_large:
                return PermanentError(message, status=status)
            return Again(TemporaryError(message, status=status))
        error = Unanswered(message, status=status)
        return Again(error) if call.repeatable else error

    def _count(self, key: str) -> None:
        with self._lock:
            self._counts[key] += 1

    @property
    def proven_media_type(self) -> str | None:
        """The content type with which a write was accepted, None before the first."""
        return self.media_type if self._media_proven else None

    def requests(self) -> Mapping[str, int]:
        """Requests so far by "METHOD status"; without an answer the second word is timeout, refused or reset."""
        with self._lock:
            return dict(self._counts)

    def close(self) -> None:
        """Ends waits early; requests under way run to their end."""
        self.pacer.stop()
        self._adapter.close()
