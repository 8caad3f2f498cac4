"""Windows by the clock of a place, on ordinary days and on those when the clock is changed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.core.pausing import Pause, Shut, barred, said_of
from syncd.core.windows import MINUTES_A_DAY, Window, next_opening, open_until

BERLIN = ZoneInfo("Europe/Berlin")
WORK = Window(frozenset(range(5)), 6 * 60, 20 * 60, BERLIN)
NIGHT = Window(frozenset({5}), 22 * 60, 6 * 60, BERLIN)
EVERY_DAY = frozenset(range(7))


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "until"),
    [
        ("2026-11-30T04:59:59", None),  # Monday, 05:59:59 in Berlin
        ("2026-11-30T05:00:00", "2026-11-30T19:00:00"),
        ("2026-11-30T18:59:59", "2026-11-30T19:00:00"),
        ("2026-11-30T19:00:00", None),
        ("2026-11-29T12:00:00", None),  # Sunday
    ],
)
def test_a_window_is_open_from_its_begin_up_to_its_end(now: str, until: str | None) -> None:
    assert open_until([WORK], utc(now)) == (None if until is None else utc(until))


def test_the_next_one_opens_on_monday_after_friday_evening() -> None:
    assert next_opening([WORK], utc("2026-11-27T19:30:00")) == utc("2026-11-30T05:00:00")
    assert next_opening([WORK, NIGHT], utc("2026-11-27T19:30:00")) == utc("2026-11-28T21:00:00")


def test_one_that_ends_before_it_begins_ends_on_the_next_day() -> None:
    assert open_until([NIGHT], utc("2026-11-28T23:30:00")) == utc("2026-11-29T05:00:00")
    assert open_until([NIGHT], utc("2026-11-29T21:30:00")) is None


def test_the_hours_stay_those_of_the_wall_when_the_clock_is_put_forward() -> None:
    daily = Window(EVERY_DAY, 6 * 60, 20 * 60, BERLIN)
    assert next_opening([daily], utc("2026-03-28T04:00:00")) == utc("2026-03-28T05:00:00")
    # In the night to the 29th the clock goes from 02:00 to 03:00.
    assert next_opening([daily], utc("2026-03-28T20:00:00")) == utc("2026-03-29T04:00:00")


def test_a_begin_that_the_clock_jumps_over_is_the_moment_it_would_have_shown() -> None:
    early = Window(EVERY_DAY, 2 * 60 + 30, 5 * 60, BERLIN)
    begin, end = early.opened(datetime(2026, 3, 29, tzinfo=UTC).date())
    assert (begin, end) == (utc("2026-03-29T01:30:00"), utc("2026-03-29T03:00:00"))


def test_an_hour_that_comes_twice_is_inside_both_times() -> None:
    # In the night to 2026-10-25 the clock goes back from 03:00 to 02:00.
    early = Window(EVERY_DAY, 2 * 60, 2 * 60 + 30, BERLIN)
    begin, end = early.opened(datetime(2026, 10, 25, tzinfo=UTC).date())
    assert (begin, end) == (utc("2026-10-25T00:00:00"), utc("2026-10-25T01:30:00"))


def test_a_window_says_itself_as_it_is_written() -> None:
    assert str(WORK) == "Mon-Fri 06:00-20:00 Europe/Berlin"
    assert (
        str(Window(frozenset({0, 2, 3}), 0, MINUTES_A_DAY, BERLIN)) == "Mon,Wed-Thu 00:00-24:00 Europe/Berlin"
    )


def test_a_pause_counts_before_a_window_and_nothing_bars_without_either() -> None:
    sunday = utc("2026-11-29T12:00:00")
    pause = Pause("ada@host", sunday, sunday + timedelta(hours=1), "why")
    assert barred(pause, [WORK], sunday) is pause
    assert barred(pause, [WORK], sunday + timedelta(hours=1)) == Shut((WORK,), utc("2026-11-30T05:00:00"))
    assert barred(None, [WORK], utc("2026-11-30T12:00:00")) is None
    assert barred(None, (), sunday) is None


def test_a_shut_window_says_when_the_next_one_opens() -> None:
    said = said_of(Shut((WORK,), utc("2026-11-30T05:00:00")))
    assert "Mon-Fri 06:00-20:00 Europe/Berlin" in said
    assert "2026-11-30T05:00:00Z" in said


MINUTES = st.integers(0, MINUTES_A_DAY - 1)


@given(
    days=st.frozensets(st.integers(0, 6), min_size=1),
    hours=st.tuples(MINUTES, MINUTES).filter(lambda both: both[0] != both[1]),
    zone=st.sampled_from(
        ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"]
    ),
    now=st.integers(0, 5 * 366 * 86_400).map(lambda seconds: utc("2025-01-01") + timedelta(seconds=seconds)),
)
def test_at_any_moment_one_is_open_or_opens_within_eight_days(
    days: frozenset[int], hours: tuple[int, int], zone: str, now: datetime
) -> None:
    window = Window(days, *hours, ZoneInfo(zone))
    ends, opens = open_until([window], now), next_opening([window], now)
    assert now < opens <= now + timedelta(days=8)
    assert ends is None or now < ends <= now + timedelta(days=1, hours=2)
    assert open_until([window], opens) is not None


@pytest.mark.parametrize(
    ("begins", "ends", "opens", "closes"),
    [
        (90, 150, "2026-03-29T00:30:00", "2026-03-29T01:30:00"),  # 01:30-02:30, which the clock jumps over
        (135, 165, "2026-03-29T01:15:00", "2026-03-29T01:45:00"),
    ],
)
def test_an_end_that_the_clock_jumps_over_leaves_the_window_its_time(
    begins: int, ends: int, opens: str, closes: str
) -> None:
    window = Window(frozenset({6}), begins, ends, BERLIN)
    assert next_opening([window], utc("2026-03-28T12:00:00")) == utc(opens)
    assert open_until([window], utc(opens)) == utc(closes)


def test_an_hour_that_a_day_has_not_is_never_promised() -> None:
    window = Window(frozenset({6}), 2 * 60, 3 * 60, BERLIN)
    opens = next_opening([window], utc("2026-03-23T12:00:00"))
    assert opens == utc("2026-04-05T00:00:00")
    assert open_until([window], opens) is not None
