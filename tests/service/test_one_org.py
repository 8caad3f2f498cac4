"""Several connections of one org in one daemon: they ask the org's System Log once for all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from syncd.okta.orgs import Orgs
from syncd.simulators.split import SplitSimulator
from syncd.simulators.world import default_split
from tests.e2e.rig import SPLIT_TOKEN, Rig, rig
from tests.service.connecting import schedule
from tests.service.supervisor import eventually
from tests.service.test_daemon import Inside, inside

RARELY = 'delta = "1h"\nfull = "12h"\ndrift = "24h"'


@dataclass
class Org:
    """Its connections, each with its own Split, in one daemon whose rounds this tells."""

    made: Rig
    splits: Sequence[SplitSimulator]
    daemon: Inside
    hours: list[float]

    @property
    def names(self) -> Sequence[str]:
        return [f"c{number:02}" for number in range(len(self.splits))]

    def log_requests(self) -> int:
        return sum("/api/v1/logs" in each for each in self.made.reads())

    def polls(self) -> Sequence[int]:
        board = self.daemon.daemon.board
        return [board.connection(name).snapshot().totals.polls for name in self.names]

    def round(self) -> None:
        """An hour passes, and each has its next delta."""
        before = self.polls()
        self.hours[0] += 3600.0
        for name in self.names:
            self.daemon.daemon._timetable.bring_forward(name, "delta")
        eventually(lambda: all(now > then for now, then in zip(self.polls(), before, strict=True)), "deltas")

    def has(self, email: str) -> bool:
        return all(
            any(user.user_name == email and user.active for user in list(each.world.users.values()))
            for each in self.splits
        )


@contextmanager
def connections(folder: Path, count: int) -> Iterator[Org]:
    hours = [0.0]
    with rig(folder, users=3, groups=0, pushed=()) as made, ExitStack() as stack:
        schedule(made, RARELY)
        text, configs, splits = made.config.read_text(), [], []
        for number in range(count):
            split = stack.enter_context(SplitSimulator(default_split(), token=SPLIT_TOKEN))
            config = folder / f"c{number:02}.toml"
            config.write_text(
                text.replace(made.split.base_url, split.base_url).replace('"acme"', f'"c{number:02}"')
            )
            configs.append(config)
            splits.append(split)
        daemon = Inside(configs)
        daemon.daemon._around = replace(daemon.daemon._around, orgs=Orgs(lambda: hours[0]))
        stack.enter_context(inside(daemon))
        org = Org(made, splits, daemon, hours)
        for name in org.names:
            daemon.logs("cycle done", cycle="full", connection=name)
        yield org


def test_fifteen_connections_of_one_org_ask_its_log_as_often_as_one(
    tmp_path: Path,
) -> None:
    with connections(tmp_path, 15) as org:
        org.round()
        org.made.forget()
        for hour in range(2):
            email = f"new{hour}@example.com"
            org.made.okta.world.add_user(email, "New", "Hire", assign=True)
            org.round()
            eventually(partial(org.has, email), f"{email} is in each Split")
            assert org.log_requests() == hour + 1
