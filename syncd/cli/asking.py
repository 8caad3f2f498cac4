"""Whether there is somebody to ask."""

from __future__ import annotations

import sys


def can_ask() -> bool:
    """A question can be read and answered: stdin and stderr are a terminal."""
    try:
        return sys.stdin.isatty() and sys.stderr.isatty()
    except (AttributeError, ValueError):
        return False
