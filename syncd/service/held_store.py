"""The store of one connection and its writer's lock, held for as long as the daemon lives."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol, Self

from syncd.errors import LockLost, RefusedError, SyncdError
from syncd.ports import Store
from syncd.redact import Redactor
from syncd.settings import ConnectionSettings
from syncd.wiring import open_for_writing

OWNER = "syncd run"


class Held(Protocol):
    """A store that is ours to write for as long as it is open."""

    @property
    def store(self) -> Store: ...

    def verify(self) -> None:
        """Raises LockLost when it is another's now, RefusedError when it is another store now."""
        ...

    def close(self) -> None:
        """Raises SyncdError when the last page cannot be written."""
        ...


Opens = Callable[[ConnectionSettings, Callable[[float], bool]], Held]
"""Opens the store of a connection; the other argument waits for so many seconds, and says whether to go on."""


@dataclass(frozen=True, slots=True)
class HeldStore:
    """`store` is open, and was ours when that was last asked."""

    store: Store
    _path: Path
    _file: tuple[int, int] | None
    _opened: ExitStack

    @classmethod
    def open(
        cls,
        settings: ConnectionSettings,
        *,
        clock: Callable[[], datetime],
        redactor: Redactor,
        wait: Callable[[float], bool],
    ) -> Self:
        """Another writer that may be gone is watched for as long as `wait` (seconds) answers True. Raises SyncdError:
        RefusedError naming another writer, LockWatched, and what opening a store raises.
        """
        with ExitStack() as stack:
            opened = open_for_writing(
                settings, clock=clock, owner=OWNER, redactor=redactor, wait=wait, serves=True
            )
            store = stack.enter_context(opened)
            store.rest()  # until its first cycle
            path = settings.store_path
            return cls(store, path, _identity(path), stack.pop_all())

    def verify(self) -> None:
        """Raises LockLost when another process took the lock over, which it may when this one slept too long; and
        RefusedError when the file is another one now: the lock is in the file, so nobody else would see ours any more.
        """
        if _identity(self._path) != self._file:
            trouble = f"{self._path} was moved away or replaced while syncd run had it open"
            raise RefusedError(trouble, hint="stop syncd run before a store is moved or restored")
        try:
            self.store.permit()
        except LockLost:
            raise
        except SyncdError:
            return  # a full disk, say: the cycle tells it better

    def close(self) -> None:
        """See `Held.close`."""
        self._opened.close()


def _identity(path: Path) -> tuple[int, int] | None:
    """Device and inode; None where there is no such file."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
