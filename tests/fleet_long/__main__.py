"""`python -m tests.fleet_long COURSE --connections N --much M`: M are seconds, or how often. Writes its figures."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from random import Random, SystemRandom
from typing import Any

from tests.fleet_long import courses, mishaps, outages

COURSES: Mapping[str, Callable[[Path, Random, int, Any], Mapping[str, Any]]] = {
    "kills": courses.kills,
    "failover": courses.failover,
    "pauses": courses.pauses,
    "quiet": courses.quiet,
    "clocks": mishaps.clocks,
    "cutoffs": mishaps.cutoffs,
    "database": mishaps.database,
    "upgrade": mishaps.upgrade,
    "straits": outages.straits,
    "standby": outages.standby,
    "lagging": outages.lagging,
    "full-disk": outages.full_disk,
}


def main() -> None:
    asked = argparse.ArgumentParser(prog="python -m tests.fleet_long")
    asked.add_argument("course", choices=COURSES)
    asked.add_argument("--connections", type=int, required=True)
    asked.add_argument("--much", type=float, required=True)
    asked.add_argument("--seed", type=int, default=SystemRandom().randrange(2**32))
    asked.add_argument("--out", type=Path)
    asked.add_argument("--keep", type=Path, help="a new directory for the logs of the workers")
    given = asked.parse_args()
    with tempfile.TemporaryDirectory(prefix="fleet-long-") as folder:
        place = given.keep or Path(folder)
        place.mkdir(exist_ok=True)
        figures = COURSES[given.course](place, Random(given.seed), given.connections, given.much)  # noqa: S311
    text = json.dumps({"course": given.course, "seed": given.seed, **figures}, indent=1, default=str)
    sys.stdout.write(f"{text}\n")
    if given.out:
        given.out.write_text(text)


if __name__ == "__main__":
    main()
