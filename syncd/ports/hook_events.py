"""What event hooks name waits in the fleet's database: any worker puts it there, the connection's owner takes it up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Protocol

from syncd.model import LogEvent
from syncd.ports.fleet import Ownership


@dataclass(frozen=True, slots=True)
class WaitingEvents:
    """Of one connection; `places` are those that all of it has in the database. `left_out`: names for which there was
    no room; `unreadable`: rows that nobody can read. What these named is left to the System Log.
    """

    places: Sequence[int]
    events: Sequence[LogEvent]
    left_out: int = 0
    unreadable: int = 0


class HookEvents(Protocol):
    """Every act is one transaction, and may raise TemporaryError: the database was not to be had."""

    def put(self, org: str, events: Sequence[LogEvent]) -> None:
        """For each connection of this org that is not paused; their owners are told, also of how many names had no room
        there. Raises TemporaryError also where no connection has room for more.
        """
        ...

    def heard(self, seconds: float) -> AbstractSet[int]:
        """Connections for which something was put there meanwhile; waits so long for the first. Of one thread. When it
        raises, something may have been put there that nobody heard of.
        """
        ...

    def waiting(self, connections: Iterable[int]) -> Mapping[int, WaitingEvents]:
        """What waits for these, by connection."""
        ...

    def taken(self, ownership: Ownership, places: Sequence[int]) -> None:
        """Its store has it now, so it waits no more. Not where another worker owns it by now."""
        ...

    def remembered(self, org: str, key: str) -> Sequence[str]:
        """What the stores of this org's connections remember under this key."""
        ...
