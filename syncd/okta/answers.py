"""Judging one answer of Okta: usable, worth another try, or final."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Literal
from urllib.parse import urljoin, urlsplit

import msgspec

from syncd.backoff import http_date
from syncd.errors import AccessDenied, PermanentError, Scope
from syncd.okta.credentials import READ_SCOPES
from syncd.redact import Redactor, clip, strip_controls

if TYPE_CHECKING:
    from syncd.okta.transport import NoAnswer, Received

_RETRIED = frozenset({408, 423, 425, 429})
# Possessive throughout: whatever a server sends, each character is looked at once.
_GAP = re.compile(r"[\s,]*+")
_TARGET = re.compile(r"<([^<>\s]*+)>")
_PARAMETER = re.compile(
    r"\s*+;\s*+([\w!#$%&'*+.^`|~-]++)(?:\s*+=\s*+(?:\"((?:[^\"\\]++|\\.)*+)\"|([^\s\",;]++)))?+"
)
_END = re.compile(r"\s*+(?:,|\Z)")
LARGEST_ERROR = 64 * 1024
"""Bytes. An error of Okta is well under one kilobyte; of a longer one nothing is believed."""


Shape = Literal["list", "object"]
"""What a good answer is in JSON."""
Decode = Callable[[bytes], object]
"""A quick decoder. Raises ValueError or RecursionError for whatever it does not take: that is for slower ones."""
Reveals = Callable[[str], bool]
everything: Decode = msgspec.json.Decoder().decode


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that may be relied on: status 200 with a body of the expected type, or 404.

    `body` of a 404 is the decoded error object, None when there was none. `next_url` is the absolute URL of the
    next page (RFC 8288 `rel="next"`). `date` is the server's clock.
    """

    status: int
    body: object
    next_url: str | None
    date: datetime | None
    escapes: bool = False
    """The body holds \\u escapes of surrogates: single halves cannot be stored and must be looked for."""
    fingerprint: int = 0
    """Equal bodies have equal fingerprints (within one process)."""
    reveals: Reveals | None = None
    """Of which texts of the body a secret of ours stands in; None: it has none."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A try that failed but may succeed next time. `status` None: no answer came."""

    cause: str
    status: int | None = None
    hint: str = ""
    retry_after: float | None = None
    """Seconds, when the server said (Retry-After as delta-seconds or date)."""


class _Unusable(Exception):  # noqa: N818  (never leaves this module)
    pass


def _refuse_constant(name: str) -> object:
    raise ValueError(name)


_decoder = json.JSONDecoder(parse_constant=_refuse_constant)


def _decode(content: bytes, expect: Shape | None = None, decode: Decode = everything) -> object:
    body = _decode_any(content, decode)
    if expect is not None and not isinstance(body, list if expect == "list" else dict):
        raise _Unusable(f"JSON that is not {'a list' if expect == 'list' else 'an object'}")
    return body


def _decode_any(content: bytes, decode: Decode) -> object:
    """The standard library has the last word: it says what is wrong, and lets odd but valid text pass."""
    if not content.strip():
        raise _Unusable("an empty body")
    try:
        text = content.decode("utf-8-sig")  # all of it: quick decoders do not look at what they leave out
    except UnicodeDecodeError:
        raise _Unusable("a body that is not UTF-8") from None
    for quick in (decode, everything):
        with suppress(ValueError, RecursionError):
            return quick(content)
    try:
        return _decoder.decode(text)
    except (ValueError, RecursionError):
        if content.lstrip()[:1] == b"<":
            raise _Unusable("HTML instead of JSON") from None
        raise _Unusable("malformed or truncated JSON") from None


def next_link(values: Sequence[str], base: str) -> str | None:
    """The target of `rel="next"` among Link header fields (RFC 8288), however many lines they come in.

    Raises ValueError when a field cannot be parsed or names two different next pages: to overlook a next page
    would be to take half a list for the whole.
    """
    found = {urljoin(base, target) for value in values for target in _next_targets(value)}
    if len(found) > 1:
        raise ValueError("two next links")
    return found.pop() if found else None


