"""What the code imports is declared: no package is there only because another one happens to bring it."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

from tests.packaging.declared import ROOT, for_a_fleet, names, to_build, to_develop, to_run

OURS = frozenset({"syncd", "tests", "bench", "supply_chain", "distribution"})
FOR_TYPE_CHECKERS = frozenset({"_typeshed"})
DEVELOPMENT = ("tests", "bench", "docs", "supply_chain", "distribution")


def modules_imported(text: str) -> frozenset[str]:
    """The first names of all absolute imports, wherever in the file they stand, and of literal dynamic ones."""
    return frozenset(name.partition(".")[0] for node in ast.walk(ast.parse(text)) for name in _named(node))


def _named(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Import():
            yield from (alias.name for alias in node.names)
        case ast.ImportFrom(module=str(module), level=0):
            yield module
        case ast.Call(
            func=ast.Name("__import__" | "import_module") | ast.Attribute(attr="import_module"),
            args=[ast.Constant(str(module)), *_],
        ) if not module.startswith("."):
            yield module


def brought_by(modules: frozenset[str], installed: Mapping[str, Sequence[str]]) -> dict[str, frozenset[str]]:
    """Each third party's module with the distributions that bring it; with none it is not installed."""
    foreign = modules - sys.stdlib_module_names - OURS - FOR_TYPE_CHECKERS
    return {each: frozenset(map(canonicalize_name, installed.get(each, ()))) for each in sorted(foreign)}


def undeclared(modules: frozenset[str], declared: frozenset[str]) -> dict[str, list[str]]:
    found = brought_by(modules, packages_distributions())
    return {module: sorted(brought) for module, brought in found.items() if not brought & declared}


def imported_under(*folders: str) -> frozenset[str]:
    files = (
        file
        for folder in folders
        for file in (ROOT / folder).rglob("*.py")
        if "node_modules" not in file.relative_to(ROOT).parts
    )
    return frozenset().union(*(modules_imported(file.read_text(encoding="utf-8")) for file in files))


def test_everything_that_syncd_imports_is_declared() -> None:
    assert undeclared(imported_under("syncd"), names(to_run()) | names(for_a_fleet())) == {}


def test_what_only_a_fleet_needs_is_there_for_who_works_on_it() -> None:
    assert names(for_a_fleet()) <= names(to_develop())


def test_everything_that_its_tests_and_tools_import_is_declared() -> None:
    declared = names(to_run()) | names(to_develop()) | names(to_build())
    assert undeclared(imported_under(*DEVELOPMENT), declared) == {}


def test_syncd_imports_everything_that_it_makes_its_users_install() -> None:
    brought = brought_by(imported_under("syncd"), packages_distributions())
    assert names(to_run()) - frozenset().union(*brought.values()) == frozenset()


@pytest.mark.parametrize(
    "text",
    [
        "import urllib3",
        "from urllib3.connection import HTTPConnection",
        "def late():\n    import urllib3.exceptions as refusals",
        "if TYPE_CHECKING:\n    from urllib3 import Retry",
        "try:\n    import urllib3\nexcept ImportError:\n    urllib3 = None",
        "importlib.import_module('urllib3.util')",
    ],
)
def test_an_import_that_another_package_brings_is_noticed_wherever_it_stands(text: str) -> None:
    assert undeclared(modules_imported(text), frozenset({"requests"})) == {"urllib3": ["urllib3"]}


def test_an_import_that_nothing_brings_is_noticed() -> None:
    assert undeclared(modules_imported("import nowhere_to_be_found"), names(to_run())) == {
        "nowhere_to_be_found": []
    }


def test_what_python_itself_brings_and_what_is_ours_needs_no_declaration() -> None:
    text = "import sqlite3, syncd.core\nfrom . import sibling\nfrom _typeshed import StrPath"
    assert undeclared(modules_imported(text), frozenset()) == {}


def test_every_python_file_of_the_project_is_looked_at() -> None:
    roots = {
        file.relative_to(ROOT).parts[0]
        for folder in ROOT.iterdir()
        if folder.is_dir() and not folder.name.startswith(".") and folder.name not in {"build", "dist"}
        for file in Path(folder).rglob("*.py")
    }
    assert roots <= {"syncd", *DEVELOPMENT}
