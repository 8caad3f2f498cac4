"""Canonical JSON: digests are taken over it, so it is the standard library's text to the letter."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.core.canonical import canonical, canonical_plain, canonical_values, read_canonical
from syncd.core.change import ChangeKind

_SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner, inner),
)


@given(_VALUES)
def test_it_is_what_the_standard_library_writes(value: Any) -> None:
    assert canonical(value) == json.dumps(value, sort_keys=True, separators=(",", ":"))


def test_a_word_of_an_enumeration_is_a_word_and_a_lone_surrogate_stays_ascii() -> None:
    assert canonical([ChangeKind.ADD_MEMBER, "\ud800"]) == '["add_member","\\ud800"]'


def test_after_a_value_that_is_no_json_the_next_one_is_written_as_ever() -> None:
    inner = {"a": 1}
    with pytest.raises(TypeError):
        canonical([inner, object()])
    assert canonical([inner]) == '[{"a":1}]'


@given(st.dictionaries(st.text(), _SCALARS), _SCALARS.filter(lambda value: not isinstance(value, float)))
def test_what_is_plain_is_the_same_text(values: dict[str, Any], beside: Any) -> None:
    assert canonical_plain(values, values) == canonical(values)
    assert canonical_values(values) == canonical(values)
    assert canonical_plain({"a": values, "b": [beside, None]}, values) == canonical(
        {"a": values, "b": [beside, None]}
    )


@pytest.mark.parametrize(
    "value", ["".join(map(chr, range(128))), "ü", "\ud800", 2**70, -0.0, 1e16, 1e-7, float("inf"), True]
)
def test_what_another_encoder_would_write_otherwise_is_the_same_text_too(value: Any) -> None:
    assert canonical_plain({"a": value}, {"a": value}) == json.dumps({"a": value}, separators=(",", ":"))


@given(_VALUES)
def test_what_was_written_is_read_back(value: Any) -> None:
    text = canonical(value)
    assert canonical(read_canonical(text)) == canonical(json.loads(text))


@pytest.mark.parametrize("text", ["", "{", "{} x", "[1]2", "nothing"])
def test_what_is_no_canonical_text_is_not_read(text: str) -> None:
    with pytest.raises(ValueError):
        read_canonical(text)
