"""The version has one place, syncd/__init__.py: whoever else says it is compared with that."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from importlib.metadata import version

from syncd import __version__
from tests.packaging.declared import ROOT


def test_the_changelog_begins_with_this_version() -> None:
    headings = re.findall(r"(?m)^## (.+)$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"))
    assert headings[0].removeprefix("[Unreleased] ") == __version__
    assert headings[1] == "0.1.0", "what people upgrade from"


def test_the_package_has_the_version_of_the_code() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert "version" not in project
    assert version("syncd") == __version__


def test_the_executable_says_it() -> None:
    said = subprocess.run(
        [sys.executable, "-m", "syncd", "--version"], capture_output=True, text=True, check=True
    )
    assert said.stdout.split() == ["syncd", __version__]
