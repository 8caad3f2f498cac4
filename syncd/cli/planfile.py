"""What `apply FILE` reads."""

from __future__ import annotations

from pathlib import Path

from syncd.errors import UsageError
from syncd.files import NotRegularError, TooLargeError, read_regular

LARGEST = 2 * 1024**3
_LARGE = 16 * 1024**2
"""Bytes: a longer file is decoded, which takes many times its length, only if it says anywhere what it is."""
_SCHEMA = b'"syncd.plan/'
_MAKE_ONE = "Make one with: syncd plan -o FILE"


def read(path: Path) -> str:
    """The text of a saved plan. Raises UsageError when there is none to read."""
    try:
        raw = read_regular(path, largest=LARGEST)
        if len(raw) > _LARGE and _SCHEMA not in raw:
            raise UsageError(f"{path} is no saved plan: it is another document", hint=_MAKE_ONE)
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        raise UsageError(f"{path} is no saved plan: it is not text", hint=_MAKE_ONE) from None
    except (NotRegularError, TooLargeError) as error:
        raise UsageError(f"{path} is no saved plan: {error.strerror}", hint=_MAKE_ONE) from None
    except OSError as error:
        raise UsageError(
            f"the plan {path} cannot be read: {error.strerror or error}", hint="Check the path."
        ) from None
