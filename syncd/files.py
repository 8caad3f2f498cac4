"""Reading a file that somebody named, whatever it turns out to be: the one way in for settings, secrets, certificates,
saved plans and fixtures.

Links are followed, because that is how secrets are mounted; what they lead to must be a regular file. Where links are
not followed (the store, what commands write) that is said there.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
from pathlib import Path
from typing import BinaryIO

_PIECE = 1024 * 1024
_KINDS = {
    stat.S_IFDIR: "a directory",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFLNK: "a symbolic link",
}


class NotRegularError(OSError):
    """Something else lies there; `strerror` says what."""


class TooLargeError(OSError):
    """It is larger than anything of its kind; `strerror` says how large that may be."""


def read_regular(path: Path, *, largest: int) -> bytes:
    """The bytes of a regular file of at most `largest` bytes, without waiting for anybody who would have to write it.

    Raises OSError, whose `strerror` is a cause in words: NotRegularError, TooLargeError, and the system's own.
    """
    try:
        # Before it is opened: opening a device may do something.
        _refuse_other_kinds(path.stat())
        # The builtin, because pathlib has no opener.
        with open(path, "rb", opener=_without_waiting) as file:
            found = os.fstat(file.fileno())
            _refuse_other_kinds(found)
            return _read(file, found.st_size, largest)
    except ValueError as error:
        raise OSError(errno.EINVAL, f"the path cannot be used: {error}") from None


def copy_regular(path: Path, into: BinaryIO) -> None:
    """The bytes of a regular file of any size, as `read_regular` reads one. Raises OSError, NotRegularError."""
    _refuse_other_kinds(path.stat())
    with open(path, "rb", opener=_without_waiting) as file:
        _refuse_other_kinds(os.fstat(file.fileno()))
        shutil.copyfileobj(file, into, _PIECE)


def _read(file: BinaryIO, size: int, largest: int) -> bytes:
    """To the end, which is not `size` in a file that grows, or in one of /proc, whose size is said to be 0."""
    pieces: list[bytes] = []
    left = largest - size
    if left >= 0:
        pieces.append(file.read(size))
        while left >= 0 and (more := file.read(min(_PIECE, left + 1))):
            pieces.append(more)
            left -= len(more)
    if left < 0:
        raise TooLargeError(errno.EFBIG, f"it is larger than {_size(largest)}")
    return b"".join(pieces)


def kind_of(mode: int) -> str:
    """What something of this `st_mode` is, with its article: "a named pipe"."""
    return _KINDS.get(stat.S_IFMT(mode), "a regular file")


def _without_waiting(path: str, flags: int) -> int:
    # A named pipe that took the file's place meanwhile must be an error and not a wait without end.
    return os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)


def _refuse_other_kinds(found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise NotRegularError(errno.EINVAL, f"it is {kind_of(found.st_mode)}, not a regular file")


def _size(number: int) -> str:
    for unit, size in (("GiB", 1024**3), ("MiB", 1024**2), ("KiB", 1024)):
        if number >= size and number % size == 0:
            return f"{number // size} {unit}"
    return f"{number} bytes"
