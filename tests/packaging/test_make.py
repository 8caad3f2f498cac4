"""What `make` does before anything is installed, as `make -n` tells it in a tree without an environment."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.packaging.declared import ROOT

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")


@pytest.fixture
def fresh(tmp_path: Path) -> Path:
    (tmp_path / "syncd").mkdir()
    for name in (
        "Makefile",
        "pyproject.toml",
        "constraints.txt",
        "constraints-dev.txt",
        "constraints-fleet.txt",
        "syncd/__init__.py",
    ):
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def steps(fresh: Path, target: str) -> list[str]:
    # Under `make test` this would be a make within a make, which tells of directories too.
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    done = subprocess.run(
        ["make", "-n", target], cwd=fresh, capture_output=True, text=True, check=True, env=environ
    )
    return done.stdout.splitlines()


def test_the_demo_says_first_what_it_does_and_installs_only_what_syncd_runs_with(fresh: Path) -> None:
    first, *rest = steps(fresh, "demo")

    assert first.startswith('echo "syncd: making .venv')
    installing = [step for step in rest if "pip install" in step]
    assert [("constraints.txt" in step, "constraints-dev.txt" in step) for step in installing] == [
        (True, False),
        (False, False),
    ]
    assert rest[-1].endswith("syncd demo")


def test_the_demo_of_a_fleet_installs_what_speaks_to_postgresql_and_no_tools(fresh: Path) -> None:
    found = steps(fresh, "fleet-demo")

    installing = [step for step in found if "-r constraints" in step]
    assert [step.rpartition(" ")[2].rstrip() for step in installing] == [
        "constraints.txt",
        "constraints-fleet.txt",
    ]
    assert found[-1].endswith("python -m syncd.demo.fleet")


def test_the_tests_install_their_tools_on_top_of_it(fresh: Path) -> None:
    installing = [step for step in steps(fresh, "lint") if "pip install" in step]

    assert "constraints.txt" in installing[0]
    assert "constraints-dev.txt" in installing[-1]


def test_what_is_there_is_not_installed_again(fresh: Path) -> None:
    (fresh / ".venv").mkdir()
    (fresh / ".venv" / ".ready").touch()

    assert [step for step in steps(fresh, "demo") if "pip install" in step] == []


@pytest.mark.parametrize("target", ["boot-test", "package-test"])
def test_what_takes_root_is_no_part_of_the_tests(fresh: Path, target: str) -> None:
    module = {"boot-test": "distribution.boot", "package-test": "distribution.trial"}[target]

    assert steps(fresh, target)[-1].endswith(f"-m {module} dist")
    [wanted] = re.findall(r"(?m)^test: (.+)$", (ROOT / "Makefile").read_text(encoding="utf-8"))
    assert not {"boot-test", "package-test", "packages", "deb"} & set(wanted.split())
