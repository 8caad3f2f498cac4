"""Objects that are read one by one: one that cannot be read stops only itself.

Whose an error is: what outlasted the retries, and a refusal that is not the connection's, are the object's own, while
others are read. When many fail and none is read it is Okta, and nobody else is asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from syncd.errors import (
    AccessDenied,
    NotFound,
    PermanentError,
    SyncdError,
    TemporaryError,
    concerns_the_connection,
)

T = TypeVar("T")

ENOUGH = 8
"""So many objects that cannot be read, and none that can, are no accident: as many as are asked for at once."""


def own_problem(error: SyncdError) -> SyncdError:
    """The problem of one object that this error is. Raises the error when it is everybody's."""
    if isinstance(error, TemporaryError | PermanentError) and not (
        isinstance(error, NotFound) or concerns_the_connection(error)
    ):
        return error
    raise error


def each_by_itself(ids: Iterable[str], read: Callable[[str], T]) -> Iterator[tuple[str, T | SyncdError]]:
    """(id, what was read, or the problem of this one alone). Raises the last problem when ENOUGH of them could not be
    read and none could, and every error that is not an object's own.
    """
    failures, found = 0, False
    for okta_id in ids:
        try:
            answer: T | SyncdError = read(okta_id)
            found = True
        except SyncdError as error:
            answer = own_problem(error)
            failures += not isinstance(answer, AccessDenied)  # while a harmless read is answered
        yield okta_id, answer
        if isinstance(answer, SyncdError) and failures >= ENOUGH and not found:
            raise answer


def member_list_problem(failed: Exception, group_id: str) -> SyncdError:
    """What to say of a list that did not come: a refusal as it is, anything else as temporary."""
    if isinstance(failed, SyncdError):
        return failed
    return TemporaryError(f"the member list of group {group_id} could not be read: {failed}")
