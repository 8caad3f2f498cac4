from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from syncd.ports import Store
from tests.store.lived import live
from tests.store.making import Clock, Place


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path / "state" / "split-prod.db")


@pytest.fixture
def clock(place: Place) -> Clock:
    return place.clock


@pytest.fixture(scope="session")
def a_life(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The file of a store that has lived."""
    place = Place(tmp_path_factory.mktemp("life") / "split-prod.db")
    with place.open() as store:
        live(store)
        assert store.verify_journal().intact
    return place.path.read_bytes()


@pytest.fixture
def lived(place: Place, a_life: bytes) -> Place:
    """One with something in every table that is compared."""
    place.path.parent.mkdir(mode=0o700)
    place.path.write_bytes(a_life)
    place.path.chmod(0o600)
    return place


@pytest.fixture(params=["sqlite"])
def store(request: pytest.FixtureRequest, place: Place) -> Iterator[Store]:
    """Every implementation of the port: another backend adds its name here and must pass the contract."""
    with {"sqlite": place.open}[request.param]() as opened:
        yield opened
