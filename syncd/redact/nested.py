"""Texts wherever they are in a value."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

_LONGEST_NESTING = 40
_TOO_DEEP = "[nested too deeply]"
_OUR_KEY = re.compile(r"[a-z][a-z_]*")
_LEAST = 16
"""What the shortest text, and the emptiest list, counts for."""


def each_text(obj: object, clean: Callable[[str], str], depth: int = 0) -> object:
    """The same value with every text in it cleaned: str, bytes, list, tuple, set and dict, nested; any other iterable
    becomes an iterator. Keys that are words of a document of ours stay.
    """

    def inner(item: object) -> object:
        return each_text(item, clean, depth + 1)

    if isinstance(obj, str):
        return clean(obj)
    if depth > _LONGEST_NESTING:
        return _TOO_DEEP
    if isinstance(obj, bytes):
        return clean(obj.decode("utf-8", "backslashreplace")).encode()
    if isinstance(obj, dict):
        return {_key(key, inner): inner(item) for key, item in obj.items()}
    if isinstance(obj, list):
        return [inner(item) for item in obj]
    if isinstance(obj, tuple):
        return tuple(inner(item) for item in obj)
    if isinstance(obj, set | frozenset):
        return type(obj)(inner(item) for item in obj)
    if isinstance(obj, Iterable):  # read from elsewhere, as it comes
        return (inner(item) for item in obj)
    return obj


def _key(key: object, inner: Callable[[object], object]) -> object:
    return key if isinstance(key, str) and _OUR_KEY.fullmatch(key) else inner(key)


class Beginning:
    """The first texts of somebody else's JSON, cleaned: at most `left` characters; nobody reads the rest."""

    def __init__(self, clean: Callable[[str], str], left: int) -> None:
        self._clean = clean
        self._left = left

    def of(self, obj: object, depth: int = 0) -> object:
        if isinstance(obj, str):
            read = obj[: self._left]
            self._left -= max(len(obj), _LEAST)
            return self._clean(read)
        if isinstance(obj, dict | list):
            self._left -= _LEAST
            if depth > _LONGEST_NESTING:
                return _TOO_DEEP
            if isinstance(obj, list):
                return [self.of(item, depth + 1) for item in obj if self._left > 0]
            return {self.of(key): self.of(item, depth + 1) for key, item in obj.items() if self._left > 0}
        return obj


def without(obj: object, reveals: Callable[[str], bool], depth: int = 0) -> object:
    """The same JSON without the texts that tell, as keys or as values: as if nobody had said them."""
    if depth > _LONGEST_NESTING:
        return _TOO_DEEP
    if isinstance(obj, dict):
        return {
            key: without(item, reveals, depth + 1)
            for key, item in obj.items()
            if not reveals(key) and not (isinstance(item, str) and reveals(item))
        }
    if isinstance(obj, list):
        return [
            without(item, reveals, depth + 1) for item in obj if not (isinstance(item, str) and reveals(item))
        ]
    return obj
