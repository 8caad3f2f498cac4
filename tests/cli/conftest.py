from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.invoking import Invoker, invoker
from tests.cli.world import World, small_world


@pytest.fixture
def syncd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Invoker:
    """The command line in an empty directory, with both tokens in the environment."""
    return invoker(tmp_path, monkeypatch, capsys)


@pytest.fixture
def world(syncd: Invoker) -> Iterator[World]:
    with small_world(syncd) as made:
        yield made


@pytest.fixture
def synced(world: World) -> World:
    said = world.syncd("sync", "--json", *world.base)
    assert said.exit_code == 0, said.stderr
    world.okta.reset_requests()
    world.split.reset_requests()
    return world
