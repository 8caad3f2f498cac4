"""How many file descriptors the process may have: as many as the system lets it.

A store takes some, and more while a cycle runs, so that a hundred connections do not fit into the 1,024 that most
systems give at first (the soft limit); the hard one is meant for who asks.
"""

from __future__ import annotations

import resource
from contextlib import suppress


def raise_limit() -> tuple[int, int]:
    """Raises the soft limit to the hard one, where the system lets us. Returns what it was and what it is."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with suppress(OSError, ValueError):  # some systems call a limit infinite and take no such number
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return soft, resource.getrlimit(resource.RLIMIT_NOFILE)[0]
