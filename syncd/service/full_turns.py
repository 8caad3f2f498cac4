"""When the next full cycle comes: what was asked for while one ran, how long one takes, and how often it failed."""

from __future__ import annotations

import time
from dataclasses import dataclass

from syncd.ports import LISTS_LAG

REST, LONG_REST = 1.0, 9.0
"""Between two full cycles lies so many times what one takes: a storm may take half of the time for full cycles, the
ends of imports, of which a directory has one each hour, a tenth.
"""
RETRY = (60.0, 300.0, 900.0, 1800.0)
"""Seconds after which a full cycle that failed is tried again, if its own turn does not come earlier."""


@dataclass
class FullTurns:
    """Times are readings of the monotonic clock and seconds."""

    again: bool = False
    """One was asked for while one ran, by a person or a probe."""
    rest: float | None = None
    """The System Log asked for one since the last one began: with this rest before it."""
    for_log: bool = False
    """The one that runs, or comes, reads from lists what the System Log would have named. They may lag behind it."""
    _began: float = 0.0
    _ended: float = 0.0
    _lasted: float = 0.0
    _failed: int = 0

    def begins(self) -> None:
        """A full turn comes now: what was asked for by then is part of it."""
        self.for_log |= self.rest is not None
        self.again, self.rest = False, None

    def reads(self) -> None:
        self._began = time.monotonic()

    def ended(self) -> None:
        self._ended = time.monotonic()
        self._lasted = self._ended - self._began

    def ask(self, rest: float) -> float:
        """Seconds until one that the System Log asks for may begin, when none runs."""
        self.rest = rest if self.rest is None else min(rest, self.rest)
        return max(0.0, self._ended + rest * self._lasted - time.monotonic())

    def after_this(self) -> float | None:
        """Seconds until the one that was asked for while this one ran, or until all lists show what this one was to
        find; None when neither is.
        """
        lagging, self.for_log = self.for_log, False
        if self.rest is not None:
            return max(1.0, self.rest * self._lasted)
        return LISTS_LAG.total_seconds() if lagging else None

    def retry(self, *, failed: bool) -> float | None:
        """Seconds until one that failed is tried again; None when it did not."""
        if not failed:
            self._failed = 0
            return None
        self._failed += 1
        return RETRY[min(self._failed, len(RETRY)) - 1]
