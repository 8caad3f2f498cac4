"""A simulator as a program of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def started(kind: str, fixture: Path, token: str) -> subprocess.Popen[str]:
    """What it says is in `stdout`: how to talk to it."""
    command = [
        sys.executable,
        "-m",
        "syncd.simulators.server",
        kind,
        "--fixture",
        str(fixture),
        "--token",
        token,
    ]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