def _next_targets(value: str) -> Iterator[str]:
    """Of one header field. Raises ValueError."""
    position = _end_of_gap(value, 0)
    while position < len(value):
        match = _TARGET.match(value, position)
        if match is None:
            raise ValueError("malformed Link header")
        target, rel, position = match[1], None, match.end()
        while match := _PARAMETER.match(value, position):
            if rel is None and match[1].lower() == "rel":  # the first one counts (RFC 8288 section 3.3)
                rel = match[2] or match[3] or ""
            position = match.end()
        if (match := _END.match(value, position)) is None:
            raise ValueError("malformed Link header")
        if "next" in (rel or "").lower().split():
            yield target
        position = _end_of_gap(value, match.end())


def _end_of_gap(value: str, position: int) -> int:
    gap = _GAP.match(value, position)
    return position if gap is None else gap.end()


def error_code(body: object) -> str:
    """The code of an Okta error body (Okta "Error codes"); else an empty text."""
    code = body.get("errorCode") if isinstance(body, dict) else None
    return code if isinstance(code, str) else ""


def error_text(body: object) -> str:
    """What an error body says: code and summary of an Okta one, the two fields of an OAuth one; else an empty text."""
    if not isinstance(body, dict):
        return ""
    parts = [body.get(name) for name in ("errorCode", "errorSummary", "error", "error_description")]
    causes = body.get("errorCauses")
    if isinstance(causes, list):
        parts += [cause.get("errorSummary") for cause in causes[:3] if isinstance(cause, dict)]
    return clip(strip_controls(" ".join(part for part in parts if isinstance(part, str) and part)), 300)


def _error_body(content: bytes) -> object:
    """None for what is no JSON, and for what is too long to be an error of Okta."""
    try:
        return _decode(content) if len(content) <= LARGEST_ERROR else None
    except _Unusable:
        return None


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Retry-After in seconds (RFC 9110 section 10.2.3); a date is measured by the answer's own Date."""
    value = headers.get("Retry-After", "").strip()
    if value.isascii() and value.isdigit() and len(value) < 9:
        return float(value)
    then, now = http_date(value), http_date(headers.get("Date"))
    return max((then - now).total_seconds(), 0.0) if then and now else None


def scopes_for(path: str) -> tuple[str, ...]:
    """The OAuth scopes that a path asks for (Okta API reference, one line for each endpoint)."""
    if "/group-push/" in path:
        return ("okta.apps.read", "okta.groups.read")
    if path.startswith("/api/v1/users/") and path.endswith("/groups"):
        return ("okta.users.read", "okta.groups.read")
    for resource in ("apps", "groups", "users", "logs"):
        if path.startswith(f"/api/v1/{resource}"):
            return (f"okta.{resource}.read",)
    return READ_SCOPES


NO_FEATURE = "E0000015"
"""Okta's 401 to a good token: "You do not have permission to access the feature you are requesting" (recorded)."""


def _denied(received: Received, path: str, text: str, *, oauth: bool, feature: bool) -> AccessDenied:
    scopes = " and ".join(scopes_for(path))
    if feature:
        hint = (
            "the token is good, but this org does not have the feature, or the admin behind the token may not use it: "
            "ask Okta for the feature, or leave out of the settings what needs it"
        )
    elif received.status == 401:
        hint = (
            "the service app's client id, key or DPoP setting does not fit, or the app was deactivated"
            if oauth
            else "the API token is wrong, was revoked, or expired after 30 days without use; "
            "create a new one in Security > API > Tokens"
        )
    elif oauth and "insufficient_scope" in received.headers.get("WWW-Authenticate", ""):
        hint = f"grant the service app the scope {scopes} (Applications > the app > Okta API Scopes)"
    elif oauth:
        hint = (
            f"grant the service app the scope {scopes} and an admin role that can see this "
            "(Read-Only Administrator is enough)"
        )
    else:
        hint = (
            "the admin who owns the API token may not see this: Read-Only Administrator is enough; "
            "a token can also be bound to network zones"
        )
    return AccessDenied(
        f"Okta answered {received.status} to GET {path}{f': {text}' if text else ''}",
        side="okta",
        hint=hint,
        status=received.status,
    )


