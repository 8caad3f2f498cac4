"""A store that moved elsewhere stays where it was, and says where it went: nobody goes on with it by mistake."""

from __future__ import annotations

from syncd.errors import StoreMoved
from syncd.store import state
from syncd.store.db import Db

MOVED_TO = "moved_to"
"""In `meta` of a store that is left behind: where it is now, in words."""


def leave_behind(source: Db, place: str) -> None:
    """From now on whoever opens it is told that it is at `place`."""
    state.set_meta(source, MOVED_TO, place)


def went_to(source: Db) -> str | None:
    """Where it is now, in words; None: it is here."""
    return state.get_meta(source, MOVED_TO)


def take_up_again(source: Db) -> None:
    """It is not left behind: it has not arrived anywhere."""
    source.execute("DELETE FROM main.meta WHERE key = ?", (MOVED_TO,))


def refuse_moved(db: Db, named: str) -> None:
    """Raises StoreMoved when this store was left behind."""
    place = went_to(db)
    if place is not None:
        raise StoreMoved(
            f"{named} was moved to {place}, and is not used any more",
            place=place,
            hint="work with that one; what is here is as it was when it moved",
        )
