from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from syncd.simulators.okta import OktaSimulator
from syncd.simulators.split import SplitSimulator
from syncd.simulators.world import default_split, generate_okta
from tests.cli.invoking import OKTA_TOKEN, SPLIT_TOKEN, Invoker
from tests.cli.world import World


@pytest.fixture
def syncd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Invoker:
    """The command line in an empty directory, with both tokens in the environment."""
    monkeypatch.chdir(tmp_path)
    for name in ("SYNCD_CONFIG", "NO_COLOR", "STATE_DIRECTORY", "CREDENTIALS_DIRECTORY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OKTA_API_TOKEN", OKTA_TOKEN)
    monkeypatch.setenv("SPLIT_SCIM_TOKEN", SPLIT_TOKEN)
    return Invoker(capsys, tmp_path)


@pytest.fixture
def world(syncd: Invoker) -> Iterator[World]:
    okta = OktaSimulator(generate_okta(users=14, groups=2, seed=3), token=OKTA_TOKEN)
    okta.world.set_app(features=[])
    with okta, SplitSimulator(default_split(), token=SPLIT_TOKEN) as split:
        yield World(syncd, okta, split)


@pytest.fixture
def synced(world: World) -> World:
    said = world.syncd("sync", "--json", *world.base)
    assert said.code == 0, said.err
    world.okta.reset_requests()
    world.split.reset_requests()
    return world
