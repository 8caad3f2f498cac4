"""How many writes are journalled ahead of the workers, and how many outcomes share one durable transaction.

A transaction costs a flush of the disk, a few milliseconds: one for each write would be slower than a quick target. And
rows of the audit trail that are written together take a third of the room, from so many on as are a `LOT`. A target
that is slower gets few writes ahead, so that a stop or a failure finds little under way.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from syncd.engine.writing.crew import Crew, Written
from syncd.engine.writing.unit import Outcome, Unit

LOT = 32
"""Writes; as many rows of the trail are a pack (`packs` of the store)."""
_LOT_SECONDS = 3.0
"""In which a lot has to be written, and what keeps the workers busy until it is journalled."""
_AHEAD_SECONDS = 0.25
_MOST = 32
"""Times the number of workers."""
_LINGERS = 0.05
"""Seconds that a finished write may wait for others to be stored with it; workers go on meanwhile. One that failed does
not wait: it counts at once.
"""


class Flight:
    """The writes of one phase. `patience`: seconds after which `finished` returns though nothing is."""

    def __init__(self, crew: Crew, workers: int, *, patience: float) -> None:
        self._crew = crew
        self._least = self._ahead = 2 * workers
        self._most = _MOST * workers
        self._workers = workers
        self._by_the_lot = False
        self._patience = patience
        self._under_way = 0
        self._since = time.monotonic()
        self._count = 0

    def take_off(self, unit: Unit) -> None:
        """One more write is under way until it is among the finished."""
        self._under_way += 1
        self._crew.give(unit)

    def room(self) -> int:
        """How many more may take off now; 0 until enough places are free."""
        free = self._ahead - self._under_way
        return free if free >= self._together else 0

    @property
    def _together(self) -> int:
        """So many share a transaction: a lot, or a quarter of all, or a half where that still leaves every worker four
        more.
        """
        share = self._ahead // 2 if self._ahead >= 4 * self._least else self._ahead // 4
        return max(1, share, LOT if self._by_the_lot else 0)

    def finished(self) -> list[Written]:
        """What has ended, in order; a few of them together where they end quickly. Raises what the work raised."""
        done, found = self._crew.take(self._patience), list[Written]()
        ends = time.monotonic() + _LINGERS
        enough, well = min(self._together, self._under_way), True
        while done is not None:
            found.append(done)
            well = well and _went_well(done[1])
            waits = well and len(found) < enough
            done = self._crew.take(ends - time.monotonic() if waits else 0.0)
        self._under_way -= len(found)
        self._count += len(found)
        return found

    def adjust(self, *, well: bool) -> None:
        """Looks further ahead the faster writes end; not at all further once some failed."""
        elapsed = time.monotonic() - self._since
        if not well:
            self._ahead, self._by_the_lot = self._least, False
        elif elapsed >= _AHEAD_SECONDS:
            rate = self._count / elapsed
            lot = LOT + self._workers + int(rate * 2 * _LINGERS)
            self._by_the_lot = lot <= min(self._most, rate * _LOT_SECONDS)
            wanted = max(self._least, int(rate * _AHEAD_SECONDS), lot if self._by_the_lot else 0)
            self._ahead = min(wanted, self._most)
            self._since, self._count = time.monotonic(), 0


def _went_well(outcomes: Sequence[Outcome]) -> bool:
    return all(outcome.error is None for outcome in outcomes)
