"""What SIGHUP changes of `fleet.toml`: the table that counts against the one that was read now."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from syncd.settings.fleet import FleetTable

_AT_ONCE = frozenset({"capacity", "listen"})
"""The others are in what was made of them at the start: threads, sessions, and the lease that others reckon with."""


@dataclass(frozen=True, slots=True)
class Reread:
    """`at_once` and `at_next_start`: the keys that say something else than what counts."""

    table: FleetTable
    at_once: tuple[str, ...]
    at_next_start: tuple[str, ...]


class FleetFile:
    """`table` is what counts; of one thread."""

    def __init__(self, table: FleetTable, load: Callable[[], FleetTable]) -> None:
        """`load` reads it anew; raises ConfigurationError."""
        self.table = table
        self._load = load

    def reread(self) -> Reread:
        """Nothing of it counts yet. Raises ConfigurationError."""
        now = self._load()
        other = sorted(
            key for key in FleetTable.model_fields if getattr(now, key) != getattr(self.table, key)
        )
        return Reread(
            now,
            tuple(key for key in other if key in _AT_ONCE),
            tuple(key for key in other if key not in _AT_ONCE),
        )

    def counts(self, found: Reread, key: str) -> None:
        """From now on, as it was read."""
        self.table = self.table.model_copy(update={key: getattr(found.table, key)})
