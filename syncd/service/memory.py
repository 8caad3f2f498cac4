"""Keeps the daemon small: what a cycle needed is given back when it is over.

glibc gives each of many threads an arena of its own, and keeps what was freed in each. Other C libraries do neither;
there this does nothing.
"""

from __future__ import annotations

import ctypes
import gc
import time
from collections.abc import Callable
from contextlib import suppress

_M_ARENA_MAX = -8
_ARENAS = 2
"""Python's own lock lets hardly more than one thread allocate at a time."""
_TRIMMED_EVERY = 60.0


def few_arenas() -> None:
    """Before the threads begin (mallopt(3))."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, _ARENAS)


def trimmer() -> Callable[[], None]:
    """To be called now and then: collects garbage in circles, of which a quiet process makes too little for Python to
    look, and gives free memory back to the system (malloc_trim(3)); once a minute at most.
    """
    try:
        trim = ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError):
        return lambda: None
    last = time.monotonic()

    def give_back() -> None:
        nonlocal last
        if time.monotonic() - last >= _TRIMMED_EVERY:
            gc.collect()
            trim(0)
            last = time.monotonic()

    return give_back
