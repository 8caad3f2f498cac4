"""The pure values that settings hand to the core."""

from __future__ import annotations

import pytest

from syncd.core.limits import Limit
from syncd.core.rules import Source


@pytest.mark.parametrize(
    ("source", "name", "description", "expected"),
    [
        (Source("name", "Eng"), "Eng", None, True),
        (Source("name", "Eng"), "eng", None, False),
        (Source("name", "Eng"), "Eng ", None, False),
        (Source("name_starts_with", "Eng"), "Engineering", None, True),
        (Source("name_starts_with", "Eng"), "The Eng", None, False),
        (Source("name_ends_with", "Eng"), "The Eng", None, True),
        (Source("name_ends_with", "Eng"), "Engineering", None, False),
        (Source("name_contains", "gin"), "Engineering", None, True),
        (Source("name_contains", "Gin"), "Engineering", None, False),
        (Source("name_contains", "."), "Engineering", None, False),
        (Source("description_contains", "push"), "x", "please push", True),
        (Source("description_contains", "push"), "push", "Push", False),
        (Source("description_contains", "push"), "push", None, False),
        (Source("id", "Eng"), "Eng", "Eng", False),
        (Source("assigned"), "", "", False),
        (Source("okta_mappings"), "", "", False),
    ],
)
def test_a_source_matches_by_exact_text(
    source: Source, name: str, description: str | None, *, expected: bool
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
