"""While a plan is made, an object that cannot be read stops only itself, whatever it is read for."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from syncd.engine.cycles.sync import sync
from syncd.engine.reading.selection import Selection
from syncd.simulators.world import OktaWorld
from tests.chaos.arena import Arena, arena
from tests.e2e.test_delta import opened

NEW = "ann.new@example.com"
PROBLEMS: dict[str, tuple[str, dict[str, Any]]] = {
    "a 500": ("status", {"status": 500}),
    "a 403": ("status", {"status": 403}),
    "a 400": ("status", {"status": 400}),
    "no answer": ("drop", {}),
}
every_problem = pytest.mark.parametrize("problem", PROBLEMS)


@pytest.fixture(params=[""])
def made(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Arena]:
    """Twenty people, ten of them in a pushed group; synced. The parameter: keys of [provisioning]."""
    okta = OktaWorld()
    people = [okta.add_user(f"p{n:02}@example.com", "P", f"{n:02}", assign=True) for n in range(20)]
    okta.create_group("push-crew", members=people[:10])
    tables = {
        "safety": 'max_deactivations = "50%"\nmax_member_removals = "50%"\nmax_group_deletions = 5',
        "rule": 'on_removal = "delete"',
        "provisioning": request.param,
    }
    with arena(tmp_path, okta, tables=tables, attempts=2) as found:
        with opened(found) as job:
            assert sync(job, Selection()).exit_code == 0
        found.later(timedelta(minutes=30))
        yield found


def account(made: Arena, name: str) -> str:
    return next(user.id for user in made.split.world.users.values() if user.user_name == name)


def active(made: Arena, name: str) -> bool:
    return any(user.user_name == name and user.active for user in made.split.world.users.values())


def cycle(made: Arena) -> Any:
    with opened(made) as job:
        return sync(job, Selection(full=True))


def somebody_elses_account_answers_the_create_of(made: Arena, name: str) -> str:
    made.split.set_knobs(posts_answer="same_name", posts_answer_status=200)
    args = {"email": name, "given_name": "Other", "family_name": "Person"}
    made.split.faults.add("act", method="POST", path="/Users", act="create_local_user", args=args)
    made.okta.world.add_user(name, "Ann", "New", assign=True)
    assert cycle(made).exit_code == 4
    made.split.set_knobs(posts_answer="new")
    made.split.faults.clear()
    return account(made, name)


def all_others_go_on(made: Arena, *, said: bool = True) -> None:
    """Somebody is hired meanwhile. `said`: what cannot be read is waited for, and the cycle was not whole."""
    made.okta.world.add_user("hire@example.com", "New", "Hire", assign=True, groups=["push-crew"])
    made.later(timedelta(minutes=20))

    result = cycle(made)

    assert not made.quarantined()
    assert "hire@example.com" in made.split.world.members("push-crew"), result.document()
    assert result.exit_code in ((1, 4) if said else (0, 4)), result.document()


@every_problem
def test_an_account_that_a_leaver_left_behind(made: Arena, problem: str) -> None:
    action, options = PROBLEMS[problem]
    left = somebody_elses_account_answers_the_create_of(made, NEW)
    made.okta.world.unassign(NEW)
    made.split.faults.add(action, method="GET", path=f"/Users/{left}$", count=-1, **options)

    all_others_go_on(made)

    made.split.faults.clear()
    [skip] = [skip for skip in cycle(made).skipped if skip.kind == "left_behind"]
    assert left in skip.reason


@every_problem
def test_an_account_that_answered_the_create_of_somebody_who_is_still_wanted(
    made: Arena, problem: str
) -> None:
    action, options = PROBLEMS[problem]
    doubted = somebody_elses_account_answers_the_create_of(made, NEW)
    made.split.faults.add(action, method="GET", path=f"/Users/{doubted}$", count=-1, **options)

    all_others_go_on(made)


@every_problem
def test_a_group_that_answered_the_create_of_one_that_is_still_wanted(made: Arena, problem: str) -> None:
    action, options = PROBLEMS[problem]
    made.split.set_knobs(posts_answer="same_name", posts_answer_status=200)
    args = {"name": "push-new", "members": ["p19@example.com"]}
    made.split.faults.add("act", method="POST", path="/Groups", act="create_local_group", args=args)
    made.okta.world.create_group("push-new", members=["p00@example.com"])
    assert cycle(made).exit_code == 4
    made.split.set_knobs(posts_answer="new")
    made.split.faults.clear()
    doubted = made.split.world.group("push-new").id
    made.split.faults.add(action, method="GET", path=f"/Groups/{doubted}($|\\?)", count=-1, **options)

    all_others_go_on(made)


@every_problem
def test_an_account_that_may_keep_the_name_that_another_one_waits_for(made: Arena, problem: str) -> None:
    action, options = PROBLEMS[problem]
    keeper = account(made, "p15@example.com")
    for method in ("PUT", "PATCH"):
        made.split.faults.add("status", method=method, path=f"/Users/{keeper}", count=-1, status=400)
    made.okta.world.update_profile("p15@example.com", login="moved@example.com", email="moved@example.com")
    assert cycle(made).exit_code == 4
    made.okta.world.add_user("p15@example.com", "Next", "One", assign=True)
    made.split.faults.add(action, method="GET", path=f"/Users/{keeper}$", count=-1, **options)

    all_others_go_on(made, said=False)


ASKED_ABOUT_A_LEAVER = [r"/apps/[^/]+/users/{who}", r"/api/v1/users/{who}$"]


@every_problem
@pytest.mark.parametrize("path", ASKED_ABOUT_A_LEAVER)
@pytest.mark.parametrize("made", ['deactivation_grace = "1h"'], indirect=True)
def test_a_leaver_who_is_asked_for_by_id(made: Arena, problem: str, path: str) -> None:
    action, options = PROBLEMS[problem]
    who = made.okta.world.user("p12@example.com").id
    made.okta.world.unassign("p12@example.com")
    made.okta.faults.add(action, path=path.format(who=who), count=-1, **options)

    all_others_go_on(made, said="apps" in path)
    assert active(made, "p12@example.com")


@every_problem
@pytest.mark.parametrize("path", [r"/api/v1/groups/{crew}$", r"/api/v1/users/{who}/groups"])
def test_who_left_a_group_and_is_asked_about_by_id(made: Arena, problem: str, path: str) -> None:
    action, options = PROBLEMS[problem]
    who, crew = made.okta.world.user("p02@example.com").id, made.okta.world.group("push-crew").id
    made.okta.world.remove_member("push-crew", "p02@example.com")
    made.okta.faults.add(action, path=path.format(who=who, crew=crew), count=-1, **options)

    all_others_go_on(made)
    assert "p02@example.com" in made.split.world.members("push-crew")


@every_problem
def test_a_group_that_is_gone_from_the_list_and_asked_for_by_id(made: Arena, problem: str) -> None:
    action, options = PROBLEMS[problem]
    made.okta.world.create_group("push-old", members=["p00@example.com"])
    assert cycle(made).exit_code == 0
    old = made.okta.world.group("push-old").id
    made.okta.world.delete_group("push-old")
    made.okta.faults.add(action, path=f"/api/v1/groups/{old}$", count=-1, **options)

    all_others_go_on(made)
    assert "push-old" in {group.name for group in made.split.world.groups.values()}
