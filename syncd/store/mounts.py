"""What is mounted where, as the kernel tells it (proc_pid_mountinfo(5))."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

_MOUNTS = Path("/proc/self/mountinfo")


def mounts() -> Iterator[tuple[Path, str]]:
    """Mount points with the type of their file system, in the order in which they came; none where nobody tells."""
    try:
        lines = _MOUNTS.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return
    for line in lines:
        left, _, right = (half.split() for half in line.partition(" - "))
        if len(left) >= 5 and right:
            yield Path(re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), left[4])), right[0]


def file_system(directory: Path) -> str:
    """The type of the file system as the kernel names it; "" where that is not told."""
    real = Path(os.path.realpath(directory))
    found, above = "", Path("/")
    for mounted, kind in mounts():
        if real.is_relative_to(mounted) and mounted.is_relative_to(above):
            found, above = kind, mounted  # a later one hides an earlier one
    return found


def is_mounted(path: Path) -> bool:
    """Whether the path itself is a mount point, as a single file that a container is given is one."""
    return path in (mounted for mounted, _ in mounts())
