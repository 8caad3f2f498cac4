"""Whose a store is: that a renamed settings file begins no second one, and that a copy is put back where it belongs."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from syncd.engine.facts import BELONGING, TARGET, belongs_elsewhere, belongs_here
from syncd.errors import ConfigurationError
from syncd.ports import Store
from syncd.settings import ConnectionSettings

if TYPE_CHECKING:
    from syncd.store.copies import Copied, Restored

Clock = Callable[[], datetime]


def refuse_a_second_store(settings: ConnectionSettings, clock: Clock) -> None:
    """Raises ConfigurationError where settings without a `name` would begin an empty store beside one of the same app
    and target: their file was renamed, and whoever left meanwhile would stay.
    """
    if settings.is_named or settings.store_path.exists():
        return
    from syncd.store.neighbours import neighbours  # noqa: PLC0415  (sqlite-utils)

    for name, found in neighbours(settings.store_path, (BELONGING.key, TARGET.key), clock):
        if belongs_here(found.get, settings):
            raise ConfigurationError(
                f"{settings.path} would begin an empty store {settings.store_path}, and beside it lies {name}.db"
                " of the same app and target: was the settings file renamed?",
                hint=f'write name = "{name}" into it to go on with that store,'
                f' or name = "{settings.name}" to begin a new one',
            )


def back_up(settings: ConnectionSettings, into: Path, clock: Clock) -> Copied:
    """See `store.copies.back_up`."""
    from syncd.store.copies import back_up  # noqa: PLC0415  (sqlite-utils)

    refuse_a_second_store(settings, clock)
    return back_up(settings.store_path, into, connection=settings.name, clock=clock)


def restore(settings: ConnectionSettings, source: Path, clock: Clock, *, by: str) -> Restored:
    """See `store.copies.restore`. Raises RefusedError for a copy of another app or target, too."""
    from syncd.store.copies import restore  # noqa: PLC0415  (sqlite-utils)

    def judge(store: Store) -> str:
        return belongs_elsewhere(store.recall, settings)

    return restore(source, settings.store_path, connection=settings.name, by=by, judge=judge, clock=clock)
