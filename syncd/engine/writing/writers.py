"""How many threads a run writes with: as many as its connection may, unless others of this process are writing too.

Many first syncs at once would take eight threads each. Whoever writes alone has all that the settings allow; of what
is left of `TOGETHER` the others have what they may, and one at least.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

TOGETHER = 16
"""Threads of all runs of this process, as long as none needs its only one."""
_lock = threading.Lock()
_taken = 0


@contextmanager
def writers(allowed: int) -> Iterator[int]:
    """So many threads, until the block ends; `allowed` is what the settings say."""
    global _taken  # noqa: PLW0603  (one number for each process is what it is)
    with _lock:
        given = allowed if _taken == 0 else min(allowed, max(1, TOGETHER - _taken))
        _taken += given
    try:
        yield given
    finally:
        with _lock:
            _taken -= given
