from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.browser.chrome import Browser, chromium
from tests.service.connecting import world

__all__ = ["browser", "world"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found
