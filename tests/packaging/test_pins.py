"""Every version that is installed is pinned, and every file it may come as has a hash."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.packaging.declared import DEVELOP, ROOT, RUN, Pin, pins, to_build, to_develop, to_run

FLEET = ROOT / "constraints-fleet.txt"
FILES = pytest.mark.parametrize("file", [RUN, DEVELOP, FLEET], ids=lambda file: file.name)
OF_NPM_ALLOWED = {
    "MIT",
    "ISC",
    "Apache-2.0",
    "Apache 2.0",
    "BSD",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "0BSD",
    "MPL-2.0",
} | {
    "BlueOak-1.0.0",
    "(MIT OR WTFPL)",
    "(MIT AND BSD-3-Clause)",
    "(BSD-3-Clause OR GPL-2.0)",
    "(BSD-2-Clause OR MIT OR Apache-2.0)",
}
OF_NPM = ("tests/browser", "tests/interop/jackson", "tests/interop/scimmy")


@FILES
def test_every_pin_has_the_hash_of_each_file_it_may_come_as(file: Path) -> None:
    assert pins(file)
    assert [pin.name for pin in pins(file) if not pin.digests] == []


@FILES
def test_what_is_compiled_for_each_platform_has_the_hashes_of_every_platform(file: Path) -> None:
    """One wheel or two would mean that they were written for the machine that wrote them."""
    by_name = {pin.name: pin for pin in pins(file)}
    for name in ("aiohttp", "pydantic-core", "cryptography", "markupsafe", "yarl"):
        assert len(by_name[canonicalize_name(name)].digests) > 20, name


@FILES
def test_pins_name_no_index_no_address_and_no_option(file: Path) -> None:
    """Where packages are fetched from is the installing machine's own setting; `pins` refuses other lines."""
    text = file.read_text(encoding="utf-8")
    assert "://" not in text
    assert len({(pin.name, str(pin.marker)) for pin in pins(file)}) == len(pins(file))


@FILES
def test_what_is_declared_is_pinned_to_a_version_that_the_declaration_admits(file: Path) -> None:
    wanted = (*to_run(), *to_build(), *(to_develop() if file == DEVELOP else ()))
    assert [str(each) for each in wanted if not _admitted(each, pins(file))] == []


def _admitted(requirement: Requirement, pinned: tuple[Pin, ...]) -> bool:
    return any(
        pin.name == canonicalize_name(requirement.name) and requirement.specifier.contains(pin.version)
        for pin in pinned
        if pin.is_for_this_environment()
    )


def test_who_develops_runs_the_very_versions_that_operators_install() -> None:
    assert set(pins(RUN)) <= set(pins(FLEET)) <= set(pins(DEVELOP))
    assert {pin.name for pin in pins(FLEET)} - {pin.name for pin in pins(RUN)} == {
        "psycopg",
        "psycopg-binary",
    }


def test_operators_install_no_tool_of_development() -> None:
    assert {pin.name for pin in pins(RUN)}.isdisjoint(
        {"pytest", "ruff", "mypy", "hypothesis", "uv", "pip-audit"}
    )


def test_the_build_backend_and_pip_are_pinned_like_everything_else() -> None:
    assert [str(each.specifier)[:2] for each in to_build()] == ["=="]
    assert {"setuptools", "pip"} <= {pin.name for pin in pins(RUN)}


def test_this_environment_has_what_is_pinned() -> None:
    here = {pin.name: pin.version for pin in pins(DEVELOP) if pin.is_for_this_environment()}
    assert {name: version(name) for name in here} == here


def test_a_file_that_is_not_the_pinned_one_is_refused(tmp_path: Path) -> None:
    pin = next(each for each in pins(RUN) if each.name == "tenacity")
    (tmp_path / f"tenacity-{pin.version}-py3-none-any.whl").write_bytes(b"somebody else's")
    wanted = tmp_path / "wanted.txt"
    hashes = " ".join(f"--hash=sha256:{digest}" for digest in pin.digests)
    wanted.write_text(f"{pin.name}=={pin.version} {hashes}\n", encoding="utf-8")
    options = ["--isolated", "install", "--no-index", "--no-deps", "--require-hashes"]
    refused = subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            *options,
            "--find-links",
            tmp_path,
            "--target",
            tmp_path / "here",
            "-r",
            wanted,
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert refused.returncode == 1
    assert "DO NOT MATCH THE HASHES" in refused.stderr
    assert not (tmp_path / "here").exists()


def test_make_installs_by_hashes_and_fetches_nothing_else() -> None:
    planned = subprocess.run(
        ["make", "--dry-run", "--always-make", ".venv/.installed"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    to_run, itself, to_develop = (line for line in planned.stdout.splitlines() if "pip install" in line)
    assert to_run.endswith("--no-deps --require-hashes --only-binary :all: -r constraints.txt")
    assert "--no-index --no-deps --no-build-isolation -e ." in itself
    assert to_develop.endswith("--no-deps --require-hashes --only-binary :all: -r constraints-dev.txt")


@pytest.mark.parametrize(
    "page", [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))], ids=lambda page: page.name
)
def test_every_install_that_the_documentation_names_is_by_hash_or_fetches_nothing(page: Path) -> None:
    """A source archive among the dependencies would be built with what nobody pinned: wheels only."""
    by_hash, nothing_fetched = (
        "--no-deps --require-hashes --only-binary :all: ",
        "--no-index --no-deps --no-build-isolation ",
    )
    named = [line for line in page.read_text(encoding="utf-8").splitlines() if "pip install " in line]
    assert [line for line in named if by_hash not in line and nothing_fetched not in line] == []


@pytest.mark.parametrize("folder", OF_NPM)
def test_every_package_of_the_foreign_servers_has_its_hash_and_no_address(folder: str) -> None:
    lock = json.loads((ROOT / folder / "package-lock.json").read_text(encoding="utf-8"))
    packages = {path: each for path, each in lock["packages"].items() if path}
    assert [
        path for path, each in packages.items() if not each.get("integrity", "").startswith("sha512-")
    ] == []
    assert [path for path, each in packages.items() if "resolved" in each] == []


@pytest.mark.parametrize("folder", OF_NPM)
def test_every_package_of_the_foreign_servers_has_an_allowed_licence(folder: str) -> None:
    lock = json.loads((ROOT / folder / "package-lock.json").read_text(encoding="utf-8"))
    packages = {path: each for path, each in lock["packages"].items() if path}
    assert {
        path: each.get("license")
        for path, each in packages.items()
        if each.get("license") not in OF_NPM_ALLOWED
    } == {}


def test_every_lock_of_npm_is_looked_at() -> None:
    found = {
        str(file.parent.relative_to(ROOT))
        for file in (ROOT / "tests").rglob("package-lock.json")
        if "node_modules" not in file.parts
    }
    assert found == set(OF_NPM)
