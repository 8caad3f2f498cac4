"""What a 404 proves. Okta names the missing thing: "Not found: Resource not found: 00u1 (AppUser)"."""

from __future__ import annotations

from syncd.errors import ConnectionSick, NotFound, SyncdError, TemporaryError
from syncd.model import Absent
from syncd.okta.answers import Answer
from syncd.redact import clip, strip_controls

_NO_SUCH = 404
_NOT_FOUND = "E0000007"
_APP = "AppInstance"


def missing_thing(answer: Answer) -> str | None:
    """The summary of an E0000007 body (Okta "Error codes"); None for any other 404: a wrong path, a proxy's page."""
    body = answer.body
    if not isinstance(body, dict) or body.get("errorCode") != _NOT_FOUND:
        return None
    summary = body.get("errorSummary")
    return clip(strip_controls(summary)) if isinstance(summary, str) and summary.strip() else None


def unexplained(what: str) -> TemporaryError:
    """A 404 that proves nothing."""
    return TemporaryError(
        f"Okta answered 404 about {what} without saying what is missing",
        hint="check that okta.org_url is the org's own address; nothing is concluded from this answer",
        status=404,
    )


def app_error(answer: Answer, app_id: str) -> SyncdError | None:
    """ConnectionSick when the 404 says that the app itself is not there; None for any other answer."""
    summary = missing_thing(answer) if answer.status == _NO_SUCH else None
    if summary is None or _APP not in summary:
        return None
    return ConnectionSick(
        f"Okta has no app {app_id}: {summary}",
        side="okta",
        hint="check okta.app_id (Applications > the app: the id in the address begins with 0oa) and that the admin "
        "behind the token may see this app",
        status=404,
    )


def absent(answer: Answer, what: str) -> Absent:
    """The proof of absence that a by-id 404 is. Raises TemporaryError when it is none."""
    summary = missing_thing(answer)
    if summary is None or _APP in summary:
        raise unexplained(what)
    return Absent(what, summary)


def object_error(answer: Answer, what: str) -> SyncdError | None:
    """NotFound when the 404 says that the object whose list was asked for is not there."""
    summary = missing_thing(answer)
    if summary is None or _APP in summary:
        return None
    return NotFound(f"Okta has no {what}: {summary}", status=404)
