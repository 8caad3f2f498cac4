"""Right-hand sides of `[attributes]` as text: parsed once into frozen values, evaluated by nothing but their terms.

text      = attribute | one or more pieces
piece     = plain text | "{" term "}"
term      = attribute | literal | function "(" term { "," term } ")"
attribute = name (the app user's profile) | "user." name (the user's own profile) | "credentials.userName"
literal   = text in ' or ", in which a backslash stands before a quote or another backslash

A lone attribute keeps the type of its value. Everything else is text, as `as_text` writes it: what is missing is
empty, blanks are made one, and where all that was read is empty the whole is not set.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice, product

from syncd.core.functions import FUNCTIONS, OddValueError
from syncd.core.terms import (
    LOGIN,
    USER,
    AppliedFunction,
    Attribute,
    Expression,
    JoinFunction,
    Literal,
    SwitchFunction,
    attribute,
    fixed_results,
)
from syncd.model import AppUser, Scalar
from syncd.redact import clip

_NAME = re.compile(r"[A-Za-z_][\w.-]*", re.ASCII)
_BLANKS = re.compile(r"\s*")
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_QUOTES = "\"'"
_LITERALS = {quote: re.compile(rf"{quote}((?:[^\\{quote}]++|\\.)*+){quote}", re.DOTALL) for quote in _QUOTES}
_LONGEST_NAME = 60
_LONGEST_MENDED = 500
"""Characters of a text that is repeated, mended."""
_DEEPEST = 16
"""Functions within functions: more is no mapping that anybody reads, and Python's stack ends somewhere."""
_MOST_FIXED = 10_000
_SHAPES = "{attribute} or {function(...)}"
_OKTAS_NAMES = ("appuser", "app", "source", "profile")
_SOURCES = "there are the app's own profile (no prefix), user. and credentials.userName"


@dataclass(frozen=True, slots=True)
class Flaw:
    """What is wrong with a text, at which of its characters (from 1), and the text mended, "" where nobody can."""

    message: str
    column: int
    mended: str = ""


class ExpressionError(ValueError):
    """`flaws`: everything that is wrong with one text."""

    def __init__(self, text: str, flaws: list[Flaw]) -> None:
        super().__init__("; ".join(f"{text!r} {flaw.message}" for flaw in flaws))
        self.flaws = tuple(flaws)


class _StopError(Exception):
    """The rest of a text cannot be understood."""


@dataclass(frozen=True, slots=True)
class Unmappable:
    """The record cannot be mapped, and why. A value, for it concerns one person alone."""

    reason: str


@dataclass(frozen=True, slots=True)
class Template:
    """One right-hand side as text. Raises ExpressionError."""

    source: str
    references: tuple[Attribute, ...] = field(init=False, repr=False, compare=False)
    """All that it reads, each once."""
    plain: Attribute | None = field(init=False, repr=False, compare=False)
    """Of a lone attribute."""
    evaluate: Callable[[AppUser], Scalar | None] = field(init=False, repr=False, compare=False)
    """Worked out once: everybody is mapped. Raises OddValueError."""
    fixed_results: tuple[str, ...] = field(init=False, repr=False, compare=False)
    """What it may come to that stands in the settings: where no part is the person's own, as of a switch in a text."""

    def __post_init__(self) -> None:
        parser = _Parser(self.source)
        pieces = parser.pieces()
        if parser.flaws:
            raise ExpressionError(self.source, parser.flaws)
        terms = [each for each in pieces if not isinstance(each, str)]
        reads = [tuple(term.attributes()) for term in terms]
        lone = pieces[0] if "{" not in self.source else None
        plain = lone if isinstance(lone, Attribute) else None
        object.__setattr__(self, "references", tuple(dict.fromkeys(each for some in reads for each in some)))
        object.__setattr__(self, "plain", plain)
        parts = [(each,) if isinstance(each, str) else tuple(fixed_results(each)) for each in pieces]
        fixed = islice(product(*parts), _MOST_FIXED) if terms else ()
        object.__setattr__(self, "fixed_results", tuple(" ".join("".join(each).split()) for each in fixed))
        object.__setattr__(self, "evaluate", plain.scalar if plain else _filling(pieces))

    def value(self, record: AppUser) -> Scalar | Unmappable | None:
        """None when not set. Raises nothing."""
        try:
            return self.evaluate(record)
        except OddValueError as problem:
            return Unmappable(str(problem))

    def __str__(self) -> str:
        return self.source


