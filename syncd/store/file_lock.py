"""The advisory lock of a file beside the store, of which the kernel lets go with the process that holds it.

A file of its own, never the store: a process loses all POSIX locks that it has on a file, SQLite's too, as soon as it
closes any descriptor of it (fcntl_locking(2); sqlite.org/howtocorrupt.html, 2.2). And `flock`, which belongs to the
open file: no other open and close ends it, and two stores in one process keep each other out. The file is never
deleted: whoever came next would lock another one of the same name.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from syncd.errors import ConfigurationError, PermanentError, SyncdError
from syncd.store.mounts import file_system
from syncd.store.unusable import not_writable

_ONE_KERNEL = frozenset(
    # The upper layer of an overlay has to be one of the others, and can be mounted once (kernel.org, overlayfs).
    ("bcachefs", "btrfs", "ext2", "ext3", "ext4", "f2fs", "jfs", "overlay", "ramfs", "tmpfs", "xfs", "zfs")
)
"""File systems that only one kernel can have mounted: what it says of a lock there holds for everybody."""
_SHARED = frozenset(
    ("9p", "afs", "ceph", "cifs", "gfs2", "gpfs", "lustre", "nfs", "nfs4", "ocfs2", "smb3", "virtiofs")
)
"""File systems that several machines may have mounted; FUSE has more (fuse.glusterfs, fuse.sshfs)."""
_FLAGS = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@dataclass(slots=True)
class FileLock:
    """Held until `close`, or the end of the process."""

    path: Path
    identity: str
    """Device and inode of the file; "" where this file system has no locks, and `trouble` then says why."""
    trouble: str
    _descriptor: int | None

    @classmethod
    def take(cls, store: Path) -> FileLock | None:
        """The lock beside this store; None: somebody else has it. Raises ConfigurationError, PermanentError."""
        path = place(store)
        try:
            descriptor = os.open(path, _FLAGS, 0o600)
        except OSError as error:
            raise _unusable(path, error) from error
        try:
            found = _made_private(descriptor, path)
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        except OSError as error:
            os.close(descriptor)
            return cls(path, "", error.strerror or str(error), None)
        except BaseException:
            os.close(descriptor)
            raise
        return cls(path, f"{found.st_dev}:{found.st_ino}", "", descriptor)

    def speaks_for_all(self) -> bool:
        """Whether nobody on another machine can hold it at the same time."""
        return bool(self.identity) and kernel_is_alone(self.path.parent)

    def close(self) -> None:
        """Lets the lock go with the descriptor. May be called twice."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def place(store: Path) -> Path:
    """The file beside the store that writers lock: acme.db.lock."""
    return store.with_name(f"{store.name}.lock")


def kernel_is_alone(directory: Path) -> bool:
    """Whether no other machine can have this directory's file system mounted."""
    return file_system(directory) in _ONE_KERNEL


def misgivings(store: Path) -> Iterator[str]:
    """What is wrong with the directory of this store as far as locks go, one sentence each. Leaves nothing there."""
    kind = file_system(store.parent)
    if kind in _SHARED or kind.startswith("fuse."):
        yield (
            f"{store.parent} is on a file system that machines share ({kind}): SQLite's write-ahead log works for the"
            " processes of one machine only"
        )
    with contextlib.ExitStack() as stack:
        try:
            file = stack.enter_context(tempfile.TemporaryFile(dir=store.parent))
        except OSError:
            return  # who may not write there is told so by others
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            yield (
                f"files in {store.parent} cannot be locked ({error.strerror or error}): whether another writer is gone"
                " only its silence tells"
            )


def _made_private(descriptor: int, path: Path) -> os.stat_result:
    """Only its owner may open it; who writes owns the store too, root as well (`ownership`)."""
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode):
        raise _no_file(path)
    with contextlib.suppress(OSError):
        if found.st_uid == os.geteuid() and stat.S_IMODE(found.st_mode) != 0o600:
            os.fchmod(descriptor, 0o600)
    return found


def _unusable(path: Path, error: OSError) -> SyncdError:
    if error.errno in (errno.ELOOP, errno.EISDIR, errno.ENXIO):
        return _no_file(path)
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return PermanentError(
            f"the disk is full: {path} cannot be made", hint="make room on that disk and run again"
        )
    return not_writable(path, error)


def _no_file(path: Path) -> ConfigurationError:
    return ConfigurationError(
        f"{path} is no ordinary file, and the lock of the store has to be one",
        hint=f"remove it (rm {path}): it holds nothing, and the next run makes it anew",
    )
