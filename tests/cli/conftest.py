from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.invoking import OKTA_TOKEN, SPLIT_TOKEN, Invoker


@pytest.fixture
def syncd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Invoker:
    """The command line in an empty directory, with both tokens in the environment."""
    monkeypatch.chdir(tmp_path)
    for name in ("SYNCD_CONFIG", "NO_COLOR", "STATE_DIRECTORY", "CREDENTIALS_DIRECTORY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OKTA_API_TOKEN", OKTA_TOKEN)
    monkeypatch.setenv("SPLIT_SCIM_TOKEN", SPLIT_TOKEN)
    return Invoker(capsys, tmp_path)
