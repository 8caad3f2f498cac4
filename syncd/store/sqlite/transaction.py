"""One transaction of SQLite: nothing of it stays when the block fails, at whatever line an interrupt comes."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal, TypeVar

_Conn = TypeVar("_Conn", bound=sqlite3.Connection)


@contextmanager
def transaction(conn: _Conn, kind: Literal["DEFERRED", "IMMEDIATE"] = "IMMEDIATE") -> Iterator[_Conn]:
    """Committed at the end of the block. Not to be nested. Raises what SQLite says."""
    try:
        conn.execute(f"BEGIN {kind}")
        yield conn
        conn.execute("COMMIT")
    except BaseException:
        if conn.in_transaction:  # a full disk has ended it already
            conn.execute("ROLLBACK")
        raise


@contextmanager
def one_moment(conn: sqlite3.Connection) -> Iterator[None]:
    """Everything read in the block is of one moment, that of the outermost such block."""
    own = not conn.in_transaction
    try:
        if own:
            conn.execute("BEGIN DEFERRED")
            conn.execute("SELECT 1 FROM sqlite_schema").fetchone()  # it begins with the first read
        yield
    finally:
        if own and conn.in_transaction:
            conn.execute("ROLLBACK")
