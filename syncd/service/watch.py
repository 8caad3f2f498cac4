"""Who watches the cycles of one connection in the daemon: the log, and whether anything moves at all."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from syncd.settings import ConnectionSettings

Event = Callable[..., None]

SILENCE_AT_MOST = 300.0
"""Seconds without a sign from a running cycle, beyond the waits it announced, until it counts as stuck."""


class Activity:
    """When a cycle of this connection last gave a sign. Cycles wait for each other, so they share it.

    `patience` is the longest time in seconds for which one request may rightly stay unanswered.
    """

    def __init__(self, *, patience: float = 0.0) -> None:
        self.patience = patience
        self._lock = threading.Lock()
        self._until = time.monotonic()

    def sign(self, waiting: float = 0.0) -> None:
        """Something happened, and for so many seconds nothing need happen."""
        with self._lock:
            self._until = max(self._until, time.monotonic() + waiting)

    def is_stuck(self, now: float) -> bool:
        """`now` is a reading of the monotonic clock. Only asked while a cycle runs."""
        with self._lock:
            return now - self._until > SILENCE_AT_MOST + self.patience


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a cycle has come: `done` of `total` (None: nobody knows) in this phase."""

    phase: str = ""
    total: int | None = None
    done: int = 0


class Watch:
    """An Observer (`ports.Observer`) of one cycle. `waited` has the seconds it announced as waits, by side,
    `progress` how far it has come.
    """

    def __init__(self, event: Event, activity: Activity, **fields: object) -> None:
        self._event = event
        self._activity = activity
        self._fields = fields
        self._lock = threading.Lock()
        self.waited: dict[str, float] = {}
        self.progress = Progress()
        activity.sign()

    def phase(self, name: str, total: int | None = None) -> None:
        with self._lock:
            self.progress = Progress(name, total)
        self._activity.sign()

    def advance(self, count: int = 1) -> None:
        with self._lock:
            self.progress = replace(self.progress, done=self.progress.done + count)
        self._activity.sign()

    def event(self, level: str, event: str, **fields: object) -> None:
        seconds = fields.get("seconds")
        waiting = float(seconds) if isinstance(seconds, int | float) else 0.0
        self._activity.sign(waiting)
        if waiting and event.startswith("waiting for "):
            side = (
                "okta" if event == "waiting for Okta" else "target"
            )  # the metrics' word, whatever its flavor
            with self._lock:
                self.waited[side] = self.waited.get(side, 0.0) + waiting
        self._event(level, event, **{**self._fields, **fields})


def patience_of(settings: ConnectionSettings) -> float:
    """Seconds within which something has to move."""
    return max(settings.okta.timeout, settings.split.timeout).total_seconds()
