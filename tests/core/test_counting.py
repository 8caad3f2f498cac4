"""One of a thing is not called many."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from syncd.core.counting import counted
from syncd.core.limits import Limit
from syncd.core.safety import Limits, violations
from tests.core.making import CALM

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


def test_one_user_over_the_limit_is_one_user() -> None:
    limits = Limits(
        deactivations=Limit(number=4),
        group_deletions=Limit(number=0),
        member_removals=Limit(number=4),
        member_removals_per_group=Limit(number=4),
    )
    numbers = replace(
        CALM,
        active_users=40,
        groups=2,
        memberships=40,
        deactivated_lately=4,
        members_removed_lately=4,
        deactivations=1,
        group_deletions=1,
        member_removals=1,
    )
    reasons = [violation.reason for violation in violations(numbers, limits)]

    assert [reason.split(" would")[0] for reason in reasons] == ["1 user", "1 group", "1 membership"]


def test_what_is_held_and_skipped_is_counted_in_words_that_fit() -> None:
    """`{number} members` in a text is "1 members" one day; `counted` knows better."""
    suspects = re.compile(r"\{(?!counted)[^{}]*\} (users|groups|members|memberships|changes|times)\b")
    allowed = {"core/match.py", "core/safety.py"}  # always two or more, or "1 of 6 members"
    found = [
        f"{path.relative_to(SOURCES)}: {line.strip()}"
        for part in ("core", "engine", "answers", "observe", "report", "cli", "store")
        for path in sorted((SOURCES / part).rglob("*.py"))
        if str(path.relative_to(SOURCES)) not in allowed
        for line in path.read_text(encoding="utf-8").splitlines()
        if suspects.search(line)
    ]

    assert found == []
