"""JSON documents as bytes that two runs over the same world print alike (contract: JSON documents)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from json.encoder import encode_basestring_ascii as quoted
from typing import Any

from syncd.core.canonical import CanonicalTexts, is_streamed

LIST_SCHEMA = "syncd.list/1"
ERROR_SCHEMA = "syncd.error/1"

_WORDS = {None: "null", True: "true", False: "false"}
_scalar = json.JSONEncoder(allow_nan=False).encode


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


def _laid_out(text: str, line: str) -> str:
    """What `_encoded` makes of the value with this canonical text, at a fifth of the price: between its strings stands
    the same in most of them.
    """
    parts = text.split('"')
    layout = None if '\\"' in text else _layout(tuple(parts[::2]), line)
    if layout is None:
        return _encoded(json.loads(text), line)
    parts[::2] = layout
    return '"'.join(parts)


@lru_cache(maxsize=1024)
def _layout(between: tuple[str, ...], line: str) -> list[str] | None:
    """What stands between the strings of a canonical text, with breaks and indents; None for what is no JSON."""
    found, lines = [], [line]
    for part in between:
        if "N" in part or "I" in part:  # NaN, Infinity
            return None
        out = ""
        for place, mark in enumerate(part):
            if mark in "{[":
                lines.append(lines[-1] + "  ")
                empty = part[place + 1 : place + 2] in ("}", "]")
                out += mark if empty else mark + lines[-1]
            elif mark in "}]":
                lines.pop()
                empty = place > 0 and part[place - 1] in "{["
                out += mark if empty else lines[-1] + mark
            else:
                out += f",{lines[-1]}" if mark == "," else ": " if mark == ":" else mark
        found.append(out)
    return found


def _is_streaming(value: object) -> bool:
    return isinstance(value, dict) and any(map(is_streamed, value.values()))


def _encoded(value: Any, line: str) -> str:
    """As `json.dumps` with sorted keys and an indent of two, whose own encoder is written in Python and takes three
    times as long. `line` is a line break and the indent of the value's last line.
    """
    if isinstance(value, str):
        return quoted(value)
    if value is None or isinstance(value, bool):
        return _WORDS[value]
    inner = line + "  "
    if isinstance(value, Mapping):
        found = []
        for key in sorted(value):
            item = value[key]
            found.append(f"{_key(key)}: {quoted(item) if type(item) is str else _encoded(item, inner)}")
        return f"{{{inner}{f',{inner}'.join(found)}{line}}}" if found else "{}"
    if isinstance(value, list | tuple):
        found = [_encoded(item, inner) for item in value]
        return f"[{inner}{f',{inner}'.join(found)}{line}]" if found else "[]"
    return _scalar(value)


@lru_cache(maxsize=1024, typed=True)
def _key(key: object) -> str:
    return quoted(key) if isinstance(key, str) else f'"{_scalar(key)}"'


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
