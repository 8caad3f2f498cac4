"""What to raise for a file beside or of a store that the system does not let us use."""

from __future__ import annotations

from pathlib import Path

from syncd.errors import ConfigurationError


def not_writable(path: Path, cause: Exception) -> ConfigurationError:
    """Where the system, or a database through it, refuses a write: with its words in short."""
    return ConfigurationError(
        f"the store {path} cannot be written: {_in_short(cause)}",
        hint="give the user that runs syncd write access to the file and its directory,"
        " or set `state` to a directory that it may write",
    )


def not_readable(path: Path, cause: Exception) -> ConfigurationError:
    """Where the system, or a database through it, refuses a read: with its words in short."""
    return ConfigurationError(
        f"the store {path} cannot be read: {_in_short(cause)}",
        hint="run syncd as the user that owns the file, or as root, who may read it too",
    )


def _in_short(cause: Exception) -> str:
    return cause.strerror if isinstance(cause, OSError) and cause.strerror else str(cause)
