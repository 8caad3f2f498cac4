"""One safety limit as a value: a percent of what a connection manages, or a plain number."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

_PERCENT = re.compile(r"([0-9]{1,5}(?:\.[0-9]{1,3})?) ?%")
_NUMBER = re.compile(r"[0-9]{1,9}")
ALL = 100.0
"""Percent: no more of them can be taken away or changed than there are."""
GROWTH = 10_000.0
"""Percent: a limit of what is added may be more than what is there."""


@dataclass(frozen=True, slots=True)
class Limit:
    """Exactly one of `percent` (0 to `GROWTH`) and `number` (objects, 0 or more) is set."""

    percent: float | None = None
    number: int | None = None

    def __post_init__(self) -> None:
        if (self.percent is None) == (self.number is None):
            raise ValueError("a limit is either a percent or a number")
        if self.percent is not None and not 0 <= self.percent <= GROWTH:
            raise ValueError(f"a percent limit lies between 0% and {GROWTH:g}%")
        if self.number is not None and self.number < 0:
            raise ValueError("a limit cannot be negative")

    @classmethod
    def parse(cls, value: str | int, *, most: float = ALL) -> Self:
        """Read 40, "40", "10%" or "2.5%"; `most` is the highest percent. Raises ValueError with a sentence for anything
        else.
        """
        if isinstance(value, bool):
            raise ValueError("a limit is a number of objects or a percent, not true or false")  # noqa: TRY004
        if isinstance(value, int):
            return cls(number=value)
        if found := _PERCENT.fullmatch(value.strip()):
            if float(found[1]) > most:
                raise ValueError(f"this percent limit lies between 0% and {most:g}%")
            return cls(percent=float(found[1]))
        if _NUMBER.fullmatch(value.strip()):
            return cls(number=int(value))
        raise ValueError('a limit is a number of objects (40) or a percent ("10%")')

    def __str__(self) -> str:
        return str(self.number) if self.percent is None else f"{self.percent:g}%"
