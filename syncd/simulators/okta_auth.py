"""Who may read the simulated org: API tokens, service apps with private-key JWT, DPoP (RFC 9449)."""

import base64
import hashlib
import json
import secrets
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

import jwt
from jwt.algorithms import RSAAlgorithm

from syncd.simulators.exchange import Call, Reply
from syncd.simulators.okta_wire import OktaError, OktaKnobs

READ_SCOPES = ("okta.apps.read", "okta.groups.read", "okta.logs.read", "okta.users.read")
_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_PROOF_SECONDS = 300
_SKEW_SECONDS = 300


@dataclass(frozen=True, slots=True)
class ServiceClient:
    """A service app. `public_key` is PEM text or a JWK; `dpop` requires DPoP-bound tokens.

    `key_id` is the kid that assertions must name; None takes any or none.
    """

    client_id: str
    public_key: str | Mapping[str, Any]
    scopes: tuple[str, ...] = READ_SCOPES
    dpop: bool = False
    key_id: str | None = None

    def key(self) -> Any:
        """The key to verify with. Raises ValueError for anything but an RSA key."""
        if isinstance(self.public_key, str):
            return RSAAlgorithm(RSAAlgorithm.SHA256).prepare_key(self.public_key)
        return RSAAlgorithm.from_jwk(dict(self.public_key))


@dataclass(frozen=True, slots=True)
class _Grant:
    scopes: frozenset[str]
    expires: float
    thumbprint: str | None


