"""docs/architecture.md is about this code: every path and name on it exists, its house is the one that is linted."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
WHOLE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
BEFORE, PICTURE, AFTER = WHOLE.split("```")
PAGE = BEFORE + AFTER
LINTED: list[dict[str, Any]] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"][
    "importlinter"
]["contracts"]
DOORS = [contract for contract in LINTED if contract["type"] == "protected"]
QUOTED = re.compile(r"`([^`]+)`")
OUTSIDE_SYNCD = ("docs", "tests", "syncd", "pyproject.toml")


def is_path(quoted: str) -> bool:
    return "/" in quoted or "." in quoted or quoted in OUTSIDE_SYNCD


def located(path: str) -> Path:
    return ROOT / path if path.startswith(OUTSIDE_SYNCD) else ROOT / "syncd" / path


def names_of_paths() -> Iterator[tuple[str, str]]:
    """Each name that follows a path, in brackets or after a colon, with that path."""
    for path, names in re.findall(r"`([^`]+)`(?:: | \()((?:`\w+`[;, ]*)+)", PAGE):
        if is_path(path):
            yield from ((path, name) for name in QUOTED.findall(names))


def defined_in(path: Path) -> set[str]:
    found = set()
    for file in path.glob("*.py") if path.is_dir() else [path]:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, (ast.ClassDef, ast.FunctionDef)):
                found.add(node.name)
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                found.add(node.id)
    return found


@pytest.mark.parametrize("path", sorted({quoted for quoted in QUOTED.findall(PAGE) if is_path(quoted)}))
def test_every_path_exists(path: str) -> None:
    assert located(path).exists()


@pytest.mark.parametrize(("path", "name"), sorted(set(names_of_paths())))
def test_every_name_is_defined_where_the_page_says(path: str, name: str) -> None:
    assert name in defined_in(located(path))


def test_no_name_stands_without_its_path() -> None:
    libraries = {library for door in DOORS for library in door["protected_modules"]}
    names = {name for _, name in names_of_paths()}

    assert {each for each in QUOTED.findall(PAGE) if not is_path(each)} - libraries - names == {"make lint"}


@pytest.mark.parametrize("link", re.findall(r"\]\(([^)#]+)\)", PAGE))
def test_every_link_leads_somewhere(link: str) -> None:
    assert (ROOT / "docs" / link).exists()


def test_the_picture_shows_the_floors_that_are_linted() -> None:
    house, rooms = (contract["layers"] for contract in LINTED if contract["type"] == "layers")
    _heading, _line, *drawn = PICTURE.strip().splitlines()
    shown = [re.split(r"\s{2,}", line.strip())[0] for line in drawn]
    engine = house.index("engine") + 1

    assert shown == [*house[:engine], *(f"│ {room}" for room in rooms), *house[engine:]]


@pytest.mark.parametrize("door", DOORS, ids=lambda door: str(door["name"]))
def test_the_page_names_every_door_of_a_library(door: dict[str, Any]) -> None:
    rows = PAGE.split("## Which room may touch what")[1].splitlines()
    [row] = [row for row in rows if all(f"`{library}`" in row for library in door["protected_modules"])]
    shown = {quoted for quoted in QUOTED.findall(row) if is_path(quoted)}

    assert {located(path) for path in shown} == {
        _file(ROOT / module.replace(".", "/")) for module in door["allowed_importers"]
    }


def _file(module: Path) -> Path:
    return module if module.is_dir() else module.with_suffix(".py")


def test_the_pages_of_whoever_begins_lead_there() -> None:
    for page in ("README.md", "CONTRIBUTING.md", "docs/README.md"):
        assert "architecture.md)" in (ROOT / page).read_text(encoding="utf-8")
