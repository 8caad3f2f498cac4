"""The store of one connection of a fleet, for who moves it: no worker has it, and none takes it meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from syncd.errors import RefusedError, UsageError
from syncd.store.postgres.connection import PostgresDb
from syncd.store.postgres.dialect import IN_STORE
from syncd.store.postgres.faults import explained
from syncd.store.postgres.pooling import refuse_transaction_pooling
from syncd.store.postgres.registry import BURY
from syncd.store.postgres.sessions import Connection, Session, connect
from syncd.store.postgres.store import ANALYZE, ANALYZE_AFTER, WRITERS

# The longest stillness of this session is the time that the other side needs to be read and checked.
_UNHURRIED = "SET LOCAL idle_in_transaction_session_timeout = 0; SET LOCAL statement_timeout = 0"
_SERVED = """
SELECT c.paused, CASE WHEN w.ended IS NULL THEN coalesce(o.worker, '') ELSE '' END,
       coalesce(extract(epoch FROM greatest(o.quiet_until, w.expires + w.quiet) - clock_timestamp()), 0)::float8
  FROM connection c JOIN owner o ON o.connection = c.id LEFT JOIN worker w ON w.id = o.worker
 WHERE c.id = $1 FOR UPDATE OF c, o
"""


@contextmanager
def alone_with(url: str, connection: int, name: str) -> Iterator[PostgresDb]:
    """In one transaction, committed at the end of the block. Raises RefusedError unless the connection is paused and
    nobody owns it, nor can have a request under way; ConfigurationError behind a pooler in transaction mode;
    TemporaryError.
    """
    refuse_transaction_pooling(url)
    with connect(url, name="syncd store copy") as conn, explained(url):
        session = Session(conn)
        session.show(connection)
        conn.execute(BURY.encode())  # at once: all other workers' claims would wait for these rows
        with conn.transaction():
            conn.execute(_UNHURRIED.encode())
            conn.execute("SELECT pg_advisory_xact_lock($1::int, $2::int)", (WRITERS, connection))
            _refuse_served(conn, connection, name)
            db = PostgresDb(session, IN_STORE)
            yield db
        if db.total_changes > ANALYZE_AFTER:
            conn.execute(ANALYZE)


def _refuse_served(conn: Connection, connection: int, name: str) -> None:
    row = conn.execute(_SERVED, (connection,)).fetchone()
    if row is None:
        raise UsageError(
            f"there is no connection called {name} in this fleet", hint="syncd fleet status names all"
        )
    paused, worker, quiet = row
    if worker:
        raise RefusedError(
            f"worker {worker} serves {name}, and its store is not moved meanwhile",
            hint=f"syncd fleet pause {name}, and again when syncd fleet status names no owner of it",
        )
    if not paused:
        raise RefusedError(
            f"any worker may take {name} at any time, and its store is not moved meanwhile",
            hint=f"first syncd fleet pause {name}",
        )
    if quiet > 0:
        raise RefusedError(
            f"the worker that served {name} ended without a word, and its last requests may be under way",
            hint=f"again in {quiet:.0f} seconds",
        )
