"""How long to wait: retries after faults, and the share of each rate-limit bucket that is ours.

Numbers come from the live headers only (Okta "Rate limits": X-Rate-Limit-Limit, -Remaining, -Reset in epoch
seconds of the server's clock). The table of paths below only says which requests share a bucket.
"""

from __future__ import annotations

import asyncio
import random
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from syncd.backoff import Backoff, http_date

LONGEST_PAUSE = 120.0
"""Seconds. Okta's windows are a minute: a reset further away than this is asked again, not believed."""
_MARGIN = 1.0
"""Seconds after a reset: Date and Reset have whole seconds."""
_RECOVERY = 50
"""Good answers in a row before a lowered parallelism grows by one again."""

_BUCKETS = (
    (re.compile(r"/api/v1/apps/[^/]+"), "/api/v1/apps/{id}"),
    (re.compile(r"/api/v1/apps(/.*)?"), "/api/v1/apps"),
    (re.compile(r"/api/v1/groups/[^/]+"), "/api/v1/groups/{id}"),
    (re.compile(r"/api/v1/groups(/.*)?"), "/api/v1/groups"),
    (re.compile(r"/api/v1/users/[^/]+"), "/api/v1/users/{id}"),
    (re.compile(r"/api/v1/users(/.*)?"), "/api/v1/users"),
    (re.compile(r"/api/v1/logs"), "/api/v1/logs"),
)


def bucket_of(path: str) -> str:
    """The rate-limit bucket of a path: the exact endpoint, else the longest prefix (Okta "Rate limits").

    As recorded: members of a group count with /api/v1/groups, the groups of a user with /api/v1/users.
    """
    return next((name for pattern, name in _BUCKETS if pattern.fullmatch(path)), "/api/v1")


@dataclass(frozen=True, slots=True)
class RetryPolicy(Backoff):
    """`deadline` counts what failed tries cost. `limit_waits` bounds how often one request may be told 429 with a time
    to come back; such a wait is no failed try.
    """

    limit_waits: int = 6


@dataclass(frozen=True, slots=True)
class Clock:
    """Time as the reader knows it, replaceable in tests."""

    monotonic: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep


@dataclass(frozen=True, slots=True)
class RateLimit:
    """One bucket as the last answer showed it."""

    limit: int
    remaining: int
    reset: datetime


def _number(headers: Mapping[str, str], name: str) -> int | None:
    value = headers.get(name, "").split(",")[0].strip()
    return int(value) if value.isascii() and value.isdigit() and len(value) < 16 else None


def _moment(epoch: int) -> datetime:
    try:
        return datetime.fromtimestamp(epoch, UTC)
    except (ValueError, OverflowError, OSError):
        return datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class LimitHeaders:
    """The rate-limit headers of one answer. `lasts` is seconds until the reset by the server's own clock."""

    limit: int | None
    remaining: int | None
    reset: int | None
    lasts: float | None

    @classmethod
    def of(cls, headers: Mapping[str, str], wall: float) -> LimitHeaders:
        """`wall` is our clock in epoch seconds, for answers without a Date."""
        limit = _number(headers, "X-Rate-Limit-Limit")
        remaining = _number(headers, "X-Rate-Limit-Remaining")
        reset = _number(headers, "X-Rate-Limit-Reset")
        date = http_date(headers.get("Date"))
        now = date.timestamp() if date else wall
        return cls(limit, remaining, reset, None if reset is None else reset - now)

    @property
    def concurrency(self) -> bool:
        """Okta's sign for "too many at once": limit and remaining both 0."""
        return self.limit == 0 and self.remaining == 0


@dataclass(slots=True)
class _Window:
    """What Okta said of one window; `ends` is the monotonic time at which it is over."""

    limit: int
    remaining: int
    ends: float

    def floor(self, share: float) -> int:
        """What is left to others. At least one request for each window is ours, or nothing would ever be read."""
        return self.limit - max(1, int(self.limit * share + 1e-9))  # the epsilon is for 0.29 * 100


@dataclass(slots=True)
class _Bucket:
    """`windows` by limit and reset: where Okta counts in more buckets than the table knows, each is watched."""

    in_flight: int = 0
    answered: bool = False
    windows: dict[tuple[int, int], _Window] = field(default_factory=dict)
    last: RateLimit | None = None
    paused_until: float = 0.0

    def live(self, now: float) -> list[_Window]:
        self.windows = {key: window for key, window in self.windows.items() if now < window.ends}
        return list(self.windows.values())


@dataclass(slots=True)
class OrgRates:
    """What is known of an org's limits, and who waits for them: of all governors whose requests Okta counts together.
    Of the event loop's thread.
    """

    buckets: dict[str, _Bucket] = field(default_factory=dict)
    waiters: list[asyncio.Future[None]] = field(default_factory=list)

    def wake(self) -> None:
        """Something has changed for whoever waits."""
        waiters, self.waiters = self.waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)


