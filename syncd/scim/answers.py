"""What a SCIM server answered, and what that means for the caller. Reading an error never raises."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from syncd.errors import (
    AccessDenied,
    AlreadyExists,
    NotFound,
    PermanentError,
    SyncdError,
    TemporaryError,
)
from syncd.redact import clip, strip_controls

LIKELY_WEB_PAGE = (
    "check [split] base_url: it must be the SCIM connector base URL, not the address of the web UI"
)
LIKELY_WRONG_BASE = (
    "if everything answers 404: SCIM is switched off in Split,"
    " or [split] base_url does not end where Split's page says"
)
FORM_REFUSED = frozenset({400, 405, 422, 500, 501})
"""Statuses with which servers refuse a form of request that they do not know (RFC 7644 says 400 or 501)."""
GONE = frozenset({404, 410})
_ERROR = "urn:ietf:params:scim:api:messages:2.0:Error"
_TEMPORARY_4XX = frozenset({408, 423, 425, 429})
_PERMANENT_5XX = frozenset({501, 505})


class Unanswered(TemporaryError):  # noqa: N818  (it says what happened)
    """A write was sent and its outcome is unknown: no answer, a broken answer, or a 5xx.

    The caller must look before it writes again. `running`: the server may still be at it (a timeout, 504).
    """

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        retry_after: float | None = None,
        running: bool = False,
    ) -> None:
        super().__init__(message, status=status, retry_after=retry_after)
        self.running = running


@dataclass(frozen=True, slots=True)
class ScimAnswer:
    """`headers` ignore case; `body` is the parsed JSON or None; `text` is the body as text, clipped."""

    status: int
    headers: Mapping[str, str]
    body: Any
    text: str

    @property
    def ok(self) -> bool:
        """2xx whose body does not say the opposite."""
        return 200 <= self.status < 300 and not self.says_no

    @property
    def says_no(self) -> bool:
        """An error document under whatever status."""
        return says_no(self.body)

    @property
    def resource(self) -> Mapping[str, Any]:
        """The body if it is a JSON object, else an empty one."""
        return self.body if isinstance(self.body, dict) else {}

    @property
    def scim_type(self) -> str:
        """RFC 7644 section 3.12, "" when absent."""
        value = self.resource.get("scimType")
        return value if isinstance(value, str) else ""


def says_no(body: object) -> bool:
    """A SCIM Error message (RFC 7644 section 3.12), be it sent with status 200, as some gateways do."""
    return isinstance(body, dict) and body.get("schemas") == [_ERROR]


def is_temporary(status: int) -> bool:
    """408, 423, 425, 429 and every 5xx but 501 and 505 may pass."""
    return status in _TEMPORARY_4XX or (500 <= status < 600 and status not in _PERMANENT_5XX)


def asks_to_wait(answer: ScimAnswer) -> bool:
    """A 403 with a time to come back is a limit (some servers and gateways answer so), not a missing permission."""
    return answer.status == 403 and bool(answer.headers.get("Retry-After", "").strip())


def is_web_page(answer: ScimAnswer) -> bool:
    """HTML instead of SCIM: a proxy's page or a wrong address."""
    start = answer.text.lstrip("\ufeff \t\r\n")[:15].lower()
    return answer.body is None and start.startswith(("<!doctype", "<html"))


def problem(answer: ScimAnswer) -> str:
    """What the server says is wrong, in one safe line: scimType and detail of a SCIM error, else its text."""
    if is_web_page(answer):
        return "(a web page)"
    resource = answer.resource
    said = [answer.scim_type] if answer.scim_type else []
    for name in ("detail", "message", "error_description", "error", "Errors", "errors"):
        if value := resource.get(name):
            said.append(value if isinstance(value, str) else _as_text(value))
            break
    silent = not said and "detail" in resource  # an error document that says nothing
    text = ": ".join(said) or ("" if silent else answer.text.strip())
    return strip_controls(clip(" ".join(text.split()), 300)) or "(no explanation)"


def _as_text(value: object) -> str:
    try:
        return json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError):
        return "(unreadable detail)"


def error_for(answer: ScimAnswer, what: str) -> SyncdError:
    """The error that an answer other than success means; `what` says what was asked ("update user 42")."""
    status, said = answer.status, problem(answer)
    message = f"{what}: Split answers {status} {said}"
    if status in (401, 403):
        hint = (
            "the SCIM token is wrong, expired or was replaced"
            if status == 401
            else "the SCIM token lacks the permission, or SCIM is switched off in Split"
        )
        return AccessDenied(message, side="split", status=status, hint=hint)
    if status in GONE:
        return NotFound(message, status=status, hint=LIKELY_WRONG_BASE)
    if status == 409:
        return AlreadyExists(message, status=status)
    if is_temporary(status):
        return TemporaryError(message, status=status)
    if 300 <= status < 400:
        hint = "redirects are not followed with a token; set [split] base_url to the final address"
        return PermanentError(f"{what}: Split answers with a redirect ({status})", status=status, hint=hint)
    if is_web_page(answer):
        return PermanentError(
            f"{what}: the base URL answers a web page, not SCIM (status {status})",
            status=status,
            hint=LIKELY_WEB_PAGE,
        )
    return PermanentError(message, status=status)
