"""Whose refusal is a 401, a 403, or a 404 for a whole collection: that of one object, or the connection's?

A harmless read decides: one user is listed. While that is answered, a refusal is about what was asked for alone,
whatever its status (Harness answers 401 to a DELETE of a group that is gone). A server that answers 404 to the list of
its users too is not there: SCIM was switched off, or the base URL is wrong.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from syncd.errors import AccessDenied, ConnectionSick, NotFound, SyncdError
from syncd.target.answers import GONE, ScimAnswer, error_for

LASTS = 60.0
"""Seconds for which one look decides: a token may be revoked in the middle of a long run."""


class Refusals:
    """Asks `list_one_user` (GET /Users?startIndex=1&count=1) at most once for everybody who is refused at a time."""

    def __init__(
        self, list_one_user: Callable[[], ScimAnswer], monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._list_one_user = list_one_user
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._well_until = 0.0

    def judge(self, refused: AccessDenied | NotFound) -> bool:
        """Whether the refusal is proven to be the object's own; nobody knows when the harmless read fails otherwise.
        Raises AccessDenied of the connection, or ConnectionSick.
        """
        with self._lock:
            if self._monotonic() >= self._well_until:
                self._look(refused)
            return self._monotonic() < self._well_until

    def _look(self, refused: AccessDenied | NotFound) -> None:
        """A read that fails otherwise proves nothing either way."""
        try:
            answer = self._list_one_user()
        except AccessDenied as denied:
            said = refused if isinstance(refused, AccessDenied) else denied
            raise said.of_the_connection() from refused
        except SyncdError:
            return
        if answer.status in GONE:
            raise target_is_gone(answer) from refused
        if answer.ok:
            self._well_until = self._monotonic() + LASTS


def target_is_gone(answer: ScimAnswer) -> ConnectionSick:
    """The list of users itself is answered 404."""
    error = error_for(answer, "list users")
    return ConnectionSick(error.message, side="split", hint=error.hint, status=answer.status)
