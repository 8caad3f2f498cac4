"""One transaction: whatever comes at whatever line, nothing is left open."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest

from syncd.store.sqlite.transaction import one_moment, transaction


class Interrupted(sqlite3.Connection):
    """Ctrl-C arrives right after the statement that begins so."""

    after = "-"

    def execute(self, sql: str, *arguments: Any) -> sqlite3.Cursor:
        done = super().execute(sql, *arguments)
        if sql.startswith(self.after):
            raise KeyboardInterrupt
        return done


@pytest.fixture
def conn() -> Interrupted:
    conn = sqlite3.connect(":memory:", isolation_level=None, factory=Interrupted)
    conn.execute("CREATE TABLE people (name)")
    return conn


@pytest.mark.parametrize("after", ["BEGIN", "INSERT", "SELECT"])
@pytest.mark.parametrize("opened", [transaction, one_moment])
def test_an_interrupt_after_any_statement_leaves_no_transaction_and_nothing_written(
    conn: Interrupted, opened: Callable[[sqlite3.Connection], AbstractContextManager[object]], after: str
) -> None:
    conn.after = after

    with pytest.raises(KeyboardInterrupt), opened(conn):
        conn.execute("INSERT INTO people SELECT 'Ada' FROM (SELECT 1)") and conn.execute(
            "SELECT 1 FROM people"
        )

    conn.after = "-"
    assert not conn.in_transaction
    assert conn.execute("SELECT * FROM people").fetchall() == []


def test_what_was_committed_stays_when_the_interrupt_comes_right_after(conn: Interrupted) -> None:
    conn.after = "COMMIT"

    with pytest.raises(KeyboardInterrupt), transaction(conn):
        conn.execute("INSERT INTO people VALUES ('Ada')")

    assert not conn.in_transaction
    assert conn.execute("SELECT * FROM people").fetchall() == [("Ada",)]


def test_a_moment_within_a_transaction_does_not_end_it(conn: Interrupted) -> None:
    with transaction(conn):
        with one_moment(conn):
            conn.execute("INSERT INTO people VALUES ('Ada')")
        assert conn.in_transaction

    assert conn.execute("SELECT * FROM people").fetchall() == [("Ada",)]
