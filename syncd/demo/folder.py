"""Where the demo writes: ./demo-output if it may, else a temporary directory. What an earlier demo left is replaced."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

NAME = "demo-output"
_MARK = ".syncd-demo"
"""Lies in every directory the demo made, and is locked while that demo runs."""


@contextmanager
def output_folder(parent: Path) -> Iterator[Path]:
    """An empty directory of mode 0700 for one run of the demo; it stays there afterwards.

    A directory of that name that the demo did not make, or that a demo is using right now, is left alone.
    """
    taken = _take(parent / NAME)
    folder = parent / NAME
    if taken is None:
        folder = Path(tempfile.mkdtemp(prefix="syncd-demo-"))
        taken = _take(folder)
    try:
        yield folder
    finally:
        if taken is not None:
            os.close(taken)


def _take(folder: Path) -> int | None:
    """The locked mark of the directory, emptied; None if it is not ours to use."""
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        if folder.is_symlink() or (any(folder.iterdir()) and not (folder / _MARK).is_file()):
            return None
        mark = os.open(folder / _MARK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError:
        return None
    try:
        fcntl.flock(mark, fcntl.LOCK_EX | fcntl.LOCK_NB)
        folder.chmod(0o700)
        for entry in folder.iterdir():
            if entry.name != _MARK:
                _remove(entry)
    except OSError:
        with suppress(OSError):
            os.close(mark)
        return None
    return mark


def _remove(entry: Path) -> None:
    if entry.is_dir() and not entry.is_symlink():
        shutil.rmtree(entry)
    else:
        entry.unlink()


def write_private(path: Path, text: str) -> None:
    """Writes a file that only its owner may read."""
    with suppress(FileNotFoundError):
        path.unlink()
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
