"""GET requests to Okta that end in an answer that may be relied on, or in an error of ours."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from syncd.backoff import http_date
from syncd.errors import TemporaryError
from syncd.okta.answers import (
    Answer,
    Decode,
    Fault,
    Shape,
    everything,
    judge,
    no_answer_fault,
    token_fault,
)
from syncd.okta.client import OktaClient
from syncd.okta.pace import (
    LONGEST_PAUSE,
    Clock,
    LimitHeaders,
    RateGovernor,
    RetryPolicy,
    bucket_of,
)

if TYPE_CHECKING:
    from syncd.okta.transport import Received

_RESET_MARGIN = 1.0
_TOKEN_BUCKET = "/oauth2/v1/token"  # noqa: S105  (a path)


@dataclass(frozen=True, slots=True)
class _Pause:
    """A try that was told to come back later: no failure yet."""

    fault: Fault


@dataclass(slots=True)
class _Tally:
    """What one request has cost so far. `lost`: seconds without an answer and in backoff, not for rate limits."""

    failures: int = 0
    pauses: int = 0
    lost: float = 0.0


class Conversation:
    """Retries, rate limits and judgement around one client. Lives in the event loop's thread."""

    def __init__(
        self, client: OktaClient, governor: RateGovernor, *, retry: RetryPolicy, clock: Clock
    ) -> None:
        self._client = client
        self._governor = governor
        self._retry = retry
        self._clock = clock
        self.clock_offset: timedelta | None = None

    async def get(self, url: str, expect: Shape, decode: Decode = everything) -> Answer:
        """One resource or page. Status 404 is an answer too.

        Raises TemporaryError when the retries are used up, AccessDenied, PermanentError.
        """
        tally = _Tally()
        path = urlsplit(url).path
        while True:
            outcome = await self._try(url, path, expect, decode, tally)
            if isinstance(outcome, Answer):
                return outcome
            if isinstance(outcome, _Pause):
                tally.pauses += 1
                if tally.pauses > self._retry.limit_waits:
                    raise self._given_up(path, outcome.fault, tally)
                continue
            tally.failures += 1
            delay = max(
                self._retry.delay(tally.failures), min(outcome.retry_after or 0.0, self._retry.ceiling)
            )
            tally.lost += delay
            if tally.failures >= self._retry.attempts or tally.lost > self._retry.deadline:
                raise self._given_up(path, outcome, tally)
            await self._governor.pause(delay, outcome.cause)

    def _given_up(self, path: str, fault: Fault, tally: _Tally) -> TemporaryError:
        tries = tally.failures + tally.pauses
        word = "try" if tries == 1 else "tries"
        return TemporaryError(
            f"GET {path} at Okta: {fault.cause} ({tries} {word})",
            hint=fault.hint,
            status=fault.status,
            retry_after=fault.retry_after,
        )

    async def _try(
        self, url: str, path: str, expect: Shape, decode: Decode, tally: _Tally
    ) -> Answer | Fault | _Pause:
        from syncd.okta.transport import NoAnswer, TokenRefused  # noqa: PLC0415  (aiohttp)

        bucket = bucket_of(path)
        async with self._governor.slot(bucket):
            started = self._clock.monotonic()
            try:
                received = await self._client.exchange(url)
            except TokenRefused as refused:
                received, bucket = refused.received, _TOKEN_BUCKET
            except NoAnswer as failure:
                tally.lost += self._clock.monotonic() - started
                return no_answer_fault(failure, path)
            self._governor.learn(bucket, received.headers, refused=received.status == 429)
        self._note_clock(received)
        if bucket == _TOKEN_BUCKET:
            fault = token_fault(received, self._client.redactor)
        else:
            judged = judge(
                received,
                url=url,
                expect=expect,
                oauth=self._client.oauth,
                redactor=self._client.redactor,
                decode=decode,
            )
            if isinstance(judged, Answer):
                return judged
            fault = judged
        told_to_wait = received.status == 429 or (received.status == 403 and fault.retry_after is not None)
        return await self._limited(bucket, received, fault) if told_to_wait else fault

    async def _limited(self, bucket: str, received: Received, fault: Fault) -> Fault | _Pause:
        """429, or 403 with Retry-After: wait as the answer says, together with everybody else who uses the bucket.

        Without a time, or with one that has passed, it is an ordinary fault: its own backoff, its own count.
        """
        seen = LimitHeaders.of(received.headers, self._clock.wall())
        if seen.concurrency:
            self._governor.crowded()
            return fault
        if received.status == 429 and seen.lasts is not None and seen.lasts > 0:
            seconds = seen.lasts + _RESET_MARGIN
        elif fault.retry_after:
            seconds = fault.retry_after
        else:
            return fault
        self._governor.hold(bucket, seconds)
        if bucket == _TOKEN_BUCKET:
            await self._governor.pause(min(seconds, LONGEST_PAUSE), f"rate limit of {bucket}")
        return _Pause(fault)

    def _note_clock(self, received: Received) -> None:
        date = http_date(received.headers.get("Date"))
        if date is not None:
            self.clock_offset = timedelta(seconds=date.timestamp() - self._clock.wall())
