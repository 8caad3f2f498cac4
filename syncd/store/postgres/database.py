"""A fleet's database as such: implements `ports.database.FleetDatabase`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from syncd.ports.database import DatabaseState
from syncd.store.postgres import schema
from syncd.store.postgres.faults import explained
from syncd.store.postgres.pooling import refuse_transaction_pooling
from syncd.store.postgres.sessions import Connection, connect

_STATE = """
SELECT current_setting('server_version'), pg_is_in_recovery(), current_setting('synchronous_standby_names'),
       (SELECT count(*) FROM pg_stat_replication),
       coalesce((SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()), false),
       current_setting('transaction_read_only') = 'on'
"""


class PostgresDatabase:
    """See `ports.database.FleetDatabase`."""

    def __init__(self, url: str, shown: str) -> None:
        self._url, self.shown = url, shown

    def state(self) -> DatabaseState:
        """See `ports.database.FleetDatabase.state`."""
        with self._session() as session:
            row = session.execute(_STATE).fetchone()
        version, is_standby, waits_for, standbys, tls, read_only = row or ("", False, "", 0, False, False)
        return DatabaseState(f"PostgreSQL {version}", tls, standbys, waits_for, is_standby, read_only)

    def refuse_unprepared(self) -> None:
        """See `ports.database.FleetDatabase.refuse_unprepared`."""
        with self._session() as session:
            schema.refuse_unprepared(session, self._url)

    def refuse_pooling(self) -> None:
        """See `ports.database.FleetDatabase.refuse_pooling`."""
        refuse_transaction_pooling(self._url)

    def migrate(self) -> Sequence[str]:
        """See `ports.database.FleetDatabase.migrate`."""
        with self._session() as session:
            return schema.migrate(session)

    @contextmanager
    def _session(self) -> Iterator[Connection]:
        with connect(self._url, name="syncd fleet") as session, explained(self._url):
            yield session
