"""Two decoders, one meaning: what the quick one refuses the standard library decides."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict, CIMultiDictProxy

from syncd.source.answers import Answer, Fault, judge
from syncd.source.transport import Received

URL = "https://example.okta.com/api/v1/groups"
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


def judged(content: bytes) -> Answer | Fault:
    received = Received(200, CIMultiDictProxy(CIMultiDict[str]()), "application/json", content)
    return judge(received, url=URL, expect="list", oauth=False, redact=str)


@given(st.lists(VALUES), st.booleans())
def test_a_body_means_what_json_says(value: list[object], ascii_only: bool) -> None:
    answer = judged(json.dumps(value, ensure_ascii=ascii_only).encode())

    assert isinstance(answer, Answer)
    assert repr(answer.body) == repr(value)


@pytest.mark.parametrize(
    "text",
    [
        '\ufeff[{"id": "00u1"}]',
        '["half \\ud800 of a pair"]',
        '[{"a": 1, "a": 2}]',
        "[123456789012345678901234567890]",
        "[1e400, -0, 1E5]",
        " \r\n\t[]\n",
        "[" * 250 + "]" * 250,
    ],
)
def test_odd_but_valid_text_is_read_as_ever(text: str) -> None:
    answer = judged(text.encode())

    assert isinstance(answer, Answer)
    assert repr(answer.body) == repr(json.loads(text.removeprefix("\ufeff")))


@pytest.mark.parametrize(
    "text", ["[NaN]", "[Infinity]", "[-Infinity]", "[1,]", "['a']", "[1] x", "[01]", "[\x01]"]
)
def test_what_is_no_json_is_a_fault(text: str) -> None:
    assert isinstance(judged(text.encode()), Fault)
