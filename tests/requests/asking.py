"""Connections whose daemon does nothing by itself after its first full cycle: what happens then was asked for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.connection_text import FREE_TO_CHANGE
from tests.e2e.rig import Rig, rig
from tests.service.connecting import schedule
from tests.service.supervisor import Supervised, eventually, supervised

QUIET = 'delta = "1h"\nfull = "6h"\ndrift = "24h"'


@contextmanager
def beside(folder: Path, *, users: int = 12, safety: str = FREE_TO_CHANGE) -> Iterator[Rig]:
    """So many people, the first five of them in the pushed group Crew."""
    with rig(folder, users=0, groups=0, pushed=["Crew"]) as made:
        made.tables = {"safety": safety}
        world = made.okta.world
        ids = [world.add_user(f"p{n:02}@example.com", "P", f"{n:02}", assign=True) for n in range(users)]
        world.create_group("Crew", members=ids[:5])
        schedule(made, QUIET)
        yield made


def at_rest(made: Rig, daemon: Supervised) -> None:
    """Its full cycle is done."""
    daemon.hears("READY=1")

    def fulls() -> list[object]:
        runs = made.run("status", "--json").document["runs"]
        return [run["finished"] for run in runs if run["kind"] == "full"]

    eventually(lambda: fulls() and None not in fulls(), "a full cycle ends")


@contextmanager
def running(made: Rig) -> Iterator[Supervised]:
    """The daemon, once its first full cycle is done; it ends well."""
    with supervised(made.folder, made.config) as daemon:
        at_rest(made, daemon)
        yield daemon
        assert daemon.stop() == 0
