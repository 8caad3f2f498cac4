"""Filters that no client means: refused as filters that cannot be read."""

from __future__ import annotations

import pytest

from syncd.simulators.filters import FilterError, compile_filter, equality

RECORD = {"userName": "ada@example.com", "nothing": None, "yes": True, "age": 7, "list": [1, None, "a"]}


@pytest.mark.parametrize(
    "text",
    [
        "(" * 60 + "age eq 7" + ")" * 60,
        "not " * 60 + "age eq 7",
        "age eq 7 or (" * 60 + "age eq 7" + ")" * 60,
        "(" * 100_000,
        "not " * 100_000,
        "age eq " + "[" * 5000,
        "age eq " + "9" * 5000,
        "nothing gt null",
        "list le [1]",
        'userName eq "' + "x\\" * 100_000,
        '"' * 99_999,
    ],
    ids=range(11),
)
def test_a_filter_without_end_or_sense_is_refused(text: str) -> None:
    with pytest.raises(FilterError):
        compile_filter(text)(RECORD)
    assert equality(text) is None


def test_values_of_other_kinds_are_not_compared() -> None:
    assert not compile_filter("list gt 1")({"list": [None, "a", {"a": 1}, 1, True]})
    assert compile_filter("list gt 1")(RECORD | {"list": ["a", 2]})


@pytest.mark.parametrize("depth", [0, 1, 49])
def test_brackets_and_negations_mean_what_they_mean(depth: int) -> None:
    assert compile_filter("(" * depth + "age eq 7" + ")" * depth)(RECORD)
    assert compile_filter("not " * depth + "age eq 7")(RECORD) == (depth % 2 == 0)
    assert compile_filter("(age eq 7) and (" * depth + "age eq 7" + ")" * depth)(RECORD)
