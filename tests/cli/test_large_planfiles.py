"""A large file that is no plan is refused without being decoded: that takes twenty times its length."""

from __future__ import annotations

from pathlib import Path

import pytest

from syncd.cli import planfile
from syncd.core.plan import read_plan
from syncd.errors import RefusedError, UsageError


def test_a_large_file_that_never_says_that_it_is_a_plan_is_not_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planfile, "_LARGE", 1000)
    file = tmp_path / "plan.json"
    file.write_bytes(b"[" + b'{"":0},' * 1000 + b"{}]")

    with pytest.raises(UsageError, match="another document"):
        planfile.read(file)


def test_a_large_plan_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planfile, "_LARGE", 10)
    file = tmp_path / "plan.json"
    file.write_text('{"changes": [], "schema": "syncd.plan/1"}')

    assert planfile.read(file) == file.read_text()


@pytest.mark.parametrize(
    "text",
    [
        '{"schema": "syncd.plan/1", "digest": ' + "[" * 100_000 + "}",
        '{"schema": "syncd.plan/1", "digest": 1, "changes": ' + "[" * 900 + "]" * 900 + "}",
        '{"schema": "syncd.plan/1", "digest": NaN, "changes": [1e999]}',
        '{"schema": "syncd.plan/1", "digest": "\\ud800", "changes": {}}',
        '{"schema": "syncd.plan/1", "digest": ' + "9" * 5000 + "}",
        '{"schema": "syncd.plan/1", "schema": "syncd.plan/1"}',
    ],
    ids=range(6),
)
def test_a_plan_that_was_made_to_hurt_is_refused(text: str) -> None:
    with pytest.raises((UsageError, RefusedError)):
        read_plan(text, "plan.json")
