"""What somebody gets who builds from the sdist: all that git tracks, and the wheel that the tree makes."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.packaging.declared import ROOT

# Of use only in a clone: what CI runs there, and what git leaves out.
LEFT_OUT = frozenset({".ci/run", ".gitignore"})
# Made while building.
MADE = frozenset({"PKG-INFO", "setup.cfg"})
# What may lie about where somebody builds, and is nobody else's business.
LYING_ABOUT = (
    "config.toml",
    "state/split-prod.db",
    "demo-output/report.html",
    "tests/browser/node_modules/axe-core/axe.js",
    "tests/interop/scimmy/node_modules/scimmy/package.json",
    "tests/cli/__pycache__/world.cpython-311.pyc",
    "systemd/syncd.service.orig",
    "syncd.egg-info/SOURCES.txt",
)


def tracked() -> frozenset[str]:
    if not (ROOT / ".git").exists():
        pytest.skip("this is no clone: only git knows what should be here")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    names = [name for name in listed.stdout.split("\0") if name and (ROOT / name).exists()]
    return frozenset(each for name in names for each in _behind(name))


def _behind(name: str) -> list[str]:
    """A link to a directory of ours stands for the files in it."""
    place = ROOT / name
    return [f"{name}/{file.name}" for file in place.iterdir()] if place.is_dir() else [name]


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tracked files as they are now, where somebody worked before."""
    made = tmp_path_factory.mktemp("tree")
    for name in tracked():
        (made / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, made / name)
    for name in LYING_ABOUT:
        (made / name).parent.mkdir(parents=True, exist_ok=True)
        (made / name).write_text("state/split-prod.db\nconfig.toml\n", encoding="utf-8")
    return made


def build(tree: Path, kind: str, into: Path) -> Path:
    """As `make dist` does, with the backend that is pinned."""
    subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", f"--{kind}", "--outdir", into, tree],
        capture_output=True,
        text=True,
        check=True,
    )
    (made,) = into.iterdir()
    return made


@pytest.fixture(scope="module")
def unpacked(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("unpacked")
    sdist = build(tree, "sdist", tmp_path_factory.mktemp("sdist"))
    subprocess.run(["tar", "-xzf", sdist, "-C", folder], check=True)
    (made,) = folder.iterdir()
    return made


def contents(wheel: Path) -> dict[str, bytes]:
    with ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_the_sdist_holds_what_git_tracks_and_nothing_that_lies_about(unpacked: Path) -> None:
    held = {str(file.relative_to(unpacked)) for file in unpacked.rglob("*") if file.is_file()}
    ours = {name for name in held - MADE if not name.startswith("syncd.egg-info/")}
    assert sorted(tracked() - LEFT_OUT - ours) == [], "MANIFEST.in leaves these out"
    assert sorted(ours - tracked()) == [], "MANIFEST.in takes these in"


def test_every_file_of_the_sdist_is_the_tracked_one(unpacked: Path) -> None:
    names = tracked() - LEFT_OUT
    assert [
        name for name in sorted(names) if (unpacked / name).read_bytes() != (ROOT / name).read_bytes()
    ] == []


def test_the_wheel_of_the_sdist_is_the_wheel_of_the_tree(tree: Path, unpacked: Path, tmp_path: Path) -> None:
    ours, theirs = (contents(build(each, "wheel", tmp_path / each.name)) for each in (tree, unpacked))
    assert ours == theirs


def test_the_wheel_holds_the_package_and_nothing_else(unpacked: Path, tmp_path: Path) -> None:
    held = {name for name in contents(build(unpacked, "wheel", tmp_path)) if ".dist-info/" not in name}
    assert held == {name for name in tracked() if name.startswith("syncd/")}
