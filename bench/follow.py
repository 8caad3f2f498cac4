"""From a change in Okta to the write at the target: the daemon against the bundled simulators, at moments of chance."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from bench.rows import Row, median
from syncd.simulators.okta import OktaSimulator
from syncd.simulators.split import SplitSimulator
from syncd.simulators.world import default_split, generate_okta

DELTA = 2.0
_GIVES_UP = 30.0


def change_to_write(changes: int) -> Iterator[Row]:
    """The goal: a median under half the delta interval plus one second."""
    with (
        OktaSimulator(generate_okta(users=100, groups=4, seed=1)) as okta,
        SplitSimulator(default_split()) as split,
        _daemon(okta, split),
    ):
        people = [row.id for row in okta.world.app_users.values() if row.status == "ACTIVE"][:changes]
        _wait(lambda: len(split.world.users) >= len(people))
        time.sleep(2 * DELTA)
        seconds = []
        for number, person in enumerate(people):
            time.sleep(DELTA * (1 + random.random()))  # noqa: S311  (a moment of chance)
            before = _writes(split)
            began = time.monotonic()
            okta.world.update_profile(person, lastName=f"Moved {number}")
            _wait(partial(_wrote_since, split, before))
            seconds.append(time.monotonic() - began)
    yield Row(
        f"change in Okta to write at the target, delta every {DELTA:.0f} s",
        median(seconds),
        "s",
        DELTA / 2 + 1,
        detail=f"{len(seconds)} changes, {max(seconds):.1f} s at the most",
        runs=seconds,
    )


def _wrote_since(split: SplitSimulator, before: int) -> bool:
    return _writes(split) > before


def _writes(split: SplitSimulator) -> int:
    return sum(request.method in ("PATCH", "PUT") for request in split.requests)


def _wait(until: Callable[[], bool]) -> None:
    ends = time.monotonic() + _GIVES_UP
    while not until():
        if time.monotonic() > ends:
            raise TimeoutError("the daemon does not follow")
        time.sleep(0.005)


@contextmanager
def _daemon(okta: OktaSimulator, split: SplitSimulator) -> Iterator[None]:
    folder = Path(tempfile.mkdtemp(prefix="syncd-bench-"))
    settings = folder / "follow.toml"
    settings.write_text(
        f'[okta]\norg_url = "{okta.url}"\napp_id = "{okta.world.app.id}"\ntoken = {{ env = "BENCH_OKTA" }}\n'
        f'[split]\nbase_url = "{split.base_url}"\ntoken = {{ env = "BENCH_SPLIT" }}\n'
        f'[schedule]\ndelta = "{DELTA:.0f}s"\n[server]\nlisten = ""\n'
    )
    environment = {**os.environ, "BENCH_OKTA": okta.token, "BENCH_SPLIT": split.token}
    command = [sys.executable, "-m", "syncd", "run", "-q", "-c", str(settings)]
    with subprocess.Popen(command, env=environment) as process:
        try:
            yield
        finally:
            process.terminate()
