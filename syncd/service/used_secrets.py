"""Notices that a secret is another one than the last cycle used: a quarantine may be over with it."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping

from syncd.errors import SyncdError
from syncd.settings import ConnectionSettings

_SIDES = ("okta.", "split.")
"""Of what a connection is opened with; where notifications go has no part in a quarantine."""


class UsedSecrets:
    """Of one connection. What is kept is a digest under a key of this process, never the secret."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)
        self._used: Mapping[str, bytes | None] | None = None

    def use(self, settings: ConnectionSettings) -> None:
        """A cycle begins with them."""
        self._used = self._now(settings)

    def are_others(self, settings: ConnectionSettings) -> bool:
        """Whether any of them is another one by now, or can be read again; False before the first cycle."""
        if self._used is None:
            return False
        now = self._now(settings)
        return any(digest is not None and digest != self._used.get(path) for path, digest in now.items())

    def _now(self, settings: ConnectionSettings) -> Mapping[str, bytes | None]:
        """None for one that cannot be read."""
        found: dict[str, bytes | None] = {}
        for path, ref in settings.secrets():
            if path.startswith(_SIDES):
                try:
                    found[path] = hashlib.blake2b(ref.read().encode(), key=self._key).digest()
                except SyncdError:
                    found[path] = None
        return found
