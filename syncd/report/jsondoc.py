"""JSON documents as bytes that two runs over the same world print alike (contract: JSON documents)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

LIST_SCHEMA = "syncd.list/1"
ERROR_SCHEMA = "syncd.error/1"


def dumps(document: Mapping[str, Any]) -> str:
    """Canonical text of one document: sorted keys, two spaces, ASCII only (safe on any terminal), one newline."""
    return _encoded(document) + "\n"


def pieces(document: Mapping[str, Any]) -> Iterator[str]:
    """The text of `dumps` piece by piece; a top-level value that is an iterator is written as it comes.

    For documents too large to hold: nothing but one item of an iterator is in memory at a time.
    """
    before = "{\n"
    for key in sorted(document):
        yield f"{before}  {_encoded(key)}: "
        before = ",\n"
        value = document[key]
        if isinstance(value, Iterator):
            yield from _array(value)
        else:
            yield _encoded(value).replace("\n", "\n  ")
    yield "\n}\n" if document else "{}\n"


def _array(items: Iterator[Any]) -> Iterator[str]:
    before = "[\n"
    for item in items:
        # Line breaks inside strings are escaped, so every one that is left belongs to the layout.
        yield f"{before}    " + _encoded(item).replace("\n", "\n    ")
        before = ",\n"
    yield "[]" if before == "[\n" else "\n  ]"


def _encoded(value: Any) -> str:
    return json.dumps(value, sort_keys=True, indent=2, ensure_ascii=True, allow_nan=False)


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
    yield '{\n  "items": ['
    before = "\n    "
    for document in documents:
        yield before
        before = ",\n    "
        waiting = ""
        for piece in pieces(document):
            yield waiting.replace("\n", "\n    ")
            waiting = piece
        yield waiting.rstrip("\n").replace("\n", "\n    ")
    yield f'\n  ],\n  "schema": "{LIST_SCHEMA}"\n}}\n'
