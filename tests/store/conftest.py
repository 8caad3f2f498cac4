from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import cast

import pytest

from syncd.ports import Store
from tests.postgres.fixtures import postgres as postgres  # noqa: PLC0414  (fixtures, for every test here)
from tests.postgres.fixtures import prepared as prepared  # noqa: PLC0414
from tests.postgres.making import PostgresPlace
from tests.store.lived import live
from tests.store.making import Clock, Place


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Whatever is promised of a store and its stages (test_contract_*, stage) is promised of both databases."""
    promised = metafunc.module.__name__.startswith(
        ("tests.store.test_contract", "tests.store.stage.test_stage")
    )
    told = any("kind" in mark.args[0] for mark in metafunc.definition.iter_markers("parametrize"))
    if promised and "kind" in metafunc.fixturenames and not told:
        metafunc.parametrize("kind", ["sqlite", "postgres"])


@pytest.fixture
def kind() -> str:
    """The database in which `place` is."""
    return "sqlite"


@pytest.fixture
def place(request: pytest.FixtureRequest, kind: str, tmp_path: Path) -> Iterator[Place]:
    if kind == "sqlite":
        yield Place(tmp_path / "state" / "split-prod.db")
        return
    with closing(PostgresPlace(request.getfixturevalue("prepared"))) as fleet:
        yield cast("Place", fleet)


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


@pytest.fixture
def store(place: Place) -> Iterator[Store]:
    with place.open() as opened:
        yield opened
