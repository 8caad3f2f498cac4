"""Renews the writer's locks that this process holds: a few threads for all stores, however many they are.

A store that is slow to answer keeps one thread busy and no other lock from being renewed, up to `THREADS_AT_MOST` of
them; whoever writes renews its own lock besides (`Store.permit`).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from syncd.errors import LockLost, SyncdError

THREADS_AT_MOST = 4


class Renewable(Protocol):
    """Of a store only its lock."""

    def renew_lock(self) -> None: ...


@dataclass(eq=False)
class _Kept:
    """`due` is a reading of the monotonic clock; `busy` while a thread renews it."""

    store: Renewable
    every: float
    due: float
    busy: bool = False
    lost: bool = False


class Renewals:
    """Threads begin with the first lock and end after the last one."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._kept: set[_Kept] = set()
        self._threads = 0

    @contextmanager
    def of(self, store: Renewable, every: float) -> Iterator[None]:
        """Keeps the lock alive while the block lasts; one that was lost stops the next write by itself. No renewal is
        under way any more when it ends.
        """
        kept = _Kept(store, every, time.monotonic() + every)
        with self._changed:
            self._kept.add(kept)
            if self._threads < min(THREADS_AT_MOST, len(self._kept)):
                self._threads += 1
                threading.Thread(target=self._work, name="lock-renewal", daemon=True).start()
            self._changed.notify_all()
        try:
            yield
        finally:
            with self._changed:
                self._kept.discard(kept)
                self._changed.notify_all()
                self._changed.wait_for(lambda: not kept.busy)

    def _work(self) -> None:
        while (kept := self._next()) is not None:
            try:
                kept.store.renew_lock()
            except LockLost:
                kept.lost = True
            except SyncdError:
                pass  # a disk that is full for a while is no reason to let go of it
            finally:
                with self._changed:
                    kept.busy, kept.due = False, time.monotonic() + kept.every
                    self._changed.notify_all()

    def _next(self) -> _Kept | None:
        """The next one that is due, once it is; None when there is nothing left to keep."""
        with self._changed:
            while self._kept:
                idle = [each for each in self._kept if not (each.busy or each.lost)]
                first = min(idle, key=lambda each: each.due, default=None)
                wait = None if first is None else first.due - time.monotonic()
                if first is not None and wait is not None and wait <= 0:
                    first.busy = True
                    return first
                self._changed.wait(wait)
            self._threads -= 1
            return None


RENEWALS = Renewals()
"""Of this process."""
