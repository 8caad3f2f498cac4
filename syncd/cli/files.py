"""Files that a command writes: only their owner may read them, and they are whole or not there."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from collections.abc import Iterable
from pathlib import Path

from syncd.errors import PermanentError, UsageError


class OutputFile:
    """A file to write to; `what` names its contents ("the plan"). Raises UsageError or PermanentError at once when it
    could never be written.
    """

    def __init__(self, path: Path, what: str, *, instead: str) -> None:
        """`instead`: what to do to get it on stdout."""
        self.path, self.what = path, what
        if str(path) == "-":
            raise UsageError("-o - names no file", hint=instead)
        try:
            mode = path.lstat().st_mode
        except FileNotFoundError:
            mode = stat.S_IFREG
        except (OSError, ValueError) as error:
            raise self._unwritable(error) from None
        if stat.S_ISLNK(mode):
            raise PermanentError(
                f"{path} is a symbolic link; {what} is not written through it",
                hint="Name another file; a link is not followed.",
            )
        if not stat.S_ISREG(mode):
            raise PermanentError(f"{path} exists and is no plain file", hint="Name another file.")
        if not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
            raise PermanentError(
                f"{path} cannot be written: its directory is missing or not writable",
                hint="Name another file, or create the directory.",
            )

    def write(self, pieces: Iterable[str]) -> None:
        """Replaces the file in one step, mode 0600; nothing of it changes when the pieces end in an error.

        Raises PermanentError when it cannot be written.
        """
        beside = self.path.with_name(f".{self.path.name}.{secrets.token_hex(4)}")
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            descriptor = os.open(beside, flags, 0o600)
            try:
                with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
                    file.writelines(pieces)
                    file.flush()
                    os.fsync(file.fileno())
                beside.replace(self.path)
            except BaseException:
                with contextlib.suppress(OSError):
                    beside.unlink()
                raise
        except OSError as error:
            raise self._unwritable(error) from error

    def _unwritable(self, error: Exception) -> PermanentError:
        cause = getattr(error, "strerror", None) or str(error)
        return PermanentError(
            f"{self.what} cannot be written to {self.path}: {cause}", hint="Name another file."
        )
