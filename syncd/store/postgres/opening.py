"""Opens the store of one connection of a fleet: for its owner, or for reading."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from syncd.errors import ConfigurationError
from syncd.redact import Redactor
from syncd.store import starting, state
from syncd.store.db import Db
from syncd.store.left_behind import refuse_moved, went_to
from syncd.store.postgres import schema
from syncd.store.postgres.faults import explained
from syncd.store.postgres.sessions import Sessions
from syncd.store.postgres.store import PostgresStore, StoreClaim


class Pools:
    """The sessions of one worker with its fleet's database: for the stores' acts, and for stages, each of which has one
    as long as its cycle lasts.
    """

    def __init__(self, url: str, *, acts: int = 16, stages: int = 40) -> None:
        """At most so many at once. Raises ConfigurationError where the database is not prepared, TemporaryError."""
        self.url = url
        self.acts = Sessions(url, name="syncd store", at_most=acts)
        self.stages = Sessions(url, name="syncd stage", at_most=stages)
        try:
            with self.acts.borrow() as session, explained(url):
                schema.refuse_unprepared(session.conn, url)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """May be called twice."""
        self.acts.close()
        self.stages.close()


def open_store(
    pools: Pools,
    connection: int,
    *,
    name: str,
    claim: StoreClaim,
    clock: Callable[[], datetime],
    redactor: Redactor | None = None,
) -> PostgresStore:
    """For the owner, who writes. `connection` is the number in the fleet, `name` what the store belongs to, in words.

    Raises LockLost when another worker owns the connection, ConfigurationError when its store belongs to another name.
    """
    store = PostgresStore(pools.acts, pools.stages, connection, clock, claim=claim, redactor=redactor)
    with store.writing() as db:
        if state.get_meta(db, "revision") is None:
            state.set_meta(db, "revision", "0")
        _go_on(db, clock())
        refuse_moved(db, f"the store of {name}")
        owner = state.get_meta(db, "identity")
        if owner is None:
            state.set_meta(db, "identity", name)
        elif owner != name:
            raise ConfigurationError(
                f"the store of connection {connection} belongs to {owner}, not to {name}",
                hint="give this connection another name; a store that moved keeps its own",
            )
    return store


def open_restored(pools: Pools, connection: int, *, clock: Callable[[], datetime]) -> PostgresStore | None:
    """After the database was put back, while nobody owns the connection: for what a restore ends. None where nothing
    can be ended: nobody ever served it, or its store was left behind.
    """
    store = PostgresStore(pools.acts, pools.stages, connection, clock, decides=True)
    with store.writing() as db:
        if state.get_meta(db, "identity") is None or went_to(db) is not None:
            return None
        _go_on(db, clock())
    return store


def _go_on(db: Db, now: datetime) -> None:
    """Where another version left off."""
    if state.get_meta(db, starting.STARTED) is None:
        starting.start(db, now)
    starting.go_on(db, now)


def open_for_reading(
    pools: Pools, connection: int, *, clock: Callable[[], datetime], redactor: Redactor | None = None
) -> PostgresStore:
    """Without a claim: reads, and puts requests. Raises StoreMoved for one that was left behind."""
    return _here(PostgresStore(pools.acts, pools.stages, connection, clock, redactor=redactor), connection)


def open_for_deciding(
    pools: Pools, connection: int, *, clock: Callable[[], datetime], redactor: Redactor | None = None
) -> PostgresStore:
    """Without a claim: reads, and takes a person's word. Raises StoreMoved for one that was left behind."""
    store = PostgresStore(pools.acts, pools.stages, connection, clock, decides=True, redactor=redactor)
    return _here(store, connection)


def _here(store: PostgresStore, connection: int) -> PostgresStore:
    with store.reading() as db:
        refuse_moved(db, f"the store of connection {connection}")
    return store
