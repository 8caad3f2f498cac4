"""One connection of a fleet, on PostgreSQL: whoever took it over last owns it, and whoever had it before is not told.

The old owner goes on as a frozen process does when it wakes up: by its own clock its lease is over, so it is permitted
nothing more, and the database knows it no longer.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pytest

from syncd.errors import LockLost
from syncd.ports.fleet import Ownership
from syncd.redact import Redactor
from syncd.scim.http import Link, ScimHttp
from syncd.simulators.exchange import Call, Reply
from syncd.simulators.split import SplitSimulator
from syncd.store.postgres.connection import PostgresDb
from syncd.store.postgres.fleet_stores import PostgresStores
from syncd.store.postgres.opening import Pools, open_for_deciding, open_for_reading
from syncd.store.postgres.sessions import Session
from syncd.store.postgres.store import PostgresStore
from tests.postgres.making import PostgresPlace

_EPOCH = re.compile(r"epoch (\d+)")


@dataclass
class Tenant:
    """An owner, for as long as its lease lasts."""

    ownership: Ownership
    is_over: bool = False

    @property
    def epoch(self) -> int:
        return self.ownership.epoch

    def permit(self) -> None:
        if self.is_over:
            raise LockLost(f"the lease of the owner of epoch {self.epoch} ran out")


@dataclass
class Estate:
    """`tenant` owns the connection now."""

    stores: PostgresStores
    pools: Pools
    name: str
    clock: Callable[[], datetime]
    place: PostgresPlace = field(init=False)
    tenant: Tenant | None = None

    def __post_init__(self) -> None:
        self.place = PostgresPlace(self.pools.url, shared=self.pools)

    @property
    def epoch(self) -> int:
        """The last one that began, also where its owner is dead."""
        return 0 if self.place.claim is None else self.place.claim.epoch

    def take_over(self) -> Tenant:
        """Another worker has it from here on; the lease of the one before is over."""
        if self.tenant is not None:
            self.tenant.is_over = True
        claim = self.place.take_over()
        ownership = Ownership(
            self.place.number, self.name, "", "", claim.epoch, claim.token, clean=False, quiet=0.0
        )
        self.tenant = Tenant(ownership)
        return self.tenant

    def open(self, tenant: Tenant) -> PostgresStore:
        """For this owner. Raises LockLost when it is another's now."""
        store = self.stores.open_owned(tenant.ownership, tenant.permit, clock=self.clock, redactor=Redactor())
        assert isinstance(store, PostgresStore)
        return store

    def read(self) -> PostgresStore:
        return open_for_reading(self.pools, self.place.number, clock=self.clock)

    def rows_with(self, text: str) -> list[str]:
        """Tables of the store that hold it anywhere."""
        with self.pools.acts.borrow(self.place.number) as session:
            return [
                table
                for table in _tables(session)
                if session.conn.execute(
                    f"SELECT 1 FROM syncd.{table} AS t WHERE t.connection = $1 AND t::text LIKE $2 LIMIT 1".encode(),  # noqa: S608
                    (self.place.number, f"%{text}%"),
                ).fetchone()
            ]

    def rows(self) -> dict[str, str]:
        """Of each table of the store, a digest of what it holds."""
        with self.pools.acts.borrow(self.place.number) as session:
            return {
                table: str(
                    session.conn.execute(
                        f"SELECT md5(string_agg(t::text, ';' ORDER BY t::text)) FROM syncd.{table} AS t"  # noqa: S608
                        " WHERE t.connection = $1".encode(),
                        (self.place.number,),
                    ).fetchone()
                )
                for table in _tables(session)
            }

    def decide(self) -> PostgresStore:
        return open_for_deciding(self.pools, self.place.number, clock=self.clock)


def _tables(session: Session) -> list[str]:
    asked = "SELECT tablename FROM pg_tables WHERE schemaname = 'syncd' AND tablename LIKE '%\\_t'"
    return [str(name) for (name,) in session.conn.execute(asked.encode()).fetchall()]


class Estates:
    """Connections on one database, whose sessions they share."""

    def __init__(self, url: str) -> None:
        self._stores = PostgresStores(url, cycles=16)
        self._pools = Pools(url, acts=16, stages=4)

    def close(self) -> None:
        self._stores.close()
        self._pools.close()

    def new(self, name: str, clock: Callable[[], datetime]) -> Estate:
        """Nobody has it yet."""
        return Estate(self._stores, self._pools, name, clock)


def epoch_in(headers: Any) -> int:
    """In which a request to the target was sent; 0 where it does not say."""
    found = _EPOCH.search(headers.get("user-agent", headers.get("User-Agent", "")))
    return int(found[1]) if found else 0


class FencedSplit(SplitSimulator):
    """Notes requests of whoever does not own the connection any more."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.stale: list[str] = []
        self.owned_in: Callable[[], int] = lambda: 0
        """The epoch of the owner; 0 on one machine."""

    def answer(self, call: Call) -> Reply:
        believed = epoch_in(call.headers)
        if believed < self.owned_in():
            self.stale.append(f"an old owner sent {call.method} {call.path} in epoch {believed}")
        return super().answer(call)


@contextmanager
def epochs_are_named() -> Iterator[None]:
    """Each request to the target says in which epoch its sender believes."""
    began = ScimHttp.__init__

    def begin(self: ScimHttp, link: Link, *args: Any, **options: Any) -> None:
        began(self, link, *args, **options)
        claim = getattr(getattr(link.permit, "__self__", None), "_claim", None)
        if claim is not None:
            self._headers["User-Agent"] = f"syncd epoch {claim.epoch}"

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ScimHttp, "__init__", begin)
        yield


def cut(db: PostgresDb) -> None:
    """As the server does to the session of an owner that was frozen in a transaction, for whoever takes over."""
    with db_of(db) as other:
        other.execute("SELECT pg_terminate_backend($1)", (db.session.conn.info.backend_pid,))


@contextmanager
def db_of(db: PostgresDb) -> Iterator[Any]:
    """Another session of the same database."""
    from syncd.store.postgres.sessions import connect  # noqa: PLC0415

    with connect(db.session.conn.info.dsn) as other:
        yield other
