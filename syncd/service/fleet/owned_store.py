"""The store of a connection that this worker owns, or watches: all implement `held_store.Held`."""

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


class GoesBack:
    """A store whose connection goes back to the fleet when it is closed, unless something of it still runs."""

    def __init__(
        self,
        held: Held,
        *,
        lost: Callable[[], None],
        goes_back: Callable[[], None],
        is_idle: Callable[[], bool],
    ) -> None:
        """`lost` is called when it turns out that another worker owns the connection."""
        self._held, self._lost, self._goes_back, self._is_idle = held, lost, goes_back, is_idle

    @property
    def store(self) -> Store:
        return self._held.store

    def verify(self) -> None:
        try:
            self._held.verify()
        except LockLost:
            self._lost()
            raise

    def close(self) -> None:
        self._held.close()
        if self._is_idle():
            self._goes_back()
