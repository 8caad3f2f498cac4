"""How many writes are journalled ahead of the workers, and how many outcomes share one durable transaction.

A transaction costs a flush of the disk, a few milliseconds: one for each write would be slower than a quick target. A
slow target gets few writes ahead, so that a stop or a failure finds little under way.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import Future
from queue import Empty, SimpleQueue

from syncd.engine.writing.unit import Outcome

Write = Future[Sequence[Outcome]]

_AHEAD_SECONDS = 0.25
_MOST = 16
"""Times the number of workers."""
_LINGERS = 0.05
"""Seconds that a finished write may wait for others to be stored with it; workers go on meanwhile. One that failed does
not wait: it counts at once.
"""


class Flight:
    """The writes of one phase. `patience`: seconds after which `finished` returns though nothing is."""

    def __init__(self, workers: int, *, patience: float) -> None:
        self._least = self._ahead = 2 * workers
        self._most = _MOST * workers
        self._patience = patience
        self._done: SimpleQueue[Write] = SimpleQueue()
        self._under_way = 0
        self._since = time.monotonic()
        self._count = 0

    def take_off(self, write: Write) -> None:
        """One more write is under way until its future is done."""
        self._under_way += 1
        write.add_done_callback(self._done.put)

    def room(self) -> int:
        """How many more may take off now; 0 until enough places are free."""
        free = self._ahead - self._under_way
        return free if free >= self._together else 0

    @property
    def _together(self) -> int:
        """So many share a transaction: a quarter of all, or a half where that still leaves every worker four more."""
        return self._ahead // 2 if self._ahead >= 4 * self._least else max(1, self._ahead // 4)

    def finished(self) -> list[Write]:
        """What has ended, in order; a few of them together where they end quickly."""
        try:
            found = [self._done.get(timeout=self._patience)]
        except Empty:
            return []
        ends = time.monotonic() + _LINGERS
        enough = min(self._together, self._under_way)
        while len(found) < enough and _went_well(found[-1]) and (left := ends - time.monotonic()) > 0:
            try:
                found.append(self._done.get(timeout=left))
            except Empty:
                break
        while not self._done.empty():
            found.append(self._done.get())
        self._under_way -= len(found)
        self._count += len(found)
        return found

    def adjust(self, *, well: bool) -> None:
        """Looks further ahead the faster writes end; not at all further once some failed."""
        elapsed = time.monotonic() - self._since
        if not well:
            self._ahead = self._least
        elif elapsed >= _AHEAD_SECONDS:
            wanted = int(self._count / elapsed * _AHEAD_SECONDS)
            self._ahead = min(max(self._least, wanted), self._most)
            self._since, self._count = time.monotonic(), 0


def _went_well(write: Write) -> bool:
    return write.exception() is None and all(outcome.error is None for outcome in write.result())
