"""How late deltas began, as the workers themselves count it: from when one was due until a thread took it up."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any
from urllib.request import urlopen

from prometheus_client.parser import text_string_to_metric_families

from tests.fleet_long.park import Park

_METRIC = "syncd_cycle_late_seconds"
Late = Mapping[float, float]
"""How many deltas were so many seconds late or less, of all workers."""


def lateness(park: Park) -> Late:
    """By now, since each worker began."""
    found: dict[float, float] = defaultdict(float)
    for worker in park.workers:
        with urlopen(f"http://{worker.listen}/metrics", timeout=60) as answer:
            page = answer.read().decode()
        for family in text_string_to_metric_families(page):
            for sample in family.samples:
                if sample.name == f"{_METRIC}_bucket" and sample.labels["kind"] == "delta":
                    found[float(sample.labels["le"])] += sample.value
    return found


def between(before: Late, after: Late) -> Mapping[str, Any]:
    """Of the deltas that began between both: how many there were, and within how many seconds of their due time half
    of them, 99 in 100 and all had begun, as far as the steps of the metric can tell.
    """
    within = {step: int(count - before.get(step, 0)) for step, count in sorted(after.items())}
    count = max(within.values(), default=0)
    named = (("half_within", 0.5), ("99_in_100_within", 0.99), ("all_within", 1.0))
    shares = {name: next(s for s, n in within.items() if n >= share * count) for name, share in named}
    return {"count": count, **shares, "by_step": {str(step): number for step, number in within.items()}}
