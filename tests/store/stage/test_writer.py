"""Rows that a thread of its own writes: all are there when they are asked for, or whoever asks hears why not."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Lock

import pytest

from syncd.errors import PermanentError
from syncd.store.sqlite.connection import SqliteDb
from syncd.store.stage.writer import AT_ONCE, WriteBehind, insert_rows

MANY = 5 * AT_ONCE + 7


class File:
    """Stands for a `StageFile` of one table; `free` lets the writer in, `full` is what the disk says."""

    def __init__(self, path: Path) -> None:
        self.conn = sqlite3.connect(path, isolation_level=None, check_same_thread=False, factory=SqliteDb)
        self.conn.execute("CREATE TABLE told (number INTEGER, word TEXT)")
        self.free, self.lock = Event(), Lock()
        self.full: PermanentError | None = None
        self.free.set()

    @contextmanager
    def asking(self) -> Iterator[sqlite3.Connection]:
        assert self.free.wait(30)
        if self.full is not None:
            raise self.full
        with self.lock:
            yield self.conn

    def rows(self) -> list[tuple[int, str]]:
        return self.conn.execute("SELECT number, word FROM told ORDER BY rowid").fetchall()


@pytest.fixture
def file(tmp_path: Path) -> File:
    return File(tmp_path / "stage.db")


@pytest.fixture
def behind(file: File) -> Iterator[WriteBehind]:
    writer = WriteBehind(file, "INSERT INTO told (number, word)")  # type: ignore[arg-type]  # stands for one
    yield writer
    file.free.set()
    writer.close()


def given(count: int) -> list[tuple[int, str]]:
    return [(number, f"word {number}") for number in range(count)]


@pytest.mark.parametrize("count", [0, 1, AT_ONCE, AT_ONCE + 1, MANY])
def test_many_rows_are_written_as_they_were_given(file: File, count: int) -> None:
    insert_rows(file.conn, "INSERT INTO told (number, word)", given(count))
    assert file.rows() == given(count)


def test_everything_that_was_added_is_there_once_it_is_drained_and_in_the_same_order(
    file: File, behind: WriteBehind
) -> None:
    for row in given(MANY):
        behind.add(row)
    behind.drain()
    assert file.rows() == given(MANY)
    behind.drain()
    assert file.rows() == given(MANY)


def test_whoever_adds_does_not_wait_for_what_is_being_written(file: File, behind: WriteBehind) -> None:
    file.free.clear()
    for row in given(AT_ONCE):
        behind.add(row)
    assert file.rows() == []
    file.free.set()
    behind.drain()
    assert file.rows() == given(AT_ONCE)


def test_what_could_not_be_written_is_said_to_whoever_asks_each_time(file: File, behind: WriteBehind) -> None:
    file.full = PermanentError("the disk is full")
    for row in given(AT_ONCE):
        behind.add(row)
    for _ in range(2):
        with pytest.raises(PermanentError, match="the disk is full"):
            behind.drain()
    file.full = None
    with pytest.raises(PermanentError, match="the disk is full"):
        behind.drain()  # a gap in the middle stays a gap, whatever can be written now


def test_what_could_not_be_written_stops_whoever_adds_more(file: File, behind: WriteBehind) -> None:
    file.full = PermanentError("the disk is full")
    added = 0

    def add_all() -> None:
        nonlocal added
        for added, row in enumerate(given(MANY)):  # noqa: B007  (the last one is looked at)
            behind.add(row)

    with pytest.raises(PermanentError, match="the disk is full"):
        add_all()
    assert added < MANY - 1


def test_closing_waits_for_what_is_being_written(file: File, behind: WriteBehind) -> None:
    for row in given(AT_ONCE):
        behind.add(row)
    behind.close()
    written = len(file.rows())
    assert 0 < written <= AT_ONCE
    behind.close()
    assert len(file.rows()) == written
