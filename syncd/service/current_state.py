"""The state that one connection of the daemon is in now (`connection_state`), and its store: what becomes of the store
changes the state.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime

from syncd.core.sickness import Quarantine
from syncd.engine.writing import quarantine
from syncd.errors import LockLost, RefusedError, SyncdError
from syncd.ports import Store
from syncd.redact import Redactor
from syncd.service.connection_state import (
    Closed,
    FoundSick,
    FoundWell,
    NoStore,
    Quarantined,
    State,
    StateEvent,
    StoreFoundOurs,
    StoreFoundTakenOver,
    StoreNotOpened,
    StoreOpened,
    StoreReleased,
    TakenOver,
    WithStore,
    after,
)
from syncd.service.held_store import Held, HeldStore, Opens
from syncd.settings import ConnectionSettings
from syncd.store.keeping import at_once


class CurrentState:
    """May be asked, and told what happened, from any thread."""

    def __init__(self, clock: Callable[[], datetime], redactor: Redactor, stopping: threading.Event) -> None:
        self.opens: Opens = lambda settings, wait: HeldStore.open(
            settings, clock=clock, redactor=redactor, wait=wait
        )
        self._stopping = stopping
        self._lock = threading.Lock()
        self._state: State = NoStore()

    @property
    def state(self) -> State:
        return self._state

    @property
    def store(self) -> Store | None:
        held = self._held()
        return None if held is None else held.store

    @property
    def trouble(self) -> str:
        """Why there is no store to work with; "" when there is."""
        state = self._state
        return state.trouble if isinstance(state, NoStore | TakenOver) else ""

    @property
    def sick(self) -> str:
        """Why the connection is in quarantine; "" when it is in none."""
        state = self._state
        return state.quarantine.reason if isinstance(state, Quarantined) else ""

    @property
    def is_closed(self) -> bool:
        """The connection was taken out, and its last cycle has ended."""
        return isinstance(self._state, Closed)

    def happened(self, event: StateEvent) -> None:
        with self._lock:
            self._state = after(self._state, event)

    def open_store(self, settings: ConnectionSettings, *, patient: bool) -> None:
        """With `patient` another writer that may be gone is watched until that is known, or a stop is asked for.
        Raises what `opens` raises.
        """
        try:
            held = self.opens(settings, self._goes_on if patient else at_once)
        except SyncdError as error:
            self.happened(StoreNotOpened(error.message))
            raise
        self.happened(StoreOpened(held))

    def _goes_on(self, seconds: float) -> bool:
        return not self._stopping.wait(seconds)

    def verify_store(self) -> None:
        """Raises what `Held.verify` raises; nothing where there is no store."""
        held = self._held()
        if held is None:
            return
        try:
            held.verify()
        except (LockLost, RefusedError) as error:
            self.happened(StoreFoundTakenOver(error.message))
            raise
        self.happened(StoreFoundOurs())

    def rest(self) -> None:
        """See `Store.rest`; nothing where there is no store."""
        if (store := self.store) is not None:
            store.rest()

    def read_quarantine(self) -> Quarantine | None:
        """What the store knows of a quarantine; None also where there is no store. Raises PermanentError when it cannot
        be read.
        """
        store = self.store
        if store is None:
            return None
        sick = quarantine.current(store)
        self.happened(FoundWell() if sick is None else FoundSick(sick))
        return sick

    def release_store(self) -> None:
        """Nobody finds it any more from here on. Raises SyncdError when its last page cannot be written."""
        held = self._held()
        self.happened(StoreReleased())
        if held is not None:
            held.close()

    def _held(self) -> Held | None:
        state = self._state
        return state.held if isinstance(state, WithStore) else None
