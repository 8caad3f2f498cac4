"""Canonical JSON: digests are taken over it, so it is the standard library's text to the letter."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.core.canonical import canonical
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
