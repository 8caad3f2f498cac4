"""`full = { cron = "0 2 * * *", timezone = "Europe/Berlin" }`: the five fields of crontab(5) become a calendar."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated

from pydantic import BeforeValidator, InstanceOf, PlainSerializer
from pydantic_core import PydanticCustomError

from syncd.core.cron import Cron
from syncd.settings.suggest import nearest
from syncd.settings.values import kind_of, read_interval, text, wrong
from syncd.settings.windows import read_zone

_EXAMPLE = '{ cron = "0 2 * * *", timezone = "Europe/Berlin" }'
_KEYS = ("cron", "timezone")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_FIELDS: Sequence[tuple[str, int, int, Sequence[str]]] = (
    ("minute", 0, 59, ()),
    ("hour", 0, 23, ()),
    ("day of the month", 1, 31, ()),
    ("month", 1, 12, _MONTHS),
    ("weekday", 0, 7, _WEEKDAYS),
)
"""In their order: what it is, least, most, names from the least on."""
_PART = re.compile(r"(\*|[a-z0-9]+)(?:-([a-z0-9]+))?(?:/([0-9]{1,2}))?")


def read_cron(raw: Mapping[str, object]) -> Cron:
    """Raises PydanticCustomError."""
    for key in raw:
        if key not in _KEYS:
            meant = nearest(key, _KEYS)
            known = f'did you mean "{meant}"?' if meant else "known are cron and timezone"
            raise wrong(f"has an unknown key: {known}", _EXAMPLE)
    if "cron" not in raw:
        raise wrong("is a table without cron", _EXAMPLE)
    said = text(raw["cron"])
    fields = said.lower().split()
    if len(fields) != len(_FIELDS):
        raise wrong(
            f"has a cron with {len(fields)} fields; there are five: minute, hour, day of the month, month, weekday",
            _EXAMPLE,
        )
    minutes, hours, days, months, weekdays = (
        _field(field, *of) for field, of in zip(fields, _FIELDS, strict=True)
    )
    if fields[2] != "*" and fields[4] != "*":
        # crontab(5) fires where either holds, others where both do: nobody has to guess.
        raise wrong("names a day of the month and a weekday; leave one of them *", _EXAMPLE)
    made = Cron(
        " ".join(fields),
        minutes,
        hours,
        days,
        months,
        frozenset((day - 1) % 7 for day in weekdays),
        read_zone(text(raw.get("timezone", "UTC"))),
    )
    if made.after(datetime(2026, 1, 1, tzinfo=UTC)) is None:
        raise wrong("has a cron that never comes", _EXAMPLE)
    return made


def _field(said: str, what: str, least: int, most: int, names: Sequence[str]) -> frozenset[int]:
    found: set[int] = set()
    for part in said.split(","):
        match = _PART.fullmatch(part)
        if match is None:
            raise _unreadable(what)
        first, last, step = match[1], match[2], match[3]
        if first == "*":
            begin, end = least, most
        else:
            begin = _number(first, what, least, most, names)
            end = begin if last is None else _number(last, what, least, most, names)
            end = most if last is None and step is not None else end
            end = most if what == "weekday" and end < begin and end == least else end  # fri-sun
        if (first == "*" and last is not None) or end < begin or step in ("0", "00"):
            raise _unreadable(what)
        found |= set(range(begin, end + 1, int(step or 1)))
    return frozenset(found)


def _unreadable(what: str) -> PydanticCustomError:
    return wrong(f"has a cron whose {what} cannot be read: *, 5, 1-5, */15 or 1,15", _EXAMPLE)


def _number(said: str, what: str, least: int, most: int, names: Sequence[str]) -> int:
    if said in names:
        return names.index(said) + least
    if not said.isdigit() or not least <= int(said) <= most:
        shown = f"{least} to {most}" + (f", or {names[0]} to {names[-1]}" if names else "")
        raise wrong(f"has a cron whose {what} is none: {shown}", _EXAMPLE)
    return int(said)


def _turns(raw: object) -> object:
    if isinstance(raw, dict):
        return read_cron(raw)
    if isinstance(raw, list):
        raise wrong(f"is {kind_of(raw)}, but a duration or a table with cron is needed", _EXAMPLE)
    return read_interval(raw)


CronValue = Annotated[InstanceOf[Cron], PlainSerializer(str)]
read_turns = BeforeValidator(_turns)
