from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from syncd.ports import Store
from tests.store.making import Clock, Place


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path / "state" / "split-prod.db")


@pytest.fixture
def clock(place: Place) -> Clock:
    return place.clock


@pytest.fixture(params=["sqlite"])
def store(request: pytest.FixtureRequest, place: Place) -> Iterator[Store]:
    """Every implementation of the port: another backend adds its name here and must pass the contract."""
    with {"sqlite": place.open}[request.param]() as opened:
        yield opened
