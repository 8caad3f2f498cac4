"""The only importer of the Okta SDK: its request executor does authentication (SSWS, private-key JWT, DPoP).

The executor is built directly, so no okta.yaml and no OKTA_* variable is ever read. Retries, rate limits, paging
and every judgement about an answer are ours: `maxRetries` is 0 and the executor hands each answer over as it came.
"""

from __future__ import annotations

import hashlib
import json
import logging
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import syncd
from syncd.errors import ConfigurationError
from syncd.okta.credentials import READ_SCOPES, Credentials, PrivateKey, Ssws
from syncd.redact import Redactor

if TYPE_CHECKING:
    from syncd.okta.transport import Received, Transport

_RENEWAL_MINUTES = 1
"""The SDK asks for a new access token this long before the old one ends."""
_SDK_LOGGER = "okta-sdk-python"


def _silent(_record: logging.LogRecord) -> bool:
    return False


@dataclass(slots=True)
class _Session:
    """An executor with its transport. Those with an access token outlive one reader: a token request and a DPoP
    key (seconds of CPU) for each cycle would be waste.
    """

    executor: Any
    transport: Transport
    secrets: tuple[str, ...]


_kept: dict[str, _Session] = {}
_kept_lock = threading.Lock()
_KEPT_MOST = 16


def _read_token(credentials: Ssws) -> str:
    token = credentials.read_token().strip()
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise ConfigurationError(
            "okta.token is empty or holds characters that no API token has",
            hint="an API token is one word; check the file or variable that okta.token names",
        )
    return token


def _parse_key(text: str, key_id: str | None) -> tuple[str, str | None]:
    """The key as PEM text and its id. Raises ConfigurationError without ever showing the key."""
    from okta import jwt as sdk_jwt  # noqa: PLC0415  (importing the SDK costs half a second)

    jwt: Any = sdk_jwt.JWT
    problem = ConfigurationError(
        "okta.private_key is not a usable RSA private key",
        hint="it must be an unencrypted RSA key as PEM text (-----BEGIN ... PRIVATE KEY-----) or a JSON Web Key",
    )
    # The SDK would take other text for the path of a file.
    if not text.startswith(("{", "-----BEGIN")):
        raise problem
    source: str | dict[str, str] = text
    try:
        if text.startswith("{"):
            members = json.loads(text)
            # The SDK understands members that are strings; key_ops and the like are lists.
            source = {name: value for name, value in members.items() if isinstance(value, str)}
            key_id = key_id or source.get("kid")
        rsa, _ = jwt.get_PEM_JWK(source)
        private, pem = rsa.has_private(), rsa.export_key().decode()
    except Exception:  # noqa: BLE001  (three crypto libraries raise their own; none may show the key)
        raise problem from None
    if not private:
        raise problem
    return pem, key_id