def judge(
    received: Received,
    *,
    url: str,
    expect: Shape,
    oauth: bool,
    redactor: Redactor,
    decode: Decode = everything,
) -> Answer | Fault:
    """What an answer means; `decode` may leave out of a good one what nobody reads.

    Raises AccessDenied (401, 403) and PermanentError (redirects and other refusals).
    """
    status, headers, path = received.status, received.headers, urlsplit(url).path
    if status == 200:
        return _good(received, url=url, expect=expect, decode=decode, redactor=redactor)
    body = redactor.answer(_error_body(received.content))
    text = error_text(body)
    date = http_date(headers.get("Date"))
    if status == 404:
        if "json" in headers.get("Content-Type", "") and not isinstance(body, dict):
            return Fault("HTTP 404 with a broken body", 404)  # what is missing is the whole answer
        return Answer(404, body, None, date)
    wait = retry_after(headers)
    asks_to_wait = status == 403 and wait is not None
    if status in (401, 403) and not asks_to_wait:
        raise _denied(received, path, text, oauth=oauth, feature=error_code(body) == NO_FEATURE)
    said = f"HTTP {status}{f': {text}' if text else '' if received.content.strip() else ' without a body'}"
    if asks_to_wait or status in _RETRIED or (status >= 500 and status != 501) or status < 300:
        return Fault(said, status, retry_after=wait)
    if status < 400:
        where = clip(strip_controls(redactor.foreign(_origin(url, headers.get("Location", "")))), 100)
        raise PermanentError(
            f"Okta answered {status} to GET {path}: a redirect to {where}; the token is not sent there",
            hint="okta.org_url must be the org's own address (https://<org>.okta.com or the custom domain)",
            status=status,
        )
    raise PermanentError(
        f"Okta refused GET {path}: {said}",
        hint="this is not expected of Okta; check okta.org_url and okta.app_id",
        status=status,
    )


def _origin(url: str, location: str) -> str:
    """Scheme and host of what a redirect leads to, for people."""
    try:
        target = urlsplit(urljoin(url, location))
    except ValueError:
        return "an address that nobody can read"
    return f"{target.scheme}://{target.hostname or ''}"


def _good(
    received: Received, *, url: str, expect: Shape, decode: Decode, redactor: Redactor
) -> Answer | Fault:
    try:
        body = _decode(received.content, expect, decode)
        following = next_link(received.headers.getall("Link", []), url)
    except _Unusable as problem:
        return Fault(f"HTTP 200 with {problem}", 200, hint="check that okta.org_url is an Okta org")
    except ValueError as problem:
        said = clip(strip_controls(redactor.foreign(str(problem))), 200)
        return Fault(f"HTTP 200 with a broken Link header ({said})", 200)
    return Answer(
        200,
        body,
        following,
        http_date(received.headers.get("Date")),
        # One byte is searched for ten times as fast as two.
        escapes=b"\\" in received.content and (b"\\ud" in received.content or b"\\uD" in received.content),
        fingerprint=hash(received.content),
        reveals=redactor.reveals if redactor.may_reveal(received.content) else None,
    )


def token_fault(received: Received, redactor: Redactor) -> Fault:
    """What a failed token request means. Raises AccessDenied when Okta knows us and says no."""
    body = redactor.answer(_error_body(received.content))
    text = error_text(body)
    status = received.status
    said = f"the token endpoint answered HTTP {status}{f': {text}' if text else ''}"
    if status in _RETRIED or status >= 500 or status == 200:
        return Fault(said, status, retry_after=retry_after(received.headers))
    if 300 <= status < 400 or status == 404:
        raise PermanentError(
            said, hint="okta.org_url must be the org's own address, without a path", status=status
        )
    code = body.get("error") if isinstance(body, dict) else None
    hint = {
        "invalid_client": "okta.client_id, okta.private_key or okta.key_id does not belong to this service app, "
        "or this machine's clock is wrong",
        "invalid_scope": f"grant the service app these scopes: {', '.join(READ_SCOPES)}",
        "invalid_dpop_proof": "set okta.dpop = true exactly when the service app requires DPoP",
    }.get(str(code), "check the service app: active, client credentials allowed, key registered")
    raise AccessDenied(
        f"Okta gave no access token: {said}", side="okta", scope=Scope.CONNECTION, hint=hint, status=status
    )


def no_answer_fault(failure: NoAnswer, path: str) -> Fault:
    """A failure without an answer. Raises PermanentError when another try cannot help."""
    if failure.retry:
        return Fault(failure.text, None, failure.hint)
    raise PermanentError(f"GET {path} at Okta: {failure.text}", hint=failure.hint)
