"""The database of whatever is tried in a fleet."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.chaos.estate import Estates
from tests.postgres.fixtures import postgres as postgres  # noqa: PLC0414  (fixtures, for the tests here)
from tests.postgres.fixtures import prepared as prepared  # noqa: PLC0414


@pytest.fixture(scope="session")
def estates(prepared: str) -> Iterator[Estates]:
    found = Estates(prepared)
    yield found
    found.close()
