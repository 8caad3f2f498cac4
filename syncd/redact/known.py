"""All secrets that are known at one moment, made ready for looking."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from syncd.redact.parts import Looks
from syncd.redact.shapes import MASK
from syncd.redact.spellings import Layer, layers, plain, readings

_HIDDEN = plain(MASK)
_HEAD = 8
_FEW = 100
"""To look for more needles one after the other takes longer than to look each piece of the text up."""
_SMALL, _LONG = 16 * 1024, 256 * 1024
"""A body that is searched as a text; a text of which no more is searched in every spelling. Nobody has such names."""
_MAY_HIDE = re.compile(rb"\\u00[2-7]|%[0-9A-Fa-f]{2}|&#")
"""Escapes of characters that need none."""

Place = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Needles:
    """`quick` are enough to tell that a text, in one of its readings, holds a secret. `heads` are what the longer of
    them begin with, `short` are the others.
    """

    every: Sequence[str]
    quick: Sequence[str]
    short: Sequence[str]
    heads: frozenset[str]

    @classmethod
    def of(cls, each_secrets: Iterable[frozenset[str]]) -> Needles:
        sets = [frozenset(text for text in texts if text not in _HIDDEN) for texts in each_secrets]
        quick = {text for texts in sets for text in _without_longer(texts)}
        return cls(
            every=_longest_first(set().union(*sets)),
            quick=sorted(quick, key=len),
            short=[text for text in quick if len(text) < _HEAD],
            heads=frozenset(text[:_HEAD] for text in quick if len(text) >= _HEAD),
        )

    def are_in(self, text: str) -> bool:
        """In a plain text. One as the many is answered at once."""
        if len(self.quick) > _FEW:
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
        """Where any known text stands; places may overlap."""
        for needle in self.every:
            start = text.find(needle)
            while start >= 0:
                yield start, start + len(needle)
                start = text.find(needle, start + len(needle))


@dataclass(frozen=True)
class KnownSecrets:
    """Each part is made when it is first asked for: secrets of many connections are added one after the other."""

    looks: Sequence[Looks]

    @cached_property
    def exact(self) -> Sequence[str]:
        """What has no other spelling (nothing but white space, say)."""
        return _longest_first({text for each in self.looks for text in each.exact})

    @cached_property
    def _needles(self) -> Needles:
        return Needles.of(each.needles for each in self.looks)

    @cached_property
    def _skeletons(self) -> Needles:
        return Needles.of(each.skeletons for each in self.looks)

    @cached_property
    def _revealing(self) -> Needles:
        return Needles.of(needles for each in self.looks for needles in each.revealing.values())

    @cached_property
    def _revealed(self) -> Sequence[bytes]:
        return sorted({form for each in self.looks for part in each.revealing for form in _in_json(part)})

    @cached_property
    def _fragments(self) -> Sequence[tuple[int, frozenset[str]]]:
        """By their length."""
        every: dict[int, set[str]] = {}
        for each in self.looks:
            for length, fragments in each.fragments.items():
                every.setdefault(length, set()).update(fragments)
        return [(length, frozenset(every[length])) for length in sorted(every)]

    @cached_property
    def _short(self) -> re.Pattern[str] | None:
        return _by_itself(text for each in self.looks for text in each.short)

    @cached_property
    def _words(self) -> re.Pattern[str] | None:
        return _by_itself(text for each in self.looks for text in each.words)

    def is_in(self, text: str) -> bool:
        """Whether a secret stands in it whole."""
        if any(each in text for each in self.exact):
            return True
        return any(
            self._needles.are_in(plain(reading)) or (self._short is not None and self._short.search(reading))
            for reading in readings(text)
        )

    def reveals(self, text: str) -> bool:
        """Whether what nothing but a secret can be stands in it whole; in any spelling only in its beginning."""
        if len(text) > _LONG and self._revealing.are_in(plain(text)):
            return True
        return any(self._revealing.are_in(plain(reading)) for reading in readings(text[:_LONG]))

    def may_reveal(self, content: bytes) -> bool:
        """False: no text of this JSON `reveals`. In a long one base64 and hexadecimal forms are not looked for; a tenth
        of a millisecond for each secret and page of 500 people is what this may cost. True says nothing of a long one.
        """
        if not self._revealed:
            return False
        if len(content) <= _SMALL:
            return self.reveals(content.decode("utf-8", "replace"))
        return _may_hide(content) or any(each in content for each in self._revealed)

    def whole(self, text: str) -> Iterator[Place]:
        """Where in the text secrets stand whole."""
        for layer in layers(Layer.of(text)):
            compared = layer.plain
            for start, end in self._needles.places(compared.text):
                yield layer.covers(compared.at[start], compared.at[end - 1] + 1)
            yield from _spans(self._short, layer)

    def pieces(self, layer: Layer, *, words: bool) -> Iterator[Place]:
        """Where in the text as it came the layer has secrets, pieces of them, or what is left of them among signs; with
        `words` those too that may be ordinary ones.
        """
        compared = layer.plain
        bones = compared.skeleton
        found = [(compared, place) for place in self._needles.places(compared.text)]
        found += [(bones, place) for place in self._skeletons.places(bones.text)]
        found += [(compared, place) for place in self._fragments_in(compared.text)]
        for where, (start, end) in found:
            yield layer.covers(where.at[start], where.at[end - 1] + 1)
        yield from _spans(self._short, layer)
        if words:
            yield from _spans(self._words, layer)

    def _fragments_in(self, text: str) -> Iterator[Place]:
        for length, fragments in self._fragments:
            for start in range(len(text) - length + 1):
                if text[start : start + length] in fragments:
                    yield start, start + length


def _may_hide(content: bytes) -> bool:
    """One byte is searched for ten times as fast as a pattern."""
    return (b"\\" in content or b"%" in content or b"&#" in content) and _MAY_HIDE.search(content) is not None


def masked(text: str, places: Iterable[Place]) -> str:
    """Overlapping places become one mask."""
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


def _without_longer(texts: frozenset[str]) -> Sequence[str]:
    """Of one secret: the shortest, and none that holds another one."""
    kept: list[str] = []
    for text in sorted(texts, key=lambda text: (len(text), text)):
        if not any(each in text for each in kept):
            kept.append(text)
    return kept
