"""A database that failed over, or was put back, may know less than was done: how that is told, and what follows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from syncd.engine.cycles.rolled_back import (
    APART,
    COMPARISON_DUE,
    HISTORY,
    SOON,
    SPREAD_AT_MOST,
    ComparisonDue,
    comes_in,
    follow_history,
)
from syncd.engine.cycles.second_look import LOOKED_AT_AT_MOST, SECOND_LOOK, also_look_at
from syncd.engine.facts import LAST_DRIFT, RESTORED
from syncd.errors import LockLost, TemporaryError
from syncd.ports.fleet import Fleet, Ownership
from syncd.ports.permit import Permit
from syncd.service.drift_turns import due_in
from syncd.service.held_store import Held
from syncd.settings import ConnectionSettings
from syncd.settings.cron import read_cron
from syncd.store.postgres.course import history_of
from syncd.store.postgres.registry import PostgresRegistry
from syncd.store.postgres.sessions import connect
from tests.e2e.rig import Rig
from tests.fleet.test_second_look import job_of, left_open
from tests.fleet.working import Working, enrolled, working
from tests.postgres.fixtures import needs_a_server
from tests.postgres.making import PostgresPlace
from tests.postgres.server import running
from tests.store.making import Place

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(hours=24)
BEFORE, AFTER = "7713/00000001", "7713/00000002"


# what the server tells


def test_an_ordinary_role_is_told_the_same_by_every_session_and_after_a_restart() -> None:
    needs_a_server()
    with running() as server:
        with connect(server.url()) as conn:
            conn.execute("CREATE ROLE plain LOGIN")
            told = history_of(conn)
        assert told is not None
        assert told.endswith("/00000001")
        server.stop()
        server.start()
        with connect(server.url().replace("user=syncd", "user=plain")) as conn:
            assert history_of(conn) == told


def test_a_server_that_does_not_tell_is_looked_at_all_the_same(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as session:
        session.execute("REVOKE EXECUTE ON FUNCTION pg_walfile_name FROM PUBLIC")
        session.execute("CREATE ROLE untold LOGIN")
        session.execute("GRANT USAGE ON SCHEMA syncd TO untold")
        session.execute("GRANT SELECT ON ALL TABLES IN SCHEMA syncd TO untold")
    try:
        with PostgresRegistry(f"{database} user=untold") as registry:
            assert registry.look().history == ""
            assert registry.look().course.history == ""
    finally:
        with psycopg.connect(database, autocommit=True) as session:
            session.execute("DROP OWNED BY untold")
            session.execute("DROP ROLE untold")


def test_in_another_course_of_the_database_an_owner_writes_nothing(database: str) -> None:
    place = PostgresPlace(database)
    with closing(place), connect(database) as conn:
        here = history_of(conn)
        place.claim = replace(place.take_over(), history=here or "")
        with place.open() as store:
            store.remember("key", "written")
        place.claim = replace(place.claim, history=BEFORE)
        with pytest.raises(LockLost, match="failed over, or was put back"):
            place.open()


# what is noted


def test_the_first_course_is_noted_and_the_same_one_changes_nothing(tmp_path: Path) -> None:
    with Place(tmp_path / "acme.db").open() as store:
        assert follow_history(store, BEFORE, NOW, SOON) is None
        assert HISTORY.of(store) == BEFORE
        assert follow_history(store, BEFORE, NOW, SOON) is None
        assert follow_history(store, "", NOW, SOON) is None
        assert follow_history(store, AFTER, NOW, SOON, is_first=True) is None, (
            "it moved here from another fleet"
        )
        assert HISTORY.of(store) == AFTER
        assert (COMPARISON_DUE.of(store), RESTORED.of(store)) == (None, None)


def test_in_another_course_a_comparison_is_due_once_and_what_is_sent_is_looked_for_first(
    tmp_path: Path,
) -> None:
    with Place(tmp_path / "acme.db").open() as store:
        follow_history(store, BEFORE, NOW, SOON)
        due = ComparisonDue(NOW, NOW + SOON)
        assert follow_history(store, AFTER, NOW, SOON) == (BEFORE, due)
        assert COMPARISON_DUE.of(store) == due
        assert RESTORED.of(store) is not None
        assert follow_history(store, AFTER, NOW + DAY, SOON) is None


@pytest.mark.parametrize("text", ["", "[]", "{", '{"since": 1}', '{"since": "x", "at": "y"}'])
def test_what_somebody_else_wrote_there_is_no_comparison(tmp_path: Path, text: str) -> None:
    with Place(tmp_path / "acme.db").open() as store:
        store.remember(COMPARISON_DUE.key, text)
        assert COMPARISON_DUE.of(store) is None
        assert due_in(store, DAY, NOW) == DAY.total_seconds()


def test_a_second_look_takes_in_whom_the_log_names_unless_these_are_too_many(tmp_path: Path) -> None:
    with Place(tmp_path / "acme.db").open() as store:
        also_look_at(store, frozenset(), NOW)
        assert SECOND_LOOK.of(store) is None
        also_look_at(store, {("user", "00u1"), ("group", "00g1")}, NOW)
        also_look_at(store, {("user", "00u2")}, NOW)
        many = {("user", f"00u{number}") for number in range(LOOKED_AT_AT_MOST)}
        also_look_at(store, many, NOW)
        found = SECOND_LOOK.of(store)
        assert found is not None
        assert (set(found.users), set(found.groups)) == ({"00u1", "00u2"}, {"00g1"})


# when everything is compared


def test_a_thousand_comparisons_are_spread_over_an_hour_and_a_single_one_is_soon() -> None:
    minutes = Counter(comes_in(f"c{number:04}", 1_000) // timedelta(minutes=1) for number in range(1_000))
    assert max(minutes.values()) < 40
    assert SOON <= comes_in("acme", 1) < SOON + APART
    assert all(comes_in(f"c{n}", 10**6) < SOON + SPREAD_AT_MOST for n in range(100))
    assert comes_in("acme", 500) == comes_in("acme", 500)


def test_the_comparison_comes_at_its_time_whatever_the_schedule_says_and_is_over_once_it_was_made(
    tmp_path: Path,
) -> None:
    with Place(tmp_path / "acme.db").open() as store:
        LAST_DRIFT.remember(store, {"created_at": (NOW - timedelta(hours=1)).isoformat()})
        COMPARISON_DUE.remember(store, ComparisonDue(NOW, NOW + SOON))
        for every in (DAY, read_cron({"cron": "0 3 * * *"})):
            assert due_in(store, every, NOW) == SOON.total_seconds()
            assert due_in(store, every, NOW + SOON * 2) == 0.0, "no takeover puts it off"
        assert due_in(store, timedelta(seconds=10), NOW) == 10.0
        LAST_DRIFT.remember(store, {"created_at": (NOW + SOON).isoformat()})
        assert due_in(store, DAY, NOW + SOON) == DAY.total_seconds()


# what a worker does


class FailingOver(PostgresRegistry):
    """Whose database is another one from some moment on."""

    history = BEFORE

    def look(self) -> Fleet:
        return replace(super().look(), history=self.history)


def test_a_worker_whose_database_failed_over_begins_anew_with_what_that_knows(
    database: str, registry: PostgresRegistry, made: Rig
) -> None:
    enrolled(registry, made)
    mine = FailingOver(database)
    with working(Working(database, made.folder, "one", registry=mine)) as one:
        one.logs("cycle done", cycle="full")
        mine.history = AFTER
        one.logs("the database failed over, or was put back: all connections begin anew", connections=1)
        one.logs("owns a connection", connection="acme", epoch=2, clean=True)
        one.logs("its database failed over, or was put back", connection="acme", before=BEFORE, now=AFTER)
        made.okta.world.add_user("new@example.com", "New", "Hire", assign=True)
        one.logs("applied", object="new@example.com")
        assert one.events("owns a connection", epoch=3) == []


class Faltering(Working):
    """Whose database is away for a moment, just after the first store was opened."""

    opened = 0

    def _opens(self, settings: ConnectionSettings, ownership: Ownership, permit: Permit) -> Held:
        held = super()._opens(settings, ownership, permit)
        self.opened += 1
        vars(held.store)["open_intents"] = _failing_once(held.store.open_intents)
        return held


def _failing_once(ask: Callable[[], Any]) -> Callable[[], Any]:
    asked: list[bool] = []

    def answer() -> Any:
        asked.append(True)
        if len(asked) == 1:
            raise TemporaryError("the database cannot be reached")
        return ask()

    return answer


def test_what_was_under_way_is_taken_over_also_where_the_database_was_away_when_the_store_was_opened(
    database: str, registry: PostgresRegistry, made: Rig
) -> None:
    made.sync()
    with job_of(made) as job:
        left_open(job, min(made.actual_people()))
    enrolled(registry, made)
    one = Faltering(database, made.folder, "one")
    with working(one):
        one.logs("takes over what was under way", users=1)
        assert one.opened == 1