class Gate:
    """Issues and checks access. Every method may be called from any thread."""

    def __init__(
        self, token: str, clients: Iterable[ServiceClient], clock: Callable[[], float] = time.time
    ) -> None:
        self._lock = threading.Lock()
        self._clock = clock
        self.token = token
        self._clients = {client.client_id: client for client in clients}
        self._grants: dict[str, _Grant] = {}
        self._used: set[str] = set()
        self._nonces: list[str] = []

    def register(self, client: ServiceClient) -> None:
        """Adds or replaces a service app. Raises ValueError if its key is not an RSA public key."""
        try:
            client.key()
        except (jwt.InvalidKeyError, TypeError, KeyError) as error:
            raise ValueError(f"no RSA public key: {error}") from error
        with self._lock:
            self._clients[client.client_id] = client

    def revoke(self) -> None:
        """Makes every access token invalid, as revoking or expiry would."""
        with self._lock:
            self._grants.clear()

    # --- API calls ----------------------------------------------------------------------------------

    def admit(self, call: Call, needed: Iterable[str], knobs: OktaKnobs) -> None:
        """Lets a call pass or raises OktaError: 401 E0000011, 403 E0000006 with insufficient_scope."""
        header = call.headers.get("authorization", "")
        if header.startswith("SSWS"):
            if not secrets.compare_digest(header[4:].strip().encode(), self.token.encode()):
                raise OktaError(401, "E0000011")
            granted = frozenset(needed if knobs.ssws_scopes is None else knobs.ssws_scopes)
        else:
            granted = self._bearer(call, header, knobs)
        missing = sorted(set(needed) - granted)
        if missing:
            challenge = (
                f'Bearer authorization_uri="{call.origin}/oauth2/v1/authorize", realm="{call.origin}", '
            )
            challenge += f'scope="{" ".join(missing)}", error="insufficient_scope", '
            challenge += 'error_description="The access token provided does not contain the required scopes."'
            raise OktaError(403, "E0000006", headers=(("WWW-Authenticate", challenge),))

    def _bearer(self, call: Call, header: str, knobs: OktaKnobs) -> frozenset[str]:
        scheme, _, token = header.partition(" ")
        grant = self._grants.get(token)
        if scheme not in ("Bearer", "DPoP") or grant is None or grant.expires <= self._clock():
            raise OktaError(401, "E0000011", headers=(("WWW-Authenticate", 'Bearer error="invalid_token"'),))
        if (grant.thumbprint is not None) != (scheme == "DPoP"):
            raise OktaError(401, "E0000011", headers=(("WWW-Authenticate", 'DPoP error="invalid_token"'),))
        if grant.thumbprint is not None:
            thumbprint, claims = self._proof(call)
            expected = _b64(hashlib.sha256(token.encode()).digest())
            if thumbprint != grant.thumbprint or claims.get("ath") != expected:
                raise OktaError(
                    401, "E0000011", headers=(("WWW-Authenticate", 'DPoP error="invalid_dpop_proof"'),)
                )
            if knobs.dpop_nonce_on_api and "nonce" not in claims:
                raise _NonceNeededError(self._nonce())
        return grant.scopes

    # --- the token endpoint -------------------------------------------------------------------------

    def token_reply(self, call: Call, knobs: OktaKnobs) -> Reply:
        """POST /oauth2/v1/token with grant_type=client_credentials and a private-key JWT (RFC 7523)."""
        try:
            return self._token_reply(call, knobs)
        except _OAuthError as error:
            body = {"error": error.code, "error_description": error.description}
            return Reply(error.status, body, error.headers)
        except _NonceNeededError as error:
            body = {
                "error": "use_dpop_nonce",
                "error_description": "Authorization server requires nonce in DPoP proof.",
            }
            return Reply(400, body, error.headers)
        except OktaError:
            return Reply(
                400, {"error": "invalid_dpop_proof", "error_description": "The DPoP proof JWT is not valid."}
            )

    def _token_reply(self, call: Call, knobs: OktaKnobs) -> Reply:
        form = {name: values[-1] for name, values in parse_qs(call.body.decode(errors="replace")).items()}
        if form.get("grant_type") != "client_credentials":
            raise _OAuthError(400, "unsupported_grant_type", "Only client_credentials is supported.")
        client = self._client(call, form)
        thumbprint: str | None = None
        if "dpop" in call.headers:
            thumbprint, claims = self._proof(call)
            if "nonce" not in claims:
                raise _NonceNeededError(self._nonce())
        elif client.dpop:
            raise _OAuthError(400, "invalid_dpop_proof", "The DPoP proof JWT header is missing.")
        scopes = frozenset(form.get("scope", "").split())
        if not scopes or scopes - set(client.scopes):
            raise _OAuthError(400, "invalid_scope", "One or more scopes are not configured for the app.")
        token = secrets.token_urlsafe(32)
        with self._lock:
            self._grants[token] = _Grant(scopes, self._clock() + knobs.token_seconds, thumbprint)
        body = {
            "token_type": "Bearer" if thumbprint is None else "DPoP",
            "expires_in": knobs.token_seconds,
            "access_token": token,
            "scope": " ".join(sorted(scopes)),
        }
        return Reply(payload=body, headers=(("Cache-Control", "no-store"),))

    def _client(self, call: Call, form: Mapping[str, str]) -> ServiceClient:
        assertion = form.get("client_assertion", "")
        if form.get("client_assertion_type") != _ASSERTION:
            raise _OAuthError(401, "invalid_client", "A client_assertion of type jwt-bearer is required.")
        try:
            unverified = jwt.decode(assertion, options={"verify_signature": False})
            client = self._clients.get(str(unverified.get("sub")))
            if client is None:
                raise _OAuthError(401, "invalid_client", "Invalid value for 'client_id' parameter.")
            kid = jwt.get_unverified_header(assertion).get("kid")
            if client.key_id is not None and kid != client.key_id:
                raise _OAuthError(401, "invalid_client", "The client_assertion's kid is unknown.")
            claims = jwt.decode(
                assertion,
                client.key(),
                algorithms=["RS256"],
                audience=f"{call.origin}/oauth2/v1/token",
                issuer=client.client_id,
                leeway=_SKEW_SECONDS,
                options={"require": ["exp", "iss", "sub", "aud", "jti"], "verify_iat": False},
            )
        except jwt.PyJWTError as error:
            raise _OAuthError(401, "invalid_client", f"The client_assertion is not valid: {error}") from error
        if claims["exp"] > self._clock() + 3600 + _SKEW_SECONDS:
            raise _OAuthError(
                401, "invalid_client", "The client_assertion expires more than an hour from now."
            )
        self._once(f"assertion {client.client_id} {claims['jti']}", "The client_assertion was used before.")
        return client

    # --- DPoP ---------------------------------------------------------------------------------------

    def _proof(self, call: Call) -> tuple[str, dict[str, Any]]:
        """Thumbprint of the key and claims of the call's DPoP proof (RFC 9449 section 4.3)."""
        wrong = OktaError(401, "E0000011", headers=(("WWW-Authenticate", 'DPoP error="invalid_dpop_proof"'),))
        proof = call.headers.get("dpop", "")
        try:
            header = jwt.get_unverified_header(proof)
            key = header.get("jwk")
            if header.get("typ") != "dpop+jwt" or not isinstance(key, dict) or "d" in key:
                raise wrong
            claims = jwt.decode(
                proof,
                RSAAlgorithm.from_jwk(key),  # type: ignore[arg-type]  # a private key was ruled out above
                algorithms=["RS256"],
                options={"require": ["htm", "htu", "iat", "jti"], "verify_iat": False, "verify_aud": False},
            )
        except (jwt.PyJWTError, ValueError, KeyError) as error:
            raise wrong from error
        fresh = abs(self._clock() - claims["iat"]) <= _PROOF_SECONDS
        here = f"{call.origin}{call.path.partition('?')[0]}"
        if not fresh or claims["htm"] != call.method or claims["htu"] != here:
            raise wrong
        if "nonce" in claims and claims["nonce"] not in self._nonces:
            raise _NonceNeededError(self._nonce())
        with self._lock:
            if f"proof {claims['jti']}" in self._used:
                raise wrong
            self._used.add(f"proof {claims['jti']}")
        return _thumbprint(key), claims

    def _nonce(self) -> str:
        with self._lock:
            self._nonces = [*self._nonces[-20:], secrets.token_urlsafe(16)]
            return self._nonces[-1]

    def _once(self, name: str, otherwise: str) -> None:
        with self._lock:
            if name in self._used:
                raise _OAuthError(401, "invalid_client", otherwise)
            self._used.add(name)


class _OAuthError(Exception):
    """An error of the token endpoint, which has its own shape (RFC 6749 section 5.2)."""

    def __init__(self, status: int, code: str, description: str) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.description = description
        self.headers: tuple[tuple[str, str], ...] = ()


class _NonceNeededError(OktaError):
    """A proof without a nonce we know; the answer carries one."""

    def __init__(self, nonce: str) -> None:
        challenge = ("WWW-Authenticate", 'DPoP error="use_dpop_nonce"')
        super().__init__(401, "E0000011", headers=(challenge, ("dpop-nonce", nonce)))

    def reply(self) -> Reply:
        """An OAuth-shaped body: clients recognise the challenge by its `error`."""
        body = {
            "error": "use_dpop_nonce",
            "error_description": "Resource server requires nonce in DPoP proof",
        }
        return Reply(self.status, body, self.headers)


def _thumbprint(key: Mapping[str, str]) -> str:
    """The JWK thumbprint of an RSA key (RFC 7638)."""
    canonical = json.dumps(
        {name: key[name] for name in ("e", "kty", "n")}, separators=(",", ":"), sort_keys=True
    )
    return _b64(hashlib.sha256(canonical.encode()).digest())


def _b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
