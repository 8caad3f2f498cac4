"""The store of a connection that this worker owns, or watches: both implement `held_store.Held`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from syncd.errors import LockLost
from syncd.ports import Store
from syncd.service.held_store import Held


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


class CountedStore:
    """Another one, of which is said when it is found `fenced`, and when it is `closed`."""

    def __init__(self, held: Held, *, fenced: Callable[[], object], closed: Callable[[], object]) -> None:
        self._held, self._fenced, self._closed = held, fenced, closed

    @property
    def store(self) -> Store:
        """See `held_store.Held`."""
        return self._held.store

    def verify(self) -> None:
        """See `held_store.Held`."""
        try:
            self._held.verify()
        except LockLost:
            self._fenced()
            raise

    def close(self) -> None:
        """See `held_store.Held`."""
        self._held.close()
        self._closed()
