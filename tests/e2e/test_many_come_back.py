"""More people than are asked for by id leave and come back while lists lag: two reads of such a list are one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from syncd.engine.cycles.delta import delta
from syncd.engine.cycles.sync import sync
from syncd.engine.reading.selection import Selection
from syncd.simulators.world import OktaWorld, default_split
from tests.chaos.arena import arena
from tests.e2e.test_younger_wins import LIMITS, Daemon, daemon

LAG = 540
MANY = [f"m{n:02}@example.com" for n in range(60)]


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Daemon]:
    """A hundred people in one pushed group; every list lags."""
    okta = OktaWorld()
    few = [okta.add_user(f"p{n:02}@example.com", "P", f"{n:02}", assign=True) for n in range(40)]
    many = [okta.add_user(name, "M", name[1:3], assign=True) for name in MANY]
    okta.create_group("push-crew", members=[*few, *many])
    with (
        arena(tmp_path, okta, tables=LIMITS, split=default_split(flavor="scim")) as made,
        daemon(made) as found,
    ):
        okta.clock = made.clock
        made.okta.set_knobs(list_lag={"*": LAG}, stamp_lag_seconds=LAG)
        yield found


Act = Callable[[OktaWorld, str], object]
OUT: dict[str, Act] = {
    "app": OktaWorld.unassign,
    "group": lambda okta, name: okta.remove_member("push-crew", name),
}
BACK: dict[str, Act] = {
    "app": OktaWorld.assign,
    "group": lambda okta, name: okta.add_member("push-crew", name),
}


def all_of_them(okta: OktaWorld, acts: dict[str, Act], *places: str) -> None:
    """They leave, or come back to, each of these places."""
    for place in places:
        for name in MANY:
            acts[place](okta, name)


def later(running: Daemon, seconds: float) -> None:
    running.made.later(timedelta(seconds=seconds))


def cycle(running: Daemon, *, every: bool) -> None:
    result = sync(running.job, Selection(full=every))
    assert result.exit_code == 0, result.document()


def active(running: Daemon) -> int:
    people = running.made.split.world.users.values()
    return sum(user.active for user in people if user.user_name in MANY)


def members(running: Daemon) -> int:
    return len([name for name in running.made.split.world.members("push-crew") if name in MANY])


def nothing(_: Daemon) -> None:
    pass


def look(running: Daemon) -> None:
    delta(running.job, running.seen)


@pytest.mark.parametrize("every", [False, True])
@pytest.mark.parametrize("between", [nothing, look])
@pytest.mark.parametrize("places", [("app",), ("group",), ("app", "group")], ids="-".join)
def test_whoever_is_back_is_removed_by_no_list_that_shows_them_away(
    running: Daemon,
    places: tuple[str, ...],
    between: Callable[[Daemon], None],
    every: bool,
) -> None:
    all_of_them(running.world, OUT, *places)
    later(running, 60)
    all_of_them(running.world, BACK, *places)
    between(running)
    later(running, LAG - 40)

    cycle(running, every=every)

    assert active(running) == len(MANY)
    assert members(running) == len(MANY)


@pytest.mark.parametrize("every", [False, True])
def test_whoever_is_back_is_let_into_no_group_that_only_a_lagging_list_names(
    running: Daemon, every: bool
) -> None:
    running.made.okta.set_knobs(list_lag={"members": LAG}, stamp_lag_seconds=LAG)
    all_of_them(running.world, OUT, "app", "group")
    cycle(running, every=every)
    assert active(running) == 0
    assert members(running) == 0
    later(running, 60)
    all_of_them(running.world, BACK, "app")

    cycle(running, every=every)

    assert (active(running), members(running)) == (50, 0), "as many as are asked for by id in one cycle"
    look(running)
    look(running)
    assert (active(running), members(running)) == (len(MANY), 0)


@pytest.mark.parametrize("status", [403, 400])
def test_of_many_leavers_one_who_cannot_be_asked_for_stays_and_holds_up_nobody(
    running: Daemon, status: int
) -> None:
    running.made.okta.set_knobs(list_lag=None, stamp_lag_seconds=0)
    all_of_them(running.world, OUT, "app", "group")
    first = min(running.world.user(name).id for name in MANY)
    running.made.okta.faults.add("status", path=f"/apps/[^/]+/users/{first}", count=-1, status=status)

    assert sync(running.job, Selection(full=True)).exit_code in (1, 4)

    assert active(running) == 1