class OktaClient:
    """One session with one org. `exchange` runs in the event loop's thread; `open` and `close` do too.

    Raises ConfigurationError for credentials that cannot be used.
    """

    def __init__(
        self, *, org_url: str, credentials: Credentials, timeout: float, redactor: Redactor | None = None
    ) -> None:
        self._redactor = redactor or Redactor()
        self._org_url = org_url.rstrip("/")
        self.oauth = isinstance(credentials, PrivateKey)
        """By access tokens; else by an API token."""
        self._key, self._session = self._build(credentials, timeout)
        self._redactor.add(*self._session.secrets)

    def __repr__(self) -> str:
        return f"OktaClient({self._org_url})"

    def _build(self, credentials: Credentials, timeout: float) -> tuple[str, _Session]:
        secret = _read_token(credentials) if isinstance(credentials, Ssws) else credentials.read_key().strip()
        who = (
            []
            if isinstance(credentials, Ssws)
            else [credentials.client_id, credentials.key_id, credentials.dpop]
        )
        key = hashlib.sha256(json.dumps([self._org_url, timeout, secret, who]).encode()).hexdigest()
        with _kept_lock:
            kept = _kept.pop(key, None)
        return key, kept or self._fresh(credentials, secret, timeout)

    def _config(self, credentials: Credentials, secret: str) -> dict[str, Any]:
        config: dict[str, Any] = {
            "orgUrl": self._org_url,
            "requestTimeout": 0,  # the transport's own timeout bounds each exchange
            "rateLimit": {"maxRetries": 0},
            "userAgent": f"syncd/{syncd.__version__}",
        }
        if isinstance(credentials, Ssws):
            return {**config, "authorizationMode": "SSWS", "token": secret}
        pem, key_id = _parse_key(secret, credentials.key_id)
        return {
            **config,
            "authorizationMode": "PrivateKey",
            "clientId": credentials.client_id,
            "privateKey": pem,
            "kid": key_id,
            "scopes": list(READ_SCOPES),
            "oauthTokenRenewalOffset": _RENEWAL_MINUTES,
            "dpopEnabled": credentials.dpop,
        }

    def _fresh(self, credentials: Credentials, secret: str, timeout: float) -> _Session:
        from okta import request_executor as sdk  # noqa: PLC0415  (costs half a second)
        from okta.cache import no_op_cache  # noqa: PLC0415

        from syncd.okta.transport import Transport  # noqa: PLC0415  (aiohttp)

        # At DEBUG the SDK logs request headers, tokens among them.
        logger = logging.getLogger(_SDK_LOGGER)
        logger.disabled = True
        if _silent not in logger.filters:
            logger.addFilter(_silent)
        transport = Transport(origin=self._org_url, timeout=timeout)
        build: Any = sdk.RequestExecutor  # the SDK's classes have no types
        no_cache: Any = no_op_cache.NoOpCache
        config = self._config(credentials, secret)
        executor = build({"client": config}, no_cache(), http_client=lambda _config: transport)
        return _Session(executor, transport, (secret, config.get("privateKey", secret)))

    async def open(self, *, ca_file: Path | None, proxy: str | None, connections: int) -> None:
        self._redactor.add(proxy or "")
        self._session.transport.open(
            ca_file=ca_file, proxy=proxy, connections=connections, on_signed=self._on_signed
        )

    def _on_signed(self, token: str) -> None:
        """A client assertion or a DPoP proof. What it says is no secret; its signature is what makes it count."""
        self._redactor.add_once(token.rpartition(".")[2])

    async def close(self) -> None:
        """The access token is kept for the next reader of the same credentials."""
        await self._session.transport.close()
        if self.oauth:
            with _kept_lock:
                _kept[self._key] = self._session
                while len(_kept) > _KEPT_MOST:
                    del _kept[next(iter(_kept))]

    async def exchange(self, url: str) -> Received:
        """GET one absolute URL of the org. Raises NoAnswer, or TokenRefused when there is no access token.

        With OAuth a 401 is answered once by a new access token (revoked, or a new DPoP nonce is asked for).
        """
        received, sent = await self._fire(url)
        if not self.oauth or received.status != 401:
            return received
        challenge = received.headers.get("WWW-Authenticate", "")
        oauth = self._session.executor._oauth  # noqa: SLF001  (the SDK has no public way to drop a token)
        token, token_type = oauth.get_current_token()
        if "use_dpop_nonce" not in challenge and sent == f"{token_type} {token}":
            oauth.clear_access_token()
        received, _ = await self._fire(url)
        return received

    async def _fire(self, url: str) -> tuple[Received, str]:
        from syncd.okta.transport import NoAnswer, TokenRefused  # noqa: PLC0415  (aiohttp)

        executor = self._session.executor
        try:
            request, error = await executor.create_request("GET", url, None, {})
            received: Received | None = None
            if error is None:
                sent = str(request["headers"].get("Authorization", ""))
                if self.oauth:  # before anybody can say it again, also who refuses it at once
                    self._redactor.add(sent.rpartition(" ")[2], passing=True)
                _, received, _, error = await executor.fire_request(request)
        except Exception as unexpected:  # noqa: BLE001  (the SDK raises whatever its parsing meets)
            error = unexpected
        if isinstance(error, NoAnswer | TokenRefused):
            raise error
        if error is not None or received is None:
            raise NoAnswer("sdk", f"the Okta SDK failed ({type(error).__name__})") from None
        return received, sent

    def granted_scopes(self) -> frozenset[str] | None:
        """The scopes of the access token; None with SSWS or before the first request."""
        return self._session.transport.granted

    def counts(self) -> dict[str, int]:
        """Requests so far by "METHOD status"."""
        return dict(self._session.transport.counts)

    @property
    def redactor(self) -> Redactor:
        """It knows every access token that was sent, too."""
        return self._redactor
