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
from syncd.scim.answers import GONE, ScimAnswer, error_for

LASTS = 60.0
"""Seconds for which one look decides about the same object. About another one it is looked again: a token may be
revoked, and SCIM switched off, in the middle of a run, and nobody is taken for refused or gone because of that.
"""


class Refusals:
    """Asks `list_one_user` (GET /Users?startIndex=1&count=1) once for everybody who was refused before it is asked."""

    def __init__(
        self, list_one_user: Callable[[], ScimAnswer], monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._list_one_user = list_one_user
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._well_since = float("-inf")
        self._decided: dict[str, float] = {}
        """When the look began that decided about an object last."""

    def judge(self, refused: AccessDenied | NotFound, about: str = "") -> bool:
        """Whether the refusal is proven to be the object's own; nobody knows when the harmless read fails otherwise.
        `about`: the path of the object, "" when it is none that is asked for again.

        Raises AccessDenied of the connection, or ConnectionSick.
        """
        arrived = self._monotonic()
        with self._lock:
            if about and arrived - self._decided.get(about, float("-inf")) < LASTS:
                return True
            if self._well_since < arrived:
                self._look(refused)
            well = self._well_since >= arrived
            if well and about:
                self._decided[about] = self._well_since
            return well

    def _look(self, refused: AccessDenied | NotFound) -> None:
        """A read that fails otherwise proves nothing either way."""
        begun = self._monotonic()
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
            self._well_since = begun


def target_is_gone(answer: ScimAnswer) -> ConnectionSick:
    """The list of users itself is answered 404."""
    error = error_for(answer, "list users")
    return ConnectionSick(error.message, side="split", hint=error.hint, status=answer.status)
