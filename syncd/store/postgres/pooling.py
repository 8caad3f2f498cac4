"""Whether somebody between us and PostgreSQL gives our sessions' place to others between two statements.

A pooler in transaction mode does: what is set in a session, its temporary tables and what it listens to are then
another's, and the store would write rows of one connection into another's. Two sessions that are open at the same time
and have one server process show it.
"""

from __future__ import annotations

from contextlib import ExitStack

from syncd.errors import ConfigurationError
from syncd.store.postgres.faults import explained, named
from syncd.store.postgres.sessions import Connection, connect

_OTHERS = 4
"""So many sessions begin a transaction while the first one rests: a pooler has given the place to one of them."""


def refuse_transaction_pooling(url: str) -> None:
    """Raises ConfigurationError behind such a pooler, and what `connect` raises."""
    with ExitStack() as stack, explained(url):
        first = stack.enter_context(connect(url, name="syncd check"))
        mine = _process(first)
        for _ in range(_OTHERS):
            other = stack.enter_context(connect(url, name="syncd check"))
            other.execute("BEGIN")
            if _process(other) == mine:
                raise ConfigurationError(
                    f"{named(url)} is behind a pooler in transaction mode, which mixes up what sessions have set",
                    hint="have `database` lead to PostgreSQL itself, or to a pooler in session mode"
                    " (PgBouncer: pool_mode = session)",
                )


def _process(session: Connection) -> int:
    (number,) = session.execute("SELECT pg_backend_pid()").fetchone() or (0,)
    return int(number)
