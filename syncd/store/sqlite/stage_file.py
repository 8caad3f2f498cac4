"""The staging file: a private SQLite file with the store attached read-only beside it."""

from __future__ import annotations

import itertools
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from syncd.store.db import Db
from syncd.store.rows import Row
from syncd.store.sqlite.connection import SqliteDb
from syncd.store.sqlite.faults import explained, explained_beside
from syncd.store.sqlite.stage_tables import SPOOL_INDEXES, SPOOL_TWICE, TABLES
from syncd.store.sqlite.transaction import transaction
from syncd.store.stage.tables import REMOTE_VIEW, SCRATCH, WHOLE_READ, views

PAGE = 500
_PRAGMAS_BESIDE = ("cache_size = -256", "store.cache_size = -1024", "query_only = ON", "busy_timeout = 10000")


class StageFile:
    """One connection, short transactions, and answers by the page. Safe to share between threads."""

    def __init__(self, path: Path, store_uri: str, store_path: Path) -> None:
        """`path` must exist, empty and private. Raises SyncdError."""
        self.path = path
        # The file stands in a scratch directory of its own, and that in the directory which a person knows.
        self._home, self._store_uri, self._store_path = path.parent.parent, store_uri, store_path
        self._beside: deque[SqliteDb] = deque()
        self._lock = threading.RLock()
        self._numbers = itertools.count(1)
        self._closed = False
        with self._explained():
            self._conn = SqliteDb.of_file(path, "rw")
            for pragma in (
                "journal_mode = MEMORY",
                "synchronous = OFF",
                "temp_store = FILE",
                "cache_size = -32768",
                "busy_timeout = 10000",
            ):
                self._conn.execute(f"PRAGMA {pragma}")
            self._conn.executescript(TABLES)
        with explained(store_path):
            self._conn.execute("ATTACH ? AS store", (store_uri,))
        with self._explained():
            self._conn.execute("PRAGMA store.cache_size = -16384")
            for view in (*views("main", "store"), REMOTE_VIEW):
                self._conn.execute(view)
            for name, columns in SCRATCH.items():
                self._conn.execute(f"CREATE TEMP TABLE {name} ({columns}) WITHOUT ROWID")

    def _explained(self) -> AbstractContextManager[None]:
        return explained_beside(self._home, self._store_path)

    @contextmanager
    def short(self) -> Iterator[SqliteDb]:
        """One short transaction. Raises SyncdError for what SQLite says."""
        with self._lock, self._explained(), transaction(self._conn, "DEFERRED") as conn:
            yield conn

    @contextmanager
    def asking(self) -> Iterator[SqliteDb]:
        """For a single statement, which needs no transaction around it."""
        with self._lock, self._explained():
            yield self._conn

    @contextmanager
    def asking_beside(self) -> Iterator[SqliteDb]:
        """For a single SELECT of one worker of many, over a connection that only it has now: behind one lock, where
        each waits for its turn at the interpreter too, all are no faster than one. Shows what was committed.
        """
        with self._explained():
            try:
                conn = self._beside.pop()
            except IndexError:
                conn = self._another()
            try:
                yield conn
            finally:
                self._beside.append(conn)

    def _another(self) -> SqliteDb:
        conn = SqliteDb.of_file(self.path, "ro")
        try:
            conn.execute("ATTACH ? AS store", (self._store_uri,))
            for pragma in _PRAGMAS_BESIDE:
                conn.execute(f"PRAGMA {pragma}")
        except BaseException:
            conn.close()
            raise
        return conn

    def revision(self) -> int:
        """The store's, now."""
        return self._number("revision")

    def whole_read(self) -> int:
        """The store's revision when a complete cycle changed it last, 0 when none has."""
        return self._number(WHOLE_READ)

    def _number(self, key: str) -> int:
        with self._lock:
            row = self._conn.execute("SELECT value FROM store.meta WHERE key = ?", (key,)).fetchone()
        return int(row[0]) if row else 0

    def pages(
        self,
        select: str,
        given: Sequence[Any],
        handed_out: str,
        *,
        prepare: Callable[[Db], None] | None = None,
    ) -> Iterator[list[Row]]:
        """See `StageSession.pages`: the queue is a table."""
        queue = f"main.queue_{next(self._numbers)}"
        query = f"{handed_out.replace('{queue}', queue)} WHERE q.n > ? ORDER BY q.n LIMIT {PAGE}"
        last = 0
        try:
            with self.short() as conn:
                if prepare is not None:
                    prepare(conn)
                width = len(conn.execute(f"SELECT * FROM ({select}) LIMIT 0", given).description)  # noqa: S608
                conn.execute(f"CREATE TABLE {queue} (n INTEGER NOT NULL PRIMARY KEY, a, b, c, d)")
                names = ", ".join("abcd"[:width])
                conn.execute(f"INSERT INTO {queue} ({names}) {select}", given)
            while True:
                with self.asking() as conn:
                    rows = conn.execute(query, (last,)).fetchall()
                if rows:
                    yield rows
                if len(rows) < PAGE:
                    return
                last = rows[-1][0]
        finally:
            with self._lock:
                if not self._closed:
                    self._conn.execute(f"DROP TABLE IF EXISTS {queue}")

    def index_spool(self, names: Iterable[str]) -> None:
        """See `StageSession.index_spool`."""
        with self.short() as conn:
            for name in names:
                try:
                    conn.execute(SPOOL_INDEXES[name])
                except sqlite3.IntegrityError:
                    conn.execute(SPOOL_TWICE)
                    conn.execute(SPOOL_INDEXES[name])

    def close(self) -> None:
        """Removes the file. May be called twice."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._conn.close()
                while self._beside:
                    self._beside.pop().close()
                self.path.unlink(missing_ok=True)
