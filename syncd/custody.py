"""Whose a store is, and where: that a renamed settings file begins no second one, that a copy is put back where it
belongs, and what `check` says of the place.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from syncd.core.plan import timestamp
from syncd.engine.facts import BELONGING, PAUSE, RESTORED, TARGET, belongs_elsewhere, belongs_here
from syncd.errors import ConfigurationError
from syncd.ports import Store
from syncd.settings import ConnectionSettings

if TYPE_CHECKING:
    from syncd.store.sqlite.copies import Copied, Restored

Clock = Callable[[], datetime]
_LOCAL_DISK = "Set `state` to a directory on a local disk of the machine that runs syncd."


def refuse_a_second_store(settings: ConnectionSettings, clock: Clock) -> None:
    """Raises ConfigurationError where settings without a `name` would begin an empty store beside one of the same app
    and target: their file was renamed, and whoever left meanwhile would stay.
    """
    if settings.fleet is not None or settings.is_named or _is_there(settings.store_path):
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


def _is_there(path: Path) -> bool:
    """Raises ConfigurationError where that cannot be told."""
    from syncd.store.unusable import not_readable  # noqa: PLC0415

    try:
        return path.exists()
    except OSError as error:
        raise not_readable(path, error) from error


def is_of_a_store(path: Path, settings: ConnectionSettings) -> bool:
    """Whether the file is one that syncd has in the directory of this store, or would have under this name."""
    from syncd.store.private import is_ours  # noqa: PLC0415

    directory = settings.store_path.parent
    with suppress(OSError):
        if is_ours(path) and path.parent.samefile(directory):
            return True
        found = path.stat()
        return any(os.path.samestat(found, each.stat()) for each in directory.iterdir() if is_ours(each))
    return False


def back_up(settings: ConnectionSettings, into: Path, clock: Clock) -> Copied:
    """See `store.copies.back_up`."""
    from syncd.store.sqlite.copies import back_up  # noqa: PLC0415  (sqlite-utils)

    refuse_a_second_store(settings, clock)
    return back_up(settings.store_path, into, connection=settings.name, clock=clock)


def restore(settings: ConnectionSettings, source: Path, clock: Clock, *, by: str) -> Restored:
    """See `store.copies.restore`. Raises RefusedError for a copy of another app or target, too. Nothing is written from
    then on until a person has looked, and resumes.
    """
    from syncd.store.sqlite.copies import restore  # noqa: PLC0415  (sqlite-utils)

    def judge(store: Store) -> str:
        return belongs_elsewhere(store.recall, settings)

    return restore(
        source,
        settings.store_path,
        connection=settings.name,
        by=by,
        judge=judge,
        entries=lambda pause: dict([PAUSE.entry(pause), RESTORED.entry(timestamp(pause.since))]),
        clock=clock,
    )


def store_place(settings: ConnectionSettings, clock: Clock) -> str:
    """Where the store is, or will be. Raises ConfigurationError when neither it nor its directory can be written, or
    somebody else could.
    """
    from syncd.store.ownership import refuse_unsafe  # noqa: PLC0415
    from syncd.store.unusable import not_readable  # noqa: PLC0415

    refuse_a_second_store(settings, clock)
    if settings.fleet is not None:
        return f"connection {settings.fleet.connection} in {settings.fleet.shown}"
    path = settings.store_path
    try:
        refuse_unsafe(path, writing=True)
        there = path.exists()
    except NotADirectoryError:
        there = False  # what follows says it better
    except OSError as error:
        raise not_readable(path, error) from error
    if there:
        if not os.access(path, os.W_OK):
            raise ConfigurationError(
                f"the store {path} cannot be written", hint="Run syncd as its owner, or correct its rights."
            )
        return str(path)
    above = next(parent for parent in path.parents if parent.exists())
    if not above.is_dir() or not os.access(above, os.W_OK | os.X_OK):
        raise ConfigurationError(
            f"the store {path} cannot be made: {above} is no directory that may be written",
            hint="Correct `state` in the settings, or the rights of that directory.",
        )
    return f"{path} (made by the first sync)"


def store_misgivings(path: Path) -> Sequence[tuple[str, str]]:
    """What is to be said of the place, each with a way out."""
    from syncd.store import file_lock, ownership  # noqa: PLC0415
    from syncd.store.place import look  # noqa: PLC0415

    try:
        place = look(path)
    except OSError:
        return []  # it was there a moment ago
    others = [(each.what, ownership.way_out([each])) for each in ownership.misgivings(place)]
    locks = file_lock.misgivings(path) if place.directory else ()  # else it is made by the first sync
    return [*others, *((each, _LOCAL_DISK) for each in locks)]
