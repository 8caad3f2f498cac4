"""The journal cannot be changed unnoticed."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from syncd.core.change import ChangeKind
from syncd.store.journal import GENESIS, append_note, row_hash, verify_chain
from tests.store.making import NOON, Place, apply, change


@contextmanager
def by_hand(path: Path) -> Iterator[sqlite3.Connection]:
    """What a person with the sqlite3 shell has."""
    with closing(sqlite3.connect(path)) as conn:
        yield conn
        conn.commit()


@pytest.fixture
def written(place: Place) -> Place:
    with place.open() as store:
        for number in range(3):
            apply(
                store,
                change(ChangeKind.UPDATE_USER, f"00u{number}", title="x"),
                error="400" if number else None,
            )
        store.note({"decision": "approve"})
    return place


def test_every_row_follows_the_one_before(written: Place) -> None:
    with written.open() as store:
        rows = list(store.journal_entries())
        report = store.verify_journal()
    assert [row.entry for row in rows] == ["intent", "outcome"] * 3 + ["note"]
    assert [row.refers for row in rows if row.entry == "outcome"] == [1, 3, 5]
    assert [row.applied for row in rows if row.entry == "outcome"] == [True, False, False]
    assert [row.previous for row in rows] == [GENESIS, *(row.hash for row in rows[:-1])]
    assert (report.rows, report.broken_at) == (7, None)


def test_an_outcome_says_what_became_of_the_change(written: Place) -> None:
    with written.open() as store:
        intent, outcome = list(store.journal_entries())[2:4]
    assert intent.body["after"] == {"title": "x"}
    assert outcome.body == {"change": intent.body["id"], "status": 200, "effects": [], "error": "400"}
    assert (outcome.kind, outcome.okta_id, outcome.run_id) == ("update_user", "00u1", intent.run_id)


def test_entries_are_read_page_by_page_and_by_run(written: Place) -> None:
    with written.open() as store:
        everything = list(store.journal_entries())
        assert list(store.journal_entries(after=5)) == everything[5:]
        run_id = everything[2].run_id
        assert [row.sequence for row in store.journal_entries(run_id=run_id)] == [3, 4]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE journal SET body = '{}' WHERE sequence = 3",
        "DELETE FROM journal WHERE sequence = 3",
        "DELETE FROM journal",
        "REPLACE INTO journal SELECT * FROM journal WHERE sequence = 3",
    ],
)
def test_rows_can_be_neither_changed_nor_removed(written: Place, statement: str) -> None:
    with by_hand(written.path) as conn, pytest.raises(sqlite3.IntegrityError, match="append-only"):
        conn.execute(statement)


@pytest.mark.parametrize(
    ("statement", "broken_at", "problem"),
    [
        ("UPDATE journal SET body = '{}' WHERE sequence = 3", 3, "changed"),
        ("UPDATE journal SET applied = 1 WHERE sequence = 4", 4, "changed"),
        ("DELETE FROM journal WHERE sequence = 3", 3, "missing"),
        ("DELETE FROM journal WHERE sequence = 7", 7, "end"),
        ("DELETE FROM journal WHERE sequence < 4", 4, "no checkpoint"),
        ("DELETE FROM journal", 1, "end"),
        ("UPDATE journal SET previous = 'x' WHERE sequence = 5", 5, "continue"),
    ],
)
def test_who_takes_the_triggers_away_first_is_found_out(
    written: Place, statement: str, broken_at: int, problem: str
) -> None:
    with by_hand(written.path) as conn:
        for trigger in ("journal_no_update", "journal_no_delete"):
            conn.execute(f"DROP TRIGGER {trigger}")
        conn.execute(statement)
    with written.open() as store:
        report = store.verify_journal()
    assert report.broken_at == broken_at
    assert problem in report.problem


def test_a_forged_row_with_a_right_hash_of_its_own_breaks_the_chain_behind_it(written: Place) -> None:
    with by_hand(written.path) as conn:
        conn.execute("DROP TRIGGER journal_no_update")
        columns = "sequence, at, run_id, entry, refers, kind, okta_id, group_id, applied, body, previous"
        row = list(conn.execute(f"SELECT {columns} FROM journal WHERE sequence = 3").fetchone())  # noqa: S608
        row[9] = '{"forged":true}'
        conn.execute("UPDATE journal SET body = ?, hash = ? WHERE sequence = 3", (row[9], row_hash(row)))
    with written.open() as store:
        assert store.verify_journal().broken_at == 4


def test_old_rows_can_be_pruned_behind_a_checkpoint_that_vouches_for_them(written: Place) -> None:
    with by_hand(written.path) as conn:
        (previous,) = conn.execute("SELECT hash FROM journal WHERE sequence = 4").fetchone()
        append_note(conn, {"checkpoint": {"below": 5, "previous": previous}}, NOON)
        conn.execute("INSERT INTO meta (key, value) VALUES ('journal_checkpoint', '5')")
        conn.execute("DELETE FROM journal WHERE sequence < 5")
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            conn.execute("DELETE FROM journal WHERE sequence = 5")
        report = verify_chain(conn)
    assert (report.rows, report.broken_at) == (4, None)
