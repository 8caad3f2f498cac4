"""Stores of connections that nobody else has, in a database that all tests share."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

from syncd.store.postgres.opening import Pools, open_store
from syncd.store.postgres.sessions import connect
from syncd.store.postgres.store import PostgresStore, StoreClaim
from tests.store.making import Clock

_NUMBERS = itertools.count(1)


def permitted() -> None:
    """A lease that does not end."""


@dataclass
class PostgresPlace:
    """One connection of the fleet; `open` opens its store for whoever took it over last."""

    url: str
    name: str = field(default_factory=lambda: f"connection-{next(_NUMBERS)}")
    clock: Clock = field(default_factory=Clock)
    claim: StoreClaim | None = None
    shared: Pools | None = None
    """Sessions that other places use too; they are not closed with this one."""

    def __post_init__(self) -> None:
        self.pools = self.shared or Pools(self.url)
        with self.pools.acts.borrow() as session:
            conn = session.conn
            added = "INSERT INTO connection (name) VALUES ($1) RETURNING id"
            (self.number,) = conn.execute(added, (self.name,)).fetchone() or (0,)
            conn.execute("INSERT INTO owner (connection) VALUES ($1)", (self.number,))

    def take_over(self) -> StoreClaim:
        """From now on who had it before may not write."""
        with connect(self.url) as conn:
            row = conn.execute(
                "UPDATE owner SET worker = 'worker', epoch = epoch + 1, token = gen_random_uuid(), since = now()"
                " WHERE connection = $1 RETURNING epoch, token::text",
                (self.number,),
            ).fetchone()
        assert row is not None
        self.claim = StoreClaim(row[0], row[1], permitted)
        return self.claim

    def open(self, connection: str = "split-prod") -> PostgresStore:
        """For the worker that took the connection over last."""
        self.claim = self.claim or self.take_over()
        return open_store(self.pools, self.number, name=connection, claim=self.claim, clock=self.clock)

    def count(self, table: str) -> int:
        """How many rows are there, whatever the store says."""
        with self.pools.acts.borrow(self.number) as session:
            (count,) = session.conn.execute(f"SELECT count(*) FROM {table}".encode()).fetchone() or (0,)  # noqa: S608
        return int(count)

    def close(self) -> None:
        if self.shared is None:
            self.pools.close()
