"""Runs the command line in this process and keeps what it said."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from syncd.cli.app import run
from tests.connection_text import connection_text

OKTA_TOKEN = "00okta-Token-value-7Qx2"
SPLIT_TOKEN = "split-Token-value-9Zk4"
TODAY = f"{datetime.now(UTC):%Y-%m-%d}"


def document_of(stdout: str) -> dict[str, Any]:
    """One JSON document and nothing else."""
    loaded = json.loads(stdout)
    assert isinstance(loaded, dict)
    return loaded


@dataclass(frozen=True, slots=True)
class Answer:
    """What one command line came to."""

    exit_code: int
    stdout: str
    stderr: str

    @property
    def document(self) -> dict[str, Any]:
        """What stands on stdout: one JSON document and nothing else."""
        return document_of(self.stdout)


class Invoker:
    """Runs command lines in a directory of their own, without any settings from outside."""

    def __init__(self, capsys: pytest.CaptureFixture[str], directory: Path) -> None:
        self._capsys = capsys
        self.directory = directory

    def __call__(self, *arguments: str | Path) -> Answer:
        self._capsys.readouterr()
        code = run([str(argument) for argument in arguments])
        out, err = self._capsys.readouterr()
        return Answer(code, out, err)


def invoker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Invoker:
    """The command line in an empty directory, with both tokens in the environment and nothing else of syncd's."""
    monkeypatch.chdir(tmp_path)
    for name in ("SYNCD_CONFIG", "NO_COLOR", "STATE_DIRECTORY", "CREDENTIALS_DIRECTORY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OKTA_API_TOKEN", OKTA_TOKEN)
    monkeypatch.setenv("SPLIT_SCIM_TOKEN", SPLIT_TOKEN)
    return Invoker(capsys, tmp_path)


def write_config(
    path: Path,
    *,
    org_url: str = "http://127.0.0.1:1",
    app_id: str = "0oa1",
    base_url: str = "http://127.0.0.1:1/scim/v2",
    more: str = "",
    created: str = TODAY,
    name: str | None = None,
) -> Path:
    text = connection_text(
        name or path.stem,
        okta=(org_url, app_id),
        split=base_url,
        tokens=("OKTA_API_TOKEN", "SPLIT_SCIM_TOKEN"),
        split_more=f"token_created = {created}\nmax_requests_per_second = 0",
        more=more,
        state=str(path.parent / "state"),
    )
    path.write_text(text, encoding="utf-8")
    return path


def states(document: Mapping[str, Any]) -> dict[str, str]:
    """The state of each line of a check document; the gravest where a name has several."""
    order = ("ok", "info", "skip", "warn", "fail")
    found: dict[str, str] = {}
    for line in document["checks"]:
        known = found.get(line["name"], "ok")
        found[line["name"]] = max(known, line["state"], key=order.index)
    return found
