"""What a course uses of the processors, and what everybody else on the machine does meanwhile."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from tests.fleet_long.park import Park, children_of, cpu_of

_TICKS = os.sysconf("SC_CLK_TCK")
_IDLE = (3, 4)
"""Fields of /proc/stat in which nobody has a processor: idle, and waiting for a disk."""


@dataclass(frozen=True)
class Usage:
    """Seconds of processor time by then, those of workers that are gone included; `machine`: of everybody."""

    at: float
    workers: float
    postgresql: float
    simulators: float
    """With what drives them: the course itself."""
    machine: float


def usage(park: Park) -> Usage:
    assert park.server.process is not None
    server = park.server.process.pid
    # What servers of closed sessions have used, theirs has; of those that go on it knows nothing.
    sessions = cpu_of(server, waited_for=True) + sum(cpu_of(each) for each in children_of(server))
    workers = park.spent + sum(each.cpu() for each in park.workers)
    return Usage(monotonic(), workers, sessions, cpu_of(os.getpid()), _of_the_machine())


def core_percent(before: Usage, after: Usage) -> Mapping[str, float]:
    """Of one core: each part, `others` that are none of the course, and how many cores there are."""
    lasted = after.at - before.at
    parts = {
        name: 100 * (getattr(after, name) - getattr(before, name)) / lasted
        for name in ("workers", "postgresql", "simulators", "machine")
    }
    parts["others"] = parts["machine"] - parts["workers"] - parts["postgresql"] - parts["simulators"]
    return {name: round(found, 1) for name, found in parts.items()} | {"cores": os.cpu_count() or 1}


def _of_the_machine() -> float:
    fields = [int(each) for each in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    return sum(each for place, each in enumerate(fields) if place not in _IDLE) / _TICKS
