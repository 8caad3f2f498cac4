"""How long changes take, counted in steps: added up over days, shown as percentiles."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.core.latency import STEPS, EventLatency, latency_of


def test_without_changes_there_is_no_percentile() -> None:
    assert EventLatency().percentile(0.5) is None
    assert latency_of([]) == EventLatency()


@given(st.lists(st.floats(0, 1800), min_size=1), st.sampled_from([0.01, 0.5, 0.9, 0.99]))
def test_a_percentile_lies_in_the_step_of_the_exact_one(seconds: list[float], share: float) -> None:
    exact = sorted(seconds)[max(0, -(-int(share * len(seconds) * 10_000) // 10_000) - 1)]
    upper = next(step for step in STEPS if exact <= step)
    lower = max((step for step in STEPS if step < upper), default=0.0)
    found = latency_of(seconds).percentile(share)

    assert found is not None
    assert lower <= found <= upper


@given(st.lists(st.floats(-5, 5000)), st.lists(st.floats(-5, 5000)))
def test_two_days_together_are_all_their_changes(one: list[float], other: list[float]) -> None:
    both = latency_of(one).plus(latency_of(other))

    assert both.counts == latency_of([*one, *other]).counts
    assert both.total == pytest.approx(latency_of([*one, *other]).total)
    assert both.changes == len(one) + len(other)


def test_a_clock_behind_oktas_makes_no_negative_time_and_a_very_long_one_counts_as_the_last_step() -> None:
    assert latency_of([-3.0]).total == 0.0
    assert latency_of([99_999.0]).percentile(0.99) == STEPS[-1]
