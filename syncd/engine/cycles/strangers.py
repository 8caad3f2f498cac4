"""How many names that the store does not know are asked of Okta because event hooks name them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

AT_ONCE = 50
"""So many names that turn out to be nothing are asked for one after the other."""
ONE_MORE_EVERY = 60.0
"""Seconds until one more may be."""


class StrangerBudget:
    """Of one org, for all its connections. Who turns out to be ours uses nothing up. Thread-safe; `clock` is the
    monotonic one.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._left = float(AT_ONCE)
        self._at = clock()
        self._is_short = False

    def take(self) -> bool:
        """Whether one more may be asked for; its share is gone until it is given back."""
        with self._lock:
            self._refill()
            if self._left < 1.0:
                self._is_short = True
                return False
            self._left -= 1.0
            return True

    def give_back(self) -> None:
        """One who was asked for is ours."""
        with self._lock:
            self._left = min(float(AT_ONCE), self._left + 1.0)

    @property
    def is_short(self) -> bool:
        """Somebody was not asked for, and not half of it has come back since."""
        with self._lock:
            self._refill()
            return self._is_short

    def _refill(self) -> None:
        now = self._clock()
        self._left = min(float(AT_ONCE), self._left + (now - self._at) / ONE_MORE_EVERY)
        self._at = now
        self._is_short = self._is_short and self._left < AT_ONCE / 2


class StrangerBudgets:
    """Of each org that this process asks. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._orgs: dict[str, StrangerBudget] = {}

    def of(self, org: str) -> StrangerBudget:
        """Made when it is first asked for."""
        with self._lock:
            return self._orgs.setdefault(org, StrangerBudget())
