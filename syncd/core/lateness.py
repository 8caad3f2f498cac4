"""How late cycles begin: from the moment one was due until a thread took it up. Pure; all times are seconds."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass

STEPS = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Upper ends; what was later than the last one is counted after them."""


@dataclass(frozen=True, slots=True)
class StartLatency:
    """`counts` by step, one more than there are `STEPS`; `total` is the sum of all."""

    counts: tuple[int, ...] = (0,) * (len(STEPS) + 1)
    total: float = 0.0

    def plus(self, late: float) -> StartLatency:
        """One more. None begins early: a clock that was set back makes none negative."""
        late = max(late, 0.0)
        step = bisect_left(STEPS, late)
        counts = tuple(count + (place == step) for place, count in enumerate(self.counts))
        return StartLatency(counts, self.total + late)
