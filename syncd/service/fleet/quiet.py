"""The turn of a connection that was taken over: in its quiet time the target is neither asked nor written."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType

from syncd.errors import Stopped
from syncd.store.lease import elapsed

_A_WHILE = 1.0


class QuietTurn:
    """As a lock that may be had again by who has it, from the moment on when `seconds` are over by a clock that counts
    suspended time. Raises Stopped when a stop is asked for while it waits.
    """

    def __init__(
        self, seconds: float, stopping: threading.Event, clock: Callable[[], float] = elapsed
    ) -> None:
        self._clock, self._stopping = clock, stopping
        self._from = clock() + seconds if seconds > 0 else None
        self._turn = threading.RLock()

    @property
    def left(self) -> float:
        """Seconds until it may be had."""
        until = self._from
        return 0.0 if until is None else max(0.0, until - self._clock())

    def __enter__(self) -> None:
        while (left := self.left) > 0:
            if self._stopping.wait(min(left, _A_WHILE)):
                raise Stopped("stopped before what another worker left could be settled")
        self._from = None
        self._turn.acquire()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._turn.release()
