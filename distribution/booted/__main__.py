"""Runs every step, says on the given device what was seen, a JSON object a line, and switches the machine off."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TextIO

from distribution.booted.machine import UnseenError, run
from distribution.booted.steps import STEPS

EXPECTED = (UnseenError, KeyError, ValueError, OSError, subprocess.SubprocessError)


def report(steps: Mapping[str, Callable[[], str]], line: TextIO) -> None:
    """One that fails is said with the end of the journal, and the next ones go on."""
    for name, step in steps.items():
        began = time.monotonic()
        try:
            said: dict[str, object] = {"seen": step()}
        except EXPECTED as error:
            journal = run("journalctl", "--no-pager", "-n", "40", code=None)
            said = {"unseen": f"{type(error).__name__}: {error}", "journal": journal}
        seconds = round(time.monotonic() - began, 1)
        line.write(json.dumps({"step": name, "seconds": seconds, **said}) + "\n")
        line.flush()


def main(device: str) -> None:
    with Path(device).open("w", encoding="ascii") as line:
        report(STEPS, line)
    run("systemctl", "poweroff", code=None)


if __name__ == "__main__":
    main(sys.argv[1])
