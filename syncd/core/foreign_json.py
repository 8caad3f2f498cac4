"""How foreign JSON (RFC 8259) is read where nobody may rely on it: bounded, and only what can be stored and sent
again.

The length of a text is no bound: `{"":0},` takes thirty times as much memory once it is read, and an answer of 64 KiB
on the wire may be 64 MiB of that.
"""

from __future__ import annotations

import json
import math
import re

SHORT = 1024 * 1024
"""Bytes: of a shorter text nothing is counted. At worst it becomes 32 MiB."""
DEEPEST = 64
"""Levels. What is nested deeper cannot be walked, compared and written again by functions that call themselves."""
_HALF = re.compile("[\ud800-\udfff]")
_UNKNOWN = "\ufffd"


def holds_more_values(content: bytes, most: int) -> bool:
    """Whether a text may hold more than so many values, by the signs between them; those in strings count too."""
    return len(content) > SHORT and sum(map(content.count, (b",", b"[", b"{"))) > most


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is no JSON")


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError("a number that is too large")
    return number


_decode = json.JSONDecoder(parse_constant=_no_constant, parse_float=_finite).decode


def read_json(content: bytes) -> object:
    """The value; half surrogate pairs, and bytes that are no text, are U+FFFD in it. Raises ValueError for what is no
    JSON, holds numbers that are not finite, or is nested deeper than `DEEPEST`.
    """
    try:
        value: object = _decode(_text(content))
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if content.count(b"[") + content.count(b"{") > DEEPEST and _is_deep(value):
        raise ValueError("nested too deeply")
    if b"\\u" in content:
        value = _whole(value)
    return value


def _text(content: bytes) -> str:
    """Also UTF-16 and UTF-32, as the standard library recognises them."""
    return content.decode(json.detect_encoding(content), "replace")


def _is_deep(value: object) -> bool:
    level = [value]
    for _ in range(DEEPEST + 1):
        level = [
            inner
            for each in level
            if isinstance(each, list | dict)
            for inner in (each.values() if isinstance(each, dict) else each)
        ]
        if not level:
            return False
    return True


def _whole(value: object) -> object:
    """No text in it holds half a surrogate pair, which neither UTF-8 nor SQLite can."""
    if isinstance(value, str):
        return _HALF.sub(_UNKNOWN, value)
    if isinstance(value, list):
        return [_whole(each) for each in value]
    if isinstance(value, dict):
        return {_whole(name): _whole(each) for name, each in value.items()}
    return value
