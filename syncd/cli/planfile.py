"""What `apply FILE` reads."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from syncd.errors import UsageError

LARGEST = 2 * 1024**3


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
