"""Whole cycles under Okta's own limits, in virtual time: syncd keeps to its share, and uses it."""

from __future__ import annotations

import pytest

from bench.limits import WORKFORCE, first_writes, reading, writing_seconds
from bench.org import Size


@pytest.mark.parametrize("share", [0.25, 0.5, 1.0])
@pytest.mark.parametrize("work", ["first", "full"])
def test_a_cycle_leaves_the_others_their_share_and_is_never_refused(work: str, share: float) -> None:
    spent = reading(work, Size.of(100_000), share=share)

    assert spent.refused == 0
    for bucket, left in spent.least_left.items():
        assert left >= WORKFORCE[bucket] - int(WORKFORCE[bucket] * share)


@pytest.mark.parametrize("users", [100_000, 1_000_000])
def test_a_long_read_uses_its_share(users: int) -> None:
    size = Size(users)
    spent = reading("full", size)

    allowed = WORKFORCE["/api/v1/apps"] * 0.5 * spent.seconds / 60
    assert spent.asked["/api/v1/apps"] == users / 500
    assert spent.asked["/api/v1/apps"] >= 0.98 * allowed


def test_member_lists_are_read_as_fast_as_the_share_allows() -> None:
    size = Size(1, groups=5_000)
    spent = reading("first", size)

    others = reading("full", size)
    allowed = WORKFORCE["/api/v1/groups"] * 0.5 * (spent.seconds - others.seconds) / 60
    assert spent.asked["/api/v1/groups"] == size.groups + others.asked["/api/v1/groups"]
    # A full last minute is not needed: the share of the first one is there at once.
    assert size.groups >= 0.9 * (allowed - WORKFORCE["/api/v1/groups"] * 0.5)


def test_many_changed_users_in_one_delta_wait_for_the_limit_of_app_users() -> None:
    spent = reading("delta", Size(1), changed=200)

    assert spent.refused == 0
    assert spent.least_left["/api/v1/apps"] == 50
    assert spent.seconds >= 3 * 60


def test_a_quiet_delta_waits_for_nothing() -> None:
    assert reading("delta", Size(1)).asked == {"/api/v1/logs": 1}


def test_the_target_gets_at_most_its_requests_a_second_and_hardly_less() -> None:
    requests = first_writes(Size.of(10_000))

    seconds = writing_seconds(requests, rate=20.0)

    assert requests / 20.0 * 0.999 <= seconds <= requests / 20.0 * 1.01


def test_fifty_changed_users_in_one_delta_are_not_asked_for_one_after_the_other() -> None:
    spent = reading("delta", Size(1), changed=50)

    one_by_one = (2 + 2 * 50) * 0.4
    assert spent.seconds <= one_by_one / 4
