"""Identifiers, ordered identifier sets and the locking rule shared by both worlds."""

import functools
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from typing import Any, TypeVar, cast

F = TypeVar("F", bound=Callable[..., Any])

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def okta_id(prefix: str, number: int) -> str:
    """A 20-character Okta-like id: the prefix, a base-62 number and the tail `0g4`.

    Numbers sort like the ids they give, so creation order is list order.
    """
    digits = ""
    while number:
        number, digit = divmod(number, 62)
        digits = _ALPHABET[digit] + digits
    return f"{prefix}{digits.rjust(14, '0')}0g4"


class OrderedIds:
    """A set of ids that can be paged in order; the order is computed when somebody reads it."""

    __slots__ = ("_ids", "_ordered")

    def __init__(self, ids: Iterable[str] = ()) -> None:
        self._ids = set(ids)
        self._ordered: list[str] | None = None

    def add(self, item: str) -> bool:
        """Adds the id; False if it was there already."""
        if item in self._ids:
            return False
        self._ids.add(item)
        self._ordered = None
        return True

    def discard(self, item: str) -> bool:
        """Removes the id; False if it was not there."""
        if item not in self._ids:
            return False
        self._ids.discard(item)
        self._ordered = None
        return True

    def ordered(self) -> list[str]:
        """All ids in order. The list is shared: read only."""
        if self._ordered is None:
            self._ordered = sorted(self._ids)
        return self._ordered

    def after(self, cursor: str | None) -> Iterator[str]:
        """Ids that come after `cursor`, whether `cursor` is still in the set or not."""
        ordered = self.ordered()
        start = 0 if cursor is None else bisect_right(ordered, cursor)
        for position in range(start, len(ordered)):
            yield ordered[position]

    def __contains__(self, item: object) -> bool:
        return item in self._ids

    def __iter__(self) -> Iterator[str]:
        return iter(self.ordered())

    def __len__(self) -> int:
        return len(self._ids)


def locked(method: F) -> F:
    """Runs a method of a world under that world's `lock`, so that requests never see half an act."""

    @functools.wraps(method)
    def run(self: Any, /, *args: Any, **kwargs: Any) -> Any:
        with self.lock:
            return method(self, *args, **kwargs)

    return cast("F", run)


class WorldError(ValueError):
    """An act that the simulated product would refuse, or that names something unknown."""


def perform(world: Any, acts: frozenset[str], act: str, arguments: dict[str, Any]) -> Any:
    """Runs one named act of a world, as the control interface and the `act` fault do.

    Raises WorldError for an unknown act, wrong arguments and acts the world refuses.
    """
    if act not in acts:
        raise WorldError(f"unknown act {act!r}; known: {', '.join(sorted(acts))}")
    try:
        return getattr(world, act)(**arguments)
    except TypeError as error:
        raise WorldError(f"{act}: {error}") from error


def check_fixture(document: Any, product: str, schema: str, sections: AbstractSet[str]) -> None:
    """Raises WorldError for a fixture of another schema, or with a section that is none of these."""
    if document.get("schema", schema) != schema or set(document) - sections:
        surplus = ", ".join(sorted(set(document) - sections)) or "another schema"
        raise WorldError(
            f"not {product} fixture: it has {surplus}; one has the schema {schema!r} and sections {sorted(sections)}"
        )


def fixture_entries(document: Any, section: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The entries of a section of a fixture, each with its place for errors. Raises WorldError for other JSON."""
    entries = document.get(section, [])
    if not isinstance(entries, list):
        raise WorldError(f"{section} is no list")
    for number, entry in enumerate(entries):
        place = f"{section}[{number}]"
        if not isinstance(entry, dict):
            raise WorldError(f"{place} is no object")
        yield place, entry


@contextmanager
def fixture_entry(place: str) -> Iterator[None]:
    """Names the entry of a fixture in what its values bring about. Raises WorldError."""
    try:
        yield
    except WorldError as error:
        raise WorldError(f"{place}: {error}") from error
    except KeyError as error:
        raise WorldError(f"{place} lacks {error}") from error
    except (TypeError, ValueError, AttributeError) as error:
        raise WorldError(f"{place} has a value of the wrong type: {error}") from error
