"""All secrets that are known at one moment, made ready for looking."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from syncd.redact.parts import Looks
from syncd.redact.shapes import MASK
from syncd.redact.spellings import Layer, layers, plain, readings

_HEAD = 8
_SMALL = 16 * 1024
_MAY_HIDE = re.compile(rb"\\u00[2-7]|%[0-9A-Fa-f]{2}|&#")
"""Escapes of characters that need none."""

Place = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Needles:
    """`quick` are the shortest: a text without any of them, in all its readings, holds no secret. `heads` are what the
    longer of them begin with, `short` are the others.
    """

    every: Sequence[str]
    quick: Sequence[str]
    short: Sequence[str]
    heads: frozenset[str]

    @classmethod
    def of(cls, texts: Iterable[str]) -> Needles:
        hidden = plain(MASK)
        needles = {text for text in texts if text not in hidden}
        quick = _without_longer(needles)
        return cls(
            every=_longest_first(needles),
            quick=quick,
            short=[text for text in quick if len(text) < _HEAD],
            heads=frozenset(text[:_HEAD] for text in quick if len(text) >= _HEAD),
        )

    def are_in(self, text: str) -> bool:
        """In a plain text. One as the many is answered at once."""
        if len(text) < len(self.quick):  # many secrets, a short text
            at = range(len(text) - _HEAD + 1)
            if not any(text[start : start + _HEAD] in self.heads for start in at):
                return any(needle in text for needle in self.short)
        for needle in self.quick:
            if len(needle) > len(text):
                return False
            if needle in text:
                return True
        return False

    def places(self, text: str) -> Iterator[Place]:
        for needle in self.every:
            start = text.find(needle)
            while start >= 0:
                yield start, start + len(needle)
                start = text.find(needle, start + len(needle))


@dataclass(frozen=True, slots=True)
class Known:
    """`exact` has no other spelling (nothing but white space, say); `fragments` are by their length."""

    exact: Sequence[str]
    needles: Needles
    skeletons: Needles
    telling: Needles
    told: Sequence[bytes]
    fragments: Sequence[tuple[int, frozenset[str]]]
    short: re.Pattern[str] | None
    words: re.Pattern[str] | None

    @classmethod
    def of(cls, found: Iterable[Looks]) -> Known:
        looks = list(found)
        fragments = frozenset().union(*(each.fragments for each in looks))
        telling = {part: needles for each in looks for part, needles in each.telling.items()}
        return cls(
            exact=_longest_first({text for each in looks for text in each.exact}),
            needles=Needles.of(text for each in looks for text in each.needles),
            skeletons=Needles.of(text for each in looks for text in each.skeletons),
            telling=Needles.of(text for needles in telling.values() for text in needles),
            told=sorted({form for part in telling for form in _in_json(part)}),
            fragments=[
                (length, frozenset(each for each in fragments if len(each) == length))
                for length in sorted({len(each) for each in fragments})
            ],
            short=_by_itself(text for each in looks for text in each.short),
            words=_by_itself(text for each in looks for text in each.words),
        )

    def is_in(self, text: str) -> bool:
        """Whether a secret stands in it whole."""
        if any(each in text for each in self.exact):
            return True
        return any(
            self.needles.are_in(plain(reading)) or (self.short is not None and self.short.search(reading))
            for reading in readings(text)
        )

    def tells(self, text: str) -> bool:
        """Whether what nothing but a secret can be stands in it whole."""
        return any(self.telling.are_in(plain(reading)) for reading in readings(text))

    def may_tell(self, content: bytes) -> bool:
        """False: no text of this JSON `tells`. In a long one base64 and hexadecimal forms are not looked for; a tenth
        of a millisecond for each secret and page of 500 people is what this may cost.
        """
        if not self.told:
            return False
        if any(each in content for each in self.told):
            return True
        if len(content) > _SMALL and not (
            (b"\\" in content or b"%" in content or b"&#" in content) and _MAY_HIDE.search(content)
        ):
            return False
        return self.tells(content.decode("utf-8", "replace"))

    def whole(self, text: str) -> Iterator[Place]:
        """Where in the text secrets stand whole."""
        for layer in layers(Layer.of(text)):
            compared = layer.plain
            for start, end in self.needles.places(compared.text):
                yield layer.covers(compared.at[start], compared.at[end - 1] + 1)
            yield from _spans(self.short, layer)

    def pieces(self, layer: Layer, *, words: bool) -> Iterator[Place]:
        """Where in the text as it came the layer has secrets, pieces of them, or what is left of them among signs; with
        `words` those too that may be ordinary ones.
        """
        compared = layer.plain
        bones = compared.skeleton
        found = [(compared, place) for place in self.needles.places(compared.text)]
        found += [(bones, place) for place in self.skeletons.places(bones.text)]
        found += [(compared, place) for place in self._fragments_in(compared.text)]
        for where, (start, end) in found:
            yield layer.covers(where.at[start], where.at[end - 1] + 1)
        yield from _spans(self.short, layer)
        if words:
            yield from _spans(self.words, layer)

    def _fragments_in(self, text: str) -> Iterator[Place]:
        for length, fragments in self.fragments:
            for start in range(len(text) - length + 1):
                if text[start : start + length] in fragments:
                    yield start, start + length


def masked(text: str, places: Iterable[Place]) -> str:
    joined: list[Place] = []
    for start, end in sorted(places):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        elif start < end:
            joined.append((start, end))
    if not joined:
        return text
    between = pairwise([0, *(place for each in joined for place in each), len(text)])
    return MASK.join(text[start:end] for start, end in list(between)[::2])


def _spans(pattern: re.Pattern[str] | None, layer: Layer) -> Iterator[Place]:
    if pattern is not None:
        yield from (layer.covers(*found.span()) for found in pattern.finditer(layer.text))


def _by_itself(texts: Iterable[str]) -> re.Pattern[str] | None:
    words = _longest_first(set(texts))
    return re.compile(rf"(?<![^\W_])(?:{'|'.join(map(re.escape, words))})(?![^\W_])") if words else None


def _in_json(text: str) -> Iterator[bytes]:
    for each in (json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]):
        form = each.encode("utf-8", "surrogatepass")
        yield form
        yield form.replace(b"/", b"\\/")


def _longest_first(texts: Iterable[str]) -> Sequence[str]:
    return sorted(texts, key=lambda text: (-len(text), text))


def _without_longer(texts: Iterable[str]) -> Sequence[str]:
    """The shortest first, and none that holds another one."""
    kept: list[str] = []
    for text in sorted(texts, key=lambda text: (len(text), text)):
        if not any(each in text for each in kept):
            kept.append(text)
    return kept
