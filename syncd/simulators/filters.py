"""Filter expressions, as Okta's `filter` and `search` and as SCIM (RFC 7644 section 3.4.2.2) write them.

One small grammar serves both: `attribute op value`, `attribute pr`, `and`, `or`, `not (...)` and brackets.
Values are JSON literals: escapes in a string mean what they mean in JSON.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

Predicate = Callable[[Any], bool]

_TOKEN = re.compile(
    r'\s*(?:(?P<string>"(?:[^"\\]++|\\.)*+")|(?P<bracket>[()])|(?P<word>[^\s()"]+))', re.DOTALL
)
_ORDER: dict[str, Callable[[Any, Any], bool]] = {
    "gt": lambda left, right: left > right,
    "ge": lambda left, right: left >= right,
    "lt": lambda left, right: left < right,
    "le": lambda left, right: left <= right,
}
_TEXT: dict[str, Callable[[str, str], bool]] = {
    "co": lambda left, right: right in left,
    "sw": lambda left, right: left.startswith(right),
    "ew": lambda left, right: left.endswith(right),
}
_DEEPEST = 50
"""Levels of brackets and `not`: a predicate calls itself for each of them."""
OPERATORS = frozenset({"eq", "ne", "pr", *_ORDER, *_TEXT})


class FilterError(ValueError):
    """A filter that cannot be read, or that uses an attribute or operator it may not use."""


def values_at(record: Any, path: str) -> Iterator[Any]:
    """Every value an attribute path reaches; a list on the way stands for each of its items."""
    if isinstance(record, list):
        for item in record:
            yield from values_at(item, path)
        return
    if not path:
        yield record
        return
    if isinstance(record, dict):
        head, _, rest = path.partition(".")
        if head in record:
            yield from values_at(record[head], rest)
            return
        for key, value in record.items():
            if key.lower() == head.lower():
                yield from values_at(value, rest)


def compile_filter(
    text: str,
    *,
    attributes: frozenset[str] | None = None,
    operators: frozenset[str] = OPERATORS,
    folded: frozenset[str] = frozenset(),
) -> Predicate:
    """The predicate a filter expresses, over JSON records.

    `attributes` and `operators` limit what may be used; text of attributes in `folded` compares without
    regard to case. Raises FilterError.
    """
    tokens = _tokens(text)
    parser = _Parser(tokens, attributes, operators, folded)
    predicate = parser.disjunction()
    if parser.peek() is not None:
        raise FilterError(f"unexpected {parser.peek()!r} in filter")
    return predicate


def equality(text: str) -> tuple[str, Any] | None:
    """The attribute and value of a filter that is nothing but one `eq`, for answering from an index."""
    try:
        tokens = _tokens(text)
        if len(tokens) == 3 and tokens[1].lower() == "eq" and not tokens[0].startswith('"'):
            return tokens[0], json.loads(tokens[2])
    except (FilterError, ValueError, RecursionError):
        return None
    return None


def _tokens(text: str) -> list[str]:
    tokens: list[str] = []
    position = 0
    text = text.rstrip()
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise FilterError(f"cannot read the filter at {text[position:]!r}")
        tokens.append(match[0].strip())
        position = match.end()
    return tokens


class _Parser:
    def __init__(
        self,
        tokens: list[str],
        attributes: frozenset[str] | None,
        operators: frozenset[str],
        folded: frozenset[str],
    ) -> None:
        self._tokens = tokens
        self._position = 0
        self._depth = 0
        self._attributes = attributes
        self._operators = operators
        self._folded = folded

    def peek(self) -> str | None:
        return self._tokens[self._position] if self._position < len(self._tokens) else None

    def _take(self) -> str:
        token = self.peek()
        if token is None:
            raise FilterError("the filter ends too early")
        self._position += 1
        return token

    def disjunction(self) -> Predicate:
        return self._joined("or", self._conjunction, any)

    def _conjunction(self) -> Predicate:
        return self._joined("and", self._term, all)

    def _joined(
        self, word: str, part: Callable[[], Predicate], holds: Callable[[Iterable[bool]], bool]
    ) -> Predicate:
        parts = [part()]
        while (self.peek() or "").lower() == word:
            self._take()
            parts.append(part())
        return parts[0] if len(parts) == 1 else lambda record: holds(each(record) for each in parts)

    def _term(self) -> Predicate:
        token = self._take()
        if token.lower() != "not" and token != "(":
            return self._comparison(token)
        self._depth += 1
        if self._depth > _DEEPEST:
            raise FilterError("the filter is nested too deeply")
        if token == "(":
            inner = self.disjunction()
            if self._take() != ")":
                raise FilterError("a bracket is not closed")
        else:
            negated = self._term()

            def inner(record: Any) -> bool:
                return not negated(record)

        self._depth -= 1
        return inner

    def _comparison(self, attribute: str) -> Predicate:
        if attribute.startswith('"') or attribute == ")":
            raise FilterError(f"an attribute is expected, not {attribute}")
        if self._attributes is not None and attribute not in self._attributes:
            raise FilterError(f"attribute {attribute!r} cannot be used here")
        operator = self._take().lower()
        if operator not in self._operators:
            raise FilterError(f"operator {operator!r} cannot be used here")
        if operator == "pr":
            return lambda record: any(v not in (None, "", []) for v in values_at(record, attribute))
        try:
            wanted = json.loads(self._take())
        except (ValueError, RecursionError):
            raise FilterError(f"the value after {attribute} {operator} is no JSON literal") from None
        if operator in _ORDER and not isinstance(wanted, str | int | float):
            raise FilterError(f"{operator} needs a value that has an order")
        compare = _comparison_of(operator, wanted, fold=attribute.lower() in self._folded)
        if operator == "ne":
            return lambda record: not any(compare(value) for value in values_at(record, attribute))
        return lambda record: any(compare(value) for value in values_at(record, attribute))


def _comparison_of(operator: str, wanted: Any, *, fold: bool) -> Predicate:
    if fold and isinstance(wanted, str):
        inner = _comparison_of(operator, wanted.casefold(), fold=False)
        return lambda value: inner(value.casefold() if isinstance(value, str) else value)
    if operator in ("eq", "ne"):
        return lambda value: bool(value == wanted) and isinstance(value, bool) == isinstance(wanted, bool)
    if operator in _TEXT:
        text = _TEXT[operator]
        return lambda value: isinstance(value, str) and isinstance(wanted, str) and text(value, wanted)
    order = _ORDER[operator]
    return lambda value: type(value) is type(wanted) and order(value, wanted)
