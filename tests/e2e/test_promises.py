"""docs/safety.md names a test for every promise; each of them exists."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PROMISES = re.findall(r"`(\w+/test_\w+\.py)::(test_\w+)`", (ROOT / "docs" / "safety.md").read_text())


def test_every_promise_names_a_test_that_exists() -> None:
    missing = [
        f"{file}::{test}"
        for file, test in PROMISES
        if f"def {test}(" not in (ROOT / "tests" / file).read_text()
    ]

    assert missing == []
    assert len(PROMISES) > 30
