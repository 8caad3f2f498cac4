"""From a change in Okta to the write at the target: the daemon against the bundled simulators, at moments of chance,
by the System Log and by event hooks.
"""

from __future__ import annotations

import os
import random
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from bench.rows import Row, median
from syncd.core.hooks import TICKED, org_key
from syncd.core.safety import LIMITS
from syncd.simulators.okta import OktaSimulator
from syncd.simulators.split import SplitSimulator
from syncd.simulators.world import default_split, generate_okta

DELTA = 2.0
_GIVES_UP = 30.0
_LATENCY = 0.05
_SECRET = "bench-hook-secret-bench-hook-secret"  # noqa: S105  (of a simulator)
_NO_LIMITS = "".join(f'{rule.key} = "100%"\n' for rule in LIMITS)


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


def hook_to_write(changes: int) -> Iterator[Row]:
    """The goal: a median under one second and 99 in 100 under two, on an idle connection, where each side takes 50 ms
    for each answer. Kinds of change take turns.
    """
    okta = OktaSimulator(generate_okta(users=100, groups=4, seed=1))
    okta.set_knobs(latency_seconds=_LATENCY)
    with okta, SplitSimulator(default_split()) as split:
        split.set_knobs(latency_seconds=_LATENCY)
        staying = list(okta.world.app_users)[-20:]  # a group is never emptied
        group = okta.world.create_group("Crew", members=staying)
        port = _free_port()
        with _daemon(okta, split, hooks=port):
            people = [row.id for row in okta.world.app_users.values() if row.status == "ACTIVE"]
            _wait(lambda: len(split.world.users) > len(people) and "Crew" in _groups(split))
            hook = okta.hooks.register(
                f"http://127.0.0.1:{port}/okta/{org_key(okta.url)}", secret=_SECRET, events=TICKED
            )
            _wait(lambda: okta.hooks.verify(hook))
            time.sleep(5.0)  # what the first sync left to do
            seconds = [one for person in people[: changes // 5] for one in _five(okta, split, group, person)]
    seconds.sort()
    yield Row(
        "change in Okta to write at the target, by an event hook, 50 ms for each answer",
        median(seconds),
        "s",
        1.0,
        detail=f"{len(seconds)} changes of five kinds, 99 in 100 within {seconds[len(seconds) * 99 // 100]:.2f} s",
        runs=seconds,
    )
    yield Row("the same, 99 in 100", seconds[len(seconds) * 99 // 100], "s", 2.0)


def _five(okta: OktaSimulator, split: SplitSimulator, group: str, person: str) -> Iterator[float]:
    """A profile, a member added and removed, a leaver, and back again."""
    world = okta.world
    acts: tuple[Callable[[], object], ...] = (
        lambda: world.update_profile(person, lastName=f"Moved {time.monotonic_ns()}"),
        lambda: world.add_member(group, person),
        lambda: world.remove_member(group, person),
        lambda: world.unassign(person, everywhere=True),
        lambda: world.assign(person),
    )
    for act in acts:
        time.sleep(1.2 + random.random() / 2)  # noqa: S311  (a moment of chance on an idle connection)
        before = _writes(split)
        began = time.monotonic()
        act()
        _wait(partial(_wrote_since, split, before))
        yield time.monotonic() - began


def _groups(split: SplitSimulator) -> set[str]:
    return {group.name for group in list(split.world.groups.values())}


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        found: int = sock.getsockname()[1]
        return found


def _wrote_since(split: SplitSimulator, before: int) -> bool:
    return _writes(split) > before


def _writes(split: SplitSimulator) -> int:
    return sum(request.method in ("PATCH", "PUT", "POST") for request in list(split.requests))


def _wait(until: Callable[[], bool]) -> None:
    ends = time.monotonic() + _GIVES_UP
    while not until():
        if time.monotonic() > ends:
            raise TimeoutError("the daemon does not follow")
        time.sleep(0.005)


@contextmanager
def _daemon(okta: OktaSimulator, split: SplitSimulator, *, hooks: int = 0) -> Iterator[None]:
    """With `hooks`, a port, it hears event hooks there, and else looks every half minute."""
    folder = Path(tempfile.mkdtemp(prefix="syncd-bench-"))
    settings = folder / "follow.toml"
    settings.write_text(
        f'[okta]\norg_url = "{okta.url}"\napp_id = "{okta.world.app.id}"\ntoken = {{ env = "BENCH_OKTA" }}\n'
        f'[split]\nbase_url = "{split.base_url}"\ntoken = {{ env = "BENCH_SPLIT" }}\n'
        f'[schedule]\ndelta = "{30 if hooks else DELTA:.0f}s"\n[server]\nlisten = ""\n'
        + (f'[hooks]\nlisten = "127.0.0.1:{hooks}"\nsecret = {{ env = "BENCH_HOOK" }}\n' if hooks else "")
        + ('[[push_groups]]\nsource = { name = "Crew" }\n[safety]\n' + _NO_LIMITS if hooks else "")
    )
    environment = {**os.environ, "BENCH_OKTA": okta.token, "BENCH_SPLIT": split.token, "BENCH_HOOK": _SECRET}
    command = [sys.executable, "-m", "syncd", "run", "-q", "-c", str(settings)]
    with subprocess.Popen(command, env=environment) as process:
        try:
            yield
        finally:
            process.terminate()
