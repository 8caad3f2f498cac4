"""A time of day somewhere: when it last was, whatever the clocks there did."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import PydanticCustomError

from syncd.settings.daily import DailyTime, read_daily

BERLIN = "Europe/Berlin"


@pytest.mark.parametrize(
    ("daily", "now", "last"),
    [
        ("08:00 UTC", "2026-03-01T08:00", "2026-03-01T08:00"),
        ("08:00 UTC", "2026-03-01T07:59", "2026-02-28T08:00"),
        (f"08:00 {BERLIN}", "2026-03-01T07:30", "2026-03-01T07:00"),
        (f"08:00 {BERLIN}", "2026-07-01T06:30", "2026-07-01T06:00"),
        # The night on which clocks are put on from 02:00 to 03:00: 02:30 comes at 03:30 by the new time.
        (f"02:30 {BERLIN}", "2026-03-29T01:29", "2026-03-28T01:30"),
        (f"02:30 {BERLIN}", "2026-03-29T01:30", "2026-03-29T01:30"),
        # The night on which they are put back from 03:00 to 02:00: the first 02:30 counts.
        (f"02:30 {BERLIN}", "2026-10-25T00:30", "2026-10-25T00:30"),
        (f"02:30 {BERLIN}", "2026-10-25T01:45", "2026-10-25T00:30"),
        ("23:30 Pacific/Auckland", "2026-03-01T11:00", "2026-03-01T10:30"),
        ("00:00 America/New_York", "2026-03-01T05:00", "2026-03-01T05:00"),
    ],
)
def test_when_it_last_was_that_time(daily: str, now: str, last: str) -> None:
    found = read_daily(daily).last(datetime.fromisoformat(now).replace(tzinfo=UTC))

    assert found == datetime.fromisoformat(last).replace(tzinfo=UTC)
    assert found.tzinfo is UTC


@given(
    st.integers(0, 23),
    st.integers(0, 59),
    st.sampled_from([BERLIN, "UTC", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"]),
    st.integers(0, 15 * 366 * 24 * 3600),
)
def test_it_is_never_ahead_and_comes_once_a_day(hour: int, minute: int, zone: str, seconds: int) -> None:
    daily, now = DailyTime(hour, minute, zone), datetime(2020, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    last = daily.last(now)

    assert last <= now < last + timedelta(hours=26)
    assert daily.last(last) == last
    assert daily.last(last - timedelta(microseconds=1)) < last - timedelta(hours=22)


@pytest.mark.parametrize(
    "raw",
    [
        "08:00",
        "8:00 UTC",
        "24:00 UTC",
        "08:60 UTC",
        "08:00  UTC",
        "08:00 Europe/Berln",
        "08:00 ../../etc/passwd",
        8,
    ],
)
def test_what_is_no_time_of_day_somewhere_is_refused_with_an_example(raw: object) -> None:
    with pytest.raises(PydanticCustomError) as refused:
        read_daily(raw)
    assert (refused.value.context or {})["value"] == '"08:00 Europe/Berlin"'


def test_it_is_shown_as_it_is_written() -> None:
    assert str(read_daily(f"08:05 {BERLIN}")) == f"08:05 {BERLIN}"
