"""Runs what failed once more, alone: `python -m tests.once_more MOST`, after a run of all tests.

A machine that others use as well may hold a process up for longer than a test waits for it. Each that failed is named,
whatever becomes of it: one that fails only beside others has found something. More than MOST are not tried again.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

LAST_FAILED = Path(".pytest_cache/v/cache/lastfailed")
RED = 1


def main(most: int, last_failed: Path = LAST_FAILED) -> int:
    """0 when no more than `most` had failed and all of them pass now; else not 0."""
    failed = sorted(json.loads(last_failed.read_text())) if last_failed.exists() else []
    if not 0 < len(failed) <= most:
        return RED
    for each in failed:
        sys.stdout.write(f"UNSTEADY, once more and alone: {each}\n")
    sys.stdout.flush()
    return pytest.main(["--last-failed", "--last-failed-no-failures=none"])


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
