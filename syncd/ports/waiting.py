"""The part of the store that remembers what is left alone, and what ends it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from collections.abc import Set as AbstractSet
from typing import Protocol

from syncd.core.waiting import REMEMBERED, Waiting


class Waits(Protocol):
    """What is left alone for now."""

    def waiting(self, kinds: Collection[str] = REMEMBERED) -> Sequence[Waiting]:
        """What is left alone for now, the oldest first; of these kinds."""
        ...

    def waiting_for(self, names: Collection[str]) -> AbstractSet[str]:
        """Keys of the objects that wait for one of these names (keys of `core.order`)."""
        ...

    def wait(
        self,
        found: Sequence[Waiting],
        *,
        over: Collection[tuple[str, str]] = (),
        failures_over: Collection[str] = (),
        freed: Collection[str] = (),
    ) -> None:
        """Remembers what is left alone; ends what is `over` (object key and kind), and failures, by object key, of
        wishes that nobody has any more. Whoever waits for a `freed` name is due at once. `settle` sees to that for the
        names that an outcome leaves.
        """
        ...
