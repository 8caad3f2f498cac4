"""Two views of one lock's age, each by its own process's clock: the owner's, and that of who would take it over.

Nobody compares a time that another process wrote down with a clock of its own: clocks are set, and two machines never
agreed. Both count seconds. The owner stops believing in its lock after half of its time, so what it sent until then has
the other half to arrive; who would take it over has to see no renewal for the whole of it.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime, timedelta

from syncd.errors import LockLost
from syncd.store.process import Holder

_GAP_AT_MOST = 3.0
"""Seconds that count between two looks. Who looks stood still in a longer gap, and the owner perhaps with it."""
_DUE = 8
"""A transaction renews the lock by the way once this part of its time is over."""


def elapsed() -> float:
    """Seconds by a clock that goes on while this process is stopped and while the machine sleeps (Linux: boot time)."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def steady() -> float:
    """Seconds by a clock that nobody sets, and that stands still while the machine, and the owner on it, sleeps."""
    return time.monotonic()


class Lease:
    """What this process knows of its lock without asking the store, so that it can be looked at before each request.

    The wall clock is looked at as well: it is the one that jumps when a virtual machine was paused. In doubt the store
    is asked; no clock alone ends a lease.
    """

    def __init__(self, holder: Holder, lasts: timedelta, now: datetime, reading: float) -> None:
        """`now` and `reading` (of `elapsed`) are from before the lock was taken: what came in between counts."""
        self.holder = holder
        self.lasts = lasts
        self.ended: LockLost | None = None
        """Set once it was seen to be lost."""
        self.renewed(now, reading)

    def renewed(self, now: datetime, reading: float) -> None:
        """`now` by the wall clock, `reading` by the monotonic one, in seconds."""
        self._now, self._reading = now, reading

    @property
    def age(self) -> float:
        """Seconds since the last renewal."""
        return elapsed() - self._reading

    def is_due(self) -> bool:
        """Renewed so long ago that it is to be renewed now."""
        return self.age >= self.lasts.total_seconds() / _DUE

    def in_doubt(self, now: datetime) -> bool:
        """Half of its time has passed by either clock: the store is asked before the next request."""
        half = self.lasts / 2
        return abs(now - self._now) >= half or self.age >= half.total_seconds()


@dataclass(frozen=True, slots=True)
class Sighting:
    """Another's lock, as it was seen at one look after the other: unchanged for `missing` seconds of looking."""

    mark: tuple[str, int, str]
    looked: float
    missing: float = 0.0

    def again(self, looked: float) -> Sighting:
        """The same mark once more; `looked` is a reading of `steady`."""
        gap = min(max(looked - self.looked, 0.0), _GAP_AT_MOST)
        return Sighting(self.mark, looked, self.missing + gap)
