"""Firings of a calendar, told ahead; APScheduler, which fires them, agrees."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from apscheduler.triggers.cron import CronTrigger

from syncd.core.cron import Cron
from syncd.service.scheduler import _trigger
from syncd.settings.cron import read_cron

BEGIN = date(2026, 1, 1)


def cron(said: str, zone: str = "Europe/Berlin") -> Cron:
    return read_cron({"cron": said, "timezone": zone})


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("said", "now", "following"),
    [
        ("0 2 * * *", "2026-11-29T12:00", "2026-11-30T01:00"),
        ("0 2 * * *", "2026-11-30T01:00", "2026-12-01T01:00"),
        ("0 2 * * *", "2026-07-01T12:00", "2026-07-02T00:00"),
        ("*/15 6-20 * * mon-fri", "2026-11-27T19:50", "2026-11-30T05:00"),
        ("30 4 1 * *", "2026-11-29T12:00", "2026-12-01T03:30"),
        ("0 0 * * 0", "2026-11-26T12:00", "2026-11-28T23:00"),
        ("0 0 * * sat-sun", "2026-11-29T12:00", "2026-12-04T23:00"),
        ("0 0 * * 7", "2026-11-26T12:00", "2026-11-28T23:00"),
        ("0 0 29 2 *", "2026-03-01T00:00", "2028-02-28T23:00"),
    ],
)
def test_the_next_firing_is_told_ahead(said: str, now: str, following: str) -> None:
    assert cron(said).after(utc(now)) == utc(following)


@pytest.mark.parametrize(
    "said",
    ["0 2 * * *", "*/15 6-20 * * mon-fri", "30 4 1 * *", "0 0 * * 0", "5,35 */6 * jan,jul *", "1 1 31 * *"],
)
def test_apscheduler_fires_when_it_is_told(said: str) -> None:
    made = cron(said)
    trigger = _trigger("full", made)
    assert isinstance(trigger, CronTrigger)
    now = utc("2026-01-01T00:00")
    for _ in range(40):
        following = made.after(now)
        assert following is not None
        fires = trigger.get_next_fire_time(None, now + timedelta(seconds=1))
        assert fires is not None
        assert fires.astimezone(UTC) == following
        now = following


@pytest.mark.parametrize(
    ("said", "gap"),
    [
        ("0 2 * * *", timedelta(hours=25)),  # the night of the clock that goes back
        ("* * * * *", timedelta(hours=1, minutes=1)),
        ("0 6-20/2 * * *", timedelta(hours=11)),
        ("0 9 * * mon-fri", timedelta(days=3, hours=1)),
        ("0 0 1 * *", timedelta(days=31, hours=1)),
        ("0 0 29 2 *", timedelta(days=366 * 4 + 1)),
    ],
)
def test_the_longest_time_without_a_firing_is_known(said: str, gap: timedelta) -> None:
    assert cron(said).longest_gap(BEGIN) <= gap
    assert cron(said).longest_gap(BEGIN) >= gap - timedelta(hours=1)


def test_by_utc_nothing_is_longer_than_it_seems() -> None:
    assert cron("0 2 * * *", "UTC").longest_gap(BEGIN) == timedelta(days=1)
    assert cron("*/10 * * * *", "UTC").longest_gap(BEGIN) == timedelta(minutes=10)


def test_it_says_itself_as_it_is_written() -> None:
    assert str(cron("0 2 * * MON")) == 'cron "0 2 * * mon" Europe/Berlin'
    assert cron("0 0 * * sun").zone == ZoneInfo("Europe/Berlin")
