"""Reading small files that a person named, whatever they turn out to be."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path


def _without_waiting(path: str, flags: int) -> int:
    # A named pipe must be an error and not a wait without end.
    return os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC)


def read_regular(path: Path, *, largest: int) -> bytes:
    """The bytes of a regular file, at most one more than `largest`. Raises OSError for everything else."""
    # The builtin, because pathlib has no opener.
    with open(path, "rb", opener=_without_waiting) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, "it is not a regular file")
        return file.read(largest + 1)
