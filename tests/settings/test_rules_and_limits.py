"""The pure values that settings hand to the core."""

from __future__ import annotations

import pytest

from syncd.core.limits import Limit
from syncd.core.rules import GroupSource


@pytest.mark.parametrize(
    ("source", "name", "description", "expected"),
    [
        (GroupSource("name", "Eng"), "Eng", None, True),
        (GroupSource("name", "Eng"), "eng", None, False),
        (GroupSource("name", "Eng"), "Eng ", None, False),
        (GroupSource("name_starts_with", "Eng"), "Engineering", None, True),
        (GroupSource("name_starts_with", "Eng"), "The Eng", None, False),
        (GroupSource("name_ends_with", "Eng"), "The Eng", None, True),
        (GroupSource("name_ends_with", "Eng"), "Engineering", None, False),
        (GroupSource("name_contains", "gin"), "Engineering", None, True),
        (GroupSource("name_contains", "Gin"), "Engineering", None, False),
        (GroupSource("name_contains", "."), "Engineering", None, False),
        (GroupSource("description_contains", "push"), "x", "please push", True),
        (GroupSource("description_contains", "push"), "push", "Push", False),
        (GroupSource("description_contains", "push"), "push", None, False),
        (GroupSource("id", "Eng"), "Eng", "Eng", False),
        (GroupSource("assigned"), "", "", False),
        (GroupSource("okta_mappings"), "", "", False),
    ],
)
def test_a_source_matches_by_exact_text(
    source: GroupSource, name: str, description: str | None, *, expected: bool
) -> None:
    assert source.matches(name, description) is expected


@pytest.mark.parametrize(
    ("written", "limit", "shown"),
    [
        (0, Limit(number=0), "0"),
        (40, Limit(number=40), "40"),
        ("40", Limit(number=40), "40"),
        ("10%", Limit(percent=10), "10%"),
        (" 2.5 % ", Limit(percent=2.5), "2.5%"),
        ("100%", Limit(percent=100), "100%"),
    ],
)
def test_a_limit_is_a_number_or_a_percent(written: str | int, limit: Limit, shown: str) -> None:
    assert Limit.parse(written) == limit
    assert str(limit) == shown


@pytest.mark.parametrize(
    "written", ["", "%", "x", "-1", "101%", "-5%", "1e3", "nan%", "10%%", "\u0661\u0660%", -1, True]
)
def test_anything_else_is_no_limit(written: str | int) -> None:
    with pytest.raises(ValueError, match="limit"):
        Limit.parse(written)


def test_a_limit_cannot_be_both_or_neither() -> None:
    for percent, number in ((None, None), (1.0, 1)):
        with pytest.raises(ValueError, match="either"):
            Limit(percent, number)
