"""A server that repeats our secrets in good answers. What those hold is data, which is decided by, kept and sent on as
it is: so nothing is masked in it, but an object that holds a secret where it is read is not read at all.
"""

from __future__ import annotations

import logging

from syncd.redact import Redactor

_log = logging.getLogger("syncd.target")


class Echoes:
    """Safe to share between threads."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._heard = self._told = False

    def listen(self, body: bytes) -> None:
        """To the JSON of a good answer."""
        if not self._heard and self._redactor.may_reveal(body):
            self._heard = True

    def are_in(self, *values: object) -> bool:
        """Whether a text among these, out of a good answer, has a secret in it. Costs nothing while no answer had."""
        if not self._heard or not any(
            isinstance(each, str) and self._redactor.reveals(each) for each in values
        ):
            return False
        if not self._told:
            self._told = True
            _log.warning(
                "Split repeats a secret of this connection as an id, a name or a value: what has it is not read"
            )
        return True
