"""The machine's bad days: a full disk, a clock that jumps, a second process. Nothing is lost and nobody is harmed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from syncd.errors import PermanentError, RefusedError
from syncd.simulators.world import OktaWorld
from syncd.store import open_store
from syncd.store.sqlite.store import SqliteStore
from tests.chaos.arena import Arena, arena
from tests.chaos.oracle import holdings, wishes


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Arena]:
    okta = OktaWorld()
    people = [okta.add_user(f"p{n:02}@example.com", "P", f"{n:02}", assign=True) for n in range(60)]
    okta.create_group("push-crew", members=people[:30])
    with arena(tmp_path, okta) as found:
        yield found


def assert_exact(made: Arena) -> None:
    wanted, have = wishes(made.okta.world), holdings(made.split.world)
    assert {owner: one.person for owner, one in have.people.items() if one.active} == wanted.people
    assert {key: group.members for key, group in have.groups.items()} == wanted.members


@pytest.mark.parametrize("pages", [2, 8, 14])
def test_a_disk_that_fills_up_in_the_middle_stops_the_run_and_the_next_one_finishes(
    made: Arena, pages: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite's page limit stands in for the disk: the error is the same SQLITE_FULL."""
    with monkeypatch.context() as patch:
        locked = SqliteStore.lock

        def lock(self: SqliteStore, owner: str, *, expires_in: timedelta, serves: bool = False) -> None:
            locked(self, owner, expires_in=expires_in, serves=serves)
            (used,) = self._conn.execute("PRAGMA page_count").fetchone()
            self._conn.execute(f"PRAGMA max_page_count = {used + pages}")

        patch.setattr(SqliteStore, "lock", lock)
        stopped = made.cycle()
    assert stopped.result is not None
    assert stopped.result.status == "failed"
    [problem] = stopped.result.problems
    assert isinstance(problem, PermanentError)
    assert "the disk is full" in problem.message

    assert made.cycle().exit_code == 0

    assert_exact(made)
    made.assert_journal_is_whole()


def test_no_room_for_what_was_learned_of_the_target_does_not_hide_how_the_run_ended(
    made: Arena, monkeypatch: pytest.MonkeyPatch
) -> None:
    remember = SqliteStore.remember

    def full(self: SqliteStore, key: str, value: str | None) -> None:
        if key == "learned":
            raise PermanentError("the disk is full")
        remember(self, key, value)

    monkeypatch.setattr(SqliteStore, "remember", full)

    assert made.cycle().exit_code == 0

    assert_exact(made)


@pytest.mark.parametrize("jump", [timedelta(days=-400), timedelta(days=400)])
def test_a_clock_that_jumps_changes_nothing_but_the_time(made: Arena, jump: timedelta) -> None:
    assert made.cycle().exit_code == 0
    made.okta.world.unassign("p59@example.com")
    made.later(jump)
    assert made.cycle().exit_code == 0
    made.okta.world.update_profile("p00@example.com", lastName="Moved")
    made.okta.world.unassign("p58@example.com")
    made.later(-jump)

    assert made.cycle().exit_code == 0

    assert_exact(made)
    made.assert_journal_is_whole()


def test_a_clock_set_back_forgets_no_removal_that_the_limits_count(made: Arena) -> None:
    assert made.cycle().exit_code == 0
    for number in range(50, 56):
        made.okta.world.unassign(f"p{number}@example.com")
    assert made.cycle().exit_code == 0
    made.later(timedelta(hours=-2))
    made.okta.world.unassign("p56@example.com")

    assert made.cycle().exit_code == 3


def test_a_second_process_is_refused_by_the_name_of_the_first(made: Arena) -> None:
    with open_store(made.store_path, connection="chaos", clock=made.clock) as first:
        first.lock("syncd run (pid 4711)", expires_in=timedelta(minutes=5))

        second = made.cycle()

    assert isinstance(second.error, RefusedError)
    assert "syncd run (pid 4711)" in second.error.message
    assert not holdings(made.split.world).people
