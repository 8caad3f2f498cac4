"""Texts inside a text: base64, hexadecimal, lists of bytes, quoted-printable, decoded where they stand.

What a secret itself is in base64 and hexadecimal is known and needs no decoding; this is for what was written in
another way before (base64 of a header that holds base64, of UTF-16, of percent-encoding).
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Sequence

from syncd.redact.spellings import Layer, layers

_DEEPEST = 3
"""Encodings inside encodings that are looked into."""
_MOST = 384 * 1024
"""So many characters are looked at in all: a text six times, and whatever is decoded is shorter."""
_BASE64 = re.compile(r"[A-Za-z0-9+/_-](?:(?:[ \t]{0,8}\r?\n[ \t]{0,8})?[A-Za-z0-9+/_-]){15,}")
_HEX = re.compile(r"(?:(?:0[xX]|\\x)?[0-9A-Fa-f]{2}[\s:,;-]{0,3}){12,}")
_BYTES = re.compile(r"[0-9]{1,3}(?:[\s,;]{1,3}[0-9]{1,3}){11,}")
_QUOTED = re.compile(r"=(?:\r?\n|([0-9A-Fa-f]{2}))")
_NO_DIGIT = re.compile(r"0[xX]|[^0-9A-Fa-f]")
_BETWEEN = ";"
"""Keeps apart what does not belong together; nothing that looks like a credential goes on behind it."""


def everything_in(text: str) -> Iterator[Layer]:
    """The text, without its escapes layer by layer, and what is encoded in each of these."""
    left = _MOST
    seen: set[str] = set()
    waiting = [(Layer.of(text), 0)]
    while waiting:
        first, depth = waiting.pop()
        for layer in layers(first):
            if layer.text in seen:
                continue
            seen.add(layer.text)
            left -= len(layer.text)
            yield layer
            if left < 0:
                return
            if depth < _DEEPEST:
                waiting.extend((each, depth + 1) for each in _decoded(layer))


def _decoded(layer: Layer) -> Iterator[Layer]:
    """A byte of what is decoded is one character: nobody knows its encoding, and a secret's UTF-8 is found so too."""
    base64s = [_letters(found) for found in _BASE64.finditer(layer.text)]
    if base64s:
        yield from (_joined(layer, [_of_base64(each[start:]) for each in base64s]) for start in range(4))
    digits = [_digits(found) for found in _HEX.finditer(layer.text)]
    if digits:
        yield from (_joined(layer, [_of_hex(each[start:]) for each in digits]) for start in range(2))
    numbers = [_numbers(found) for found in _BYTES.finditer(layer.text)]
    if numbers:
        yield _joined(layer, numbers)
    quoted = layer.replaced(_QUOTED, lambda found: chr(int(found[1], 16)) if found[1] else "")
    if quoted is not None:
        yield quoted


_Placed = Sequence[tuple[str, int]]
"""Characters, each with where it stands or begins."""


def _letters(found: re.Match[str]) -> _Placed:
    return [(each, at) for at, each in enumerate(found[0], found.start()) if not each.isspace()]


def _digits(found: re.Match[str]) -> _Placed:
    text = _NO_DIGIT.sub(lambda other: " " * len(other[0]), found[0])
    return [(each, at) for at, each in enumerate(text, found.start()) if each != " "]


def _numbers(found: re.Match[str]) -> _Placed:
    numbers = re.finditer("[0-9]+", found[0])
    placed = [(chr(int(each[0])), found.start() + each.start()) for each in numbers if int(each[0]) <= 0xFF]
    return [*placed, (_BETWEEN, found.end())]


def _of_base64(run: _Placed) -> _Placed:
    text = "".join(letter for letter, _ in run)
    whole = len(text) - (len(text) % 4 == 1)
    data = base64.urlsafe_b64decode(text[:whole].replace("+", "-").replace("/", "_") + "=" * (-whole % 4))
    placed = [(chr(byte), run[number * 4 // 3][1]) for number, byte in enumerate(data)]
    return [*placed, (_BETWEEN, run[-1][1] + 1)]


def _of_hex(run: _Placed) -> _Placed:
    text = "".join(letter for letter, _ in run)
    placed = [(chr(int(text[at : at + 2], 16)), run[at][1]) for at in range(0, len(text) - 1, 2)]
    return [*placed, (_BETWEEN, run[-1][1] + 1)]


def _joined(layer: Layer, runs: Sequence[_Placed]) -> Layer:
    text = "".join(letter for run in runs for letter, _ in run)
    return Layer(text, [*(layer.origin[at] for run in runs for _, at in run), layer.origin[-1]])
