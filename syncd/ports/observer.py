"""Who watches a cycle."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol


class Observer(Protocol):
    """Who watches a cycle: logs, progress bars, metrics. Must never raise."""

    def phase(self, name: str, total: int | None = None) -> None:
        """A phase begins ("reading assignments", "writing"); `total` when it is known."""
        ...

    def advance(self, count: int = 1) -> None:
        """So many more of the phase's objects are done."""
        ...

    def event(self, level: str, event: str, **fields: object) -> None:
        """One structured log event; level is debug, info, warning or error."""
        ...


_WORTH_SAYING = 5.0
"""Seconds of waiting from which a person wants to know why nothing happens."""


def telling_waits(observer: Observer, side: str) -> Callable[[float, str], None]:
    """What is told of each wait, in seconds, and why."""

    def tell(seconds: float, reason: str) -> None:
        level = "warning" if seconds >= _WORTH_SAYING else "info"
        observer.event(level, f"waiting for {side}", seconds=round(seconds, 1), reason=reason)

    return tell
