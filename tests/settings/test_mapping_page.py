"""docs/mapping.md: what it shows is accepted, and gives what it says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from syncd.core.expressions import Template
from syncd.core.functions import FUNCTIONS
from syncd.model import AppUser
from tests.settings.making import MINIMAL, problems, settings

PAGE = (Path(__file__).parents[2] / "docs" / "mapping.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"(?s)```toml\n(.*?)```", PAGE)
PROFILE: dict[str, object] = {
    "email": "Ann.Lee@Example.com",
    "department": "Engineering",
    "units": ["Web", "Core"],
}


def rows(heading: str) -> list[list[str]]:
    section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    found = [re.findall(r"`([^`]+)`", line) for line in section.splitlines() if line.startswith("| ")]
    return [codes for codes in found if codes]


@pytest.mark.parametrize("block", BLOCKS)
def test_its_settings_are_read(block: str) -> None:
    assert settings(MINIMAL + block).matched_by


@pytest.mark.parametrize("row", rows("Functions"), ids=lambda row: row[0])
def test_its_functions_give_what_it_says(row: list[str]) -> None:
    _form, expression, result = row
    record = AppUser("00u1", "ACTIVE", "ACTIVE", "ann", PROFILE, None)

    assert Template(expression).value(record) == result


def test_it_shows_every_function() -> None:
    assert [row[0].split("(")[0] for row in rows("Functions")] == list(FUNCTIONS)


@pytest.mark.parametrize("row", rows("Recipes"), ids=lambda row: row[-1])
def test_its_recipes_are_read(row: list[str]) -> None:
    line = row[-1]
    head = "" if line.startswith("userName") else 'userName = "email"\n'

    assert settings(f"{MINIMAL}[attributes]\n{head}{line}\n").attributes


def test_its_mistakes_are_said_as_it_shows_them(tmp_path: Path) -> None:
    shown = re.findall(r"(?m)^config\.toml:(\d+)(?::(\d+))? (.*)$", PAGE)
    text = 'userName = "email"\ntitle = "{uper(title)}"\nlocale = { from = "locale", on = "never" }\n'
    found = problems(f"{MINIMAL}[attributes]\n{text}", tmp_path)

    said = [re.sub(r"^.*?prod\.toml(:\d+)+ ", "", str(problem)) for problem in found]
    assert [message for _line, _column, message in shown] == said
    assert [str(problem.column or "") for problem in found] == [column for _line, column, _message in shown]
