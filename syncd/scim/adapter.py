"""Whom a connection to Split believes: the authorities of `ca_file` alone, without it requests' own bundle.

And what requests works out anew for each request, though it is the same for all that go to one server: which pool the
connection comes from, whom it believes, what of the URL is sent. That took a third of a request.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
import requests.adapters

from syncd.settings.authorities import authorities_of


class Response(requests.Response):
    """What came, without a jar for cookies, an encoding and a history that nobody reads."""

    def __init__(self, request: requests.PreparedRequest, raw: Any) -> None:
        self.request, self.url, self.raw = request, request.url or "", raw
        self.status_code = raw.status
        self.headers = raw.headers
        self._content_consumed = False


class Adapter(requests.adapters.HTTPAdapter):
    """As requests' own, but a private authority is read once, here, and no path is handed on: requests and OpenSSL
    would open it again for every connection, whatever it is by then.

    For requests to one server, each with the same `verify` and `proxies`.
    """

    def __init__(self, ca_file: Path | None, base_url: str, **pools: Any) -> None:
        """`base_url` is what every URL begins with. Raises ConfigurationError for a `ca_file` that cannot be used."""
        self._authorities = None if ca_file is None else authorities_of("split.ca_file", ca_file)
        url = urlsplit(base_url)
        self._origin = f"{url.scheme}://{url.netloc}/"
        self._pool: Any = None
        super().__init__(**pools)

    def get_connection_with_tls_context(
        self, request: requests.PreparedRequest, verify: Any, proxies: Any = None, cert: Any = None
    ) -> Any:
        pool = self._pool
        if pool is None:
            pool = super().get_connection_with_tls_context(request, verify, proxies, cert)
            self._verify(pool, request.url, verify, cert)
            self._pool = pool
        return pool

    def build_connection_pool_key_attributes(
        self, request: requests.PreparedRequest, verify: Any, cert: Any = None
    ) -> Any:
        host, pool = super().build_connection_pool_key_attributes(request, verify, cert)
        more = {} if self._authorities is None else {"ca_cert_data": self._authorities}
        return host, {**pool, **more}

    def close(self) -> None:
        self._pool = None
        super().close()

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """Nothing for each request: the pool knows it since it was made."""

    def request_url(self, request: requests.PreparedRequest, proxies: Any) -> str:
        url = request.url or ""
        if proxies or not url.startswith(self._origin):
            return super().request_url(request, proxies)
        return url[len(self._origin) - 1 :]

    def build_response(self, req: requests.PreparedRequest, resp: Any) -> requests.Response:
        return Response(req, resp)

    def _verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:
        if self._authorities is None:
            super().cert_verify(conn, url, verify, cert)  # type: ignore[no-untyped-call]
        else:
            # Not what `super` does: it would add requests' own bundle to the authorities that are trusted.
            conn.cert_reqs = "CERT_REQUIRED"
