"""Exit codes, one meaning each (contract: command line), and which one wins where several hold."""

from __future__ import annotations

from collections.abc import Iterable

DONE = 0
FAILED = 1
CHANGES = 2
"""Changes were found; only with --detailed-exitcode."""
HELD = 3
PARTLY = 4
USAGE = 64
CONFIGURATION = 78
INTERRUPTED = 130
"""Stopped by a person or a signal (128 + SIGINT, as shells have it): outranks whatever half a run found out."""

PRECEDENCE = (INTERRUPTED, CONFIGURATION, USAGE, FAILED, HELD, PARTLY, CHANGES, DONE)


def worst(codes: Iterable[int]) -> int:
    """The code that wins; an unknown one counts as failed, none at all as done."""
    found = {code if code in PRECEDENCE else FAILED for code in codes}
    return next((code for code in PRECEDENCE if code in found), DONE)
