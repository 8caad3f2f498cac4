"""Private places on disk: 0700 directories, 0600 files, and scratch space that never outlives its process."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import shutil
import stat
import tempfile
import time
import weakref
from pathlib import Path

from syncd.store.file_lock import kernel_is_alone
from syncd.store.process import boot_id

_SCRATCH = ".syncd-scratch-"
_GRACE_SECONDS = 60.0
_TRIES = 3


def make_directory(directory: Path) -> None:
    """Creates the directory 0700 whatever the umask, and tightens one that holds only our own files.

    A directory that the operator shares with other things keeps its mode: the files in it are 0600 anyway.
    Raises OSError.
    """
    missing = [place for place in (directory, *directory.parents) if not place.exists()]
    for place in reversed(missing):
        place.mkdir(mode=0o700, exist_ok=True)
    if missing:
        _narrow_made(directory)
        return
    found = directory.stat()
    if (
        found.st_mode & 0o077
        and found.st_uid == os.geteuid()
        and all(is_ours(p) for p in directory.iterdir())
    ):
        directory.chmod(0o700)


def _narrow_made(directory: Path) -> None:
    # Not through a link that somebody put there meanwhile.
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        os.fchmod(descriptor, 0o700)
    finally:
        os.close(descriptor)


def is_ours(path: Path) -> bool:
    """Whether syncd puts files of this name into the directory of a store."""
    name = path.name
    return name in (".gitignore", ".gitkeep") or name.startswith(("README", _SCRATCH)) or ".db" in name


def make_file(path: Path) -> None:
    """Creates the file empty and 0600, or tightens the one that is there. Raises OSError.

    A file that exists is never opened here: closing any descriptor of it would drop the POSIX locks that SQLite
    holds on it in this process.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        narrow(path)
        return
    try:
        os.fchmod(descriptor, 0o600)
    finally:
        os.close(descriptor)


def narrow(path: Path) -> None:
    """Takes from a file of ours, if it is there, the rights of everybody else. Raises OSError."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    if stat.S_ISREG(found.st_mode) and found.st_mode & 0o177 and found.st_uid == os.geteuid():
        path.chmod(0o600)


class Scratch:
    """A private directory that is removed at `close`, at exit, and by the next process after a kill.

    Its owner keeps a lock on the directory; whoever finds one without a living lock removes it, unless another machine
    may have made it: each sees its own locks only, on some file systems.
    """

    def __init__(self, parent: Path | None = None) -> None:
        """`parent` None: the system's temporary directory. Raises OSError."""
        self.home = parent or Path(tempfile.gettempdir())
        sweep(self.home)
        self.path, self._descriptor = _locked_directory(self.home)
        self._end = weakref.finalize(self, _remove, self.path, self._descriptor, os.getpid())

    def close(self) -> None:
        """Takes the directory away, with all that is in it. May be called twice."""
        self._end()


def _locked_directory(home: Path) -> tuple[Path, int]:
    """A new directory and the descriptor that holds its lock. Raises OSError.

    Whoever stood still between the two for longer than the grace finds it swept, and makes another.
    """
    for _ in range(_TRIES):
        path = Path(tempfile.mkdtemp(prefix=f"{_SCRATCH}{_machine()}-", dir=home))
        with contextlib.suppress(FileNotFoundError):
            descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            # Where the file system has no locks nobody else can lock it either, and so nobody sweeps it.
            with contextlib.suppress(OSError):
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if path.exists():
                return path, descriptor
            os.close(descriptor)
    raise FileNotFoundError(errno.ENOENT, "what is made there is taken away at once", str(home))


def _remove(path: Path, descriptor: int, owner: int) -> None:
    if os.getpid() == owner:
        shutil.rmtree(path, ignore_errors=True)
        os.close(descriptor)


def sweep(home: Path) -> None:
    """Removes scratch directories of ours whose owner is dead."""
    alone = kernel_is_alone(home)
    if not alone and not boot_id():
        return  # it cannot be told which are of this machine
    with contextlib.suppress(OSError):
        for place in home.glob(f"{_SCRATCH}*" if alone else f"{_SCRATCH}{_machine()}-*"):
            with contextlib.suppress(OSError):
                _sweep_one(place)


def _machine() -> str:
    """Names this boot of this machine in the name of a directory."""
    return hashlib.sha256(boot_id().encode()).hexdigest()[:8]


def _sweep_one(place: Path) -> None:
    found = place.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        return
    if time.time() - found.st_ctime < _GRACE_SECONDS:
        return  # perhaps just made and not locked yet
    descriptor = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(place, ignore_errors=True)
    finally:
        os.close(descriptor)
