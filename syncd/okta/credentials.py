"""How syncd proves to Okta who it is. The secrets themselves are read at the last moment and never shown."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field

READ_SCOPES = ("okta.apps.read", "okta.users.read", "okta.groups.read", "okta.logs.read")
"""OAuth scopes that reading needs (Okta "OAuth 2.0 scopes"); nothing is ever managed."""


@dataclass(frozen=True, slots=True)
class Ssws:
    """An API token, sent as `Authorization: SSWS <token>`. `read_token` is called once for each session."""

    read_token: Callable[[], str] = field(repr=False)

    def fingerprint(self, *where: str | None) -> str:
        """Of whoever asks there with this: others are shown other things, or may be."""
        return _digest("ssws", self.read_token().strip(), *where)


@dataclass(frozen=True, slots=True)
class PrivateKey:
    """A service app with private-key JWT (RFC 7523), optionally with DPoP (RFC 9449).

    `read_key` gives an RSA private key as PEM text or as a JSON Web Key; it is called once for each session.
    """

    client_id: str
    read_key: Callable[[], str] = field(repr=False)
    key_id: str | None = None
    dpop: bool = False

    def fingerprint(self, *where: str | None) -> str:
        """See `Ssws.fingerprint`."""
        return _digest("key", self.client_id, self.read_key().strip(), self.key_id, *where)


def _digest(*parts: str | None) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


Credentials = Ssws | PrivateKey