def _filling(pieces: Sequence[str | Expression]) -> Callable[[AppUser], str | None]:
    """What evaluates a template: None where all that it reads is empty."""
    terms = [each for each in pieces if not isinstance(each, str)]
    readers = [term.reader() for term in terms]
    if len(pieces) == 1:
        [only] = readers
        return lambda record: " ".join(only(record).split()) or None
    frame = "".join(each.replace("%", "%%") if isinstance(each, str) else "%s" for each in pieces)
    reading = [at for at, term in enumerate(terms) if any(True for _ in term.attributes())]
    all_read = len(reading) == len(terms)

    def fill(record: AppUser) -> str | None:
        texts = [read(record) for read in readers]
        if not any(texts if all_read else [texts[at] for at in reading]):
            return None
        return " ".join((frame % tuple(texts)).split()) or None

    return fill


def _is_simple(key: str) -> bool:
    return bool(key) and "." not in key


class _Parser:
    """Goes on after what is only wrong in itself, so that all of it is said; ends where nobody knows what is meant."""

    def __init__(self, text: str) -> None:
        self.source = text
        self.at = 0
        self.flaws: list[Flaw] = []

    def pieces(self) -> list[str | Expression]:
        try:
            found = self._lone() if not {"{", "}"} & set(self.source) else list(self._mixed())
        except _StopError:
            return []
        terms = [each for each in found if not isinstance(each, str)]
        if not self.flaws and not any(any(True for _ in term.attributes()) for term in terms):
            self._flaw("names no attribute; a constant is written { value = ... }", 0)
        return found

    def _flaw(self, message: str, at: int, mended: str = "") -> None:
        self.flaws.append(Flaw(message, at + 1, mended if len(mended) <= _LONGEST_MENDED else ""))

    def _stop(self, message: str, at: int, mended: str = "") -> _StopError:
        self._flaw(message, at, mended)
        return _StopError()

    def _lone(self) -> list[str | Expression]:
        named = _NAME.fullmatch(self.source)
        if named is not None:
            return [self._attribute(self.source, 0)]
        called = re.match(r"\s*[A-Za-z_]\w*\s*\(", self.source, re.ASCII)
        if called is not None:
            raise self._stop("calls a function, which stands in braces", 0, f"{{{self.source}}}")
        raise self._stop(
            "is neither the name of an Okta attribute nor a template like {givenName} {familyName}: it names no"
            " attribute; a constant is written { value = ... }",
            0,
        )

    def _mixed(self) -> Iterator[str | Expression]:
        while self.at < len(self.source):
            start = self.at
            while self.at < len(self.source) and self.source[self.at] not in "{}":
                self.at += 1
            if self.at > start:
                yield self.source[start : self.at]
            if self.at == len(self.source):
                return
            if self.source[self.at] == "}":
                raise self._stop("has a closing brace without its partner", self.at)
            yield self._placeholder()

    def _placeholder(self) -> Expression:
        opened = self.at
        self.at += 1
        self._blanks()
        if self._next() == "}":
            raise self._stop("has an empty placeholder, which names no attribute", opened)
        term = self._term(1)
        self._blanks()
        if self._next() == "":
            raise self._stop("has an opening brace without its partner, a placeholder unclosed", opened)
        if self._next() != "}":
            unexpected = self._next()
            raise self._stop(
                f"has an unexpected {unexpected} where the brace should close: each placeholder is {_SHAPES}",
                self.at,
            )
        self.at += 1
        return term

    def _next(self) -> str:
        return self.source[self.at : self.at + 1]

    def _blanks(self) -> None:
        found = _BLANKS.match(self.source, self.at)
        self.at = found.end() if found else self.at

    def _term(self, depth: int) -> Expression:
        self._blanks()
        if self._next() and self._next() in _QUOTES:
            return self._literal()
        named = _NAME.match(self.source, self.at)
        if named is None:
            what = f"{self._next()} is no attribute name" if self._next() else "it is unclosed"
            raise self._stop(f"has no usable placeholder ({what}, brace or not): each is {_SHAPES}", self.at)
        start, self.at = self.at, named.end()
        self._blanks()
        if self._next() == "(":
            return self._call(named[0], start, depth)
        return self._attribute(named[0], start)

    def _literal(self) -> Expression:
        quote, start = self._next(), self.at
        closed = _LITERALS[quote].match(self.source, start)
        if closed is None:
            raise self._stop(f"has text that begins with {quote} and never ends", start)
        for escape in _ESCAPED.finditer(closed[1]):
            if escape[1] not in f"\\{_QUOTES}":
                message = f"has the escape \\{escape[1]}, which there is not: there are \\\\, \\' and \\\""
                self._flaw(message, start + 1 + escape.start())
        self.at = closed.end()
        return Literal(_ESCAPED.sub(r"\1", closed[1]))

    def _attribute(self, name: str, at: int) -> Attribute:
        source, dot, key = name.partition(".")
        if not dot or name == LOGIN or (f"{source}." == USER and _is_simple(key)):
            return attribute(name)
        mended, shown = "", clip(name, _LONGEST_NAME)
        if source == "credentials":
            message = f"reads {shown}, but of the credentials only the app's user name is shown, {LOGIN}"
            mended = self._with(LOGIN, at, name)
        elif source in _OKTAS_NAMES and _is_simple(key):
            message = f"has the Okta expression {shown}; only the name of the app-profile attribute is needed"
            mended = self._with(key, at, name)
        else:
            message = f"reads {shown}, which is of an unknown source: {_SOURCES}"
        self._flaw(message, at, mended)
        return Attribute(name)

    def _with(self, word: str, at: int, instead_of: str) -> str:
        return self.source[:at] + word + self.source[at + len(instead_of) :]

    def _call(self, name: str, start: int, depth: int) -> Expression:
        if depth > _DEEPEST:
            raise self._stop(f"has more than {_DEEPEST} functions within each other", start)
        self.at += 1
        arguments: list[Expression] = []
        begins: list[int] = []
        self._blanks()
        while self._next() != ")":
            self._blanks()
            begins.append(self.at)
            arguments.append(self._term(depth + 1))
            self._blanks()
            if self._next() == ",":
                self.at += 1
            elif self._next() != ")":
                raise self._stop(
                    f"has no closing ) after the arguments of {clip(name, _LONGEST_NAME)}", self.at
                )
        self.at += 1
        return self._made(name, start, arguments, begins)

    def _made(self, name: str, start: int, arguments: list[Expression], begins: list[int]) -> Expression:
        function = FUNCTIONS.get(name)
        if function is None:
            shown = clip(name, _LONGEST_NAME)
            close = difflib.get_close_matches(shown.lower(), FUNCTIONS, n=1, cutoff=0.5)
            message = f"has the function {shown}, which there is not: there are {', '.join(FUNCTIONS)}"
            self._flaw(message, start, self._with(close[0], start, name) if close else "")
            return Literal("")
        if (problem := function.wrong_count(len(arguments))) is not None:
            self._flaw(f"gives {name} {len(arguments)} of what it takes: {problem}", start)
            return Literal("")
        for number in function.never_empty:
            if arguments[number] == Literal(""):
                self._flaw(f"has an empty text where {function.form} needs one", begins[number])
        if name == "switch":
            of, *rest, otherwise = arguments
            return SwitchFunction(of, tuple(zip(rest[::2], rest[1::2], strict=True)), otherwise)
        if name == "join":
            items, between = arguments
            if isinstance(items, Attribute):
                return JoinFunction(items, between)
            self._flaw("joins what is no attribute: only one of these can be a list", begins[0])
            return Literal("")
        return AppliedFunction(function, tuple(arguments))
