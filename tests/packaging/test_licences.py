"""Nothing is installed beside syncd under a licence that pyproject.toml does not allow, as pip-licenses reads them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.packaging.declared import ROOT, pyproject


def licences_judged(*, beside: Path | None = None) -> subprocess.CompletedProcess[str]:
    """What `make lint` runs, with one more folder of installed packages if one is given."""
    environment = os.environ | ({"PYTHONPATH": str(beside)} if beside else {})
    return subprocess.run(
        [Path(sys.executable).with_name("pip-licenses"), "--format=json"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def install(folder: Path, *metadata: str) -> Path:
    about = folder / "intruder-1.0.dist-info"
    about.mkdir()
    lines = ("Metadata-Version: 2.4", "Name: intruder", "Version: 1.0", *metadata, "")
    (about / "METADATA").write_text("\n".join(lines), encoding="utf-8")
    return folder


def test_every_installed_package_has_an_allowed_licence() -> None:
    judged = licences_judged()
    assert (judged.returncode, judged.stderr) == (0, "")


@pytest.mark.parametrize(
    "metadata",
    [
        "License-Expression: GPL-3.0-or-later",
        "License-Expression: MIT AND AGPL-3.0-only",
        "Classifier: License :: OSI Approved :: GNU General Public License v3 (GPLv3)",
        "License: GPL-2.0",
        "License: Commercial, ask us",
        "Summary: says nothing of a licence",
    ],
)
def test_a_package_under_another_licence_or_none_is_refused_by_name(tmp_path: Path, metadata: str) -> None:
    judged = licences_judged(beside=install(tmp_path, metadata))
    assert judged.returncode == 1
    assert "intruder:1.0" in judged.stderr


def test_a_package_of_several_licences_has_no_other_among_them() -> None:
    """pip-licenses is content with one that is allowed: one of two classifiers may be the GPL."""
    allowed = {each.strip().lower() for each in pyproject()["tool"]["pip-licenses"]["allow-only"].split(";")}
    installed = json.loads(licences_judged().stdout)
    named = {(each["Name"], licence.strip()) for each in installed for licence in each["License"].split(";")}
    assert {(name, licence) for name, licence in named if licence.lower() not in allowed} == set()


def test_the_licence_check_is_part_of_what_ci_runs() -> None:
    planned = subprocess.run(
        ["make", "--dry-run", "--always-make", "test"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "pip-licenses" in planned.stdout
    assert "pip check" in planned.stdout
