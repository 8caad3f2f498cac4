"""The status documents of all connections, read beside the cycles: a long write keeps nobody waiting."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Self

from syncd.answers.lists import lists
from syncd.answers.status import status
from syncd.errors import SyncdError
from syncd.ports import Store
from syncd.settings import ConnectionSettings
from syncd.wiring import open_for_status, utc_now

OpenToRead = Callable[[ConnectionSettings], AbstractContextManager[Store]]
_KEPT_FOR = 60.0
"""Seconds."""
READERS = 16
"""So many stores are kept open: each costs some 150 KB of memory and three descriptors."""


@dataclass
class _Reader:
    settings: ConnectionSettings
    store: Store
    opened: ExitStack
    since: float


class _OnThisMachine:
    """Opens stores as they lie here. Each file is checked as a whole once: that is too much for every scrape."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._checked: dict[str, tuple[int, int]] = {}

    @contextmanager
    def __call__(self, settings: ConnectionSettings) -> Iterator[Store]:
        there = _identity(settings.store_path)
        checked = there is not None and self._checked.get(settings.name) == there
        with open_for_status(settings, clock=self._clock, checked=checked) as store:
            if there is not None and there == _identity(settings.store_path):
                self._checked[settings.name] = there
            yield store


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


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
        self._opens: OpenToRead = opens or _OnThisMachine(clock)
        self._readers: dict[str, _Reader] = {}
        """The one used least recently first."""
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
                self._readers[settings.name] = self._readers.pop(settings.name)
                return known.store
            self._drop(settings.name)
        while len(self._readers) >= READERS:
            self._drop(next(iter(self._readers)))
        with ExitStack() as stack:
            store = stack.enter_context(self._opens(settings))
            self._readers[settings.name] = _Reader(settings, store, stack.pop_all(), time.monotonic())
        return store

    def _drop(self, name: str) -> None:
        reader = self._readers.pop(name, None)
        if reader is not None:
            reader.opened.close()