class RateGovernor:
    """Admits requests so that `1 - share` of every bucket stays unused. Lives in the event loop's thread. `rates`: what
    it shares with other governors; None: with nobody.
    """

    def __init__(
        self,
        *,
        share: float,
        parallel: int,
        clock: Clock,
        on_wait: Callable[[float, str], None] | None = None,
        rates: OrgRates | None = None,
    ) -> None:
        self._share = share
        self._parallel = self._ceiling = max(1, parallel)
        self._clock = clock
        self._on_wait = on_wait
        self._rates = rates or OrgRates()
        self._buckets = self._rates.buckets
        self._in_flight = 0
        self._good = 0
        self._waited = 0.0
        self._waited_until = 0.0

    @asynccontextmanager
    async def slot(self, bucket: str) -> AsyncIterator[None]:
        """Holds one place for one request, for as long as the body runs."""
        state = self._buckets.setdefault(bucket, _Bucket())
        while (wait := self._blocked(state)) != 0:
            if wait is None:
                await self._change()
            else:
                await self.pause(wait, f"rate limit of {bucket}")
        state.in_flight += 1
        self._in_flight += 1
        try:
            yield
        finally:
            state.in_flight -= 1
            self._in_flight -= 1
            self._rates.wake()

    def _blocked(self, state: _Bucket) -> float | None:
        """0: go. Positive: seconds to wait. None: wait until a request of ours ends."""
        now = self._clock.monotonic()
        if state.paused_until > now:
            return state.paused_until - now
        if self._in_flight >= self._ceiling:
            return None
        live = state.live(now)
        if not state.answered or (state.last is not None and not live):
            # Nothing is known about this window: one request goes ahead and brings the numbers.
            return None if state.in_flight else 0
        used_up = [window.ends for window in live if window.remaining <= window.floor(self._share)]
        if used_up:
            return max(used_up) - now
        crowded = any(window.remaining - state.in_flight <= window.floor(self._share) for window in live)
        return None if crowded else 0

    async def _change(self) -> None:
        waiter = asyncio.get_running_loop().create_future()
        self._rates.waiters.append(waiter)
        await waiter

    async def pause(self, seconds: float, reason: str) -> None:
        """Sleeps; waits that overlap count once."""
        now = self._clock.monotonic()
        fresh = now + seconds - max(now, self._waited_until)
        if fresh > 0:
            self._waited += fresh
            self._waited_until = now + seconds
            if self._on_wait is not None:
                self._on_wait(seconds, reason)
        await self._clock.sleep(seconds)

    def learn(self, bucket: str, headers: Mapping[str, str], *, refused: bool = False) -> None:
        """Takes over the numbers of an answer. Those of a refusal (429) only if they say until when."""
        seen = LimitHeaders.of(headers, self._clock.wall())
        state = self._buckets.setdefault(bucket, _Bucket())
        state.answered = True
        telling = not refused or (seen.lasts is not None and seen.lasts > 0)
        if seen.limit and seen.remaining is not None and telling:
            self._watch(state, seen.limit, seen.remaining, seen)
        self._good += not refused
        if self._good >= _RECOVERY and self._ceiling < self._parallel:
            self._ceiling, self._good = self._ceiling + 1, 0
        self._rates.wake()

    def _watch(self, state: _Bucket, limit: int, remaining: int, seen: LimitHeaders) -> None:
        now, reset = self._clock.monotonic(), seen.reset or 0
        state.last = RateLimit(limit, remaining, _moment(reset))
        state.live(now)
        window = state.windows.get((limit, reset))
        if window is not None:
            # Answers overtake each other: within one window the smaller number is the later one.
            window.remaining = min(window.remaining, remaining)
        elif seen.lasts is None or seen.lasts > 0 or not state.windows:
            lasts = min(max(seen.lasts if seen.lasts is not None else 60.0, 0.0), LONGEST_PAUSE)
            ends = now + lasts + _MARGIN + random.uniform(0, 0.25)  # noqa: S311  (jitter)
            state.windows[limit, reset] = _Window(limit, remaining, ends)

    def hold(self, bucket: str, seconds: float) -> None:
        """Stops everybody who uses this bucket for a while (429)."""
        state = self._buckets.setdefault(bucket, _Bucket())
        state.paused_until = max(state.paused_until, self._clock.monotonic() + min(seconds, LONGEST_PAUSE))

    def crowded(self) -> None:
        """Okta sees too many of our requests at once: half as many from now on."""
        self._ceiling, self._good = max(1, self._ceiling // 2), 0

    @property
    def ceiling(self) -> int:
        """How many requests may be under way at once now."""
        return self._ceiling

    def waited_seconds(self) -> float:
        """Seconds spent waiting so far."""
        return self._waited

    def limits(self) -> Mapping[str, RateLimit]:
        """The buckets whose numbers are known."""
        return {name: state.last for name, state in list(self._buckets.items()) if state.last is not None}
