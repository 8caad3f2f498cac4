"""Simulated worlds with settings for the daemon."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from syncd.simulators.okta import OktaSimulator
from syncd.simulators.split import SplitSimulator
from syncd.simulators.world import OktaWorld, default_split, generate_okta
from tests.e2e.rig import OKTA_TOKEN, SPLIT_TOKEN, Rig, rig

FAST = 'delta = "1s"\nfull = "1h"\ndrift = "24h"'


def schedule(made: Rig, schedule: str = FAST, more: str = "") -> Path:
    """Adds the daemon's tables to the settings file of the rig."""
    made.write_config()
    with made.config.open("a") as file:
        file.write(f'\n[schedule]\n{schedule}\n[server]\nlisten = ""\n{more}\n')
    return made.config


@contextmanager
def served(folder: Path, okta: OktaWorld | None = None) -> Iterator[Rig]:
    with rig(folder, okta=okta, users=12, groups=2) as made:
        schedule(made)
        yield made


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Rig]:
    with served(tmp_path) as made:
        yield made


def token_in_a_file(made: Rig, name: str = "token") -> Path:
    """The settings name a file beside them for Split's token instead of a variable."""
    secret = made.folder / name
    secret.write_text(SPLIT_TOKEN)
    secret.chmod(0o600)
    text = made.config.read_text().replace('{ env = "E2E_SPLIT" }', f'{{ file = "{name}" }}')
    made.config.write_text(text)
    return secret


@contextmanager
def second_connection(made: Rig, path: Path, text: str) -> Iterator[OktaSimulator]:
    """Settings like the rig's `text`, for another org (which comes back) and another organisation."""
    okta = OktaSimulator(generate_okta(users=6, groups=2, seed=11), token=OKTA_TOKEN)
    with okta, SplitSimulator(default_split(), token=SPLIT_TOKEN) as split:
        path.write_text(
            text.replace(made.okta.url, okta.url)
            .replace(made.okta.world.app.id, okta.world.app.id)
            .replace(made.split.base_url, split.base_url)
            .replace('name = "acme"', f'name = "{path.stem}"')
        )
        yield okta


def listen_on(world: Rig, port: int) -> None:
    text = world.config.read_text()
    line = next(line for line in text.splitlines() if line.startswith("listen"))
    world.config.write_text(text.replace(line, f'listen = "127.0.0.1:{port}"'))
