"""The store of a connection that this worker owns, or watches: both implement `held_store.Held`."""

from __future__ import annotations

from dataclasses import dataclass

from syncd.ports import Store


@dataclass(frozen=True, slots=True)
class OwnedStore:
    """Whose it is, the database says in each transaction that writes; whether it may still be, the lease."""

    store: Store

    def verify(self) -> None:
        """See `held_store.Held`."""
        self.store.permit()

    def close(self) -> None:
        """See `held_store.Held`."""
        self.store.close()


@dataclass(frozen=True, slots=True)
class ReadStore:
    """It may be anybody's."""

    store: Store

    def verify(self) -> None:
        """See `held_store.Held`."""

    def close(self) -> None:
        """See `held_store.Held`."""
        self.store.close()
