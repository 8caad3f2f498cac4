"""`schedule.windows`: "Mon-Fri 06:00-20:00 Europe/Berlin" becomes a window."""

from __future__ import annotations

import re
from typing import Annotated
from zoneinfo import ZoneInfo, available_timezones

from pydantic import BeforeValidator, InstanceOf, PlainSerializer

from syncd.core.windows import DAYS, MINUTES_A_DAY, Window
from syncd.settings.suggest import nearest
from syncd.settings.values import text, wrong

_EXAMPLE = '["Mon-Fri 06:00-20:00 Europe/Berlin"]'
_CLOCK = re.compile(r"([0-9]{1,2}):([0-9]{2})")


def read_zone(name: str) -> ZoneInfo:
    """A name of the IANA time zone database. Raises PydanticCustomError."""
    known = available_timezones()
    if name in known:
        return ZoneInfo(name)
    by_folded = {each.lower(): each for each in sorted(known)}
    meant = by_folded.get(name.lower()) or nearest(name, sorted(known))
    hint = f'did you mean "{meant}"?' if meant else "names are those of the IANA database, like Europe/Berlin"
    raise wrong(f"names no time zone that this machine knows: {hint}")


def read_window(raw: object) -> Window:
    """Days, hours and a time zone, with spaces between them. Raises PydanticCustomError."""
    parts = text(raw).split()
    if len(parts) == 2 and "-" in parts[1]:
        raise wrong(
            "does not say by which clock; a window ends with a time zone", f'["{" ".join(parts)} UTC"]'
        )
    if len(parts) != 3:
        raise wrong("is not a window: days, hours and a time zone, with spaces between them", _EXAMPLE)
    days, hours, zone = parts
    begins, dash, ends = hours.partition("-")
    if not dash:
        raise wrong("has no hours from-to in its middle", _EXAMPLE)
    first, last = _minute(begins), _minute(ends)
    if first == MINUTES_A_DAY:
        raise wrong("begins at 24:00; the day after it begins at 00:00", _EXAMPLE)
    if first == last:
        whole = f'["{days} 00:00-24:00 {zone}"]'
        raise wrong("begins and ends at the same time; a whole day is 00:00-24:00", whole)
    return Window(_days(days), first, last, read_zone(zone))


def _minute(said: str) -> int:
    found = _CLOCK.fullmatch(said)
    minute = int(found[1]) * 60 + int(found[2]) if found and int(found[2]) < 60 else None
    if minute is None or minute > MINUTES_A_DAY:
        raise wrong("has hours that are no times of a day (00:00 to 24:00)", _EXAMPLE)
    return minute


def _days(said: str) -> frozenset[int]:
    found: set[int] = set()
    for part in said.split(","):
        first, dash, last = part.partition("-")
        begin, end = _day(first), _day(last if dash else first)
        found |= {day % 7 for day in range(begin, (end if end >= begin else end + 7) + 1)}
    return frozenset(found)


def _day(said: str) -> int:
    for number, day in enumerate(DAYS):
        if said.lower() == day.lower():
            return number
    raise wrong(f"has days that are none: they are {', '.join(DAYS)}, alone, Mon,Wed or Mon-Fri", _EXAMPLE)


WindowValue = Annotated[InstanceOf[Window], BeforeValidator(read_window), PlainSerializer(str)]
