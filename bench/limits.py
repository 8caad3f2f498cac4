"""What rate limits make of a cycle: the real governor and the real pacer, against Okta's limits, in virtual time.

Hours pass in a moment: the event loop's clock jumps to the next thing that is waited for. `python -m bench.limits`
prints the table of docs/performance.md.
"""

from __future__ import annotations

import asyncio
import selectors
import sys
from collections.abc import Coroutine, Iterator, Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any

from bench.org import GROUP_PAGE, MEMBER_PAGE, USER_PAGE, Size
from syncd.okta.pace import Clock, RateGovernor, bucket_of
from syncd.scim.pacing import Pacer

EPOCH = 1_700_000_000
WINDOW = 60.0
WORKFORCE: Mapping[str, int] = {
    "/api/v1/apps/{id}": 500,
    "/api/v1/apps": 100,
    "/api/v1/groups": 500,
    "/api/v1/groups/{id}": 1_000,
    "/api/v1/users": 600,
    "/api/v1/users/{id}": 2_000,
    "/api/v1/logs": 120,
}
"""Requests a minute of a Workforce org (Okta "Rate limits"); the names are those of the governor's buckets."""

DEFAULT_TOKEN: Mapping[str, int] = {bucket: limit // 2 for bucket, limit in WORKFORCE.items()}
"""What a new token may use of them, and what the headers show to it."""

_PACED = 20_000
_ANSWER = 0.4
"""Seconds for an answer of Okta, and of the target where one request has to wait for another."""
_APP = "/api/v1/apps/0oa1"


class _Jumping(selectors.DefaultSelector):
    """Waits for nothing: what would be waited is added to `now`."""

    now = 0.0

    def select(self, timeout: float | None = None) -> Any:
        if timeout is not None and timeout > 0:
            self.now += timeout
        return super().select(0)


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose time is virtual. Nothing in it may wait for the real world."""

    def __init__(self) -> None:
        self._jumping = _Jumping()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now


@dataclass
class _Window:
    ends: float = -1.0
    used: int = 0


@dataclass
class VirtualOkta:
    """Okta's buckets: windows of a minute that begin with their first request; more than the limit is a 429.

    `latency` is seconds for each request. `others` is how many requests other clients make in each window.
    """

    loop: VirtualLoop
    limits: Mapping[str, int]
    latency: float = _ANSWER
    others: int = 0
    refused: int = 0
    asked: dict[str, int] = field(default_factory=dict)
    least_left: dict[str, int] = field(default_factory=dict)
    _windows: dict[str, _Window] = field(default_factory=dict)

    def answer(self, bucket: str) -> dict[str, str]:
        limit, now = self.limits[bucket], self.loop.time()
        window = self._windows.setdefault(bucket, _Window())
        if now >= window.ends:
            window.ends, window.used = now + WINDOW, self.others
        window.used += 1
        left = limit - window.used
        self.asked[bucket] = self.asked.get(bucket, 0) + 1
        self.refused += left < 0
        self.least_left[bucket] = min(left, self.least_left.get(bucket, limit))
        return {
            "X-Rate-Limit-Limit": str(limit),
            "X-Rate-Limit-Remaining": str(max(left, 0)),
            # Whole seconds, as Okta has them: the window may end up to a second later than the headers say.
            "X-Rate-Limit-Reset": str(int(EPOCH + window.ends)),
            "Date": formatdate(int(EPOCH + now), usegmt=True),
        }


@dataclass
class Reader:
    """The requests of a cycle, admitted by the real governor."""

    okta: VirtualOkta
    share: float
    parallel: int = 8
    governor: RateGovernor = field(init=False)

    def __post_init__(self) -> None:
        loop = self.okta.loop
        clock = Clock(monotonic=loop.time, wall=lambda: EPOCH + loop.time(), sleep=asyncio.sleep)
        self.governor = RateGovernor(share=self.share, parallel=self.parallel, clock=clock)

    async def get(self, path: str) -> None:
        bucket = bucket_of(path)
        async with self.governor.slot(bucket):
            await asyncio.sleep(self.okta.latency / 2)
            headers = self.okta.answer(bucket)
            await asyncio.sleep(self.okta.latency / 2)
            self.governor.learn(bucket, headers)

    async def chain(self, path: str, pages: int) -> None:
        """One list: each page names the next one."""
        for _ in range(pages):
            await self.get(path)

    async def full(self, size: Size, *, every_member_list: bool) -> None:
        await self.get(_APP)
        await self.chain(f"{_APP}/users", _pages(size.users, USER_PAGE))
        await self.chain("/api/v1/groups", _pages(size.groups, GROUP_PAGE))
        if every_member_list:
            todo = iter(range(size.groups))

            async def work() -> None:
                for _ in todo:
                    await self.chain("/api/v1/groups/00g1/users", _pages(size.members, MEMBER_PAGE))

            await asyncio.gather(*(work() for _ in range(self.parallel)))

    async def delta(self, changed: int) -> None:
        await self.get("/api/v1/logs")
        if changed:
            await self.get(_APP)
            todo = iter(range(changed))

            async def work() -> None:
                for _ in todo:
                    await self.get(f"{_APP}/users/00u1")
                    await self.get("/api/v1/users/00u1/groups")

            await asyncio.gather(*(work() for _ in range(self.parallel)))


def _pages(items: int, page: int) -> int:
    return max(1, -(-items // page))


@dataclass(frozen=True, slots=True)
class Spent:
    """`seconds` of virtual time; the rest from Okta's side: requests by bucket, 429s, the least left in any window."""

    seconds: float
    asked: Mapping[str, int]
    refused: int
    least_left: Mapping[str, int]


def reading(
    work: str, size: Size, *, share: float = 0.5, limits: Mapping[str, int] = WORKFORCE, changed: int = 0
) -> Spent:
    """`work` is "first", "full" or "delta"."""
    loop = VirtualLoop()
    okta = VirtualOkta(loop, limits)
    reader = Reader(okta, share)
    jobs: Mapping[str, Coroutine[Any, Any, None]] = {
        work: reader.delta(changed)
        if work == "delta"
        else reader.full(size, every_member_list=work == "first")
    }
    try:
        loop.run_until_complete(jobs[work])
        return Spent(loop.time(), okta.asked, okta.refused, okta.least_left)
    finally:
        loop.close()


def writing_seconds(requests: int, *, rate: float = 20.0) -> float:
    """Virtual seconds that the real pacer takes for so many requests to the target.

    Beyond `_PACED` requests the rest is reckoned: starts are evenly spaced.
    """
    paced = min(requests, _PACED)
    now = [0.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    pacer = Pacer(concurrency=8, rate=rate, monotonic=lambda: now[0], sleep=sleep)
    for _ in range(paced):
        with pacer.place(60.0):
            pass
    return now[0] * requests / paced if paced else 0.0


def first_writes(size: Size, batch: int = 100) -> int:
    """Requests to the target of a first sync into an empty one: both listings, users, groups, members."""
    return 2 + size.users + size.groups * (1 + _pages(size.members, batch))


def target_listing_seconds(size: Size, page: int = 100) -> float:
    """One page names the next; groups follow one by one."""
    return (_pages(size.users, page) + size.groups) * _ANSWER


SIZES = (1_000, 10_000, 100_000, 1_000_000, 10_000_000)


def table(limits: Mapping[str, int], *, share: float = 0.5, rate: float = 20.0) -> Iterator[str]:
    yield "| users | groups | first read | first writes | full cycle | drift | 20 changed users | quiet delta |"
    yield "| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
    quiet = reading("delta", Size(1), share=share, limits=limits).seconds
    changed = reading("delta", Size(1), share=share, limits=limits, changed=20).seconds
    changed += writing_seconds(20, rate=rate)
    for users in SIZES:
        size = Size.of(users)
        first = reading("first", size, share=share, limits=limits).seconds
        full = reading("full", size, share=share, limits=limits).seconds
        written = writing_seconds(first_writes(size), rate=rate)
        drift = first + target_listing_seconds(size)
        cells = (f"{users:,}", f"{size.groups:,}", *map(_said, (first, written, full, drift, changed, quiet)))
        yield f"| {' | '.join(cells)} |"


def _said(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    if seconds < 2 * 3600:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 48 * 3600 else f"{seconds / 86400:.1f} d"


if __name__ == "__main__":
    for line in (*table(DEFAULT_TOKEN), "", *table(WORKFORCE)):
        sys.stdout.write(line + "\n")
