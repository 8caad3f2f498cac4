"""Other stores in the directory of one: what each of them remembers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path

from syncd.errors import SyncdError
from syncd.store.sqlite.opening import open_for_reading


def neighbours(
    path: Path, keys: Sequence[str], clock: Callable[[], datetime]
) -> Iterator[tuple[str, Mapping[str, str | None]]]:
    """The connection of each other store that can be read, and what it remembers under these keys."""
    try:
        files = sorted(file for file in path.parent.glob("*.db") if file.name != path.name)
    except OSError:
        return
    for file in files:
        try:
            with closing(open_for_reading(file, connection=file.stem, clock=clock)) as store:
                yield file.stem, {key: store.recall(key) for key in keys}
        except (SyncdError, OSError):
            continue  # whose it is cannot be told, and it is not asked for
