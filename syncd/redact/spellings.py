"""The spellings in which a text may hold a secret: one layer of escapes after the other is undone, and what is left is
compared without what carries no meaning (white space, accents, letter case, which of the two base64 alphabets).
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

DEEPEST = 12
"""Layers of escapes that are undone. A text gets shorter with each, so that twelve cost little more than one."""
_ESCAPE = re.compile(
    r"\\(?:u\{([0-9A-Fa-f]{1,8})\}|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|x([0-9A-Fa-f]{2})|x\{([0-9A-Fa-f]{1,8})\}"
    r"|([0-3]?[0-7]{2})|(.))"
    r"|%(?:u([0-9A-Fa-f]{4})|([0-9A-Fa-f]{2}))"
    r"|&(?:#0{0,16}[0-9]{1,8}|#[xX]0{0,16}[0-9A-Fa-f]{1,7}|[A-Za-z][A-Za-z0-9]{1,31});?",
    re.DOTALL,
)
"""JSON, JavaScript, Python, Perl, C and shell; percent-encoding (RFC 3986) and its older form; HTML."""
_OCTAL, _ONE = 6, 7
_WHITE = dict.fromkeys("abfnrtv", " ")

_BLANK = frozenset("\u115f\u1160\u2800\ufffc\ufffd")
"""Letters and signs that show nothing, and what stands for what could not be decoded."""
_DROPPED = frozenset("CMZ")
"""Unicode's general categories of controls, marks and separators: a header may be folded, base64 broken into lines."""
_ALIKE = {"+": "-", "/": "_"}
_REMEMBERED = 4096


def _as_compared(letter: str) -> str | None:
    """Compatibility forms (full width, in circles, in bold) are the letters that they show (Unicode TR 15, NFKD)."""
    made = []
    for each in unicodedata.normalize("NFKD", letter):
        category = unicodedata.category(each)
        if category[0] in _DROPPED or each in _BLANK:
            continue
        made.append("-" if category == "Pd" else _ALIKE.get(each, each.lower() if each.isascii() else each))
    return "".join(made) or None


class _Plain(dict[int, str | None]):
    """What each character is compared as. Those of foreign text are remembered as far as that costs little."""

    def __missing__(self, code: int) -> str | None:
        found = _as_compared(chr(code))
        if len(self) < _REMEMBERED:
            self[code] = found
        return found


_PLAIN = _Plain({code: _as_compared(chr(code)) for code in range(0x100)})
_WORD = re.compile(r"<[^<>]*>|([^\W_]+)")


def plain(text: str) -> str:
    """`text` as it is compared."""
    return text.translate(_PLAIN)


def skeleton(text: str) -> str:
    """A plain text without its signs and the tags of markup: what is between the pieces of a secret means nothing."""
    return "".join(found[1] or "" for found in _WORD.finditer(text))


@dataclass(frozen=True, slots=True)
class Compared:
    """A text as it is compared. `at` has for each character its place in the layer that it is made from."""

    text: str
    at: Sequence[int]

    @property
    def skeleton(self) -> Compared:
        at: list[int] = []
        for found in _WORD.finditer(self.text):
            if found[1]:
                at += self.at[found.start() : found.end()]
        return Compared(skeleton(self.text), at)


@dataclass(frozen=True, slots=True)
class Layer:
    """A text with some layers of escapes undone. `origin` has for each character, and for the end, its place in the
    text as it came.
    """

    text: str
    origin: Sequence[int]

    @classmethod
    def of(cls, text: str) -> Layer:
        return cls(text, range(len(text) + 1))

    @property
    def plain(self) -> Compared:
        found = plain(self.text)
        if len(found) == len(self.text) and self.text.isascii():
            return Compared(found, range(len(found)))
        at: list[int] = []
        for place, letter in enumerate(self.text):
            at += [place] * len(_PLAIN[ord(letter)] or "")
        return Compared(found, at)

    def covers(self, start: int, end: int) -> tuple[int, int]:
        """The place in the text as it came of what stands here from `start` to before `end`, with the whole of the
        escape that its last character is written as.
        """
        last = self.origin[end - 1]
        while self.origin[end] == last and end < len(self.text):
            end += 1
        return self.origin[start], self.origin[end]

    def undone(self) -> Layer | None:
        """One layer of escapes less; None when there is none."""
        return self.replaced(_ESCAPE, _meant)

    def replaced(self, written: re.Pattern[str], meant: Callable[[re.Match[str]], str]) -> Layer | None:
        """With everything that is `written` so as what it means; None when there is none."""
        parts: list[str] = []
        origin: list[int] = []
        end = 0
        for found in written.finditer(self.text):
            start, means = found.start(), meant(found)
            parts += (self.text[end:start], means)
            origin += self.origin[end:start]
            origin += [self.origin[start]] * len(means)
            end = found.end()
        if not end:
            return None
        return Layer("".join((*parts, self.text[end:])), [*origin, *self.origin[end:]])


def layers(first: Layer) -> Iterator[Layer]:
    """The layer as it is, then without its escapes, one by one."""
    layer: Layer | None = first
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
