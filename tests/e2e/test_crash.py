"""Killed with SIGKILL while it writes, the next sync ends exactly, without twins."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from syncd.simulators.split import SplitKnobs
from tests.e2e.rig import OKTA_TOKEN, SPLIT_TOKEN, rig


@pytest.mark.parametrize("writes", [1, 17, 30])
@pytest.mark.parametrize("keeps_external_id", [True, False])
def test_a_killed_first_sync_is_completed_by_the_next(
    tmp_path: Path, writes: int, keeps_external_id: bool
) -> None:
    knobs = SplitKnobs(
        latency_seconds=0.05,
        keep_user_external_id=keeps_external_id,
        keep_group_external_id=keeps_external_id,
    )
    with rig(tmp_path, users=60, groups=6, knobs=knobs) as made:
        environment = {**os.environ, "E2E_OKTA": OKTA_TOKEN, "E2E_SPLIT": SPLIT_TOKEN}
        command = [sys.executable, "-m", "syncd", "sync", "-c", str(made.config)]
        with subprocess.Popen(
            command, env=environment, stderr=subprocess.PIPE, stdout=subprocess.PIPE
        ) as process:
            while len(made.writes()) < writes and process.poll() is None:
                time.sleep(0.002)
            process.send_signal(signal.SIGKILL)
            process.communicate(timeout=30)
        assert process.returncode == -signal.SIGKILL
        assert len(made.writes()) < len(made.wanted_people())

        made.sync()

        held = {user.user_name for user in made.split.world.users.values() if user.active and user.managed}
        assert held == set(made.wanted_people())
        assert len(made.split.world.users) == len({u.user_name for u in made.split.world.users.values()})
        assert made.actual_groups() == made.wanted_groups()
        made.forget()
        made.sync()
        assert made.writes() == []
