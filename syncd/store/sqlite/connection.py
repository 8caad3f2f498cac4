"""A connection to a SQLite file, as the store's modules know a database."""

from __future__ import annotations

import sqlite3
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Self

from syncd.ports.trail import Altered
from syncd.store.db import Given
from syncd.store.sqlite.snapshot import snapshot
from syncd.store.sqlite.soundness import altered_schema, damage
from syncd.store.sqlite.transaction import one_moment

sqlite_version = sqlite3.sqlite_version
STATEMENTS_KEPT = 32
"""Prepared ones of each connection; a hundred stores are open at once, and a prepared statement is kilobytes."""
FEW_PAGES = 4
"""For a cache that begins: SQLite takes the first twenty pages at once, unless it is smaller."""


class SqliteDb(sqlite3.Connection):
    """Implements `store.db.Db`; given to `sqlite3.connect` as its `factory`. The SQL text is taken as it is."""

    @classmethod
    def of_file(cls, path: Path, mode: str, *, timeout: float = 5.0, cached_statements: int = 128) -> Self:
        """Of the file as it is there (`mode` "ro", "rw" or "rwc", as in its URI), for any thread; transactions are
        begun by hand. Raises sqlite3.Error.
        """
        return sqlite3.connect(
            f"{path.absolute().as_uri()}?mode={mode}",
            uri=True,
            isolation_level=None,
            check_same_thread=False,
            timeout=timeout,
            cached_statements=cached_statements,
            factory=cls,
        )

    def widen(self) -> None:
        """Room for the pages of many questions."""
        self.execute("PRAGMA cache_size = -16384").fetchall()

    def shrink(self) -> None:
        """Gives back all memory that the next question can do without, and has it take little until `widen`."""
        for number in range(STATEMENTS_KEPT):  # what is prepared only others drive out
            self.execute(f"SELECT {number}").fetchone()
        self.execute(f"PRAGMA cache_size = {FEW_PAGES}").fetchall()
        self.execute("PRAGMA shrink_memory")

    def stream(self, sql: str, given: Given = (), /) -> sqlite3.Cursor:
        """SQLite makes rows as they are asked for."""
        return self.execute(sql, given)

    def one_moment(self) -> AbstractContextManager[None]:
        """See `Db.one_moment`."""
        return one_moment(self)

    def snapshot(self) -> AbstractContextManager[None]:
        """See `Db.snapshot`."""
        return snapshot(self)

    def version(self) -> object:
        """See `Db.version`."""
        return self.execute("PRAGMA data_version").fetchone()[0]

    def altered(self) -> list[Altered]:
        """See `Db.altered`."""
        return [*damage(self), *altered_schema(self)]
