"""Both simulators with settings for them, and the command line in between."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from syncd.simulators.okta import OktaSimulator
from syncd.simulators.split import SplitSimulator
from syncd.simulators.world import default_split, generate_okta
from tests.cli.invoking import OKTA_TOKEN, SPLIT_TOKEN, TODAY, Invoker, write_config


class World:
    """Both simulators and the command line with settings for them."""

    def __init__(self, syncd: Invoker, okta: OktaSimulator, split: SplitSimulator) -> None:
        self.syncd, self.okta, self.split = syncd, okta, split
        group = okta.world.create_group("Crew")
        self.people = sorted(row.id for row in okta.world.app_users.values())[:4]
        for user in self.people:
            okta.world.add_member(group, user)
        self.config = write_config(
            syncd.directory / "acme.toml",
            org_url=okta.url,
            app_id=okta.world.app.id,
            base_url=split.base_url,
            more='[[push_groups]]\nsource = { name = "Crew" }\n',
            created=TODAY,
        )
        self.base = ("-c", str(self.config))

    def writes(self) -> list[str]:
        return [f"{record.method} {record.path}" for record in self.split.requests if record.method != "GET"]

    def email(self, user: str) -> str:
        return str(self.okta.world.app_users[user].profile["email"])


def break_the_user_list(world: World) -> None:
    """Page 2 would be on another origin: an incomplete read that no retry mends."""
    world.okta.faults.add("next_origin", path=r"/apps/[^/]+/users", count=-1, origin="http://127.0.0.1:9")


@contextmanager
def small_world(syncd: Invoker) -> Iterator[World]:
    """Fourteen people and two groups in Okta, an empty organisation in Split."""
    okta = OktaSimulator(generate_okta(users=14, groups=2, seed=3), token=OKTA_TOKEN)
    okta.world.set_app(features=[])
    with okta, SplitSimulator(default_split(), token=SPLIT_TOKEN) as split:
        yield World(syncd, okta, split)
