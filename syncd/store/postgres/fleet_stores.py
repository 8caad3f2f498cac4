"""The stores of a fleet's connections, on the sessions that one worker shares among them: implements
`ports.fleet.FleetStores`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from syncd.closing import Closing
from syncd.ports import Store
from syncd.ports.fleet import Ownership
from syncd.ports.permit import Permit
from syncd.redact import Redactor
from syncd.store.postgres.opening import Pools, open_for_deciding, open_for_reading, open_store
from syncd.store.postgres.store import StoreClaim

_SHOWN_FOR = timedelta(days=365)
"""The row of the writer is for people here: whose it is, the fleet's own rows say."""


class PostgresStores(Closing):
    """`cycles` run at most at once, each of which may have a stage."""

    def __init__(self, url: str, *, cycles: int) -> None:
        """Raises ConfigurationError where the database is not prepared, TemporaryError."""
        self._pools = Pools(url, acts=max(4, cycles // 2), stages=cycles + 8)

    def doubt(self) -> None:
        """See `ports.fleet.FleetStores.doubt`."""
        self._pools.acts.doubt()
        self._pools.stages.doubt()

    def close(self) -> None:
        """May be called twice."""
        self._pools.close()

    def open_owned(
        self,
        ownership: Ownership,
        permit: Permit,
        *,
        clock: Callable[[], datetime],
        redactor: Redactor,
    ) -> Store:
        """See `ports.fleet.FleetStores.open_owned`."""
        claim = StoreClaim(ownership.epoch, ownership.token, permit, ownership.seen.history)
        store = open_store(
            self._pools,
            ownership.connection,
            name=ownership.name,
            claim=claim,
            clock=clock,
            redactor=redactor,
        )
        try:
            store.lock("syncd worker", expires_in=_SHOWN_FOR, serves=True)
        except BaseException:
            store.close()
            raise
        return store

    def open_to_read(self, connection: int, *, clock: Callable[[], datetime], redactor: Redactor) -> Store:
        """See `ports.fleet.FleetStores.open_to_read`."""
        return open_for_reading(self._pools, connection, clock=clock, redactor=redactor)

    def open_to_decide(self, connection: int, *, clock: Callable[[], datetime], redactor: Redactor) -> Store:
        """See `ports.fleet.FleetStores.open_to_decide`."""
        return open_for_deciding(self._pools, connection, clock=clock, redactor=redactor)
