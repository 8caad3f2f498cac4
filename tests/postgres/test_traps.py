"""What PostgreSQL does otherwise than SQLite, and the store does alike on both."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from syncd.core.change import ChangeKind
from syncd.ports import Settled
from syncd.ports.history import Reach
from syncd.store.postgres.connection import PostgresDb
from syncd.store.postgres.dialect import IN_STORE
from syncd.store.postgres.sessions import Session, connect
from syncd.store.postgres.store import PostgresStore
from tests.postgres.making import PostgresPlace
from tests.store.making import absorb, apply, change, group, push_group, push_user, wanted

ODD = "x\x00\ud800é"


@pytest.fixture
def place(prepared: str) -> Iterator[PostgresPlace]:
    with closing(PostgresPlace(prepared)) as made:
        yield made


@pytest.fixture
def store(place: PostgresPlace) -> Iterator[PostgresStore]:
    with place.open() as opened:
        yield opened


def test_text_that_postgresql_refuses_comes_back_and_is_found(store: PostgresStore) -> None:
    odd = wanted("00u-odd", name=f"{ODD}@example.com")
    absorb(store, users=[odd])
    push_user(store, odd)
    store.remember("fact", ODD)
    assert store.recall("fact") == ODD
    assert [known.wanted for known in store.find_users(odd.user_name)] == [odd]
    assert [known.okta_id for known in store.find_former_users(odd.user_name)] == ["00u-odd"]
    assert store.owners("user", [ODD, "scim-00u-odd"]) == {"scim-00u-odd": "00u-odd"}
    assert store.verify_journal().intact


@pytest.mark.parametrize(
    ("said", "valid", "kind", "inside"),
    [
        (r'{"a":{"b":"x"}}', True, "object", None),
        (r'{"a":"approve","s":"\ud800\u0000"}', True, "string", "approve"),
        (r'{"a":null}', True, "null", None),
        ("{", False, None, None),
        ("", False, None, None),
    ],
)
def test_json_is_looked_into_whatever_stands_in_it(
    prepared: str, said: str, valid: bool, kind: str | None, inside: str | None
) -> None:
    with connect(prepared) as conn:
        asked = "SELECT json_valid($1), json_type($1, '$.a')"
        assert conn.execute(asked, (said,)).fetchone() == (valid, kind)
        if kind != "object":
            assert conn.execute("SELECT json_extract($1, '$.a')", (said,)).fetchone() == (inside,)


def test_numbers_are_whole_numbers_and_flags_are_flags(store: PostgresStore) -> None:
    absorb(store, users=[wanted("a"), wanted("b")], groups=[group("g")], lists={"g": ["a", "b"]})
    for each in ("a", "b"):
        push_user(store, wanted(each))
    push_group(store, "g", ["a", "b"])
    found = store.population()
    numbers = (found.users, found.active_users, found.groups, found.memberships, *found.by_group.values())
    assert numbers == (2, 2, 1, 2, 2)
    assert {type(each) for each in numbers} == {int}
    stage = store.stage()
    assert (stage.wanted_count("g"), type(stage.wanted_count("g"))) == (2, int)
    stage.close()


def test_ids_are_ordered_by_their_bytes_and_compared_with_letter_case(store: PostgresStore) -> None:
    ids = ["a", "B", "_c", "Z"]
    absorb(store, users=[wanted(each) for each in ids])
    for each in ids:
        push_user(store, wanted(each))
    assert [known.okta_id for known in store.linked_users()] == ["B", "Z", "_c", "a"]
    assert store.user("b") is None


def test_a_long_answer_is_read_by_the_page_while_others_write(store: PostgresStore) -> None:
    absorb(store, users=[wanted("a")])
    run_id = store.begin_run("full")
    for _ in range(4):
        changes = [change(ChangeKind.UPDATE_USER, "a", title=str(number)) for number in range(200)]
        store.settle(
            [Settled(at, each) for at, each in zip(store.intend(run_id, changes), changes, strict=True)]
        )
    told = store.outcomes(Reach())
    next(told)
    apply(store, change(ChangeKind.UPDATE_USER, "a", title="later"))
    assert 1 + sum(1 for _ in told) == 800
    with store.one_moment():
        first = sum(1 for _ in store.outcomes(Reach()))
        assert store.change_counts(Reach())[0].count == first == 801


def test_a_stream_ends_with_its_last_row(place: PostgresPlace, store: PostgresStore) -> None:
    with place.pools.acts.borrow(place.number) as session:
        rows = PostgresDb(session, IN_STORE).stream("SELECT sequence FROM journal WHERE sequence < ?", (0,))
        assert (rows.fetchone(), rows.fetchall(), list(rows)) == (None, [], [])
        assert session.conn.execute("SELECT count(*) FROM pg_cursors").fetchone() == (0,)


def test_who_comes_by_himself_and_changes_a_row_is_noticed(
    place: PostgresPlace, store: PostgresStore
) -> None:
    absorb(store, users=[wanted("a")])
    push_user(store, wanted("a"))
    assert store.altered() == set()
    with connect(place.url) as conn:
        conn.execute("SELECT set_config('syncd.connection', $1, false)", (str(place.number),))
        conn.execute("UPDATE users SET pushed_active = 0")
    assert store.altered() == {"users"}
    report = store.verify_journal()
    assert {each.table for each in report.altered} == {"users"}
    with connect(place.url) as conn:
        conn.execute("SELECT set_config('syncd.connection', $1, false)", (str(place.number),))
        conn.execute("UPDATE users SET pushed_active = 1")
    assert store.altered() == set()


def test_a_trigger_that_somebody_switched_off_is_named(prepared: str) -> None:
    with connect(prepared) as conn:
        conn.execute("BEGIN")
        conn.execute("ALTER TABLE users_t DISABLE TRIGGER sealed_update")
        found = PostgresDb(Session(conn), IN_STORE).altered()
        conn.execute("ROLLBACK")
    assert [each.table for each in found] == ["trigger users_t.sealed_update"]


def test_a_stage_that_nobody_closed_gives_its_session_back(
    place: PostgresPlace, store: PostgresStore
) -> None:
    absorb(store, users=[wanted("a")])
    for _ in range(50):  # more than there are sessions for stages
        store.stage().put_users([wanted("b")])
    stage = store.stage()
    assert [case.okta_id for case in stage.user_cases()] == ["a"], "nothing of the stages before"
    stage.close()
