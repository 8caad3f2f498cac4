"""Whom a connection to Split believes: the authorities of `ca_file` alone, without it requests' own bundle."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import requests
import requests.adapters

from syncd.settings.authorities import authorities_of


class Adapter(requests.adapters.HTTPAdapter):
    """As requests' own, but a private authority is read once, here, and no path is handed on: requests and OpenSSL
    would open it again for every connection, whatever it is by then.
    """

    def __init__(self, ca_file: Path | None, **pools: Any) -> None:
        """Raises ConfigurationError for a `ca_file` that cannot be used."""
        self._authorities = None if ca_file is None else authorities_of("split.ca_file", ca_file)
        super().__init__(**pools)

    def build_connection_pool_key_attributes(
        self, request: requests.PreparedRequest, verify: Any, cert: Any = None
    ) -> Any:
        host, pool = super().build_connection_pool_key_attributes(request, verify, cert)
        more = {} if self._authorities is None else {"ca_cert_data": self._authorities}
        return host, {**pool, **more}

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        if self._authorities is None:
            super().cert_verify(conn, url, verify, cert)  # type: ignore[no-untyped-call]
        else:
            # Not what `super` does: it would add requests' own bundle to the authorities that are trusted.
            conn.cert_reqs = "CERT_REQUIRED"
