"""Fixtures for whoever needs a PostgreSQL: imported by name into a conftest."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator

import pytest

from syncd.store.postgres import schema
from syncd.store.postgres.sessions import connect
from tests.postgres.server import REQUIRED, Server, binaries, running

_NUMBERS = itertools.count(1)


def needs_a_server() -> None:
    """Skips with a reason where there is none, unless the environment says that one must be."""
    if binaries() is None:
        if os.environ.get(REQUIRED):
            pytest.fail(f"{REQUIRED} is set, and no initdb is found in the usual places or on PATH")
        pytest.skip("no PostgreSQL server (initdb) on this machine")


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """The server of this run."""
    needs_a_server()
    with running() as server:
        yield server


@pytest.fixture(scope="session")
def prepared(postgres: Server) -> str:
    """The URL of a database with the schema, which tests share: each has connections of its own."""
    return new_database(postgres, migrated=True)


def new_database(server: Server, *, migrated: bool) -> str:
    """The URL of a database that nobody else has."""
    name = f"test_{next(_NUMBERS)}"
    with connect(server.url()) as conn:
        conn.execute(f"CREATE DATABASE {name} TEMPLATE template0".encode())
    url = server.url(name)
    if migrated:
        with connect(url) as conn:
            schema.migrate(conn)
    return url
