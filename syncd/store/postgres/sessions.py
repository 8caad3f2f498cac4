"""Sessions with the fleet's PostgreSQL: how each is opened, what is set in it, and the few that a worker keeps open.

A session belongs to whoever borrowed it until it is given back, and then serves any connection of the fleet: which one
is a setting of the session (`syncd.connection`), by which the views of the schema show that connection's rows alone.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psycopg
from psycopg.pq import TransactionStatus
from psycopg.rows import TupleRow
from psycopg.types.string import StrDumperUnknown

from syncd.errors import ConfigurationError, TemporaryError
from syncd.store.postgres.answering import DOUBTED_FOR, Answering
from syncd.store.postgres.course import history_of
from syncd.store.postgres.faults import explain, named

OLDEST_SERVER = 150000
"""`server_version_num` of PostgreSQL 15."""
SCHEMA = "syncd"
Connection = Answering[TupleRow]
ANSWERS_WITHIN = 150.0
"""Seconds, more than `statement_timeout`: an answer that is still missing then is not on its way."""

# Until a silent machine counts as lost. What answers keepalives and nothing else has ANSWERS_WITHIN.
_NETWORK = {
    "connect_timeout": "5",
    "keepalives": "1",
    "keepalives_idle": "5",
    "keepalives_interval": "3",
    "keepalives_count": "3",
    "tcp_user_timeout": "15000",
}
_SETTINGS = {
    # Temporary tables last: none hides a table of the store.
    "search_path": f"{SCHEMA}, pg_temp",
    "client_encoding": "UTF8",
    "timezone": "UTC",
    "datestyle": "ISO",
    # Whoever stands still inside a transaction keeps its rows locked, and a takeover waiting.
    "idle_in_transaction_session_timeout": "5s",
    "statement_timeout": "120s",
    "lock_timeout": "20s",
    "default_transaction_isolation": "read committed",
    # Compiling a statement takes longer than any of ours runs.
    "jit": "off",
    # What a stage has, and what is sorted and hashed of it, lies in memory as long as it is as large as with SQLite.
    "temp_buffers": "32MB",
    "work_mem": "32MB",
}


def connect(url: str, *, name: str = "syncd", answers_within: float = ANSWERS_WITHIN) -> Connection:
    """A new session in autocommit. `url` is a connection string of libpq and says more than these defaults where it
    says anything; `name` is shown in pg_stat_activity; `answers_within` is in seconds. Raises ConfigurationError,
    TemporaryError.
    """
    try:
        given = psycopg.conninfo.conninfo_to_dict(url)
    except psycopg.Error as error:
        raise ConfigurationError(
            "`database` is no connection string of PostgreSQL",
            hint="postgresql://user@host/dbname?sslmode=verify-full",
        ) from error
    network: dict[str, Any] = {key: value for key, value in _NETWORK.items() if key not in given}
    try:
        conn = Connection.connect(
            url,
            autocommit=True,
            cursor_factory=psycopg.RawCursor,
            application_name=name,
            **network,
        )
    except psycopg.Error as error:
        raise explain(url, error) from error
    conn.adapters.register_dumper(str, _Text)
    conn.answers_within = min(answers_within, DOUBTED_FOR)  # nobody can doubt it yet
    try:
        _prepare(conn, url)
        conn.answers_within = answers_within
    except psycopg.Error as error:
        conn.close()
        raise explain(url, error) from error
    except BaseException:
        conn.close()
        raise
    return conn


class _Text(StrDumperUnknown):
    """What is no text for PostgreSQL is spelled out, as `store.rows.searchable` does: whoever is looked for by it was
    stored under it.
    """

    def dump(self, obj: str) -> bytes:
        text = obj.replace("\0", "\\x00") if "\0" in obj else obj
        return text.encode("utf-8", "backslashreplace")


def _prepare(conn: Connection, url: str) -> None:
    if conn.info.server_version < OLDEST_SERVER:
        raise ConfigurationError(
            f"{named(url)} is PostgreSQL {conn.info.server_version // 10000}", hint="syncd needs 15 or newer"
        )
    # A commit that a crash takes back would be a write to the target that nobody remembers.
    conn.execute(
        "SELECT set_config(k, v, false) FROM unnest($1::text[], $2::text[]) AS given(k, v)"
        " UNION ALL SELECT set_config('synchronous_commit', 'on', false)"
        " WHERE current_setting('synchronous_commit') IN ('off', 'local')",
        (list(_SETTINGS), list(_SETTINGS.values())),
    )


class Session:
    """One of a pool, with what was set in it."""

    def __init__(self, conn: Connection) -> None:
        self.conn = conn
        self.history = ""
        """See `course`."""
        self.about: int | None = None
        self.has_moves = False
        """Whether it has the temporary table that the seals are gathered in."""
        self.has_stage = False
        """Whether it has the temporary tables of a stage."""

    def show(self, connection: int) -> None:
        """From now on the views show this connection's rows."""
        if self.about != connection:
            self.conn.execute("SELECT set_config('syncd.connection', $1, false)", (str(connection),))
            self.about = connection

    @property
    def is_usable(self) -> bool:
        """Open, beyond doubt, and in no transaction: it may be handed to the next who asks."""
        if self.conn.closed or self.conn.is_doubted:
            return False
        return self.conn.info.transaction_status == TransactionStatus.IDLE


