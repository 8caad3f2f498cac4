"""Who watches a cycle."""

from __future__ import annotations

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
