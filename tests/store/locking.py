"""Machines as the lock's tests need them: without file locks, with a clock that is only moved by the test."""

from __future__ import annotations

import errno
import fcntl
import os
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from syncd.errors import LockWatched
from syncd.ports import Store
from syncd.store import file_lock, lease

LASTS = timedelta(minutes=5)


@dataclass
class Steady:
    """The seconds of the one who watches."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now

    @classmethod
    def on(cls, patch: pytest.MonkeyPatch) -> Steady:
        made = cls()
        patch.setattr(lease, "steady", made)
        return made


def without_file_locks(patch: pytest.MonkeyPatch) -> None:
    """As an NFS mount does without a lock manager."""

    def flock(descriptor: int, operation: int) -> None:
        del descriptor, operation
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    patch.setattr(fcntl, "flock", flock)


def mounted_as(patch: pytest.MonkeyPatch, kind: str) -> None:
    """Every directory is on a file system of this type."""
    patch.setattr(file_lock, "file_system", lambda _path: kind)


@dataclass
class Watcher:
    """Looks each second whether a lock can be had."""

    store: Store
    steady: Steady
    every: float = 1.0

    def look(self, owner: str = "syncd sync") -> bool:
        """Whether it was had."""
        try:
            self.store.lock(owner, expires_in=LASTS)
        except LockWatched:
            return False
        return True

    def looks_for(self, seconds: float) -> bool:
        for _ in range(round(seconds / self.every)):
            if self.look():
                return True
            self.steady.now += self.every
        return self.look()


def rewrite_row(path: Path, change: str) -> None:
    """Changes the lock's row as another program would."""
    with closing(sqlite3.connect(path)) as conn, conn:
        conn.execute(change)
