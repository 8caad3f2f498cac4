"""The spellings in which a text may hold a secret: one layer of escapes after the other is undone, and what is left is
compared without what carries no meaning (white space, letter case, which of the two base64 alphabets).
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

DEEPEST = 5
"""Layers of escapes that are undone: JSON in JSON in a URL that was encoded twice."""
_ESCAPE = re.compile(
    r"\\(?:u\{([0-9A-Fa-f]{1,6})\}|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|x([0-9A-Fa-f]{2})|([0-3][0-7]{2})|(.))"
    r"|%(?:u([0-9A-Fa-f]{4})|([0-9A-Fa-f]{2}))"
    r"|&(?:#[0-9]{1,8}|#[xX][0-9A-Fa-f]{1,7}|[A-Za-z][A-Za-z0-9]{1,31});?",
    re.DOTALL,
)
"""JSON, JavaScript, Python, C and shell; percent-encoding (RFC 3986) and its older form; HTML."""
_OCTAL, _ONE = 5, 6
_WHITE = dict.fromkeys("abfnrtv", " ")

_DROPPED = (
    *range(0x21),
    *range(0x7F, 0xA1),
    *(0xAD, 0x34F, 0x61C, 0xFEFF),
    *range(0x2000, 0x2010),
    *range(0x2028, 0x2030),
    *range(0x205F, 0x2070),
)
"""White space, controls, and what nobody sees: a header may be folded, base64 broken into lines."""
_PLAIN: dict[int, int | None] = {
    **dict.fromkeys(_DROPPED),
    **{letter: letter + 32 for letter in range(ord("A"), ord("Z") + 1)},
    ord("+"): ord("-"),
    ord("/"): ord("_"),
}


def plain(text: str) -> str:
    """`text` as it is compared."""
    return text.translate(_PLAIN)


@dataclass(frozen=True, slots=True)
class Layer:
    """A text with some layers of escapes undone. `origin` has for each character, and for the end, its place in the
    text as it came.
    """

    text: str
    origin: Sequence[int]

    @property
    def plain(self) -> tuple[str, Sequence[int]]:
        """As it is compared, and for each character its place in `text`."""
        found = plain(self.text)
        if len(found) == len(self.text):
            return found, range(len(found))
        return found, [at for at, letter in enumerate(self.text) if ord(letter) not in _DROPPED_SET]

    def undone(self) -> Layer | None:
        """One layer of escapes less; None when there is none."""
        parts: list[str] = []
        origin: list[int] = []
        end = 0
        for found in _ESCAPE.finditer(self.text):
            start = found.start()
            meant = _meant(found)
            parts += (self.text[end:start], meant)
            origin += self.origin[end:start]
            origin += [self.origin[start]] * len(meant)
            end = found.end()
        if not end:
            return None
        return Layer("".join((*parts, self.text[end:])), [*origin, *self.origin[end:]])


_DROPPED_SET = frozenset(_DROPPED)


def layers(text: str) -> Iterator[Layer]:
    """The text as it came, then without its escapes, layer by layer."""
    layer: Layer | None = Layer(text, range(len(text) + 1))
    for _ in range(DEEPEST + 1):
        if layer is None:
            return
        yield layer
        layer = layer.undone()


def readings(text: str) -> Iterator[str]:
    """The texts of `layers`, faster."""
    yield text
    for _ in range(DEEPEST):
        if "\\" not in text and "%" not in text and "&" not in text:
            return
        before, text = text, _ESCAPE.sub(_meant, text)
        if text == before:
            return
        yield text


def _meant(found: re.Match[str]) -> str:
    group = found.lastindex
    if group is None:
        return html.unescape(found[0])
    if group == _ONE:
        return _WHITE.get(found[group], found[group])
    code = int(found[group], 8 if group == _OCTAL else 16)
    return chr(code) if code <= 0x10FFFF else ""
