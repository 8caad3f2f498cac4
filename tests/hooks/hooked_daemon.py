"""A daemon that hears event hooks, and the simulated org that sends them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from syncd.core.hooks import TICKED, org_key
from syncd.simulators.okta_hooks import EventHook
from syncd.simulators.world import OktaWorld
from tests.e2e.rig import Rig
from tests.service.connecting import schedule, served
from tests.service.supervisor import eventually
from tests.service.test_daemon import Inside, inside
from tests.serving import free_port

SECRET = "hOoK-sEcReT-0815-of-the-tests"
BEFORE = "hOoK-sEcReT-0714-of-the-tests"
RARELY = 'delta = "1h"\nfull = "12h"\ndrift = "24h"\ndelta_with_hooks = "2h"'
"""What is read again soon with this schedule was named by a hook."""


def hooks_table(port: int) -> str:
    return (
        f'[hooks]\nlisten = "127.0.0.1:{port}"\nsecret = {{ env = "E2E_HOOK" }}\n'
        'previous_secret = { env = "E2E_HOOK_BEFORE" }\n'
    )


def hook_url(made: Rig, port: int) -> str:
    return f"http://127.0.0.1:{port}/okta/{org_key(made.okta.url)}"


@contextmanager
def hearing(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    okta: OktaWorld | None = None,
    every: str = RARELY,
    events: Sequence[str] | None = None,
    split_latency: float = 0.0,
    pushed: Sequence[str] = (),
    synced: bool = True,
    addresses: Mapping[str, str] | None = None,
) -> Iterator[tuple[Rig, Inside, EventHook]]:
    """A daemon that has done its first full cycle, and a verified hook for these events (all that are to be ticked)."""
    monkeypatch.setenv("E2E_HOOK", SECRET)
    monkeypatch.setenv("E2E_HOOK_BEFORE", BEFORE)
    with served(folder, okta) as made:
        port = free_port()
        made.pushed += pushed
        made.split.set_knobs(latency_seconds=split_latency)
        made.okta.set_knobs(addresses=addresses)
        made.tables = {**made.tables, "split": "concurrency = 2" if split_latency else ""}
        schedule(made, every, hooks_table(port))
        with inside(Inside([made.config])) as daemon:
            if synced:
                daemon.logs("cycle done", cycle="full")
            else:
                daemon.logs("running")
            hook = made.okta.hooks.register(
                hook_url(made, port), secret=SECRET, events=TICKED if events is None else events
            )
            assert made.okta.hooks.verify(hook)
            yield made, daemon, hook


def active_at_split(made: Rig, email: str) -> bool:
    with made.split.world.lock:
        return any(user.user_name == email and user.active for user in made.split.world.users.values())


def arrives(made: Rig, email: str) -> None:
    eventually(lambda: active_at_split(made, email), f"{email} is active in Split")


def leaves(made: Rig, email: str) -> None:
    eventually(lambda: not active_at_split(made, email), f"{email} is not active in Split")
