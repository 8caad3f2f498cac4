"""The README and the documents keep up with the program."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from syncd.cli.app import COMMANDS

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("systemd/*.md")])


@pytest.mark.parametrize("command", COMMANDS)
def test_the_readme_explains_every_command(command: str) -> None:
    assert f"| `syncd {command}` |" in README


def test_the_readme_tells_nobody_to_type_a_command_that_is_not_there() -> None:
    blocks = re.findall(r"^```\n(.*?)^```", README, re.DOTALL | re.MULTILINE)
    typed = {word for block in blocks for word in re.findall(r"^syncd (\w+)", block, re.MULTILINE)}

    assert typed
    assert typed <= set(COMMANDS)


def test_the_documents_index_names_every_page() -> None:
    index = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")

    assert [page.name for page in ROOT.glob("docs/*.md") if page.name not in index] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_between_pages_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8"))
    local = [link for link in links if not link.startswith("https://")]

    assert [link for link in local if not (page.parent / link).exists()] == []


def test_the_picture_in_the_readme_loads_nothing_from_elsewhere() -> None:
    picture = (ROOT / "docs" / "images" / "demo.svg").read_text(encoding="utf-8")

    assert "<text" in picture
    assert set(re.findall(r"https?://[^\s\"'<)]+", picture)) <= {"http://www.w3.org/2000/svg"}