class Sessions:
    """At most `at_most` open at once; who finds none free waits. Safe to share between threads."""

    def __init__(self, url: str, *, name: str = "syncd", at_most: int = 8, wait: float = 30.0) -> None:
        """`wait` is in seconds."""
        self.url = url
        self._name, self._wait = name, wait
        self._free: deque[Session] = deque()
        self._lent: set[Session] = set()
        self._room = threading.BoundedSemaphore(at_most)
        self._lock = threading.Lock()
        self._closed = False

    @contextmanager
    def borrow(self, connection: int | None = None) -> Iterator[Session]:
        """One for this thread, that shows the rows of this connection. Raises what `connect` raises, TemporaryError
        when all were busy all the time.
        """
        session = self.take(connection)
        try:
            yield session
        finally:
            self.give_back(session)

    def take(self, connection: int | None = None) -> Session:
        """As `borrow`, for who gives it back himself."""
        if not self._room.acquire(timeout=self._wait):
            raise TemporaryError(
                f"all sessions with {named(self.url)} were busy for {self._wait:.0f} s",
                hint="look for what PostgreSQL is doing (pg_stat_activity); it is tried again by itself",
            )
        try:
            session = self._one(connection)
            if connection is not None:
                try:
                    self._show(session, connection)
                except psycopg.OperationalError:  # it was lost while it lay idle
                    session = self._new()
                    self._show(session, connection)
        except psycopg.Error as error:
            self._room.release()
            raise explain(self.url, error) from error
        except BaseException:
            self._room.release()
            raise
        return session

    def _one(self, connection: int | None) -> Session:
        """The one that last showed this connection, before any other, before a new one. It is lent from now on: what is
        asked of it is in doubt with all others.
        """
        with self._lock:
            if self._free:
                session = next((each for each in self._free if each.about == connection), self._free[-1])
                self._free.remove(session)
                self._lent.add(session)
                return session
        return self._new()

    def _new(self) -> Session:
        session = Session(connect(self.url, name=self._name))
        with self._lock:
            self._lent.add(session)
        try:
            session.history = history_of(session.conn) or ""
        except BaseException:
            self._drop(session)
            raise
        return session

    def _show(self, session: Session, connection: int) -> None:
        try:
            session.show(connection)
        except BaseException:
            self._drop(session)
            raise

    def _drop(self, session: Session) -> None:
        with self._lock:
            self._lent.discard(session)
        session.conn.close()

    def give_back(self, session: Session) -> None:
        """One that was left inside a transaction is closed. With one that was lost all go that lie idle: what ended it
        was hardly about that one alone, and each would fail somebody once.
        """
        try:
            with self._lock:
                self._lent.discard(session)
                keep = not self._closed and session.is_usable
                lost = [] if keep or not session.conn.closed else list(self._free)
                if lost:
                    self._free.clear()
                if keep:
                    self._free.append(session)
            for each in [*lost, *([] if keep else [session])]:
                with suppress(psycopg.Error):
                    each.conn.close()
        finally:
            self._room.release()

    def doubt(self) -> None:
        """The way that all have may lead nowhere: whoever waits for an answer does not wait for long, and whoever asks
        next gets a new session.
        """
        with self._lock:
            for session in self._lent:
                session.conn.doubt()
        self._close_idle()

    def close(self) -> None:
        """Those that are lent are closed when they come back. May be called twice."""
        self._closed = True
        self._close_idle()

    def _close_idle(self) -> None:
        with self._lock:
            free, self._free = list(self._free), deque()
        for session in free:
            with suppress(psycopg.Error):
                session.conn.close()
