"""The status documents of all connections, read beside the cycles: a long write keeps nobody waiting."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Self

from syncd.answers.lists import lists
from syncd.answers.status import status
from syncd.errors import SyncdError
from syncd.ports import Store
from syncd.settings import ConnectionSettings
from syncd.wiring import open_for_status, utc_now

OpenToRead = Callable[[ConnectionSettings], AbstractContextManager[Store]]
_KEPT_FOR = 60.0
"""Seconds. Opening checks the whole file, which is too much for every scrape."""


@dataclass
class _Reader:
    settings: ConnectionSettings
    store: Store
    opened: ExitStack
    since: float


class Statuses:
    """May be called from several threads. A store that cannot be read has no document."""

    def __init__(
        self,
        settings: Callable[[], Sequence[ConnectionSettings]],
        *,
        clock: Callable[[], datetime] = utc_now,
        opens: OpenToRead | None = None,
    ) -> None:
        """`opens`: a store to read, None: as it lies on this machine."""
        self._settings = settings
        self._clock = clock
        self._opens: OpenToRead = opens or partial(open_for_status, clock=clock)
        self._readers: dict[str, _Reader] = {}
        self._one_at_a_time = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        for name in list(self._readers):
            self._drop(name)

    def __call__(self) -> Sequence[Mapping[str, Any]]:
        with self._one_at_a_time:
            return self._documents()

    def lists(self, name: str) -> Mapping[str, Any] | None:
        """All that waits of one connection (`answers.lists`); None for one that is not served. Raises SyncdError."""
        settings = next((one for one in self._settings() if one.name == name), None)
        if settings is None:
            return None
        with self._one_at_a_time:
            return lists(self._store(settings), settings)

    def _documents(self) -> Sequence[Mapping[str, Any]]:
        wanted = {one.name: one for one in self._settings()}
        for name in self._readers.keys() - wanted.keys():
            self._drop(name)
        found = []
        for name, one in wanted.items():
            try:
                found.append(status(self._store(one), one, self._clock()))
            except SyncdError:
                self._drop(name)
        return found

    def _store(self, settings: ConnectionSettings) -> Store:
        known = self._readers.get(settings.name)
        if known is not None:
            if known.settings is settings and time.monotonic() - known.since < _KEPT_FOR:
                return known.store
            self._drop(settings.name)
        with ExitStack() as stack:
            store = stack.enter_context(self._opens(settings))
            self._readers[settings.name] = _Reader(settings, store, stack.pop_all(), time.monotonic())
        return store

    def _drop(self, name: str) -> None:
        reader = self._readers.pop(name, None)
        if reader is not None:
            reader.opened.close()
