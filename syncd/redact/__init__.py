"""The last line of defence for secrets, and the first for hostile text.

`Redactor` replaces known secrets in every spelling that they take on their way (base64 and hexadecimal, RFC 3986
percent-encoding, JSON, Python, HTML; whole or in part, several layers deep) and, unasked, whatever looks like a
credential. `strip_controls` makes text from Okta or the target safe to print.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from syncd.redact.hostile import clip, strip_controls
from syncd.redact.parts import FRAGMENT, SHORTEST, Looks, looks_of
from syncd.redact.shapes import MASK, shapes_in, without_shapes
from syncd.redact.spellings import Layer, layers, plain, readings

__all__ = ["KEPT", "MASK", "Redactor", "clip", "strip_controls"]

KEPT = 500
"""So many characters of what somebody else said are kept in the store."""
_LONGEST_NESTING = 40
_MOST_SECRETS, _MOST_PASSING = 200, 16
"""Secrets are rotated, and access tokens come and go every hour; whatever is still in use is added again and again."""
_LONGEST_FOREIGN = 64 * 1024
"""So many characters of one foreign answer are looked at; nobody reads the rest."""


@dataclass(frozen=True, slots=True)
class _Known:
    """`quick` are the shortest of the needles: a text without any of them, in all its readings, holds no secret.
    `heads` are what the longer of them begin with, `short` are the others. `exact` has no other spelling (nothing but
    white space, say).
    """

    exact: Sequence[str]
    quick: Sequence[str]
    short: Sequence[str]
    heads: frozenset[str]
    needles: Sequence[str]
    fragments: frozenset[str]
    words: re.Pattern[str] | None

    @classmethod
    def of(cls, found: Iterable[Looks]) -> _Known:
        looks = list(found)
        exact = _longest_first({text for each in looks for text in each.exact})
        hidden = plain(MASK)
        needles = {text for each in looks for text in each.needles if text not in hidden}
        quick = _without_longer(needles)
        words = _longest_first({text for each in looks for text in each.words})
        return cls(
            exact=exact,
            quick=quick,
            short=[text for text in quick if len(text) < FRAGMENT],
            heads=frozenset(text[:FRAGMENT] for text in quick if len(text) >= FRAGMENT),
            needles=_longest_first(needles),
            fragments=frozenset().union(*(each.fragments for each in looks)),
            words=re.compile(rf"(?<![^\W_])(?:{'|'.join(map(re.escape, words))})(?![^\W_])")
            if words
            else None,
        )

    def is_in(self, text: str) -> bool:
        """Whether a secret stands in it whole. A text as the many is answered at once."""
        if any(each in text for each in self.exact):
            return True
        return any(self._is_in_plain(plain(reading)) for reading in readings(text))

    def _is_in_plain(self, text: str) -> bool:
        if len(text) < len(self.quick):  # many secrets, a short text
            at = range(len(text) - FRAGMENT + 1)
            if not any(text[start : start + FRAGMENT] in self.heads for start in at):
                return any(needle in text for needle in self.short)
        for needle in self.quick:
            if len(needle) > len(text):
                return False
            if needle in text:
                return True
        return False

    def places(self, layer: Layer, *, thorough: bool) -> Iterator[tuple[int, int]]:
        """Where in the text as it came; `thorough`: also what is only a piece of a secret, or a word."""
        text, at = layer.plain
        for needle in self.needles:
            start = text.find(needle)
            while start >= 0:
                yield _origin(layer, at, start, len(needle))
                start = text.find(needle, start + len(needle))
        if not thorough:
            return
        for start in range(len(text) - FRAGMENT + 1):
            if text[start : start + FRAGMENT] in self.fragments:
                yield _origin(layer, at, start, FRAGMENT)
        if self.words is not None:
            for found in self.words.finditer(layer.text):
                yield layer.origin[found.start()], layer.origin[found.end()]


def _origin(layer: Layer, at: Sequence[int], start: int, length: int) -> tuple[int, int]:
    return layer.origin[at[start]], layer.origin[at[start + length - 1] + 1]


def _longest_first(texts: Iterable[str]) -> Sequence[str]:
    return sorted(texts, key=lambda text: (-len(text), text))


def _without_longer(texts: Iterable[str]) -> Sequence[str]:
    """The shortest first, and none that holds another one."""
    kept: list[str] = []
    for text in sorted(texts, key=lambda text: (len(text), text)):
        if not any(each in text for each in kept):
            kept.append(text)
    return kept


def _masked(text: str, places: Iterable[tuple[int, int]]) -> str:
    joined: list[tuple[int, int]] = []
    for start, end in sorted(places):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        elif start < end:
            joined.append((start, end))
    if not joined:
        return text
    between = pairwise([0, *(place for each in joined for place in each), len(text)])
    return MASK.join(text[start:end] for start, end in list(between)[::2])


class Redactor:
    """Replaces secrets with `[redacted]`. Safe to share between threads; values can be added at any time."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._lock = threading.Lock()
        self._secrets: dict[str, Looks] = {}
        self._passing: dict[str, Looks] = {}
        self._found: _Known | None = None
        """Made when it is first asked for after an `add`."""
        self.add(*secrets)

    def __repr__(self) -> str:
        return f"Redactor({len(self._secrets) + len(self._passing)} secrets)"

    def add(self, *values: str, passing: bool = False) -> None:
        """From now on they are replaced too, and whatever in them is a secret by itself (the password in a URL). Values
        under 4 characters are ignored. `passing`: there will be others soon.
        """
        kept, most = (self._passing, _MOST_PASSING) if passing else (self._secrets, _MOST_SECRETS)
        with self._lock:
            for value in values:
                if value in kept:
                    kept[value] = kept.pop(value)  # the youngest now
                elif len(value) >= SHORTEST:
                    kept[value] = looks_of(value)
                    self._found = None
            while len(kept) > most:
                del kept[next(iter(kept))]

    @property
    def _known(self) -> _Known:
        found = self._found
        if found is None:
            with self._lock:
                found = self._found = _Known.of([*self._secrets.values(), *self._passing.values()])
        return found

    def holds(self, text: str) -> bool:
        """Whether a known secret stands in it, whole and in whatever spelling."""
        return self._known.is_in(text)

    def known(self, text: str) -> str:
        """`text` with every known secret replaced."""
        known = self._known
        if not known.is_in(text):
            return text
        found = [place for layer in layers(text) for place in known.places(layer, thorough=False)]
        masked = _masked(text, found)
        for each in known.exact:
            masked = masked.replace(each, MASK)
        return masked

    def text(self, text: str) -> str:
        """`text` with every known secret and everything that looks like a credential replaced."""
        return without_shapes(self.known(text))

    def foreign(self, text: str) -> str:
        """As `text`, for what somebody else said who may have seen our requests: also where it hides what looks like a
        credential, has only a piece of a secret, or a user name that is an ordinary word.
        """
        known = self._known
        found: list[tuple[int, int]] = []
        for depth, layer in enumerate(layers(text)):
            found += known.places(layer, thorough=True)
            if depth:
                found += shapes_in(layer)
        return self.text(_masked(text, found))

    def kept(self, text: str) -> str:
        """What of it may be kept: redacted first, for half a secret is not recognised."""
        return clip(self.foreign(text), KEPT)

    def answer(self, body: object) -> object:
        """What somebody else's decoded JSON says, every text of it as `foreign`."""
        left = _LONGEST_FOREIGN

        def clean(text: str) -> str:
            nonlocal left
            read, left = text[:left], max(left - len(text), 0)
            return self.foreign(read)

        return _each_text(body, clean, 0)

    def value(self, obj: object) -> object:
        """The same value with every text in it redacted: str, bytes, list, tuple, set and dict, nested. Any other
        iterable becomes an iterator.
        """
        return _each_text(obj, self.text, 0)


def _each_text(obj: object, clean: Callable[[str], str], depth: int) -> object:
    def inner(item: object) -> object:
        return _each_text(item, clean, depth + 1)

    if isinstance(obj, str):
        return clean(obj)
    if depth > _LONGEST_NESTING:
        return "[nested too deeply]"
    if isinstance(obj, bytes):
        return clean(obj.decode("utf-8", "backslashreplace")).encode()
    if isinstance(obj, dict):
        return {inner(key): inner(item) for key, item in obj.items()}
    if isinstance(obj, list):
        return [inner(item) for item in obj]
    if isinstance(obj, tuple):
        return tuple(inner(item) for item in obj)
    if isinstance(obj, set | frozenset):
        return type(obj)(inner(item) for item in obj)
    if isinstance(obj, Iterable):  # read from elsewhere, as it comes
        return (inner(item) for item in obj)
    return obj
