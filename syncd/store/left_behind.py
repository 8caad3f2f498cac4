"""A store that moved elsewhere stays where it was, and says where it went: nobody goes on with it by mistake."""

from __future__ import annotations

from syncd.errors import ConfigurationError
from syncd.store import state
from syncd.store.db import Db

MOVED_TO = "moved_to"
"""In `meta` of a store that is left behind: where it is now, in words."""


def leave_behind(source: Db, place: str) -> None:
    """From now on whoever opens it is told that it is at `place`."""
    state.set_meta(source, MOVED_TO, place)


def refuse_moved(db: Db, named: str) -> None:
    """Raises ConfigurationError when this store was left behind."""
    place = state.get_meta(db, MOVED_TO)
    if place is not None:
        raise ConfigurationError(
            f"{named} was moved to {place}, and is not used any more",
            hint="work with that one; what is here is as it was when it moved",
        )
