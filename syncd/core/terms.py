"""The parts of an expression, as frozen values: what is read of Okta's record, and what is made of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from syncd.core.functions import LONGEST, Function, OddValueError, too_long
from syncd.model import AppUser, Scalar

_DIGITS = 1024
"""Bits of a whole number that is written out; longer ones Python refuses to."""
USER, LOGIN = "user.", "credentials.userName"


Reader = Callable[[AppUser], str]
"""Makes text of a record, empty when there is nothing. Raises OddValueError."""


def as_text(value: Scalar) -> str:
    """A scalar of a profile as text, as JSON writes it; a whole number without a fraction (Okta shows 1.0 and 1)."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def scalar(value: object, name: str) -> Scalar | None:
    """A value of a profile, None when it is empty. Raises OddValueError for what is no scalar."""
    if type(value) is str:
        return value or None
    if value is None:
        return None
    if isinstance(value, float) and not math.isfinite(value):
        raise OddValueError(f"the attribute {name} is no finite number")
    if isinstance(value, int) and value.bit_length() > _DIGITS:
        raise OddValueError(f"the attribute {name} is a number of too many digits")
    if isinstance(value, str | bool | int | float):
        return value
    raise OddValueError(f"the attribute {name} is a list or an object")


class Expression(Protocol):
    """One part of an expression."""

    def reader(self) -> Reader:
        """What evaluates it, made once: everybody's every attribute goes through it."""
        ...

    def attributes(self) -> Iterator[Attribute]:
        """Everything that it reads."""
        ...


@dataclass(frozen=True, slots=True)
class Literal:
    """Text as it stands in the settings."""

    value: str

    def reader(self) -> Reader:
        value = self.value
        return lambda _: value

    def attributes(self) -> Iterator[Attribute]:
        yield from ()


@dataclass(frozen=True, slots=True)
class Attribute:
    """An attribute of the app user's profile. `name` as the settings write it."""

    name: str

    def raw(self, record: AppUser) -> object:
        """As Okta has it."""
        return record.profile.get(self.name)

    def shown(self, record: AppUser) -> object:
        """The same for people; None where Okta did not show it."""
        try:
            return self.raw(record)
        except OddValueError:
            return None

    def scalar(self, record: AppUser) -> Scalar | None:
        return scalar(self.raw(record), self.name)

    def reader(self) -> Reader:
        name = self.name

        def read(record: AppUser) -> str:
            value = record.profile.get(name)
            return value if type(value) is str else _text(value, name)

        return read

    def attributes(self) -> Iterator[Attribute]:
        yield self


def _text(value: object, name: str) -> str:
    found = scalar(value, name)
    return "" if found is None else as_text(found)


@dataclass(frozen=True, slots=True)
class UserAttribute(Attribute):
    """An attribute of the user's own profile (Universal Directory), written with "user." before it."""

    def raw(self, record: AppUser) -> object:
        """Raises OddValueError where Okta did not show the user: nobody's value becomes empty by that."""
        if record.user_profile is None:
            raise OddValueError(f"Okta did not show the user's own profile, which {self.name} is read from")
        return record.user_profile.get(self.name.removeprefix(USER))

    def reader(self) -> Reader:
        return lambda record: _text(self.raw(record), self.name)


@dataclass(frozen=True, slots=True)
class LoginAttribute(Attribute):
    """The app's own user name (`credentials.userName` of the app user), which Okta's SCIM client sends."""

    def raw(self, record: AppUser) -> object:
        return record.user_name

    def reader(self) -> Reader:
        return lambda record: record.user_name


def attribute(name: str) -> Attribute:
    """By what stands before its name."""
    if name == LOGIN:
        return LoginAttribute(name)
    return UserAttribute(name) if name.startswith(USER) else Attribute(name)


@dataclass(frozen=True, slots=True)
class AppliedFunction:
    """A function and what it is given."""

    function: Function
    arguments: tuple[Expression, ...]

    def reader(self) -> Reader:
        apply, read = self.function.apply, [each.reader() for each in self.arguments]
        first, *others = read
        if not others:
            return lambda record: apply(first(record))
        if all(isinstance(each, Literal) for each in self.arguments[1:]):
            literals = [each.value for each in self.arguments[1:] if isinstance(each, Literal)]
            return lambda record: apply(first(record), *literals)
        return lambda record: apply(*[each(record) for each in read])

    def attributes(self) -> Iterator[Attribute]:
        for each in self.arguments:
            yield from each.attributes()


@dataclass(frozen=True, slots=True)
class JoinFunction:
    """The items of a list, with text between them. What is no list is a list of one."""

    items: Attribute
    between: Expression

    def reader(self) -> Reader:
        items, separator = self.items, self.between.reader()
        within = f"{items.name} holds a list in which something"

        def read(record: AppUser) -> str:
            raw = items.raw(record)
            listed = raw if isinstance(raw, list) else [raw]
            values = [scalar(each, within if listed is raw else items.name) for each in listed]
            texts = [as_text(value) for value in values if value is not None]
            between = separator(record)
            if sum(map(len, texts)) + len(between) * len(texts) > LONGEST:
                raise too_long()
            return between.join(texts)

        return read

    def attributes(self) -> Iterator[Attribute]:
        yield self.items
        yield from self.between.attributes()


@dataclass(frozen=True, slots=True)
class SwitchFunction:
    """The result of the first case that is exactly the text of `of`. Only that is looked at."""

    of: Expression
    cases: tuple[tuple[Expression, Expression], ...]
    otherwise: Expression

    def reader(self) -> Reader:
        of, otherwise = self.of.reader(), self.otherwise.reader()
        cases = [(case.reader(), result.reader()) for case, result in self.cases]

        def read(record: AppUser) -> str:
            value = of(record)
            for case, result in cases:
                if case(record) == value:
                    return result(record)
            return otherwise(record)

        return read

    def attributes(self) -> Iterator[Attribute]:
        yield from self.of.attributes()
        for case, result in self.cases:
            yield from case.attributes()
            yield from result.attributes()
        yield from self.otherwise.attributes()


def fixed_results(term: Expression) -> Iterator[str]:
    """What a term may come to that is nobody's own: texts of the settings, also within a function of them."""
    if isinstance(term, Literal):
        yield term.value
    elif isinstance(term, SwitchFunction):
        for result in (*(each for _, each in term.cases), term.otherwise):
            yield from fixed_results(result)
    elif isinstance(term, AppliedFunction):
        first, *others = term.arguments
        literals = [each.value for each in others if isinstance(each, Literal)]
        if len(literals) == len(others):
            yield from (term.function.apply(each, *literals) for each in fixed_results(first))
