"""A process that stood still for longer than its lock lasts, and goes on while another one writes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.rig import OKTA_TOKEN, SPLIT_TOKEN, Rig, rig
from tests.service.supervisor import eventually

_SHORT_LOCK = """
import sys
from datetime import timedelta
import syncd.wiring
syncd.wiring.LOCK_LASTS, syncd.wiring._RENEWED_EVERY = timedelta(seconds=1), 0.2
from syncd.__main__ import main
sys.exit(main())
"""


@contextmanager
def _process(made: Rig, *args: str) -> Iterator[subprocess.Popen[str]]:
    """The real executable, but that its lock lasts a second."""
    environment = {**os.environ, "E2E_OKTA": OKTA_TOKEN, "E2E_SPLIT": SPLIT_TOKEN}
    command = [sys.executable, "-c", _SHORT_LOCK, *args, "-c", str(made.config)]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


@pytest.mark.parametrize("workers", [1, 4])
def test_frozen_and_continued_it_sends_nothing_after_its_successor_has_begun(
    tmp_path: Path, workers: int
) -> None:
    with rig(tmp_path, users=40) as made:
        made.write_config(split=f"concurrency = {workers}")
        made.sync()
        world = made.okta.world
        *renamed, leaver = sorted(made.wanted_people())[:25]
        for name in renamed:
            world.update_profile(name, lastName="Renamed")
        world.unassign(leaver, everywhere=True)
        made.forget()
        made.split.faults.add("delay", method="PATCH", path="/Users", count=-1, seconds=0.5)
        with _process(made, "sync", "--json") as first:
            # Every worker waits for an answer: none of them is just about to send.
            eventually(lambda: made.split._running >= workers or first.poll() is not None, "writes in flight")
            first.send_signal(signal.SIGSTOP)
            eventually(lambda: made.split._running == 0, "the writes in flight are answered")
            made.split.reset_faults()
            world.assign(leaver)
            eventually(lambda: made.run("sync", code=None).exit_code == 0, "the lock has expired")
            made.forget()

            first.send_signal(signal.SIGCONT)
            _, stderr = first.communicate(timeout=30)

        assert made.writes() == [], "written by who had lost the lock"
        made.assert_exact()
        assert first.returncode == 1
        assert "took it over" in stderr
        made.sync()
        assert made.writes() == []
