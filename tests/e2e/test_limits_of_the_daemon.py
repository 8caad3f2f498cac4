"""The same accidents, drop by drop, under the real daemon: also with another daemon for each drop."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest

from syncd.simulators.world import OktaWorld
from tests.e2e.rig import Rig, rig
from tests.service.supervisor import eventually, supervised

EVERYBODY = [f"p{n:02}@example.com" for n in range(40)]


@pytest.fixture
def company(tmp_path: Path) -> Iterator[Rig]:
    """Forty people, four of them in Crew; synced, and looked at each second."""
    with rig(tmp_path, users=0, groups=0, pushed=["Crew"]) as made:
        for name in EVERYBODY:
            made.okta.world.add_user(name, "P", name.partition("@")[0], assign=True)
        made.okta.world.create_group("Crew", members=EVERYBODY[:4])
        made.write_config(rules='[[push_groups]]\nsource = { name = "Crew" }\n[schedule]\ndelta = "1s"\n')
        with made.config.open("a") as file:
            file.write('[server]\nlisten = ""\n')
        made.sync()
        yield made


def _move(world: OktaWorld, number: int) -> None:
    world.update_profile(EVERYBODY[number], email=f"moved{number:02}@example.org")


def _blank(world: OktaWorld, number: int) -> None:
    world.update_profile(EVERYBODY[number], lastName="")


def _moved(made: Rig) -> int:
    return sum(user.user_name.endswith("@example.org") for user in made.split.world.users.values())


def _blanked(made: Rig) -> int:
    people = [user for user in made.split.world.users.values() if user.external_id]
    return sum(not user.attributes.get("name", {}).get("familyName") for user in people)


def held(made: Rig) -> Counter[str]:
    """So many changes by check."""
    document = json.loads(made.run("held", "--json").stdout)
    return Counter(hold["check"] for hold in document["holds"] for _ in hold["changes"])


def _settled(made: Rig, check: str, done: Callable[[Rig], int], dropped: int) -> bool:
    return done(made) + held(made)[check] >= dropped


@pytest.mark.parametrize(
    ("check", "drop", "done", "restarts"),
    [
        ("identity_changes", _move, _moved, False),
        ("blanked", _blank, _blanked, False),
        ("identity_changes", _move, _moved, True),
    ],
    ids=["identity_changes", "blanked", "a daemon for each drop"],
)
def test_what_trickles_through_the_daemon_stops_at_the_limit_of_the_day(
    company: Rig,
    check: str,
    drop: Callable[[OktaWorld, int], None],
    done: Callable[[Rig], int],
    restarts: bool,
) -> None:
    with ExitStack() as stack:
        daemon = stack.enter_context(supervised(company.folder, company.config))
        daemon.hears("READY=1")
        for number in range(8):
            if restarts and number:
                assert daemon.stop() == 0
                daemon = stack.enter_context(supervised(company.folder, company.config))
                daemon.hears("READY=1")
            drop(company.okta.world, number)
            eventually(
                partial(_settled, company, check, done, number + 1), f"change {number + 1} is written or held"
            )
        daemon.stop()

    assert done(company) == 5
    assert held(company) == {check: 3}
