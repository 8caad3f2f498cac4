"""Okta's rate limits: buckets by endpoint, counted in windows, shown in the headers of every answer."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from syncd.simulators.exchange import Call
from syncd.simulators.okta_wire import OktaError, OktaKnobs

# The numbers of the Workforce column, requests per minute, for `OktaKnobs(limits=WORKFORCE)`.
WORKFORCE = {
    "app": 500, "apps": 100, "groups": 500, "group": 1000, "users": 600, "user": 2000, "logs": 120, "*": 1200,
}  # fmt: skip
GENEROUS = 1_000_000
# Exact endpoints first, prefixes last. As recorded from Okta: GET /groups/{id}/users counts down together with
# POST /groups, GET /users/{id}/groups with POST /users.
BUCKETS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("app", re.compile(r"/api/v1/apps/[^/]+$")),
    ("apps", re.compile(r"/api/v1/apps(/|$)")),
    ("group", re.compile(r"/api/v1/groups/[^/]+$")),
    ("groups", re.compile(r"/api/v1/groups(/|$)")),
    ("user", re.compile(r"/api/v1/users/[^/]+$")),
    ("users", re.compile(r"/api/v1/users(/|$)")),
    ("logs", re.compile(r"/api/v1/logs$")),
    ("token", re.compile(r"/oauth2/v1/token$")),
)


@dataclass(slots=True)
class _Window:
    ends: float
    used: int


class RateLimits:
    """Counts requests for each bucket. `clock` gives epoch seconds. A window starts with its first request."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._windows: dict[str, _Window] = {}

    def reset(self) -> None:
        """Starts every window afresh."""
        self._windows.clear()

    def count(self, call: Call, knobs: OktaKnobs) -> tuple[tuple[str, str], ...]:
        """Counts a request and returns its three headers. Raises OktaError 429 when the bucket is used up."""
        path = call.path.partition("?")[0]
        bucket = next((name for name, pattern in BUCKETS if pattern.match(path)), "*")
        limits = knobs.limits or {}
        limit = limits.get(bucket, limits.get("*", GENEROUS))
        now = self._clock()
        window = self._windows.get(bucket)
        if window is None or now >= window.ends:
            window = self._windows[bucket] = _Window(now + knobs.window_seconds, 0)
        window.used += 1
        headers = (
            ("X-Rate-Limit-Limit", str(limit)),
            ("X-Rate-Limit-Remaining", str(max(0, limit - window.used))),
            ("X-Rate-Limit-Reset", str(-int(-window.ends // 1))),
        )
        if window.used > limit:
            raise OktaError(429, "E0000047", headers=headers)
        return headers

    def concurrency_error(self) -> OktaError:
        """429 for too many requests at once: Limit and Remaining are 0, Reset is a suggestion."""
        zeros = (("X-Rate-Limit-Limit", "0"), ("X-Rate-Limit-Remaining", "0"))
        return OktaError(
            429, "E0000047", headers=(*zeros, ("X-Rate-Limit-Reset", str(int(self._clock()) + 1)))
        )
