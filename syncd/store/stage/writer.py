"""Rows on their way into a table of the staging file: many at a time, and by a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from syncd.store.db import Db
from syncd.store.rows import Row
from syncd.store.stage.session import StageSession

AT_ONCE = 500
_HANDED_OVER = 350
"""No divisor of a page: whoever asks for the next one should not find the file busy each time."""


def insert_rows(conn: Db, into: str, rows: Sequence[Row]) -> None:
    """`into`: a statement up to its VALUES. One step for so many rows takes a third less than a step for each, and
    SQLite gives the interpreter to other threads meanwhile.
    """
    for first in range(0, len(rows), AT_ONCE):
        some = rows[first : first + AT_ONCE]
        one = f"({', '.join('?' * len(some[0]))})"
        conn.execute(
            f"{into} VALUES {', '.join([one] * len(some))}", [value for row in some for value in row]
        )


class WriteBehind:
    """Whoever adds goes on while what was added before is written. Nothing that was added is in the table for certain
    until `drain` came back. The first column of a row is its key. Safe to share between threads.
    """

    def __init__(self, file: StageSession, into: str) -> None:
        self._file = file
        self._into = into
        self._lock = threading.Lock()
        self._rows: list[Row] = []
        self._thread = ThreadPoolExecutor(1, "syncd-stage")
        self._writing: Future[None] | None = None

    def add(self, row: Row) -> None:
        """Raises what stopped the rows before it from being written."""
        with self._lock:
            self._rows.append(row)
            if len(self._rows) >= _HANDED_OVER:
                self._written()
                rows, self._rows = self._rows, []
                self._writing = self._thread.submit(self._write, rows)

    def drain(self) -> None:
        """Everything that was added is written. Raises what stopped any of it, each time again."""
        with self._lock:
            self._written()
            if self._rows:
                self._write(self._rows)
                self._rows = []

    def close(self) -> None:
        """Waits for what is being written, and forgets the rest. May be called twice."""
        self._thread.shutdown()

    def _written(self) -> None:
        if self._writing is not None:
            self._writing.result()

    def _write(self, rows: Sequence[Row]) -> None:
        latest = {row[0]: row for row in rows}  # no statement may write a row twice
        with self._file.asking() as conn:
            insert_rows(conn, self._into, list(latest.values()))
