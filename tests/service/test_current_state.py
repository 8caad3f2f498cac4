"""The state of a connection follows what becomes of its store."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from syncd.errors import RefusedError
from syncd.redact import Redactor
from syncd.service.connection_state import NoStore, Retired, TakenOver, Well
from syncd.service.current_state import CurrentState
from syncd.settings import ConnectionSettings
from syncd.wiring import utc_now
from tests.service.test_parts import settings


@pytest.fixture
def acme(tmp_path: Path) -> ConnectionSettings:
    return settings(tmp_path / "acme.toml")


@pytest.fixture
def current(acme: ConnectionSettings) -> Iterator[CurrentState]:
    made = CurrentState(utc_now, Redactor(), threading.Event())
    made.open_store(acme, patient=False)
    yield made
    made.release_store()


def test_a_second_writer_has_no_store_and_says_who_has_it(
    current: CurrentState, acme: ConnectionSettings
) -> None:
    second = CurrentState(utc_now, Redactor(), threading.Event())
    with pytest.raises(RefusedError) as refused:
        second.open_store(acme, patient=False)

    assert (second.store, second.trouble) == (None, refused.value.message)
    assert isinstance(current.state, Well)
    current.release_store()
    second.open_store(acme, patient=False)
    assert isinstance(second.state, Well)
    assert second.trouble == ""
    second.release_store()


def test_a_store_that_was_moved_away_is_trouble_until_it_is_back(
    current: CurrentState, acme: ConnectionSettings
) -> None:
    elsewhere = acme.store_path.rename(acme.store_path.with_suffix(".away"))
    with pytest.raises(RefusedError, match="moved away"):
        current.verify_store()
    assert isinstance(current.state, TakenOver)
    assert "moved away" in current.trouble
    assert current.store is not None, "a cycle still runs on it"

    elsewhere.rename(acme.store_path)
    current.verify_store()
    assert isinstance(current.state, Well)
    assert current.trouble == ""


def test_the_trouble_with_a_store_outlives_giving_it_back(
    current: CurrentState, acme: ConnectionSettings
) -> None:
    acme.store_path.rename(acme.store_path.with_suffix(".away"))
    with pytest.raises(RefusedError):
        current.verify_store()
    current.release_store()

    assert isinstance(current.state, NoStore)
    assert "moved away" in current.trouble
    assert current.store is None


def test_a_connection_that_was_taken_out_is_closed_for_good(current: CurrentState) -> None:
    assert not current.is_closed
    current.release_store()
    current.happened(Retired())
    current.verify_store()
    assert current.read_quarantine() is None
    assert current.is_closed
