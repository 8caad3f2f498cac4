"""One of a thing is not called many."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from syncd.core.counting import counted
from syncd.core.limits import Limit
from syncd.core.safety import RULES, Numbers, over

SOURCES = Path(__file__).parents[2] / "syncd"


@pytest.mark.parametrize(
    ("number", "noun", "plural", "text"),
    [
        (0, "user", "", "0 users"),
        (1, "user", "", "1 user"),
        (1200, "user", "", "1,200 users"),
        (1, "try", "tries", "1 try"),
        (2, "try", "tries", "2 tries"),
    ],
)
def test_a_number_has_its_noun(number: int, noun: str, plural: str, text: str) -> None:
    assert counted(number, noun, plural) == text


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("deactivations", "1 user would be removed"),
        ("group_deletions", "1 group would be removed"),
        ("member_removals", "1 membership would be removed"),
        ("identity_changes", "1 user would get another userName"),
        ("creations", "1 account would be created"),
        ("protected_additions", "1 member would be added to protected groups"),
    ],
)
def test_one_over_the_limit_is_one(name: str, said: str) -> None:
    found = over(RULES[name], Limit(number=4), Numbers(planned=1, lately=4, there=40))

    assert found is not None
    assert found.reason.startswith(f"{said} after 4 in the last 24 hours")


def test_what_is_held_and_skipped_is_counted_in_words_that_fit() -> None:
    """`{number} members` in a text is "1 members" one day; `counted` knows better."""
    suspects = re.compile(r"\{(?!counted)[^{}]*\} (users|groups|members|memberships|changes|times)\b")
    allowed = {"core/match.py", "core/safety.py"}  # always two or more
    found = [
        f"{path.relative_to(SOURCES)}: {line.strip()}"
        for part in ("core", "engine", "answers", "observe", "report", "cli", "store")
        for path in sorted((SOURCES / part).rglob("*.py"))
        if str(path.relative_to(SOURCES)) not in allowed
        for line in path.read_text(encoding="utf-8").splitlines()
        if suspects.search(line)
    ]

    assert found == []
