"""What an expression may call: text in, text out. None raises but for a result that no attribute holds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

LONGEST = 100_000
"""Characters that one function may make."""


class OddValueError(Exception):
    """What an attribute holds, or a function would make of it, cannot be mapped."""


def too_long() -> OddValueError:
    """For a result that no attribute holds."""
    return OddValueError(f"a function makes more than {LONGEST:,} characters of it")


@dataclass(frozen=True, slots=True)
class Function:
    """`form` is how it is written, for people. `least` and `most` arguments (None: any number), in pairs beyond the
    least where `pairs` says so. Of those in `never_empty` an empty literal is a mistake.
    """

    form: str
    least: int
    most: int | None
    apply: Callable[..., str]
    never_empty: tuple[int, ...] = ()
    pairs: bool = False

    def wrong_count(self, count: int) -> str | None:
        """How it is written, when so many arguments are wrong."""
        fits = self.least <= count and (self.most is None or count <= self.most)
        if fits and not (self.pairs and (count - self.least) % 2):
            return None
        last = "; its last argument is what everybody else gets" if self.pairs else ""
        return f"it is written {self.form}{last}"


def _replace(text: str, old: str, new: str) -> str:
    if not old:
        return text
    if len(text) + text.count(old) * (len(new) - len(old)) > LONGEST:
        raise too_long()
    return text.replace(old, new)


def _before(text: str, separator: str) -> str:
    """All of it where the separator is not in it, as Okta's String.substringBefore."""
    found = text.find(separator)
    return text if found < 0 else text[:found]


def _after(text: str, separator: str) -> str:
    """Nothing where the separator is not in it, as Okta's String.substringAfter."""
    found = text.find(separator)
    return "" if found < 0 else text[found + len(separator) :]


def _special(*_: str) -> str:
    raise AssertionError("evaluated by its own kind of term")


FUNCTIONS: Mapping[str, Function] = {
    "lower": Function("lower(x)", 1, 1, str.lower),
    "upper": Function("upper(x)", 1, 1, str.upper),
    "trim": Function("trim(x)", 1, 1, str.strip),
    "replace": Function("replace(x, old, new)", 3, 3, _replace, never_empty=(1,)),
    "before": Function("before(x, separator)", 2, 2, _before, never_empty=(1,)),
    "after": Function("after(x, separator)", 2, 2, _after, never_empty=(1,)),
    "join": Function("join(list, separator)", 2, 2, _special),
    "switch": Function('switch(x, "a", "b", ..., default)', 4, None, _special, pairs=True),
}
"""A closed list: nothing of Python can be called from a settings file."""
