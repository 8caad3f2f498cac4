"""Names in event hooks that the store does not know: who has the secret can make them up, and Okta names people who are
not in the app. They leave no row, cost what is set aside for them, and keep nobody waiting; no older list gains by it.
"""

from __future__ import annotations

import json
import sqlite3
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from syncd.core.hooks import HookNamed, Key
from syncd.engine.cycles.hooked import NAMES_AT_MOST, Hooked
from syncd.engine.cycles.result import RunResult
from syncd.engine.cycles.strangers import AT_ONCE, ONE_MORE_EVERY, StrangerBudget
from syncd.engine.cycles.sync import sync
from syncd.engine.job import Job
from syncd.engine.reading.selection import Selection
from tests.chaos.arena import Arena
from tests.e2e.old_lists import OldLists
from tests.e2e.rig import Rig
from tests.e2e.test_delta import exact, forget, opened
from tests.hooks.hooked_daemon import SECRET, hearing
from tests.hooks.test_merging import Both, both, reads_of_people
from tests.service.supervisor import eventually

NOW = datetime(2026, 3, 1, 10, tzinfo=UTC)


@pytest.fixture
def two(tmp_path: Path) -> Iterator[Both]:
    with both(tmp_path) as found:
        yield found


def rows(made: Arena, table: str = "tombstones") -> int:
    return rows_of(made.store_path, table)


def rows_of(store: Path, table: str = "tombstones") -> int:
    with sqlite3.connect(store) as conn:
        [(found,)] = conn.execute(f"SELECT count(*) FROM {table}")  # noqa: S608
    conn.close()
    return int(found)


def about(app_id: str, *okta_ids: str, kind: str = "application.user_membership.add") -> Mapping[str, Any]:
    """An event that names these people at our app."""
    target = [{"type": "User", "id": each} for each in okta_ids]
    return {
        "uuid": f"made-up-{okta_ids[0]}",
        "published": "2026-03-01T10:00:00.000Z",
        "eventType": kind,
        "target": [*target, {"type": "AppInstance", "id": app_id}],
    }


def made_up(app_id: str, post: int, names: int = 150) -> Sequence[Mapping[str, Any]]:
    return [about(app_id, f"00uNOBODY{post}x{number}") for number in range(names)]


def test_made_up_names_leave_no_row_and_cost_no_more_than_is_set_aside_for_them(two: Both) -> None:
    app_id = two.made.okta.world.app.id
    for post in range(50):
        two.post(made_up(app_id, post))
        two.delta()
        two.now += 6.0
    for _ in range(3):
        two.delta()
        two.now += 6.0

    allowed = AT_ONCE + int(53 * 6.0 / ONE_MORE_EVERY)
    assert AT_ONCE <= reads_of_people(two.made) <= 2 * allowed
    assert two.hooked.left_to_the_log >= 50 * 150 - allowed
    assert rows(two.made) == rows(two.made, "users") - 8 == 0
    assert exact(two.made)


def test_whoever_is_known_is_read_at_once_though_strangers_were_named_before(two: Both) -> None:
    two.lag(log=True, objects=False)
    for post in range(3):
        two.post(made_up(two.made.okta.world.app.id, post))
    two.made.okta.world.update_profile("p1@example.com", lastName="Moved", directory=False)
    two.made.okta.world.unassign("p2@example.com", everywhere=True)
    two.post(two.events())

    assert two.delta().more
    assert not two.made.split.world.user("p2@example.com").active
    assert reads_of_people(two.made) == 1
    assert two.delta().more
    assert exact(two.made)
    assert reads_of_people(two.made) <= 4

    assert not two.delta().more
    assert rows(two.made) == 0


def test_a_stranger_who_is_said_to_leave_does_not_go_before_others(two: Both) -> None:
    two.lag(log=True, objects=False)
    app_id = two.made.okta.world.app.id
    left = "application.user_membership.remove"
    two.post([about(app_id, f"00uNOBODY{number}", kind=left) for number in range(40)])
    for number in range(8):
        two.made.okta.world.update_profile(f"p{number}@example.com", lastName="Moved", directory=False)
    two.post(two.events())

    two.delta()

    assert exact(two.made)


