"""A database of its own for each test, on one server for all."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from syncd.store.postgres.registry import PostgresRegistry
from tests.e2e.rig import Rig
from tests.postgres.fixtures import new_database
from tests.postgres.fixtures import postgres as postgres  # noqa: PLC0414  (fixtures, for every test here)
from tests.postgres.fixtures import prepared as prepared  # noqa: PLC0414
from tests.postgres.server import Server
from tests.service.connecting import served


@pytest.fixture
def database(postgres: Server) -> str:
    """The URL of one with the tables of a fleet."""
    return new_database(postgres, migrated=True)


@pytest.fixture
def registry(database: str) -> Iterator[PostgresRegistry]:
    with PostgresRegistry(database) as one:
        yield one


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Rig]:
    """Both sides of one connection, and its settings."""
    with served(tmp_path) as rig:
        yield rig
