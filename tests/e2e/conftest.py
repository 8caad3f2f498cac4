from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.rig import Rig, rig


@pytest.fixture
def synced(tmp_path: Path) -> Iterator[Rig]:
    """Forty people and two pushed groups, synced; no request is counted yet."""
    with rig(tmp_path, users=40, groups=2) as made:
        made.sync()
        made.forget()
        yield made
