"""A time of day in a time zone: "08:00 Europe/Berlin"."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

from syncd.settings.values import kind_of, wrong

_FORM = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9]) ([A-Za-z][A-Za-z0-9_+/-]{0,63})")
_EXAMPLE = '"08:00 Europe/Berlin"'


@dataclass(frozen=True, slots=True)
class DailyTime:
    """`zone` is a name of the IANA time zone database."""

    hour: int
    minute: int
    zone: str

    def __str__(self) -> str:
        return f"{self.hour:02}:{self.minute:02} {self.zone}"

    def last(self, now: datetime) -> datetime:
        """When it last was that time, at or before `now`: aware, in UTC. What a change of clocks skips comes as late as
        the clock is put on, and of what comes twice the first counts.
        """
        local = now.astimezone(_zone(self.zone))
        at = local.replace(hour=self.hour, minute=self.minute, second=0, microsecond=0, fold=0)
        found = at.astimezone(UTC)
        if found > now:
            found = (at - timedelta(days=1)).replace(fold=0).astimezone(UTC)  # by the calendar there
        return found


def _zone(name: str) -> tzinfo:
    """UTC needs no database. Raises LookupError, OSError, ValueError."""
    return UTC if name == "UTC" else ZoneInfo(name)


def read_daily(raw: object) -> DailyTime:
    """Read "08:00 Europe/Berlin"."""
    if not isinstance(raw, str):
        raise wrong(f"is {kind_of(raw)}, but a time and a time zone in quotes are needed", _EXAMPLE)
    found = _FORM.fullmatch(raw)
    if found is None:
        raise wrong("is not HH:MM and a time zone, with one blank between", _EXAMPLE)
    try:
        _zone(found[3])
    except (LookupError, OSError, ValueError):
        message = (
            "has a time zone that this machine does not know; names are those of /usr/share/zoneinfo, and UTC"
        )
        raise wrong(message, _EXAMPLE) from None
    return DailyTime(int(found[1]), int(found[2]), found[3])
