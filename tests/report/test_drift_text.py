"""The comparison with Split, in words."""

from __future__ import annotations

import pytest

from syncd.report.drift_text import drift_lines
from syncd.report.lines import plain


@pytest.mark.parametrize(
    ("summary", "words"),
    [
        ({"unmanaged_group": 2, "unmanaged_user": 1}, "2 unmanaged groups, 1 unmanaged user"),
        ({"missing_member": 1, "unknown": 3}, "1 missing member, 3 unknown"),
    ],
)
def test_differences_are_counted_in_words(summary: dict[str, int], words: str) -> None:
    document = {
        "connection": "acme",
        "complete": True,
        "compared": {"users": 3, "groups": 2, "memberships": 0},
        "summary": summary,
        "items": [],
        "problems": [],
        "notes": [],
    }

    assert words in plain(drift_lines(document))
