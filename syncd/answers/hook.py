"""What to enter in Okta so that event hooks come, and whether the own listener hears one."""

from __future__ import annotations

import http.client
import json
import secrets
import ssl
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from syncd.core.hooks import TICKED, org_key, sample
from syncd.errors import ConfigurationError, PermanentError, SyncdError, TemporaryError
from syncd.settings import ConnectionSettings

SCHEMA = "syncd.hook/1"
_PATH = "/okta/"
_TIMEOUT = 10.0
_YOURS = "https://YOUR-HOST"


def hook_document(
    settings: ConnectionSettings, together: Sequence[ConnectionSettings], host: str
) -> dict[str, Any]:
    """`syncd.hook/1` of the org of this connection; `together` are those of the process, `host` the proxy's address."""
    org = settings.okta.org_url
    mine = [one for one in together if one.okta.org_url == org and one.hooks.come]
    return {
        "schema": SCHEMA,
        "connection": settings.name,
        "connections": sorted(one.name for one in mine) or [settings.name],
        "org_url": org,
        "listen": settings.hooks.listen,
        "url": f"{host.rstrip('/') or _YOURS}{_PATH}{org_key(org)}",
        "header": settings.hooks.header,
        "secret": str(settings.hooks.secret) if settings.hooks.secret else None,
        "events": list(TICKED),
    }


def tested(settings: ConnectionSettings, host: str, now: datetime) -> dict[str, Any]:
    """Asks the listener as Okta does: the verification, a sample, and the sample without the secret. `host` is the
    proxy's address, "" the listener's own. Raises SyncdError that says what is wrong.
    """
    url, ref = _listener(settings, host), settings.hooks.secret
    if ref is None:
        raise _nobody_listens(settings)
    place = f"{url.rstrip('/')}{_PATH}{org_key(settings.okta.org_url)}"
    header = settings.hooks.header
    secret = {header: ref.read()}
    challenge = secrets.token_urlsafe(30)
    status, said = _exchange(place, "GET", {**secret, "X-Okta-Verification-Challenge": challenge})
    _expect(status, 200, place)
    if said != {"verification": challenge}:
        raise PermanentError(f"{place} does not give the challenge back: something else answers there")
    body = json.dumps(sample(settings.okta.org_url, now)).encode()
    status, _ = _exchange(place, "POST", secret, body)
    _expect(status, 204, place)
    status, _ = _exchange(place, "POST", {header: secrets.token_hex(16)}, body)
    if status != 401:
        raise PermanentError(
            f"{place} answers {status} to a wrong secret",
            hint="does a proxy set the header by itself? It must pass on what Okta sends",
        )
    return {"url": place, "verified": True, "stored": True, "refused_without_secret": True}


def _listener(settings: ConnectionSettings, host: str) -> str:
    """Of a fleet any worker's will do, so with `host` this machine needs none."""
    in_fleet = settings.fleet_file is not None
    if host and settings.hooks.come and in_fleet:
        return host
    if settings.hooks.address is None:
        raise _nobody_listens(settings)
    address, port = settings.hooks.address
    return host or f"http://{f'[{address}]' if ':' in address else address}:{port}"


def _nobody_listens(settings: ConnectionSettings) -> ConfigurationError:
    file, org = settings.fleet_file, settings.okta.org_url
    if file is None:
        return ConfigurationError(
            "hooks.listen is not set, so nobody listens for event hooks", hint='listen = "127.0.0.1:9465"'
        )
    if not settings.hooks.come:
        return ConfigurationError(
            f"{file} has no [[hooks.org]] of {org}, so no worker takes event hooks of it",
            hint=f'[[hooks.org]] with org_url = "{org}" and secret: docs/event-hooks.md',
        )
    return ConfigurationError(
        f"hooks.listen is not set in {file}, so this machine hears no event hooks",
        hint="with --host https://... the test goes to whichever worker the load balancer chooses; or run it where a"
        " worker listens",
    )


def _expect(status: int, wanted: int, place: str) -> None:
    if status == wanted:
        return
    if status == 401:
        raise PermanentError(
            f"{place} does not know the secret",
            hint="the daemon reads it anew for each hook: does it read the same place, and does a proxy pass it on?",
            status=401,
        )
    hints = {
        404: "the running daemon hears no hooks of this org: reload it, once its settings say so",
        503: "the names could not be stored: syncd status says what is wrong with the store",
    }
    raise PermanentError(
        f"{place} answers {status}",
        hint=hints.get(status, "is this the listener of syncd run or syncd worker?"),
    )


def _exchange(
    place: str, method: str, headers: Mapping[str, str], body: bytes | None = None
) -> tuple[int, object]:
    parts = urlsplit(place)
    where, port = parts.hostname or "", parts.port
    wire: http.client.HTTPConnection
    if parts.scheme == "https":
        wire = http.client.HTTPSConnection(
            where, port, timeout=_TIMEOUT, context=ssl.create_default_context()
        )
    else:
        wire = http.client.HTTPConnection(where, port, timeout=_TIMEOUT)
    try:
        wire.request(method, parts.path, body, {"Content-Type": "application/json", **headers})
        answer = wire.getresponse()
        said = answer.read(65_536)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise _unheard(place, error) from error
    finally:
        wire.close()
    try:
        return answer.status, json.loads(said or b"null")
    except ValueError:
        return answer.status, None


def _unheard(place: str, error: Exception) -> SyncdError:
    return TemporaryError(
        f"nobody answers at {place}: {error}",
        hint="syncd run listens there while it runs, in a fleet syncd worker; with --host the proxy has to reach it",
    )
