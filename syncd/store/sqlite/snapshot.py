"""Several questions about one moment, whatever is written meanwhile, and whatever was put into the file by hand."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from syncd.store.sqlite.transaction import one_moment


@contextmanager
def snapshot(conn: sqlite3.Connection) -> Iterator[None]:
    """All reads see one moment, and text that is no UTF-8 (ours always is) comes as it is instead of as an error."""
    text = conn.text_factory
    try:
        conn.text_factory = _lenient
        with one_moment(conn):
            yield
    finally:
        conn.text_factory = text


def _lenient(raw: bytes) -> Any:
    return raw.decode("utf-8", "surrogateescape")
