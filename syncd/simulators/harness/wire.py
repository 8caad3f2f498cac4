"""How Harness says things: two families of error bodies, resources, lists, filters cut with scissors."""

import re
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import unquote_plus

from syncd.simulators.exchange import Call, Reply
from syncd.simulators.harness.account import HarnessAccount
from syncd.simulators.harness.knobs import HarnessKnobs
from syncd.simulators.split_entities import Json, ScimGroup, ScimUser
from syncd.simulators.split_store import SplitStore

MEDIA_TYPE = "application/scim+json"
USER_SCHEMA = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP_SCHEMA = "urn:ietf:params:scim:schemas:core:2.0:Group"
LIST_SCHEMA = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
ERROR_SCHEMA = "urn:ietf:params:scim:api:messages:2.0:Error"
_DEFAULT_COUNT = 20
_MOST_GROUPS = 500
"""Of a person; where groups list their members there is no limit."""
_BROKEN_ESCAPE = re.compile("%(?![0-9A-Fa-f]{2})")


class HarnessError(Exception):
    """An answer that is an error, raised from wherever it is found out."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.status)
        self.reply = reply


def scim_failure(status: int, detail: str | None) -> HarnessError:
    """What the SCIM resources catch: `status` in the body is the number 404, whatever the answer's own is."""
    body = {
        "id": None,
        "externalId": None,
        "meta": None,
        "detail": detail,
        "status": 404,
        "schemas": [ERROR_SCHEMA],
    }
    return HarnessError(Reply(status, body, content_type=MEDIA_TYPE))


def platform_failure(status: int, code: str, message: str) -> HarnessError:
    """What nobody catches: the body of the whole platform."""
    response: Json = {
        "code": code,
        "level": "ERROR",
        "message": message,
        "exception": None,
        "failureTypes": [],
    }
    body = {
        "status": "ERROR",
        "code": code,
        "message": message,
        "correlationId": str(uuid.uuid4()),
        "detailedMessage": None,
        "responseMessages": [response],
        "metadata": None,
    }
    return HarnessError(Reply(status, body))


def invalid_request(message: str) -> HarnessError:
    """A 400 of the platform."""
    return platform_failure(400, "INVALID_REQUEST", f"Invalid request: {message}")


def empty(status: int) -> Reply:
    """An answer without a body."""
    return Reply(status, content_type=None)


@dataclass(frozen=True, slots=True)
class Service:
    """What a handler needs: the account, the knobs, the request. `seats` of the licence, 0 for no limit."""

    world: SplitStore
    knobs: HarnessKnobs
    seats: int
    call: Call

    @property
    def account(self) -> HarnessAccount:
        """What no resource shows."""
        return self.world.account

    def body(self) -> Json:
        """The JSON object a client sent. Raises HarnessError 400."""
        try:
            body = self.call.json()
        except (ValueError, RecursionError) as error:
            raise invalid_request("Unable to process JSON") from error
        if not isinstance(body, dict):
            raise invalid_request("Unable to process JSON")
        return body

    def user_json(self, user: ScimUser, *, listed: bool = False) -> Json:
        """A person: lists show the parts of the name, and by id there is only the whole of it."""
        attributes = user.attributes
        display = str(attributes.get("displayName") or user.user_name)
        record: Json = {"schemas": [USER_SCHEMA], "id": user.id}
        if user.external_id:
            record["externalId"] = user.external_id
        record |= {
            "userName": user.user_name,
            "displayName": display,
            "active": user.active,
            "emails": [{"value": user.user_name, "primary": True}],
        }
        parts = attributes.get("name") or {}
        given, family = parts.get("givenName") or display, parts.get("familyName") or display
        split, whole = {"givenName": given, "familyName": family}, {"displayName": display}
        record["name"] = split if listed else whole
        if self.knobs.new_scim_standards:
            formatted = f"{given}, {family}" if any(parts.values()) else display
            record["name"] |= {**split, "formatted": formatted}
            record["meta"] = _meta("User", user)
            record["groups"] = [
                {"value": group.id, "ref": "", "display": group.name}
                for group in self.world.groups_of(user.id)[:_MOST_GROUPS]
            ]
        return record

    def group_json(self, group: ScimGroup) -> Json:
        """A group with all its members, but those whose record is gone."""
        people = [self.world.users.get(member) or self.account.record(member) for member in group.members]
        record: Json = {
            "schemas": [GROUP_SCHEMA],
            "id": group.id,
            "displayName": group.name,
            "members": [
                {"value": person.id, "ref": "", "display": person.user_name}
                for person in people
                if person is not None
            ],
        }
        if self.knobs.new_scim_standards:
            record["meta"] = _meta("Group", group)
        return record

    def searched(self) -> str | None:
        """The text that a list is asked for, whatever the attribute; None where the filter cannot be read.

        It is decoded once more, cut at ` eq `, and loses a letter at each end.
        """
        text = self.call.query.get("filter")
        if not text or _BROKEN_ESCAPE.search(text):
            return None
        parts = unquote_plus(text).split(" eq ")
        if len(parts) == 1 or len(parts[1]) <= 1:
            return None
        return parts[1][1:-1] or None

    def page(
        self, rows: Sequence[Any], is_shown: Callable[[Any], bool], render: Callable[[Any], Json]
    ) -> Reply:
        """The page is cut first; then those who must not be shown are taken out. Raises HarnessError 404."""
        start, count = self._integer("startIndex", 0), self._integer("count", _DEFAULT_COUNT)
        if start < 0 or count < 0:
            raise scim_failure(404, "Skip and limit must not be negative")
        skipped = max(0, start - 1)
        without_end = count == 0 and self.knobs.count_zero_is_all
        cut = rows[skipped:] if without_end else rows[skipped : skipped + count]
        shown = [render(row) for row in cut if is_shown(row)]
        body: Json = {
            "schemas": [LIST_SCHEMA],
            "totalResults": len(shown) if self.knobs.page_length_totals else len(rows),
            "startIndex": start,
            "itemsPerPage": count,
            "Resources": shown,
        }
        return Reply(payload=body, content_type=MEDIA_TYPE)

    def _integer(self, name: str, default: int) -> int:
        refusal = platform_failure(404, "RESOURCE_NOT_FOUND", "HTTP 404 Not Found")
        return self.call.integer(name, default, form=r"[+-]?[0-9]{1,10}", refusal=refusal)


def one(record: Json, status: int = 200, delay: float = 0.0) -> Reply:
    """One resource as the answer, `delay` seconds later."""
    return Reply(status, record, content_type=MEDIA_TYPE, delay=delay)


def text_of(body: Json, key: str) -> str | None:
    """A text of a body; numbers become text. Raises HarnessError 400 for objects and lists."""
    value = body.get(key)
    if isinstance(value, dict | list):
        raise invalid_request(f"Unable to process JSON: {key}")
    if isinstance(value, bool):
        return "true" if value else "false"
    return None if value is None else str(value)


def _meta(kind: str, entity: ScimUser | ScimGroup) -> Json:
    return {
        "resourceType": kind,
        "created": _stamp(entity.created),
        "lastModified": _stamp(entity.modified),
        "version": "",
        "location": "",
    }


def _stamp(text: str) -> str:
    moment = datetime.fromisoformat(text)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "+0000"
