"""Several decoders, one meaning: what a quick one refuses the standard library decides."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict, CIMultiDictProxy

from syncd.okta.answers import Answer, Decode, Fault, everything, judge
from syncd.okta.records import app_user, app_users_page, ids_page, record_id
from syncd.okta.transport import Received
from syncd.redact import Redactor
from tests.okta.fakes import app_user_json

URL = "https://example.okta.com/api/v1/groups"
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


def judged(content: bytes, decode: Decode = everything) -> Answer | Fault:
    received = Received(200, CIMultiDictProxy(CIMultiDict[str]()), "application/json", content)
    return judge(received, url=URL, expect="list", oauth=False, redactor=Redactor(), decode=decode)


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


PLACES: list[tuple[str, ...]] = [
    ("id",),
    ("status",),
    ("scope",),
    ("profile",),
    ("profile", "email"),
    ("credentials",),
    ("credentials", "userName"),
    ("_links",),
    ("_links", "group"),
    ("_links", "group", "href"),
    ("_links", "group", "name"),
    ("_embedded",),
    ("_embedded", "user"),
    ("_embedded", "user", "id"),
    ("_embedded", "user", "status"),
    ("_embedded", "user", "profile"),
    ("lastUpdated",),
]


def _spoilt(record: dict[str, Any], place: tuple[str, ...], value: object) -> dict[str, Any]:
    """The record with something else at one place, or nothing when the value is the word "absent"."""
    made: dict[str, Any] = json.loads(json.dumps(record))
    holder: Any = made
    for name in place[:-1]:
        holder = holder.get(name)
        if not isinstance(holder, dict):
            return made
    if value == "absent":
        holder.pop(place[-1], None)
    else:
        holder[place[-1]] = value
    return made


@given(st.lists(st.tuples(st.sampled_from(PLACES), VALUES | st.just("absent")), max_size=3), st.booleans())
def test_a_page_means_the_same_without_what_nobody_reads(
    changes: list[tuple[tuple[str, ...], object]], ascii_only: bool
) -> None:
    record = app_user_json(1, _links={"group": {"href": "https://x/api/v1/groups/00g7", "name": "Eng"}})
    for place, value in changes:
        record = _spoilt(record, place, value)
    content = json.dumps([app_user_json(2), record], ensure_ascii=ascii_only).encode()

    sieved, whole = judged(content, app_users_page), judged(content)

    assert isinstance(sieved, Answer)
    assert isinstance(whole, Answer)
    assert isinstance(sieved.body, list)
    assert isinstance(whole.body, list)
    assert repr([app_user(each) for each in sieved.body]) == repr([app_user(each) for each in whole.body])


@given(st.lists(VALUES | st.fixed_dictionaries({"id": VALUES, "more": VALUES}), max_size=4))
def test_ids_are_the_same_without_what_nobody_reads(records: list[object]) -> None:
    content = json.dumps(records).encode()

    sieved, whole = judged(content, ids_page), judged(content)

    assert isinstance(sieved, Answer)
    assert isinstance(whole, Answer)
    assert isinstance(sieved.body, list)
    assert isinstance(whole.body, list)
    assert [record_id(each) for each in sieved.body] == [record_id(each) for each in whole.body]


@pytest.mark.parametrize("decode", [app_users_page, ids_page, everything])
@pytest.mark.parametrize(
    "content",
    [
        b'[{"id": "00u1", "status": "ACTIVE", "profile": {}, "more": {"firstName": "Ren\xe9"}}]',
        b'[{"id": "00u1", "status": "ACTIVE", "profile": {}, "_embedde\xff": {"user": {"status": "DEPROVISIONED"}}}]',
        b'[{"id": "\xff\xfe"}]',
    ],
)
def test_what_is_not_utf_8_is_a_fault_wherever_it_stands(decode: Decode, content: bytes) -> None:
    fault = judged(content, decode)

    assert isinstance(fault, Fault)
    assert "not UTF-8" in fault.cause


@pytest.mark.parametrize("decode", [app_users_page, ids_page])
@pytest.mark.parametrize(
    "text", ['[{"id": "00u1", "x": }]', '[{"id": "00u1"', '[{"id": "00u1"}]]', '[{"x": tru}]', ""]
)
def test_what_is_no_json_in_a_part_that_nobody_reads_is_a_fault_all_the_same(
    decode: Decode, text: str
) -> None:
    assert isinstance(judged(text.encode(), decode), Fault)
