"""A busy machine is no finding: nothing is asserted about time."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from hypothesis import HealthCheck, settings

settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")

MEMORY = Path("/dev/shm")  # noqa: S108  (below it pytest makes directories that are this user's alone)
ROOM = 4 * 2**30


def pytest_configure() -> None:
    """The tests' directories lie in memory where there is room for them and programs may be run from there: half the
    time of a test with a store was waiting for the disk. PYTEST_DEBUG_TEMPROOT says another place.
    """
    if (
        MEMORY.is_dir()
        and not os.statvfs(MEMORY).f_flag & os.ST_NOEXEC
        and shutil.disk_usage(MEMORY).free > ROOM
    ):
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))
