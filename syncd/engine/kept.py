"""What the store keeps as text for the engine to read: an error of ours when that is no longer what was put there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from syncd.errors import PermanentError


@contextmanager
def readable(what: str) -> Iterator[None]:
    """`what` names it in words. Raises PermanentError."""
    try:
        yield
    except (ValueError, LookupError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise PermanentError(
            f"{what}, as the store keeps it, cannot be read ({type(error).__name__})",
            hint="somebody else wrote into the store: restore a backup of it, or move the file away; a new store finds "
            "everything again by externalId and userName without writing anything to the target",
        ) from error
