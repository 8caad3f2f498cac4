"""Canonical JSON (sorted keys, no spaces, ASCII), as text or piece by piece: what digests are taken over.

A document that is too large to hold has iterables in it where others have lists: they are read as they come.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from json.encoder import c_make_encoder, encode_basestring_ascii  # type: ignore[attr-defined]  # not in the stubs
from typing import Any

import msgspec

_PLAIN = (str, int, float, dict, list, tuple, type(None))


def _encoder() -> Callable[[Any], str]:
    """`JSONEncoder.encode`; but that one makes C's encoder anew for every value, which takes as long as it encodes."""
    plain = json.JSONEncoder(sort_keys=True, separators=(",", ":"))
    if c_make_encoder is None:  # a Python without it
        return plain.encode
    pieces = c_make_encoder(
        None,
        plain.default,
        encode_basestring_ascii,
        None,
        ":",
        ",",
        plain.sort_keys,
        plain.skipkeys,
        plain.allow_nan,
    )
    return lambda value: "".join(pieces(value, 0))


canonical = _encoder()
_quick = msgspec.json.Encoder(order="sorted").encode


def canonical_plain(value: Any, *mappings: Mapping[str, object]) -> str:
    """`canonical` of what has text for keys, five times as fast where that makes the same text. `mappings` are all in
    `value` that may hold a float.
    """
    for each in mappings:
        if float in map(type, each.values()):  # written another way
            return canonical(value)
    return _plain(value)


def canonical_values(values: Mapping[str, object]) -> str:
    """The same for plain values by name."""
    given = dict(values)
    return canonical(given) if float in map(type, given.values()) else _plain(given)


def canonical_ascii(value: Any) -> bytes:
    """The bytes of `canonical_plain`, of what holds no float."""
    try:
        text = _quick(value)
    except ValueError:  # a lone surrogate
        return canonical(value).encode("ascii")
    return text if text.isascii() and b"\x7f" not in text else canonical(value).encode("ascii")


def _plain(value: Any) -> str:
    return canonical_ascii(value).decode("ascii")


_read = msgspec.json.Decoder().decode


class Unreadable(ValueError):  # noqa: N818  (what a stored text is)
    """It is not what `canonical` makes."""


def read_canonical(text: str) -> Any:
    """The inverse of `canonical`. Raises Unreadable."""
    try:
        try:
            return _read(text)
        except (
            ValueError
        ):  # half a surrogate pair, or no finite number: the standard library has the last word
            return json.loads(text)
    except (ValueError, TypeError, RecursionError) as error:
        raise Unreadable(str(error)[:100]) from error


class CanonicalTexts:
    """A streamed list whose items are at hand as canonical text: hashed and written without being read."""

    def __init__(self, texts: Iterable[str]) -> None:
        self._texts = texts

    def __iter__(self) -> Iterator[str]:
        return iter(self._texts)


def texts_of(items: Iterable[Any]) -> Iterable[str]:
    """The canonical text of each."""
    return items if isinstance(items, CanonicalTexts) else map(canonical, items)


def is_streamed(value: object) -> bool:
    """Whether it stands for a list without being one: an iterator, or a collection that is read from elsewhere."""
    # What is plain is asked first: instances of abstract classes are found slowly.
    return not isinstance(value, _PLAIN) and isinstance(value, Iterable) and not isinstance(value, Mapping)


def canonical_pieces(value: Any) -> Iterator[str]:
    """The text of `canonical` for a document with iterables in it."""
    if is_streamed(value):
        before, written = "[", isinstance(value, CanonicalTexts)
        for item in value:
            yield before
            yield from (item,) if written else canonical_pieces(item)
            before = ","
        yield "[]" if before == "[" else "]"
    elif isinstance(value, Mapping) and any(map(_has_streamed, value.values())):
        before = "{"
        for key in sorted(value):
            yield f"{before}{canonical(key)}:"
            yield from canonical_pieces(value[key])
            before = ","
        yield "}"
    else:
        yield canonical(value)


def _has_streamed(value: object) -> bool:
    return is_streamed(value) or (isinstance(value, Mapping) and any(map(_has_streamed, value.values())))
