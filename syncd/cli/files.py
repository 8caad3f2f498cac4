"""Files that a command writes: only their owner may read them, and they are whole or not there."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from syncd.errors import PermanentError, UsageError

if TYPE_CHECKING:
    from syncd.settings import ConnectionSettings


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

    def spare(self, settings: ConnectionSettings) -> None:
        """Raises PermanentError when it is a file that syncd lives on: the store or what lies beside it, the settings,
        or what they name; under whatever name.
        """
        from syncd.custody import is_of_a_store  # noqa: PLC0415  (the engine)

        named = [settings.path, settings.okta.ca_file, settings.split.ca_file]
        named += [ref.named for _, ref in settings.secrets()]
        if is_of_a_store(self.path, settings) or any(_same(self.path, each) for each in named if each):
            raise PermanentError(
                f"{self.path} is a file of syncd's own; {self.what} does not replace it",
                hint="Name another file.",
            )

    def write(self, pieces: Iterable[str]) -> None:
        """As `write_bytes`, in UTF-8."""
        self.write_bytes(piece.encode() for piece in pieces)

    def write_bytes(self, pieces: Iterable[bytes]) -> None:
        """Replaces the file in one step, mode 0600; nothing of it changes when the pieces end in an error.

        Raises PermanentError when it cannot be written.
        """
        beside = self.path.with_name(f".{self.path.name}.{secrets.token_hex(4)}")
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            descriptor = os.open(beside, flags, 0o600)
            try:
                with os.fdopen(descriptor, "wb") as file:
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


def _same(path: Path, other: Path) -> bool:
    """One file by two names, or one name in one directory, whether anything is there or not."""
    with contextlib.suppress(OSError):
        if path.samefile(other):
            return True
    with contextlib.suppress(OSError):
        return path.name == other.name and path.parent.samefile(other.parent)
    return False
