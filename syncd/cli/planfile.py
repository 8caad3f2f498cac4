"""Where `plan -o` saves and what `apply FILE` reads: only the owner may read it, and it is whole or not there."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from syncd.errors import PermanentError, UsageError
from syncd.report import jsondoc

LARGEST = 2 * 1024**3


class PlanFile:
    """A file to save to. Raises UsageError or PermanentError at once when it could never be written."""

    def __init__(self, path: Path) -> None:
        self.path = path
        if str(path) == "-":
            raise UsageError("-o - names no file", hint="For the plan on stdout use --json.")
        try:
            mode = path.lstat().st_mode
        except FileNotFoundError:
            mode = stat.S_IFREG
        except (OSError, ValueError) as error:
            raise _unwritable(path, error) from None
        if stat.S_ISLNK(mode):
            raise PermanentError(
                f"{path} is a symbolic link; the plan is not written through it", hint="Name a plain file."
            )
        if not stat.S_ISREG(mode):
            raise PermanentError(f"{path} exists and is no plain file", hint="Name another file.")
        if not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
            raise PermanentError(
                f"{path} cannot be written: its directory is missing or not writable",
                hint="Create the directory, or name another file.",
            )

    def write(self, document: Mapping[str, Any]) -> None:
        """Replaces the file in one step, mode 0600; iterators in the document are written as they come.

        Raises PermanentError.
        """
        beside = self.path.with_name(f".{self.path.name}.{secrets.token_hex(4)}")
        try:
            descriptor = os.open(
                beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600
            )
            try:
                with os.fdopen(descriptor, "w", encoding="ascii") as file:
                    file.writelines(jsondoc.pieces(document))
                    file.flush()
                    os.fsync(file.fileno())
                beside.replace(self.path)
            except BaseException:
                with contextlib.suppress(OSError):
                    beside.unlink()
                raise
        except OSError as error:
            raise _unwritable(self.path, error) from error


def read(path: Path) -> str:
    """The text of a saved plan. Raises UsageError when there is none to read."""
    try:
        with path.open("rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode) or os.fstat(file.fileno()).st_size > LARGEST:
                raise UsageError(f"{path} is no saved plan", hint="Make one with: syncd plan -o FILE")
            return file.read().decode("utf-8")
    except UnicodeDecodeError:
        raise UsageError(
            f"{path} is no saved plan: it is not text", hint="Make one with: syncd plan -o FILE"
        ) from None
    except (OSError, ValueError) as error:
        cause = getattr(error, "strerror", None) or error
        raise UsageError(f"the plan {path} cannot be read: {cause}", hint="Check the path.") from None


def _unwritable(path: Path, error: Exception) -> PermanentError:
    cause = getattr(error, "strerror", None) or str(error)
    return PermanentError(f"the plan cannot be saved to {path}: {cause}", hint="Name another file.")
