"""What a person says will come: a limit that is raised for a window ahead, so that an honest great day is not held."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Self


@dataclass(frozen=True, slots=True)
class Expectation:
    """At most `number` of what the limit counts, in all between `begins` and `ends` (UTC, the latter not included)."""

    id: str
    limit: str
    number: int
    begins: datetime
    ends: datetime
    by: str
    at: datetime
    reason: str

    @classmethod
    def of_days(
        cls, limit: str, number: int, first: date, last: date, *, by: str, at: datetime, reason: str
    ) -> Self:
        """From the beginning of the first day to the end of the last one, both in UTC."""
        begins = datetime.combine(first, time(), UTC)
        ends = datetime.combine(last, time(), UTC) + timedelta(days=1)
        said = f"{limit}={number} {begins} {ends} {by} {at} {reason}"
        made = "e" + hashlib.blake2b(said.encode(), digest_size=6).hexdigest()
        return cls(made, limit, number, begins, ends, by, at, reason)

    def in_force(self, now: datetime) -> bool:
        """Whether its days have begun and are not over."""
        return self.begins <= now < self.ends

    @property
    def last_day(self) -> date:
        """In UTC; `ends` is the beginning of the next one."""
        return (self.ends - timedelta(days=1)).date()


def widest(expected: Iterable[Expectation], now: datetime) -> Mapping[str, Expectation]:
    """By limit, of those in force the one that expects most."""
    found: dict[str, Expectation] = {}
    for each in expected:
        known = found.get(each.limit)
        if each.in_force(now) and (known is None or each.number > known.number):
            found[each.limit] = each
    return found
