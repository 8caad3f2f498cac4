from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.rig import Rig
from tests.requests.asking import beside


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Rig]:
    with beside(tmp_path) as made:
        yield made
