"""What SQLite says, in sentences for people: what happened to which file, the likely cause, the next step."""

from __future__ import annotations

import errno
import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from syncd.core.canonical import Unreadable
from syncd.errors import ConfigurationError, PermanentError, SyncdError, TemporaryError
from syncd.store.unusable import not_writable

REBUILD = (
    "move the file (with its -wal and -shm) out of the way, or restore a backup;"
    " a new store finds whoever is assigned again by externalId and userName without writing anything to the target;"
    " whoever left is named by syncd drift alone"
)

_UNREADABLE = (Unreadable, json.JSONDecodeError, UnicodeDecodeError)
"""Only stored values are decoded here: what arrives from elsewhere is values already."""


def not_a_store(path: Path) -> ConfigurationError:
    """What to raise for a file that SQLite does not read, or that somebody else's program made."""
    return ConfigurationError(
        f"{path} is not a store of syncd",
        hint="the file is no SQLite database or was made by another program:"
        " move it away, or choose another state directory or connection name",
    )


def damaged(path: Path, detail: str) -> PermanentError:
    """What to raise for a store of ours that SQLite finds broken; `detail` is what it says."""
    return PermanentError(f"the store {path} is damaged: {detail}", hint=REBUILD)


def no_scratch(home: Path | None, cause: OSError | sqlite3.Error) -> SyncdError:
    """`home` is the directory for what a run needs only while it lasts, None when no usable one was found."""
    detail = cause.strerror if isinstance(cause, OSError) and cause.strerror else str(cause)
    place = (
        "the directory for temporary files" if home is None else f"the directory {home} for temporary files"
    )
    hint = "set TMPDIR to a directory with room that the user who runs syncd may write"
    if _is_full(cause):
        return PermanentError(
            f"the disk is full: {place} has no room",
            hint=f"make room there, or {hint}; what was not written to the target is still wanted",
        )
    return ConfigurationError(f"{place} cannot be used: {detail}", hint=hint)


def _is_full(cause: OSError | sqlite3.Error) -> bool:
    if isinstance(cause, OSError):
        return cause.errno in (errno.ENOSPC, errno.EDQUOT)
    return "full" in str(cause).lower()


def explain(path: Path, error: sqlite3.Error) -> SyncdError:
    """The error that says the same as SQLite's, with a way out."""
    text = str(error).lower()
    if "not a database" in text:
        return not_a_store(path)
    if "malformed" in text or "corrupt" in text:
        return damaged(path, str(error))
    if "full" in text:
        return PermanentError(
            f"the disk is full: the store {path} cannot record what is about to be written",
            hint="make room on that disk and run again; nothing is written to the target before it is recorded",
        )
    if "locked" in text or "busy" in text:
        return TemporaryError(
            f"another process keeps the store {path} locked",
            hint="wait for the other syncd (or sqlite3 shell) to finish",
        )
    if "readonly" in text or "read-only" in text or "unable to open" in text:
        return not_writable(path, error)
    if "disk i/o error" in text:
        return PermanentError(
            f"reading or writing the store {path} failed: {error}",
            hint="check the disk and the mount; network file systems do not work for SQLite in WAL mode",
        )
    return PermanentError(f"the store {path} failed: {error}", hint=REBUILD)


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turns `sqlite3.Error`, and what a stored value that is no JSON raises, into `SyncdError`; programming errors pass
    through as they are.
    """
    try:
        yield
    except _UNREADABLE as error:
        raise damaged(path, f"a value in it cannot be read: {error}") from error
    except (sqlite3.ProgrammingError, sqlite3.IntegrityError):
        raise
    except sqlite3.Error as error:
        raise explain(path, error) from error


@contextmanager
def explained_beside(home: Path, path: Path) -> Iterator[None]:
    """As `explained`, for work on temporary files in the directory `home` that reads the store `path` too."""
    with explained(path):
        try:
            yield
        except OSError as error:
            raise no_scratch(home, error) from error
        except (sqlite3.ProgrammingError, sqlite3.IntegrityError):
            raise
        except sqlite3.Error as error:
            text = str(error).lower()
            if any(word in text for word in ("full", "readonly", "read-only", "unable to open")):
                raise no_scratch(home, error) from error
            raise
