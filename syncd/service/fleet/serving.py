"""What a worker owns, and who serves it."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Protocol

from syncd.ports.fleet import Ownership
from syncd.ports.permit import Permit
from syncd.settings import ConnectionSettings


@dataclass(frozen=True, slots=True)
class Holding:
    """A connection that is to be served, as its settings are now. `permit` is of the lease that it was taken under."""

    ownership: Ownership
    settings: ConnectionSettings
    permit: Permit


class Serving(Protocol):
    """Who serves what is owned."""

    def reload(self) -> None:
        """What is owned has changed."""
        ...

    def woken(self, connections: AbstractSet[int]) -> None:
        """Somebody asked for something there."""
        ...

    def busy(self) -> frozenset[str]:
        """Names of connections of which a cycle runs, and of those that are not closed yet though nobody holds them."""
        ...

    def waiting(self) -> Sequence[int]:
        """Numbers of the connections that it serves, those first whose last delta lies longest ago."""
        ...

    def not_begun(self) -> int:
        """How many connections are owned for which nothing was done yet."""
        ...
