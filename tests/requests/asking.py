"""Connections whose daemon does nothing by itself after its first full cycle: what happens then was asked for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.e2e.rig import Rig, rig
from tests.service.connecting import schedule
from tests.service.supervisor import Supervised, supervised

QUIET = 'delta = "1h"\nfull = "6h"\ndrift = "24h"'


@contextmanager
def beside(folder: Path, *, users: int = 12, safety: str = "") -> Iterator[Rig]:
    with rig(folder, users=users, groups=2) as made:
        if safety:
            made.write_config(safety=safety)
        schedule(made, QUIET)
        yield made


@contextmanager
def running(made: Rig) -> Iterator[Supervised]:
    """The daemon, once its first full cycle is done; it ends well."""
    with supervised(made.folder, made.config) as daemon:
        daemon.logs("cycle done", cycle="full")
        yield daemon
        assert daemon.stop() == 0
