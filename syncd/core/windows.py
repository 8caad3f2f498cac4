"""Windows of a schedule: hours of some days of the week, by the clock of a place, inside which writing is allowed.

Hours are wall-clock hours. Where the clock is put forward over a begin or an end, that is the moment at which it would
have shown it (PEP 495, fold 0); where an hour comes twice, a window begins with the first and ends with the second.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
"""In the order of `date.weekday`."""
MINUTES_A_DAY = 24 * 60
_AHEAD = 16
"""Days: every weekday comes twice within them, whatever was begun yesterday, and once with all its hours."""


@dataclass(frozen=True, slots=True)
class Window:
    """`days` are weekdays (Monday is 0) on which it begins; `begins` and `ends` are minutes of the day in `zone`. One
    that ends no later than it begins ends on the day after.
    """

    days: frozenset[int]
    begins: int
    ends: int
    zone: tzinfo

    def __str__(self) -> str:
        return f"{_days_text(self.days)} {_clock(self.begins)}-{_clock(self.ends)} {self.zone}"

    def opened(self, day: date) -> tuple[datetime, datetime]:
        """From when to when (UTC, the latter not included) the one lasts that begins on this day of its zone."""
        over = self.ends <= self.begins
        last = day + timedelta(days=1) if over else day
        return _moments(day, self.begins, self.zone)[0], max(_moments(last, self.ends, self.zone))

    def around(self, now: datetime) -> Iterator[tuple[datetime, datetime]]:
        """Those that began yesterday or later, in order, a week and more ahead; none of an hour that a day has not."""
        today = now.astimezone(self.zone).date()
        for number in range(-1, _AHEAD):
            day = today + timedelta(days=number)
            begin, end = self.opened(day)
            if day.weekday() in self.days and begin < end:
                yield begin, end


def open_until(windows: Sequence[Window], now: datetime) -> datetime | None:
    """When the window that is open now ends, the last of several; None outside all of them."""
    ends = [end for window in windows for begin, end in window.around(now) if begin <= now < end]
    return max(ends, default=None)


def next_opening(windows: Sequence[Window], now: datetime) -> datetime:
    """When the next one begins. Raises ValueError where there is no window."""
    return min(begin for window in windows for begin, _ in window.around(now) if begin > now)


def _moments(day: date, minute: int, zone: tzinfo) -> tuple[datetime, datetime]:
    """By fold 0 and 1 (PEP 495)."""
    if minute == MINUTES_A_DAY:
        day, minute = day + timedelta(days=1), 0
    hour, minute = divmod(minute, 60)
    shown = datetime.combine(day, time(hour, minute), zone)
    return shown.astimezone(UTC), shown.replace(fold=1).astimezone(UTC)


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


def _days_text(days: frozenset[int]) -> str:
    """Mon-Fri, Sat, Mon,Wed."""
    runs: list[list[int]] = []
    for day in sorted(days):
        if runs and runs[-1][-1] == day - 1:
            runs[-1].append(day)
        else:
            runs.append([day])
    return ",".join(DAYS[run[0]] if len(run) == 1 else f"{DAYS[run[0]]}-{DAYS[run[-1]]}" for run in runs)
