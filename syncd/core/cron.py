"""Firings of a calendar: the five fields of crontab(5), by the clock of a place. Pure.

They are given to APScheduler's CronTrigger, which fires; here is what others have to know ahead: the next firing, and
the longest time without one. Weekdays are those of Python and APScheduler (Monday is 0), not those of crontab.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import cache
from itertools import pairwise

_YEARS_AHEAD = 9
"""So far ahead is looked for a firing: the 29th of February may be eight years away."""
_DAYS_AHEAD = _YEARS_AHEAD * 366
_DAYS_MEASURED = 366 * 4 + 1


@dataclass(frozen=True, slots=True)
class Cron:
    """`minutes` (0-59), `hours` (0-23), `days` of the month (1-31), `months` (1-12), `weekdays` (0-6, Monday is 0): it
    fires where all five hold. `said` is how it was written.
    """

    said: str
    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    zone: tzinfo

    def __str__(self) -> str:
        return f'cron "{self.said}" {self.zone}'

    def after(self, now: datetime) -> datetime | None:
        """The first firing after this moment, UTC; None when there is none in nine years."""
        first = now.astimezone(self.zone).date()
        for day in self._days_from(first - timedelta(days=1), _DAYS_AHEAD):
            for moment in self._firings(day):
                if moment > now:
                    return moment
        return None

    def longest_gap(self, begin: date) -> timedelta:
        """The longest time without a firing, in the four years from this day on; of what fires more seldom than that
        the years themselves.
        """
        return _longest_gap(self, begin.replace(month=1, day=1))

    def _days_from(self, first: date, count: int) -> Iterator[date]:
        for number in range(count):
            day = first + timedelta(days=number)
            if day.month in self.months and day.day in self.days and day.weekday() in self.weekdays:
                yield day

    def _firings(self, day: date) -> Iterator[datetime]:
        for hour in sorted(self.hours):
            for minute in sorted(self.minutes):
                yield datetime.combine(day, time(hour, minute), self.zone).astimezone(UTC)


@cache
def _longest_gap(cron: Cron, begin: date) -> timedelta:
    days = list(cron._days_from(begin, _DAYS_MEASURED))  # noqa: SLF001  (its other half)
    if len(days) < 2:
        return timedelta(days=_DAYS_MEASURED)
    first, last = (min(cron.hours), min(cron.minutes)), (max(cron.hours), max(cron.minutes))
    begins = [datetime.combine(day, time(*first), cron.zone).astimezone(UTC) for day in days]
    ends = [datetime.combine(day, time(*last), cron.zone).astimezone(UTC) for day in days]
    overnight = max(begin - end for begin, end in zip(begins[1:], ends, strict=False))
    marks = [hour * 60 + minute for hour in sorted(cron.hours) for minute in sorted(cron.minutes)]
    within = max((later - mark for mark, later in pairwise(marks)), default=0)
    return max(overnight, timedelta(minutes=within))
