"""One session for short acts, each of which is over soon or has failed: opened when it is needed, and anew after it was
lost.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

import psycopg
from psycopg.conninfo import make_conninfo
from psycopg.rows import DictRow, dict_row

from syncd.closing import Closing
from syncd.store.postgres.faults import explained
from syncd.store.postgres.sessions import connect

Connection = psycopg.Connection[DictRow]

_SOON = "SET statement_timeout = '5s'; SET lock_timeout = '2s'"
"""A heartbeat that comes later than that is none."""
_NETWORK = {
    "tcp_user_timeout": "5000",
    "keepalives_idle": "2",
    "keepalives_interval": "1",
    "keepalives_count": "3",
}


def quick_session(url: str, name: str) -> Connection:
    """A new one, whose rows are dictionaries. Raises what `sessions.connect` raises."""
    session = cast("Connection", connect(make_conninfo(url, **_NETWORK), name=name))
    session.row_factory, session.cursor_factory = dict_row, psycopg.Cursor
    session.execute(_SOON)
    return session


class QuickSession(Closing):
    """Safe to share between threads: one act at a time."""

    def __init__(self, url: str, name: str) -> None:
        """`url` is libpq's; `name` is shown in pg_stat_activity."""
        self._url, self._name = url, name
        self._lock = threading.Lock()
        self._session: Connection | None = None

    def close(self) -> None:
        """May be called twice."""
        with self._lock:
            if self._session is not None:
                self._session.close()
            self._session = None

    @contextmanager
    def acting(self) -> Iterator[Connection]:
        """In autocommit. What psycopg raises becomes a SyncdError."""
        with self._lock, explained(self._url):
            if self._session is None or self._session.closed:
                self._session = quick_session(self._url, self._name)
            yield self._session
