"""Sessions for short acts, each of which is over soon or has failed, and for hearing what others notify: opened when
they are needed, and anew after they were lost.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from typing import cast

import psycopg
from psycopg.conninfo import make_conninfo
from psycopg.rows import DictRow, dict_row

from syncd.closing import Closing
from syncd.store.postgres.answering import Answering, Unanswered
from syncd.store.postgres.faults import explained
from syncd.store.postgres.sessions import connect

Connection = Answering[DictRow]

_SOON = "SET statement_timeout = '5s'; SET lock_timeout = '2s'"
"""A heartbeat that comes later than that is none."""
ANSWERS_WITHIN = 7.0
"""Seconds: later than PostgreSQL itself says that it took too long."""
_CLOSES_WITHIN = 0.5
_NETWORK = {
    "tcp_user_timeout": "5000",
    "keepalives_idle": "2",
    "keepalives_interval": "1",
    "keepalives_count": "3",
}


def quick_session(url: str, name: str) -> Connection:
    """A new one, whose rows are dictionaries. Raises what `sessions.connect` raises."""
    opened = connect(make_conninfo(url, **_NETWORK), name=name, answers_within=ANSWERS_WITHIN)
    session = cast("Connection", opened)
    session.row_factory, session.cursor_factory = dict_row, psycopg.Cursor
    session.execute(_SOON)
    return session


class QuickSession(Closing):
    """Safe to share between threads: one act at a time."""

    def __init__(self, url: str, name: str, *, lost: Callable[[], None] | None = None) -> None:
        """`url` is libpq's; `name` is shown in pg_stat_activity; `lost` is called when the way to the database was, and
        when it is back.
        """
        self._url, self._name, self._tell = url, name, lost
        self._lock = threading.Lock()
        self._session: Connection | None = None
        self._is_lost = False

    def close(self) -> None:
        """May be called twice, and waits for no answer: what is being opened just then goes with the process."""
        if self._session is not None:
            self._session.doubt(0.0)
        if not self._lock.acquire(timeout=_CLOSES_WITHIN):
            return
        try:
            if self._session is not None:
                self._session.close()
            self._session = None
        finally:
            self._lock.release()

    @property
    def process(self) -> int | None:
        """Of the server, that carries out what is asked here now."""
        session = self._session
        return None if session is None or session.closed else session.info.backend_pid

    @contextmanager
    def acting(self) -> Iterator[Connection]:
        """In autocommit. What psycopg raises becomes a SyncdError."""
        with self._lock, explained(self._url):
            try:
                if self._session is None or self._session.closed:
                    self._session = quick_session(self._url, self._name)
                yield self._session
            except BaseException:
                if self._session is None or self._session.closed:
                    self._is_lost = True
                    self._say()
                raise
            if self._is_lost:
                self._is_lost = False
                self._say()

    def _say(self) -> None:
        if self._tell is not None:
            self._tell()


class Ear(Closing):
    """Hears the notifications of one channel; of one thread, but for `close`."""

    def __init__(self, url: str, name: str, channel: str) -> None:
        """`channel` is a name of ours, put into a statement as it is."""
        self._url, self._name, self._channel = url, name, channel
        self._session: Connection | None = None
        self._is_deaf = False

    def close(self) -> None:
        """May be called twice."""
        if self._session is not None:
            self._session.close()
        self._session = None

    def doubt(self) -> None:
        """Its way may lead nowhere any more: who only listens does not notice that nobody speaks."""
        self._is_deaf = True

    def heard(self, seconds: float, but: int | None = None) -> AbstractSet[int]:
        """Which numbers were notified meanwhile; waits so long for the first. What is no number ends the waiting. What
        was notified while there was no session nobody hears: it was lost when this raises SyncdError. `but`: not what
        the session of this process of the server says.
        """
        with explained(self._url):
            try:
                if self._is_deaf:
                    self._is_deaf = False
                    raise Unanswered("nobody knows whether it heard everything")
                if self._session is None or self._session.closed:
                    self._session = quick_session(self._url, self._name)
                    self._session.execute(f"LISTEN {self._channel}".encode())
                heard = list(self._session.notifies(timeout=seconds, stop_after=1))
                heard += list(self._session.notifies(timeout=0))
            except psycopg.Error:
                if self._session is not None:
                    self._session.close()
                raise
        return {int(each.payload) for each in heard if each.payload.isdecimal() and each.pid != but}
