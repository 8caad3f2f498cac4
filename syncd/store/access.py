"""What is said of a file of the store that may not be written, whatever the store is kept with."""

from __future__ import annotations

from pathlib import Path

from syncd.errors import ConfigurationError


def not_writable(path: Path, cause: Exception) -> ConfigurationError:
    """What to raise where the system refuses a write, with its words in short."""
    detail = cause.strerror if isinstance(cause, OSError) and cause.strerror else str(cause)
    return ConfigurationError(
        f"the store {path} cannot be written: {detail}",
        hint="give the user that runs syncd write access to the file and its directory,"
        " or set `state` to a directory that it may write",
    )
