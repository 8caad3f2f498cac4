"""What CI does about a test that failed beside others."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TESTS = """
from pathlib import Path

def test_of_a_slow_machine():
    assert Path("quiet").exists()

def test_of_a_fault():
    assert not Path("fault").exists()
"""


def once_more(folder: Path, most: int) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tests.once_more", str(most)],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def failed(tmp_path: Path) -> Path:
    """A folder whose tests have both failed."""
    (tmp_path / "test_two.py").write_text(TESTS)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "fault").touch()
    first = subprocess.run([sys.executable, "-m", "pytest", "-q"], cwd=tmp_path, check=False)
    assert first.returncode == 1
    return tmp_path


def test_what_passes_alone_is_named_and_green(failed: Path) -> None:
    (failed / "quiet").touch()
    (failed / "fault").unlink()
    again = once_more(failed, 2)
    assert again.returncode == 0
    assert "UNSTEADY, once more and alone: test_two.py::test_of_a_slow_machine" in again.stdout


def test_what_fails_again_is_red(failed: Path) -> None:
    (failed / "quiet").touch()
    assert once_more(failed, 2).returncode == 1


def test_more_than_are_allowed_are_red_without_another_try(failed: Path) -> None:
    (failed / "quiet").touch()
    (failed / "fault").unlink()
    again = once_more(failed, 1)
    assert again.returncode == 1
    assert not again.stdout


def test_a_run_that_knows_of_no_failure_is_not_green_by_it(tmp_path: Path) -> None:
    assert once_more(tmp_path, 3).returncode == 1
    cache = tmp_path / ".pytest_cache/v/cache"
    cache.mkdir(parents=True)
    (cache / "lastfailed").write_text(json.dumps({}))
    assert once_more(tmp_path, 3).returncode == 1
