"""A store moves from a file into a fleet's database and back, and is the same."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from syncd.errors import ConfigurationError, PermanentError, RefusedError
from syncd.ports import Store
from syncd.store import journal, state
from syncd.store.left_behind import leave_behind
from syncd.store.postgres.connection import PostgresDb
from syncd.store.postgres.dialect import IN_STORE
from syncd.store.postgres.moving import move, relocate
from syncd.store.postgres.sessions import Session, connect
from syncd.store.sqlite.connection import SqliteDb
from syncd.store.sqlite.opening import open_for_reading
from tests.postgres.making import PostgresPlace
from tests.store.lived import live
from tests.store.making import NOON, Place, push_member


@pytest.fixture
def fleet(prepared: str) -> Iterator[PostgresPlace]:
    with closing(PostgresPlace(prepared)) as made:
        yield made


@pytest.fixture
def lived(tmp_path: Path) -> Place:
    place = Place(tmp_path / "state" / "split-prod.db")
    with place.open() as store:
        live(store)
    return place


@contextmanager
def in_file(place: Place) -> Iterator[SqliteDb]:
    conn = sqlite3.connect(place.path, isolation_level=None, factory=SqliteDb)
    with closing(conn):
        conn.execute("BEGIN IMMEDIATE")
        yield conn
        conn.execute("COMMIT")


@contextmanager
def in_fleet(place: PostgresPlace) -> Iterator[PostgresDb]:
    with connect(place.url) as conn:
        session = Session(conn)
        session.show(place.number)
        with conn.transaction():
            yield PostgresDb(session, IN_STORE)


def known(store: Store) -> object:
    groups = store.groups()
    return (
        store.journal_head(),
        store.revision(),
        store.population(),
        groups,
        [store.pushed_members(group.okta_id) for group in groups],
        store.failures(),
        store.holds(),
        store.decided(),
        store.runs(),
        list(store.waiting()),
        [(entry.sequence, entry.hash) for entry in store.journal_entries()],
    )


def test_a_store_that_moved_is_the_same_and_goes_on(lived: Place, fleet: PostgresPlace) -> None:
    with in_file(lived) as source, in_fleet(fleet) as target:
        counts = move(source, target, NOON)
    assert counts["journal"] > 20
    assert counts["users"] == lived.count("users") > 0
    with lived.open() as before, fleet.open() as after:
        assert known(after) == known(before)
        assert after.verify_journal().intact
        assert after.altered() == set()
        push_member(after, "00g-dev", "00u-cal")
        assert after.verify_journal().intact


def test_there_and_back_is_the_same_chain(lived: Place, fleet: PostgresPlace, tmp_path: Path) -> None:
    with in_file(lived) as source, in_fleet(fleet) as target:
        move(source, target, NOON)
    with fleet.open() as store:
        push_member(store, "00g-dev", "00u-cal")
    home = Place(tmp_path / "home" / "split-prod.db")
    home.path.parent.mkdir(mode=0o700)
    with home.open():
        pass
    with in_fleet(fleet) as source, in_file(home) as target:
        move(source, target, NOON)
    with fleet.open() as before, home.open() as after:
        assert known(after) == known(before)
        assert after.verify_journal().intact


def test_rows_of_the_trail_are_counted_whether_or_not_they_are_in_packs(
    lived: Place, fleet: PostgresPlace
) -> None:
    with in_file(lived) as source, in_fleet(fleet) as target:
        moved = relocate(source, target, named="split-prod", place="the fleet", now=NOON)
        again = relocate(source, target, named="split-prod", place="the fleet", now=NOON)
    assert moved.counts["packs"] > 0
    assert moved.rows == again.rows == moved.head.sequence


def test_a_place_that_has_a_store_takes_no_other(lived: Place, fleet: PostgresPlace) -> None:
    with fleet.open() as store:
        live(store)
        head = store.journal_head()
    with (
        in_file(lived) as source,
        pytest.raises(RefusedError, match="a store already"),
        in_fleet(fleet) as target,
    ):
        move(source, target, NOON)
    with fleet.open() as store:
        assert store.journal_head() == head


def test_a_store_that_is_not_whole_is_not_moved(lived: Place, fleet: PostgresPlace) -> None:
    with in_file(lived) as source:
        source.execute("DELETE FROM members WHERE user_id = '00u-ann'")
    with (
        in_file(lived) as source,
        pytest.raises(PermanentError, match="not whole"),
        in_fleet(fleet) as target,
    ):
        move(source, target, NOON)
    with in_fleet(fleet) as target:
        assert state.revision(target) == 0
        assert journal.head(target).sequence == 0


def test_a_file_that_was_left_behind_says_where_it_went(lived: Place) -> None:
    there = "the fleet's database syncd on db.example.com"
    with in_file(lived) as source:
        leave_behind(source, there)
    said = r"split-prod\.db was moved to the fleet's database syncd on db"
    with pytest.raises(ConfigurationError, match=said):
        lived.open()
    with pytest.raises(ConfigurationError, match=said):
        open_for_reading(lived.path, connection="split-prod", clock=lived.clock)


def test_a_connection_of_a_fleet_that_was_left_behind_says_where_it_went(fleet: PostgresPlace) -> None:
    with fleet.open():
        pass
    with in_fleet(fleet) as source:
        leave_behind(source, "the file acme.db on host7")
    with pytest.raises(ConfigurationError, match=r"was moved to the file acme\.db on host7"):
        fleet.open()
