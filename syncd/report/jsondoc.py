"""JSON documents as bytes that two runs over the same world print alike (contract: JSON documents)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from json.encoder import encode_basestring_ascii as quoted
from typing import Any

import msgspec

from syncd.core.canonical import CanonicalTexts, is_streamed

LIST_SCHEMA = "syncd.list/1"
ERROR_SCHEMA = "syncd.error/1"

_canonical = json.JSONEncoder(sort_keys=True, separators=(",", ":"), default=dict, allow_nan=False).encode
"""As `core.canonical.canonical`, and of every mapping."""


def dumps(document: Mapping[str, Any]) -> str:
    """Canonical text of one document: sorted keys, two spaces, ASCII only (safe on any terminal), one newline."""
    return "".join(pieces(document))


def pieces(document: Mapping[str, Any]) -> Iterator[str]:
    """The text of `dumps` piece by piece; values that are iterables of another kind than lists are written as they
    come: at the top, in an object or a list there, and in an item of such a one. A value that is a function is asked
    for when its turn comes, in the order of the keys.

    For documents too large to hold: nothing but one item is in memory at a time.
    """
    yield from _object(document, "\n")
    yield "\n"


def _object(document: Mapping[str, Any], line: str) -> Iterator[str]:
    before, inner = "{", line + "  "
    for key in sorted(document):
        yield f"{before}{inner}{quoted(key)}: "
        before = ","
        value = document[key]
        if callable(value):
            value = value()
        if isinstance(value, CanonicalTexts):
            yield from _written_array(value, inner)
        elif is_streamed(value):
            yield from _array(value, inner)
        elif isinstance(value, dict) and _is_streaming(value):
            yield from _object(value, inner)
        elif isinstance(value, list) and any(map(_is_streaming, value)):
            yield from _array(value, inner)
        else:
            yield _encoded(value, inner)
    yield line + "}" if document else "{}"


def _array(items: Iterable[Any], line: str) -> Iterator[str]:
    before, inner = "[", line + "  "
    for item in items:
        if _is_streaming(item):
            yield before + inner
            yield from _object(item, inner)
        else:
            yield before + inner + _encoded(item, inner)
        before = ","
    yield "[]" if before == "[" else line + "]"


def _written_array(texts: Iterable[str], line: str) -> Iterator[str]:
    before, inner = "[", line + "  "
    for text in texts:
        yield before + inner + _laid_out(text, inner)
        before = ","
    yield "[]" if before == "[" else line + "]"


def _is_streaming(value: object) -> bool:
    return isinstance(value, dict) and any(map(is_streamed, value.values()))


def _encoded(value: Any, line: str) -> str:
    """As `json.dumps` with sorted keys and an indent of two, whose own encoder is written in Python and takes three
    times as long. `line` is a line break and the indent of the value's last line. Raises ValueError for NaN.
    """
    return _laid_out(_canonical(value), line)


def _laid_out(text: str, line: str) -> str:
    """What `_encoded` makes of the value with this canonical text. Raises ValueError for NaN."""
    try:
        laid_out = msgspec.json.format(text, indent=2)
    except msgspec.DecodeError as problem:
        raise ValueError(f"no JSON: {problem}") from problem
    return laid_out.replace("\n", line)  # within strings they are escaped


def combined(documents: Iterable[Mapping[str, Any]], *, several: bool) -> Mapping[str, Any]:
    """The one document of a command: the only item itself, or a list sorted by connection when `several`."""
    items = sorted(documents, key=lambda one: (str(one.get("connection", "")), str(one.get("schema", ""))))
    if not several and len(items) == 1:
        return items[0]
    return {"schema": LIST_SCHEMA, "items": items}


def error_document(
    message: str, hint: str, exit_code: int, *, connection: str | None = None
) -> dict[str, Any]:
    """What stands on stdout instead of an answer; `connection` None when none is concerned."""
    document: dict[str, Any] = {
        "schema": ERROR_SCHEMA,
        "message": message,
        "hint": hint,
        "exit_code": exit_code,
    }
    return document if connection is None else {**document, "connection": connection}


def list_pieces(documents: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """The text of a `syncd.list/1` piece by piece, its items as `pieces` writes them."""
    return pieces({"schema": LIST_SCHEMA, "items": iter(documents)})
