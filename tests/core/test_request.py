"""Requests as rows: read strictly, or not at all."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.core.request import (
    VERSION,
    ApplyRequest,
    ApproveRequest,
    DriftRequest,
    ErrorText,
    LinkRequest,
    ReleaseRequest,
    RelinkRequest,
    Request,
    RequestResult,
    RetryRequest,
    SyncRequest,
    UndoRequest,
    UnlinkRequest,
    arguments_of,
    kind_of,
    read_request,
    read_result,
    reads_everything,
    result_text,
)
from syncd.core.safety import LIMIT_NAMES
from syncd.errors import RefusedError

TEXT = st.text(max_size=8)
TEXTS = st.lists(TEXT, max_size=3).map(tuple)
LIMITS = st.dictionaries(st.sampled_from(LIMIT_NAMES), st.integers(0, 99), max_size=2)
SEEN = st.none() | TEXTS
DOCUMENTS = st.lists(st.dictionaries(TEXT, TEXT | st.integers() | st.none(), max_size=2), max_size=2).map(
    tuple
)
REQUESTS: st.SearchStrategy[Request] = st.one_of(
    st.builds(SyncRequest, TEXTS, TEXTS, st.booleans(), LIMITS),
    st.builds(DriftRequest, TEXTS, TEXTS, st.booleans(), LIMITS),
    st.builds(ApplyRequest, TEXT),
    st.builds(LinkRequest, TEXT, TEXT, allow=LIMITS, seen=SEEN),
    st.builds(UnlinkRequest, TEXT, st.booleans(), allow=LIMITS, seen=SEEN),
    st.builds(UndoRequest, TEXT, allow=LIMITS, seen=SEEN),
    st.builds(ReleaseRequest, TEXT),
    st.builds(RelinkRequest, st.none() | TEXT),
    st.builds(ApproveRequest, DOCUMENTS),
    st.builds(RetryRequest, TEXTS, TEXTS),
)


@given(REQUESTS)
def test_a_request_is_read_as_it_was_put(request: Request) -> None:
    assert read_request(VERSION, kind_of(request), arguments_of(request)) == request


@given(REQUESTS)
def test_a_newer_version_is_refused_whatever_it_says(request: Request) -> None:
    with pytest.raises(RefusedError, match="newer syncd"):
        read_request(VERSION + 1, kind_of(request), arguments_of(request))


@given(REQUESTS, st.data())
def test_an_argument_too_many_or_too_few_is_refused(request: Request, data: st.DataObject) -> None:
    arguments = json.loads(arguments_of(request))
    lost = data.draw(st.sampled_from([field.name for field in fields(request)]))
    fewer = {name: value for name, value in arguments.items() if name != lost}
    for changed in (fewer, {**arguments, "kindly": True}):
        with pytest.raises(RefusedError, match="nothing of it was done"):
            read_request(VERSION, kind_of(request), json.dumps(changed))


@pytest.mark.parametrize(
    ("kind", "arguments"),
    [
        ("promote", "{}"),
        ("sync", "no JSON"),
        ("sync", "[]"),
        ("sync", '{"users": "ada", "groups": [], "full": false, "allow": {}}'),
        ("sync", '{"users": [1], "groups": [], "full": false, "allow": {}}'),
        ("sync", '{"users": [], "groups": [], "full": 1, "allow": {}}'),
        ("sync", '{"users": [], "groups": [], "full": false, "allow": {"everything": 1}}'),
        ("sync", '{"users": [], "groups": [], "full": false, "allow": {"deactivations": -1}}'),
        ("sync", '{"users": [], "groups": [], "full": false, "allow": {"deactivations": true}}'),
        ("approve", '{"changes": [1]}'),
        ("sync", "[" * 100_000),
    ],
)
def test_what_cannot_be_understood_is_refused(kind: str, arguments: str) -> None:
    with pytest.raises(RefusedError, match="nothing of it was done"):
        read_request(VERSION, kind, arguments)


@pytest.mark.parametrize(
    ("request_", "everything"),
    [
        (SyncRequest(), True),
        (SyncRequest(full=True), True),
        (DriftRequest(), True),
        (SyncRequest(users=("ada",)), False),
        (DriftRequest(groups=("Crew",)), False),
        (RetryRequest((), ()), False),
        (ApplyRequest(""), False),
    ],
)
def test_only_what_names_nobody_reads_everything(request_: Request, everything: bool) -> None:
    assert reads_everything(request_) is everything


ERRORS = st.builds(ErrorText, TEXT, TEXT, st.sampled_from([1, 3, 4, 64, 78]))


@given(
    st.dictionaries(TEXT, TEXT | st.integers() | st.lists(TEXT, max_size=2), max_size=3),
    st.integers(0, 130),
    st.lists(ERRORS, max_size=2).map(tuple),
)
def test_what_came_of_it_is_read_as_it_was_written(
    document: dict[str, Any], code: int, said: tuple[ErrorText, ...]
) -> None:
    result = RequestResult(document, code, said)
    assert read_result(result_text(result)) == result


@pytest.mark.parametrize("text", ["", "{}", '{"document": null, "exit_code": 1, "said": []}', "[" * 100_000])
def test_a_result_that_tells_nothing_is_none(text: str) -> None:
    with pytest.raises(RefusedError, match="cannot be read"):
        read_result(text)
