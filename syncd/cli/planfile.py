"""What `apply FILE` reads."""

from __future__ import annotations

from pathlib import Path

from syncd.errors import UsageError
from syncd.files import NotRegularError, TooLargeError, read_regular

LARGEST = 2 * 1024**3
_MAKE_ONE = "Make one with: syncd plan -o FILE"


def read(path: Path) -> str:
    """The text of a saved plan. Raises UsageError when there is none to read."""
    try:
        return read_regular(path, largest=LARGEST).decode("utf-8")
    except UnicodeDecodeError:
        raise UsageError(f"{path} is no saved plan: it is not text", hint=_MAKE_ONE) from None
    except (NotRegularError, TooLargeError) as error:
        raise UsageError(f"{path} is no saved plan: {error.strerror}", hint=_MAKE_ONE) from None
    except OSError as error:
        raise UsageError(
            f"the plan {path} cannot be read: {error.strerror or error}", hint="Check the path."
        ) from None
