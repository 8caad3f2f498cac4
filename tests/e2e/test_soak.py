"""The real daemon for half a minute, while people come and go, pages are slow and lists lag."""

from __future__ import annotations

from tests.chaos.soak import Course, soak

SHORT = Course(seconds=8, seed=1, people=24, groups=3, full=3, page=0.5, lag=3.0, every=0.15, margin=8.0)


def test_nobody_is_let_in_or_locked_out_for_a_moment_and_in_the_end_the_worlds_are_equal() -> None:
    found, summary = soak(SHORT)

    assert found == [], summary
