"""What a stage says to PostgreSQL: little, all or nothing, and counted."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import psycopg
import pytest

from syncd.errors import TemporaryError
from syncd.store.db import Given, Rows
from syncd.store.postgres.connection import PostgresDb, Stream
from syncd.store.postgres.sessions import connect
from syncd.store.postgres.stage import PostgresStage
from syncd.store.postgres.store import PostgresStore
from syncd.store.stage.tables import MEMBER_CASES
from tests.postgres.making import PostgresPlace
from tests.store.making import absorb, fill, group, wanted

_ADD = "INSERT INTO main.seen VALUES (?)"
_COUNT = "SELECT count(*) FROM main.seen"


@pytest.fixture
def store(prepared: str) -> Iterator[PostgresStore]:
    with closing(PostgresPlace(prepared)) as place, place.open() as one:
        yield one


@pytest.fixture
def stage(store: PostgresStore) -> Iterator[PostgresStage]:
    one = store.stage()
    assert isinstance(one, PostgresStage)
    with closing(one):
        yield one


def _count(stage: PostgresStage) -> int:
    with stage.tables.asking() as db:
        (count,) = db.execute(_COUNT).fetchone()
    return int(count)


def test_of_a_transaction_that_failed_nothing_stays(stage: PostgresStage) -> None:
    def fail() -> None:
        with stage.tables.short() as db:
            db.execute(_ADD, ("u1",))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert _count(stage) == 0


def test_a_statement_that_fails_unseen_takes_the_transaction_with_it(stage: PostgresStage) -> None:
    def fail() -> None:
        with stage.tables.short() as db:
            db.execute(_ADD, ("u1",))
            db.execute(_ADD, ("u1",))  # nobody asks what came of it
            db.execute(_ADD, ("u2",))

    with pytest.raises(psycopg.errors.UniqueViolation):
        fail()
    assert _count(stage) == 0
    with stage.tables.short() as db:
        db.execute(_ADD, ("u3",))
    assert _count(stage) == 1


def test_what_was_changed_is_counted_also_before_it_was_answered(stage: PostgresStage) -> None:
    before = stage.tables.db.total_changes
    with stage.tables.short() as db:
        db.execute(_ADD, ("u1",))
        db.executemany(_ADD, [("u2",), ("u3",)])
        assert db.total_changes == before + 3
        db.execute("DELETE FROM main.seen")
    assert stage.tables.db.total_changes == before + 6


def test_many_lists_are_absorbed_by_as_many_statements_as_few(
    store: PostgresStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    execute = PostgresDb.execute

    def counted(self: PostgresDb, sql: str, given: Given = (), /) -> Rows:
        asked.append(sql)
        return execute(self, sql, given)

    monkeypatch.setattr(PostgresDb, "execute", counted)
    costs = []
    for lists in (3, 30):
        groups = [group(f"g{lists}-{number}", stamp="t1") for number in range(lists)]
        absorb(store, groups=groups)
        stage = store.stage()
        fill(stage, users=[wanted("u1"), wanted("u2")], groups=groups)
        for each in groups:
            stage.put_members(each.okta_id, ["u1", "u2"])
            stage.members_read_whole(each.okta_id, "t1")
        asked.clear()
        store.absorb(stage, confirmed_absent={})
        costs.append(len(asked))
        stage.close()
        assert {store.group(each.okta_id).members_stamp for each in groups} == {"t1"}  # type: ignore[union-attr]
    assert costs[1] <= costs[0]


def test_statements_are_not_compiled(prepared: str) -> None:
    with connect(prepared) as conn:
        assert conn.execute("SHOW jit").fetchone() == ("off",)


def test_whoever_still_works_for_a_closed_stage_does_not_touch_who_has_its_session_now(
    store: PostgresStore,
) -> None:
    """A worker that lost its connection closes its stages while its threads still read."""
    gone = store.stage()
    assert isinstance(gone, PostgresStage)
    cases = gone.group_cases()
    fill(gone, groups=[group("g1")])
    session = gone.tables.session
    gone.close()
    with closing(store.stage()) as heir:
        assert isinstance(heir, PostgresStage)
        assert heir.tables.session is session
        for act in (lambda: gone.put_absent(["u1"]), gone.revision, lambda: list(cases)):
            with pytest.raises(TemporaryError, match="the stage is closed"):
                act()
        with heir.tables.asking() as db:
            assert db.execute("SELECT count(*) FROM main.absent").fetchone()[0] == 0


def _used(store: PostgresStore, rows: int) -> tuple[int, int]:
    """A stage that finds its tables empty and leaves so many rows: the file of one of them as it found it, and that
    file's size in bytes.
    """
    one = store.stage()
    assert isinstance(one, PostgresStage)
    with closing(one):
        assert _count(one) == 0
        with one.tables.asking() as db:
            found = db.execute(
                "SELECT pg_relation_filenode('pg_temp.s_seen'), pg_relation_size('pg_temp.s_seen')"
            ).fetchone()
        with one.tables.short() as db:
            db.executemany(_ADD, [(f"u{number}",) for number in range(rows)])
    return int(found[0]), int(found[1])


def test_the_next_stage_finds_small_tables_empty_in_the_files_that_were_there(store: PostgresStore) -> None:
    made, _ = _used(store, 5)
    assert {_used(store, 5)[0] for _ in range(3)} == {made}, (
        "a new file would cost more than all of a quiet cycle"
    )


def test_what_a_large_stage_left_is_given_back_with_its_file(store: PostgresStore) -> None:
    made, _ = _used(store, 5_000)
    file, size = _used(store, 0)
    assert file != made
    assert size == 0


def test_what_small_stages_leave_behind_does_not_grow_without_end(store: PostgresStore) -> None:
    sizes = [_used(store, 200)[1] for _ in range(40)]
    assert max(sizes) <= 128 * 1024


def test_the_order_of_joins_is_taken_as_it_stands_for_memberships_alone(
    store: PostgresStore, stage: PostgresStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict[str, str] = {}
    ask = PostgresDb.stream

    def noted(self: PostgresDb, sql: str, given: Given = (), /) -> Stream:
        (limit,) = self.session.conn.execute("SHOW join_collapse_limit").fetchone() or ("",)
        asked[sql] = str(limit)
        return ask(self, sql, given)

    monkeypatch.setattr(PostgresDb, "stream", noted)
    assert list(stage.member_cases()) == []
    assert list(stage.user_cases()) == []
    assert asked.pop(MEMBER_CASES) == "1"
    assert set(asked.values()) == {"8"}
    with stage.tables.asking() as db:
        assert db.execute("SHOW join_collapse_limit").fetchone() == ("8",)
