"""What is there where a store lies or will lie, before anything of it is opened."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from syncd.store.mounts import is_mounted
from syncd.store.private import is_ours

BESIDE = ("-wal", "-shm", "-journal", ".lock")
"""What lies beside a store and speaks for it: SQLite's own files, and the lock."""


@dataclass(frozen=True, slots=True)
class Entry:
    """Something that is there: `mode` as in stat(2), `identity` its device and inode.

    Of a link, `target` is what it leads to, with those of `BESIDE` that lie beside that in `along`; None for one that
    leads nowhere.
    """

    path: Path
    mode: int
    owner: int
    identity: tuple[int, int] = (0, 0)
    target: Path | None = None
    along: Sequence[str] = ()
    names: int = 1
    """How many names the file has (hard links), a mount of the file alone among them."""

    @property
    def rights(self) -> int:
        """The permission bits, with set-id and sticky: 0o600."""
        return stat.S_IMODE(self.mode)


@dataclass(frozen=True, slots=True)
class Place:
    """As much of a store's place as is there. `shared`: other things lie in the directory too; `exposed`: directories
    above it in which everybody can put another one in its place.
    """

    directory: Entry | None
    store: Entry | None = None
    beside: Sequence[Entry] = ()
    shared: bool = False
    exposed: Sequence[Path] = ()


def look(path: Path) -> Place:
    """Opens nothing. Raises OSError."""
    exposed = [above for above in Path(os.path.realpath(path)).parents[1:] if _is_exposed(above)]
    try:
        found = path.parent.stat()
    except FileNotFoundError:
        return Place(None, exposed=exposed)
    if not stat.S_ISDIR(found.st_mode):
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path.parent))
    directory = Entry(path.parent, found.st_mode, found.st_uid, (found.st_dev, found.st_ino))
    try:
        beside = [entry_of(path.with_name(path.name + end)) for end in BESIDE]
        return Place(
            directory,
            entry_of(path),
            [each for each in beside if each],
            shared=not all(is_ours(each) for each in path.parent.iterdir()),
            exposed=exposed,
        )
    except PermissionError:
        if found.st_uid == os.geteuid():
            raise
        return Place(directory, exposed=exposed)  # whose it is says enough


def entry_of(path: Path) -> Entry | None:
    """None when nothing is there. Raises OSError."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return None
    target, along = None, []
    if stat.S_ISLNK(found.st_mode) and path.exists():
        target = path.parent / path.readlink()
        along = [end for end in BESIDE if target.with_name(target.name + end).exists()]
    names = found.st_nlink + is_mounted(Path(os.path.realpath(path.parent)) / path.name)
    return Entry(path, found.st_mode, found.st_uid, (found.st_dev, found.st_ino), target, along, names)


def _is_exposed(directory: Path) -> bool:
    try:
        mode = directory.stat().st_mode
    except OSError:
        return False
    # With the sticky bit only its owner can move a directory away.
    return bool(mode & stat.S_IWOTH) and not mode & stat.S_ISVTX
