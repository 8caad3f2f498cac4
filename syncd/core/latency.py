"""How long changes take, from the event in Okta to the target's answer: counted in steps, so that counts can be added
up over days and shown as percentiles. Pure; all times are seconds.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass

STEPS = (0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0)
"""Upper ends; what took longer than the last one is counted after them."""


@dataclass(frozen=True, slots=True)
class EventLatency:
    """`counts` by step, one more than there are `STEPS`; `total` is the sum of all."""

    counts: tuple[int, ...] = (0,) * (len(STEPS) + 1)
    total: float = 0.0

    @property
    def changes(self) -> int:
        """How many were counted."""
        return sum(self.counts)

    def plus(self, other: EventLatency) -> EventLatency:
        """Both together."""
        pairs = zip(self.counts, other.counts, strict=True)
        return EventLatency(tuple(one + another for one, another in pairs), self.total + other.total)

    def percentile(self, share: float) -> float | None:
        """So many seconds or less took this share of the changes, 0.5 or 0.99, as far as the steps can tell; None
        without changes. What took longer than the last step counts as that.
        """
        wanted, seen, lower = share * self.changes, 0, 0.0
        if not self.changes:
            return None
        for count, upper in zip(self.counts, STEPS, strict=False):
            if count and seen + count >= wanted:
                return lower + (upper - lower) * max(0.0, wanted - seen) / count
            seen, lower = seen + count, upper
        return STEPS[-1]


def latency_of(seconds: Iterable[float]) -> EventLatency:
    """Of these changes. A clock that is behind Okta's makes none negative."""
    counts, total = [0] * (len(STEPS) + 1), 0.0
    for each in seconds:
        counts[bisect_left(STEPS, max(each, 0.0))] += 1
        total += max(each, 0.0)
    return EventLatency(tuple(counts), total)
