"""A pooler in transaction mode is told by two sessions that have one server process at the same time."""

from __future__ import annotations

import itertools
from types import TracebackType
from typing import Any, Self

import pytest

from syncd.errors import ConfigurationError
from syncd.store.postgres import pooling
from syncd.store.postgres.pooling import refuse_transaction_pooling


class Pool:
    """As PgBouncer does it: a client has a server while its statement or its transaction lasts, the last one first."""

    def __init__(self, mode: str) -> None:
        self.mode = mode
        self.free: list[int] = []
        self._numbers = itertools.count(100)

    def take(self) -> int:
        return self.free.pop() if self.free else next(self._numbers)


class Client:
    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._server = pool.take() if pool.mode == "session" else None
        self._in_transaction = False
        self._answer: tuple[int] | None = None

    def execute(self, statement: str) -> Client:
        server = self._server if self._server is not None else self._pool.take()
        self._in_transaction |= statement == "BEGIN"
        self._answer = (server,)
        if self._pool.mode == "session" or self._in_transaction:
            self._server = server
        else:
            self._pool.free.append(server)
        return self

    def fetchone(self) -> tuple[int] | None:
        return self._answer

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None


@pytest.fixture(params=["session", "transaction"])
def pool(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Pool:
    made = Pool(request.param)

    def connect(url: str, **options: Any) -> Client:
        assert url
        return Client(made)

    monkeypatch.setattr(pooling, "connect", connect)
    return made


def test_only_the_one_that_gives_places_away_between_statements_is_refused(pool: Pool) -> None:
    if pool.mode == "session":
        refuse_transaction_pooling("postgresql://pooler/syncd")
        return
    with pytest.raises(ConfigurationError, match="a pooler in transaction mode"):
        refuse_transaction_pooling("postgresql://pooler/syncd")


def test_postgresql_itself_is_no_pooler(database: str) -> None:
    refuse_transaction_pooling(database)
