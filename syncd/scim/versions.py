"""A whole resource is replaced only in the state that was read: entity tags (RFC 7644 section 3.14) in If-Match.

Tags are sent as they came, weak ones too (`W/"3"` is what the RFC itself shows): a PUT that is built on a read would
else undo whatever somebody changed in between. Some servers refuse every weak tag, because If-Match compares strongly
(RFC 9110 section 13.1.1), or make a new tag for every read: where a tag is refused again and again though the resource
has not changed, this server's tags are worth nothing, and are not sent any more.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from syncd.errors import PermanentError, TemporaryError
from syncd.scim.answers import GONE, ScimAnswer
from syncd.scim.conversation import Conversation

_TAG = re.compile(r'(?:W/)?"[\x21\x23-\x7e]*"')
_LEARNED = "etag"
"""yes: announced; no: denied, or of no use; shown: nothing was said about it, but resources carry a version."""
_REFUSED = 412
_TRIES = 4
"""How often a resource is read and replaced; the last time somebody else was quicker each time."""
_IN_VAIN = 2
"""So often a tag is refused of a resource that has not changed before tags are no longer sent."""

Read = Callable[[], tuple[ScimAnswer, Mapping[str, Any]]]
"""Reads the resource: the answer, and the body to put."""


def put(talk: Conversation, kind: str, scim_id: str, read: Read) -> ScimAnswer:
    """GET, change, PUT; after a 412 from the start; after a 404, or a 412 to a PUT without a tag, once. Returns the
    answer to the last PUT.
    """
    seen: Mapping[str, Any] | None = None
    in_vain = astray = untagged = 0
    for tries_left in reversed(range(_TRIES)):
        found, body = read()
        shown = {key: value for key, value in found.resource.items() if key != "meta"}
        in_vain += seen == shown
        seen = None
        tag = _version(talk, found) if in_vain < _IN_VAIN else None
        answer = _send(talk, kind, scim_id, body, tag)
        if answer.ok and in_vain >= _IN_VAIN:  # else something but the tag is not to the server's liking
            talk.learned.set(_LEARNED, "no")
        if answer.status in GONE and not astray:
            astray += 1
        elif answer.status == _REFUSED and tries_left and (tag or not untagged):
            seen, untagged = shown, untagged + (tag is None)
        else:
            break
    return answer


def _send(
    talk: Conversation, kind: str, scim_id: str, body: Mapping[str, Any], tag: str | None
) -> ScimAnswer:
    """A server that cannot read the tag at all answers 400: then once without it."""
    headers = {"If-Match": tag} if tag else None
    answer = talk.http.send("PUT", [kind, scim_id], body=body, headers=headers)
    if tag is None or answer.status != 400 or not tag.startswith("W/"):
        return answer
    plain = talk.http.send("PUT", [kind, scim_id], body=body)
    if plain.ok:
        talk.learned.set(_LEARNED, "no")
    return plain


def _version(talk: Conversation, found: ScimAnswer) -> str | None:
    """What to send in If-Match: meta.version (RFC 7643 section 3.1), or the ETag header where tags are announced."""
    meta = found.resource.get("meta")
    shown = meta.get("version") if isinstance(meta, dict) else None
    if shown is None:
        shown = found.headers.get("ETag")
        if shown is None or _support(talk) != "yes":
            return None
    if not isinstance(shown, str) or not _TAG.fullmatch(shown):
        return None
    return shown if _support(talk) != "no" else None


def _support(talk: Conversation) -> str:
    """By the ServiceProviderConfig (RFC 7643 section 5), which is optional."""
    if not talk.learned[_LEARNED]:
        try:
            config = talk.http.send("GET", ["ServiceProviderConfig"]).resource.get("etag")
        except TemporaryError:
            return "shown"
        except PermanentError:
            config = None
        said = config.get("supported") if isinstance(config, dict) else None
        talk.learned.set(_LEARNED, "yes" if said is True else "no" if said is False else "shown")
    return talk.learned[_LEARNED]
