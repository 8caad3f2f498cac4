"""Sessions for short acts, each of which is over soon or has failed, and for hearing what others notify: opened when
they are needed, and anew after they were lost.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
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


class Ear(Closing):
    """Hears the notifications of one channel; of one thread, but for `close`."""

    def __init__(self, url: str, name: str, channel: str) -> None:
        """`channel` is a name of ours, put into a statement as it is."""
        self._url, self._name, self._channel = url, name, channel
        self._session: Connection | None = None

    def close(self) -> None:
        """May be called twice."""
        if self._session is not None:
            self._session.close()
        self._session = None

    def heard(self, seconds: float) -> AbstractSet[int]:
        """Which numbers were notified meanwhile; waits so long for the first. What is no number ends the waiting. What
        was notified while there was no session nobody hears: it was lost when this raises SyncdError.
        """
        with explained(self._url):
            try:
                if self._session is None or self._session.closed:
                    self._session = quick_session(self._url, self._name)
                    self._session.execute(f"LISTEN {self._channel}".encode())
                heard = list(self._session.notifies(timeout=seconds, stop_after=1))
                heard += list(self._session.notifies(timeout=0))
            except psycopg.Error:
                if self._session is not None:
                    self._session.close()
                raise
        return {int(each.payload) for each in heard if each.payload.isdecimal()}
