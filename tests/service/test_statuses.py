"""The status documents of many connections, of which few stores are open at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from syncd.errors import PermanentError
from syncd.ports import Store
from syncd.service.statuses import READERS, Statuses
from syncd.settings import ConnectionSettings
from syncd.store.sqlite.opening import open_for_reading
from tests.settings.making import MINIMAL, settings
from tests.store.making import NOON, Place, absorb, wanted


@pytest.fixture
def many(tmp_path: Path) -> list[ConnectionSettings]:
    """More connections than stores are kept open, each with a store."""
    found = [
        settings(f'name = "c{number:02}"\nstate = "{tmp_path}/state"\n{MINIMAL}')
        for number in range(READERS + 4)
    ]
    for each in found:
        Place(each.store_path).open(each.name).close()
    return found


def test_all_are_told_and_few_stores_are_open(many: list[ConnectionSettings]) -> None:
    now: set[str] = set()
    most = 0

    @contextmanager
    def opens(one: ConnectionSettings) -> Iterator[Store]:
        nonlocal most
        with open_for_reading(one.store_path, connection=one.name, clock=lambda: NOON) as store:
            now.add(one.name)
            most = max(most, len(now))
            yield store
        now.remove(one.name)

    with Statuses(lambda: many, clock=lambda: NOON, opens=opens) as statuses:
        for _ in range(2):
            assert [each["connection"] for each in statuses()] == [each.name for each in many]
        assert len(now) == READERS
        assert statuses.lists(many[0].name) is not None
        assert many[0].name in now
    assert (most, now) == (READERS, set())


def test_a_store_is_checked_as_a_whole_once_and_again_when_another_file_lies_there(
    many: list[ConnectionSettings], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[bool] = []

    def opens(path: Path, *, connection: str, clock: Callable[[], object], checked: bool) -> object:
        asked.append(checked)
        return open_for_reading(path, connection=connection, clock=lambda: NOON, checked=checked)

    monkeypatch.setattr("syncd.store.sqlite.opening.open_for_reading", opens)
    with Statuses(lambda: many, clock=lambda: NOON) as statuses:
        statuses()
        statuses()
        last = many[0].store_path
        copy = last.with_name("copy")
        copy.write_bytes(last.read_bytes())
        copy.chmod(0o600)
        copy.replace(last)
        asked_before = len(asked)
        statuses()

    assert asked[: len(many)] == [False] * len(many)
    assert asked[len(many) : asked_before] == [True] * len(many)
    assert asked[asked_before:] == [False] + [True] * (len(many) - 1)


def test_who_was_found_undamaged_is_not_read_as_a_whole_again(tmp_path: Path) -> None:
    path = tmp_path / "state" / "c.db"
    with Place(path).open("c") as store:
        absorb(store, users=[wanted(f"00u{number}") for number in range(200)])
    with path.open("r+b") as file:
        file.seek(-4096, 2)
        file.write(b"\xee" * 4096)

    with pytest.raises(PermanentError, match="is damaged"):
        open_for_reading(path, connection="c", clock=lambda: NOON)
    open_for_reading(path, connection="c", clock=lambda: NOON, checked=True).close()
