"""Which cycles of one connection run now, and what has to wait until none does."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Act = Callable[[], None]


class Gate:
    """One cycle of each kind at a time, and none once `stopping` is set or the connection is retired.

    `again` is called with each kind of cycle that was turned away only because a change waited, once that is made.
    """

    def __init__(
        self, stopping: threading.Event, again: Callable[[str], object] = lambda _kind: None
    ) -> None:
        self._stopping = stopping
        self._again = again
        self._turned_away: set[str] = set()
        self._state = threading.Condition()
        self._running: set[str] = set()
        self._change: Act | None = None
        self._closing: Act | None = None

    @contextmanager
    def place(self, kind: str) -> Iterator[bool]:
        """Whether a cycle of this kind may run now. Settings and store stay as they are while it does."""
        mine = self._enter(kind)
        try:
            yield mine
        finally:
            if mine:
                self._leave(kind)

    def runs(self, kind: str) -> bool:
        """Whether a cycle of this kind is under way."""
        with self._state:
            return kind in self._running

    @property
    def running(self) -> int:
        """How many cycles are under way."""
        with self._state:
            return len(self._running)

    def change(self, act: Act) -> None:
        """`act` is done when nothing runs: now, or when the last cycle has ended. A later change replaces it."""
        with self._state:
            self._change = act
            if not self._running:
                self._changed()

    def retire(self, close: Act) -> None:
        """No cycle begins any more; `close` is done when the last one has ended."""
        with self._state:
            self._closing = close
            idle = not self._running
            self._state.notify_all()
        if idle:
            close()

    def wait_until_idle(self, deadline: float, tick: Act) -> bool:
        """False when a cycle still runs at this reading of the monotonic clock. `tick` is called meanwhile."""
        with self._state:
            while self._running and (left := deadline - time.monotonic()) > 0:
                self._state.wait(min(left, 0.2))
                tick()
            return not self._running

    def _enter(self, kind: str) -> bool:
        with self._state:
            while self._change and self._running and kind == "full" and not self._is_over():
                self._state.wait(0.5)  # it is the full cycle that the new settings are for
            if self._is_over() or kind in self._running:
                return False
            if self._change and self._running:
                self._turned_away.add(kind)
                return False
            self._running.add(kind)
            return True

    def _is_over(self) -> bool:
        return self._closing is not None or self._stopping.is_set()

    def _changed(self) -> None:
        act, self._change = self._change, None
        if act is not None:
            act()

    def _leave(self, kind: str) -> None:
        with self._state:
            self._running.discard(kind)
            if not self._running:
                self._changed()
            self._state.notify_all()
            close = None if self._running else self._closing
            again = set() if self._change or self._is_over() else set(self._turned_away)
            self._turned_away -= again
        for each in sorted(again):
            self._again(each)
        if close is not None:
            close()
