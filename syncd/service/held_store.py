"""The store of one connection and its writer's lock, held for as long as the daemon lives."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path

from syncd.errors import LockLost, RefusedError, SyncdError
from syncd.ports import Store
from syncd.redact import Redactor
from syncd.settings import ConnectionSettings
from syncd.store.keeping import at_once
from syncd.wiring import open_for_writing

OWNER = "syncd run"


class HeldStore:
    """`store` is None while there is none to work with; `trouble` then says why."""

    def __init__(self, clock: Callable[[], datetime], redactor: Redactor, stopping: threading.Event) -> None:
        self.store: Store | None = None
        self.trouble = ""
        self._clock = clock
        self._redactor = redactor
        self._stopping = stopping
        self._opened = ExitStack()
        self._path = Path()
        self._file: tuple[int, int] | None = None

    def open(self, settings: ConnectionSettings, *, patient: bool = False) -> None:
        """With `patient` another writer that may be gone is watched until that is known, or a stop is asked for.
        Raises SyncdError: RefusedError naming another writer, LockWatched, and what opening a store raises.
        """
        try:
            with ExitStack() as stack:
                opened = open_for_writing(
                    settings,
                    clock=self._clock,
                    owner=OWNER,
                    redactor=self._redactor,
                    wait=self._goes_on if patient else at_once,
                )
                store = stack.enter_context(opened)
                self._opened = stack.pop_all()
        except SyncdError as error:
            self.trouble = error.message
            raise
        self.store, self.trouble = store, ""
        self._path = settings.store_path
        self._file = _identity(self._path)

    def _goes_on(self, seconds: float) -> bool:
        return not self._stopping.wait(seconds)

    def look_after(self) -> None:
        """Raises LockLost when another process took the lock over, which it may when this one slept too long; and
        RefusedError when the file is another one now: the lock is in the file, so nobody else would see ours any more.
        """
        if self.store is None:
            return
        if _identity(self._path) != self._file:
            self.trouble = f"{self._path} was moved away or replaced while syncd run had it open"
            raise RefusedError(self.trouble, hint="stop syncd run before a store is moved or restored")
        try:
            self.store.permit()
        except LockLost as error:
            self.trouble = error.message
            raise
        except SyncdError:
            return  # a full disk, say: the cycle tells it better

    def close(self) -> None:
        """Raises SyncdError when the last page cannot be written."""
        self.store = None
        self._opened.close()


def _identity(path: Path) -> tuple[int, int] | None:
    """Device and inode; None where there is no such file."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