def test_people_who_turn_out_to_be_ours_use_nothing_up(two: Both) -> None:
    """However many are hired: each is read because of a hook, long before the log tells."""
    two.lag(log=True, objects=False)
    okta = two.made.okta.world
    for number in range(3 * AT_ONCE // 2):
        okta.add_user(f"new{number:03}@example.com", "New", f"{number:03}", assign=True)
        if number % 25 == 24:
            two.post(two.events())
            two.delta()

    assert rows(two.made, "users") == 8 + 3 * AT_ONCE // 2
    assert two.hooked.left_to_the_log == 0


def test_what_is_set_aside_comes_back_with_time_and_is_the_orgs(two: Both) -> None:
    now = [0.0]
    budget = StrangerBudget(lambda: now[0])
    one, other = (Hooked(lambda: now[0], lambda: budget) for _ in range(2))
    strangers: Mapping[Key, HookNamed] = {
        ("user", f"00uNOBODY{number}"): HookNamed(NOW, NOW) for number in range(AT_ONCE)
    }
    one.put(strangers, [], NOW, strangers.keys())
    assert len(one.due()) == AT_ONCE

    assert not other.put(strangers, [], NOW, strangers.keys())
    assert other.left_to_the_log == AT_ONCE
    now[0] += 2 * ONE_MORE_EVERY
    assert other.put(strangers, [], NOW, strangers.keys())
    assert len(other.due()) == 2


def test_the_same_stranger_again_and_again_is_no_cheaper(two: Both) -> None:
    app_id = two.made.okta.world.app.id
    for _ in range(3 * AT_ONCE):
        two.post([about(app_id, "00uNOBODY")])
        two.delta()

    assert reads_of_people(two.made) <= AT_ONCE + 1


def test_a_known_name_takes_the_place_of_a_stranger() -> None:
    hooked = Hooked()
    strangers: Mapping[Key, HookNamed] = {
        ("user", f"00uNOBODY{number}"): HookNamed(NOW, NOW) for number in range(NAMES_AT_MOST)
    }
    known: Mapping[Key, HookNamed] = {
        ("user", f"00u{number}"): HookNamed(NOW, NOW) for number in range(NAMES_AT_MOST)
    }
    hooked.put(strangers, [], NOW, strangers.keys())
    hooked.put(known, [], NOW)

    assert hooked.due().keys() == known.keys()
    assert hooked.left_to_the_log == NAMES_AT_MOST


# no older list wins


def hired(two: Both) -> None:
    """Nobody here knows of it yet: neither the log nor a hook has told."""
    two.lag(log=True, objects=False)
    two.made.okta.world.add_user("fleeting@example.com", "F", "Leeting", assign=True)
    two.made.okta.world.create_group("push-fleeting")
    two.events()


def dismissed(two: Both) -> None:
    """A hook tells, and answers by id show it; the log does not yet."""
    okta = two.made.okta.world
    okta.unassign("fleeting@example.com", everywhere=True)
    okta.delete_group("push-fleeting")
    two.post(two.events())
    found = two.delta()
    assert found.result is None
    assert rows(two.made) == 0


def full(two: Both, lists: Callable[[Job], Any] = lambda job: job.source) -> RunResult:
    """A full cycle of the same process, which has the store open meanwhile."""
    forget(two.made)
    with opened(two.made) as job:
        two.job = job
        result = sync(replace(job, source=lists(job), nothing=two.hooked.nothing), Selection(full=True))
    two.job = None
    assert result.exit_code == 0, result.document()
    return result


def writes(made: Arena) -> list[str]:
    return [f"{one.method} {one.path}" for one in made.split.requests if one.method != "GET"]


def test_a_list_answered_before_a_hook_was_looked_at_does_not_bring_them_in(two: Both) -> None:
    hired(two)

    full(two, lambda job: OldLists(job.source, meanwhile=lambda: dismissed(two)))

    assert writes(two.made) == []
    assert exact(two.made)


def test_a_list_that_lags_behind_a_hook_does_not_bring_them_in(two: Both) -> None:
    hired(two)

    def lists(job: Job) -> Any:
        old = OldLists(job.source)
        dismissed(two)
        return old

    result = full(two, lists)

    assert writes(two.made) == []
    assert {skip.name for skip in result.skipped if skip.kind == "contradicted"} == {
        "fleeting@example.com",
        "push-fleeting",
    }
    assert exact(two.made)


def test_more_of_them_than_one_cycle_asks_for_do_not_come_in_either(two: Both) -> None:
    two.lag(log=True, objects=False)
    okta = two.made.okta.world
    many = [f"fleeting{number:02}@example.com" for number in range(70)]
    for email in many:
        okta.add_user(email, "F", email[8:10], assign=True)
    two.events()

    def lists(job: Job) -> Any:
        old = OldLists(job.source)
        for some in (many[:40], many[40:]):
            for email in some:
                okta.unassign(email, everywhere=True)
            two.post(two.events())
            for _ in range(2):
                two.delta()
                two.now += 3600.0
        return old

    full(two, lists)
    assert writes(two.made) == []
    assert exact(two.made)


def test_whoever_comes_back_meanwhile_comes_in(two: Both) -> None:
    hired(two)
    dismissed(two)
    two.made.okta.world.assign("fleeting@example.com")

    full(two)

    assert exact(two.made)


def test_what_the_log_itself_names_is_remembered_as_before(two: Both) -> None:
    hired(two)
    dismissed(two)
    two.lag(log=False, objects=False)
    two.delta()

    assert rows(two.made) > 0


# the daemon


def post(made: Rig, events: Sequence[Mapping[str, Any]], url: str) -> int:
    source = f"{made.okta.url}/api/v1/eventHooks/who1"
    body = {"eventType": "com.okta.event_hook", "source": source, "data": {"events": list(events)}}
    request = urllib.request.Request(  # noqa: S310  (loopback)
        url, json.dumps(body).encode(), {"Authorization": SECRET}, method="POST"
    )
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
        return int(answer.status)


def test_the_daemon_counts_and_says_that_strangers_were_left_to_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("syncd.engine.cycles.hooked.AGAIN_AFTER", 0.5)
    monkeypatch.setattr("syncd.engine.cycles.strangers.ONE_MORE_EVERY", 86_400.0)
    with hearing(tmp_path, monkeypatch) as (made, daemon, hook):
        board, hooked = daemon.daemon.board.connection("acme"), daemon.daemon._served["acme"].hooks.hooked
        app_id = made.okta.world.app.id
        assert post(made, made_up(app_id, 1), hook.url) == 204
        eventually(lambda: asked_for(made) == 2 * AT_ONCE, "each that fits was asked for twice")
        eventually(lambda: hooked.waits() is None, "nobody is asked for again")
        assert board.snapshot().totals.left_to_the_log == 150 - AT_ONCE
        assert daemon.warnings() == ()

        assert post(made, made_up(app_id, 2), hook.url) == 204
        daemon.logs(
            "event hooks name people or groups that are not there: such names are left to the System Log for a while"
        )
        assert board.snapshot().totals.left_to_the_log == 300 - AT_ONCE
        assert any("not there" in each for each in daemon.warnings())

        first = next(iter(made.okta.world.app_users))
        made.okta.world.set_user_status(str(made.okta.world.users[first].profile["login"]), "DEPROVISIONED")
        eventually(lambda: left(made), "a leaver whom the store knows is not put off")
        assert asked_for(made) == 2 * AT_ONCE
        assert rows_of(made.store) == 0


def left(made: Rig) -> bool:
    with made.split.world.lock:
        return any(not user.active for user in made.split.world.users.values())


def asked_for(made: Rig) -> int:
    return sum("00uNOBODY" in request.path for request in list(made.okta.requests))
