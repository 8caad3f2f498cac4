"""The last line of defence for secrets, and the first for hostile text.

`Redactor` replaces known secrets in every spelling that they take on their way (base64 and hexadecimal, RFC 3986
percent-encoding, JSON, Python, HTML; whole or in part, several layers deep) and, unasked, whatever looks like a
credential. `strip_controls` makes text from Okta or the target safe to print.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator

from syncd.redact.hostile import clip, strip_controls
from syncd.redact.known import KnownSecrets, Place, masked
from syncd.redact.nested import Beginning, each_text, without
from syncd.redact.parts import SHORTEST, Looks, looks_of
from syncd.redact.runs import everything_in
from syncd.redact.shapes import MASK, shapes_in, without_shapes
from syncd.redact.spellings import Layer

__all__ = ["KEPT", "MASK", "Redactor", "clip", "each_text", "strip_controls"]

KEPT = 500
"""So many characters of what somebody else said are kept in the store."""
_MOST_SECRETS, _MOST_PASSING, _MOST_ONCE = 600, 16, 16
"""Secrets are rotated, and access tokens come and go every hour; whatever is still in use is added again and again."""
_LONGEST_FOREIGN = 64 * 1024
"""So many characters of one foreign answer are looked at; nobody reads the rest."""


class Redactor:
    """Replaces secrets with `[redacted]`. Safe to share between threads; values can be added at any time."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._lock = threading.Lock()
        self._secrets: dict[str, Looks] = {}
        self._passing: dict[str, Looks] = {}
        self._once: dict[str, Looks | None] = {}
        """Looks are made when somebody looks: such a value comes with every request, and few are ever looked for."""
        self._lasting_found: KnownSecrets | None = None
        self._found: KnownSecrets | None = None
        """Both made when they are first asked for after an `add`."""
        self.add(*secrets)

    def __repr__(self) -> str:
        return f"Redactor({len(self._secrets) + len(self._passing) + len(self._once)} secrets)"

    def add(self, *values: str, passing: bool = False) -> None:
        """From now on they are replaced too, and whatever in them is a secret by itself (the password in a URL). Values
        under 4 characters are ignored; what may be an ordinary word or number (under 16 characters, only letters or
        only digits) is replaced in foreign text alone. `passing`: there will be others soon.
        """
        kept, most = (self._passing, _MOST_PASSING) if passing else (self._secrets, _MOST_SECRETS)
        with self._lock:
            for value in values:
                if value in kept:
                    kept[value] = kept.pop(value)  # the youngest now
                elif len(value) >= SHORTEST:
                    kept[value] = looks_of(value)
                    self._found = self._lasting_found = None
            while len(kept) > most:
                del kept[next(iter(kept))]

    def add_once(self, *values: str) -> None:
        """What is sent with one request and opens nothing afterwards: replaced in texts, and not looked for in data."""
        with self._lock:
            for value in values:
                if len(value) >= SHORTEST and value not in self._once:
                    self._once[value] = None
                    self._found = None
            while len(self._once) > _MOST_ONCE:
                del self._once[next(iter(self._once))]

    @property
    def _known(self) -> KnownSecrets:
        found = self._found
        if found is None:
            with self._lock:
                lasting = self._made_lasting()
                self._once = {value: looks or looks_of(value) for value, looks in self._once.items()}
                once = [looks for looks in self._once.values() if looks]
                found = self._found = KnownSecrets([*lasting.looks, *once]) if once else lasting
        return found

    @property
    def _lasting(self) -> KnownSecrets:
        with self._lock:
            return self._made_lasting()

    def _made_lasting(self) -> KnownSecrets:
        if self._lasting_found is None:
            self._lasting_found = KnownSecrets([*self._secrets.values(), *self._passing.values()])
        return self._lasting_found

    # our own texts

    def holds(self, text: str) -> bool:
        """Whether a known secret stands in it, whole and in whatever spelling."""
        return self._known.is_in(text)

    def known(self, text: str) -> str:
        """`text` with every known secret replaced."""
        return self._without_known(text)

    def text(self, text: str) -> str:
        """`text` with every known secret and everything that looks like a credential replaced."""
        return without_shapes(self._without_known(text, also=shapes_in))

    def _without_known(self, text: str, *, also: Callable[[Layer], Iterable[Place]] | None = None) -> str:
        known = self._known
        if not known.is_in(text):
            return text
        # In one pass: a credential with a mask inside it does not look like one any more.
        places = [*known.whole(text), *(also(Layer.of(text)) if also else ())]
        found = masked(text, places)
        for each in known.exact:
            found = found.replace(each, MASK)
        return found

    def value(self, obj: object) -> object:
        """The same value with every text in it redacted: str, bytes, list, tuple, set and dict, nested. Any other
        iterable becomes an iterator. Keys of documents (letters and underscores) stay.
        """
        return each_text(obj, self.text)

    # what somebody else said, who may have seen our requests

    def foreign(self, text: str) -> str:
        """As `text`, also where it hides what looks like a credential, has only a piece of a secret, one behind other
        encodings or among signs, or one that is an ordinary word.
        """
        return self._thorough(text, words=True)

    def kept(self, text: str) -> str:
        """What of a message of ours, with what somebody else said in it, may be kept: redacted first, for half a secret
        is not recognised.
        """
        return clip(self._thorough(text[:_LONGEST_FOREIGN], words=False), KEPT)

    def raised(self, text: str) -> str:
        """What an exception says, with its traceback or without: libraries quote in theirs what a server sent. As
        `foreign`, the end of it.
        """
        return self.foreign(text[-_LONGEST_FOREIGN:])

    def answer(self, body: object) -> object:
        """What somebody else's decoded JSON says, every text of it as `foreign`, keys too: its beginning."""
        return Beginning(self.foreign, _LONGEST_FOREIGN).of(body)

    def _thorough(self, text: str, *, words: bool) -> str:
        return self.text(masked(text, self._places(text, words=words)))

    def _places(self, text: str, *, words: bool) -> Iterator[Place]:
        known = self._known
        for layer in everything_in(text):
            yield from known.pieces(layer, words=words)
            yield from shapes_in(
                layer
            )  # of the text as it came too: with a mask inside it nothing looks like one

    # data: what a good answer holds, which is kept and decided by as it is

    def may_reveal(self, content: bytes) -> bool:
        """False, and quickly: no text of this JSON `reveals`."""
        return self._lasting.may_reveal(content)

    def reveals(self, text: str) -> bool:
        """Whether a secret stands in it that no name or word is by chance: 12 characters, with letters and digits."""
        return self._lasting.reveals(text)

    def untold(self, body: object) -> object:
        """Decoded JSON without the texts that `reveals` is true of."""
        return without(body, self.reveals)
