"""A database of its own for each test, on one server for all."""

from __future__ import annotations

import pytest

from tests.postgres.fixtures import new_database
from tests.postgres.fixtures import postgres as postgres  # noqa: PLC0414  (a fixture, for every test here)
from tests.postgres.server import Server


@pytest.fixture
def database(postgres: Server) -> str:
    """The URL of one with the tables of a fleet."""
    return new_database(postgres, migrated=True)
