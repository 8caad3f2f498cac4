"""A value that an object works out when it is first asked for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, Self, TypeVar, overload

T = TypeVar("T")


class _Once(Generic[T]):
    def __init__(self, work: Callable[[Any], T]) -> None:
        self._work = work
        self.__doc__ = work.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, holder: None, owner: type) -> Self: ...

    @overload
    def __get__(self, holder: object, owner: type | None = None) -> T: ...

    def __get__(self, holder: object | None, owner: type | None = None) -> T | Self:
        if holder is None:
            return self
        found: T = self._work(holder)
        vars(holder)[self._name] = found
        return found


def once(work: Callable[[Any], T]) -> _Once[T]:
    """As a property; afterwards the object itself has the value, and no function is called any more. `cached_property`
    takes a lock for it. Threads that come at once work it out each for itself.
    """
    return _Once(work)
