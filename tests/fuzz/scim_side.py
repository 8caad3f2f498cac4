"""The target's answers, from where they leave urllib3 to the values that the engine takes over."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from io import BytesIO
from typing import Any

import requests
import requests.adapters
import urllib3
from urllib3._collections import HTTPHeaderDict

from syncd.core.canonical import canonical_values
from syncd.core.drift import unmanaged_group, unmanaged_user
from syncd.errors import SyncdError
from syncd.scim.adapter import Adapter
from syncd.scim.http import Link
from syncd.scim.pacing import RetryPolicy
from syncd.scim.split import ScimTarget
from tests.fuzz.messages import NEXT, Message, attempts, message, split, storable
from tests.fuzz.target import Target

BASE = "https://acme.split.example/scim/v2"
_TOKEN = "s3cr3t-Token-value_0123456789"
PATHS = ("userName", "name.givenName", "displayName", "emails[work].value", "urn:example:2.0:User:level")
PERSON: Mapping[str, Any] = {
    "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User", "urn:example:2.0:User"],
    "id": "2819c223",
    "externalId": "00u1",
    "userName": "ada@example.com",
    "name": {"givenName": "Ada", "familyName": "Lovelace"},
    "displayName": "Ada \U0001f600",
    "emails": [{"value": "ada@example.com", "type": "work", "primary": True}],
    "urn:example:2.0:User": {"level": 7.5},
    "active": True,
    "meta": {
        "resourceType": "User", "created": "2026-01-02T03:04:05Z", "lastModified": "2026-01-02T03:04:05.123+02:00",
        "version": 'W/"3"', "location": f"{BASE}/Users/2819c223",
    },
}  # fmt: skip
CREW: Mapping[str, Any] = {
    "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"],
    "id": "e9e30dba",
    "externalId": "00g1",
    "displayName": "Engineering",
    "members": [{"value": "2819c223", "display": "Ada"}, {"value": "902c246b"}],
    "meta": {"resourceType": "Group", "version": '"1"'},
}
_JSON = ("Content-Type", "application/scim+json")
_DATE = ("Date", "Mon, 21 Sep 2026 14:13:20 GMT")


def ok(value: object, *headers: tuple[str, str], status: int = 200) -> bytes:
    return message(json.dumps(value).encode(), _JSON, _DATE, *headers, status=status)


def page(*records: Mapping[str, Any], **more: object) -> bytes:
    listed = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"], "totalResults": len(records)}
    return ok({**listed, "startIndex": 1, "itemsPerPage": 100, "Resources": records, **more})


def refusal(status: int, *headers: tuple[str, str], **more: object) -> bytes:
    said = {
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"],
        "status": str(status),
        "detail": "no \u2028 way",
    }
    return ok({**said, **more}, *headers, status=status)


OTHERWISE = (
    refusal(404), refusal(409, scimType="uniqueness"), refusal(429, ("Retry-After", "30")), refusal(400),
    refusal(403, ("Retry-After", "5")), refusal(412), message(b"", status=204), message(b"<html>", status=200),
    message(b"", ("Location", "https://elsewhere.example"), status=302), message(b"busy", status=503),
)  # fmt: skip


class _Answering(Adapter):
    """Answers with the messages of an input, as urllib3 hands over a response."""

    def __init__(self, messages: Sequence[Message]) -> None:
        super().__init__(None, BASE)
        self._messages = messages
        self._asked = 0

    def send(
        self, request: requests.PreparedRequest, *_args: object, **_options: object
    ) -> requests.Response:
        assert (request.url or "").startswith(f"{BASE}/"), f"the token was sent to {request.url}"
        assert len(request.url or "") < 20_000, "an address without end"
        said = self._messages[min(self._asked, len(self._messages) - 1)]
        self._asked += 1
        headers = HTTPHeaderDict()
        for name, value in said.headers:
            headers.add(name, value)
        raw = urllib3.HTTPResponse(
            BytesIO(said.body), headers, said.status, preload_content=False, request_method=request.method
        )
        return self.build_response(request, raw)


def _asking(
    ask: Callable[[ScimTarget], object], method: str = "auto"
) -> Callable[[], Callable[[bytes], None]]:
    def take(data: bytes) -> None:
        target = ScimTarget(
            Link(base_url=BASE, read_token=lambda: _TOKEN, rate=0, retry=RetryPolicy(attempts=3)),
            flavor="scim",
            update_method=method,  # type: ignore[arg-type]
            attribute_paths=PATHS,
            settle=(0.01,),
        )
        pacer = target._talk.http.pacer
        now = [0.0]

        def sleep(seconds: float) -> None:
            assert 0 <= seconds < 1e6, f"a pause of {seconds} seconds"
            now[0] += seconds

        pacer._sleep, pacer._monotonic = sleep, lambda: now[0]
        target._talk.http._adapter = _Answering(split(data))
        try:
            storable(ask(target))
            storable((target.learned(), target.requests(), target.sent()))
        finally:
            target.close()

    return lambda: take


def _lists(target: ScimTarget) -> object:
    def users() -> object:
        found = [user for page in target.list_users() for user in page]
        for user in found:
            canonical_values(user.attributes)
        return [(user, unmanaged_user(user).document()) for user in found]

    def groups() -> object:
        return [(group, unmanaged_group(group).document()) for page in target.list_groups() for group in page]

    return list(attempts(users, groups, target.probe))


def _looks(target: ScimTarget) -> object:
    return list(
        attempts(
            lambda: target.user("2819c223"),
            lambda: target.group("e9e30dba"),
            lambda: target.find_users(okta_id="00u1", user_name="ada@example.com"),
            lambda: target.find_groups(okta_id="00g1", name="Engineering"),
            lambda: target.search_is_whole("ada@example.com"),
        )
    )


_WISH = {"userName": "ada@example.com", "displayName": "Ada", "emails[work].value": "ada@example.com"}


def _user_writes(target: ScimTarget) -> object:
    return list(
        attempts(
            lambda: target.create_user("00u1", _WISH),
            lambda: target.update_user("2819c223", {"displayName": "A"}, {"displayName": "Ada"}, _WISH),
            lambda: target.deactivate_user("2819c223"),
        )
    )


def _group_writes(target: ScimTarget) -> object:
    def members() -> object:
        outcome = target.change_members("e9e30dba", add=["1", "2"], remove=["2819c223"])
        return outcome, [str(error) for error in outcome.failed.values()]

    return list(
        attempts(
            lambda: target.create_group("00g1", "Engineering"),
            lambda: target.rename_group("e9e30dba", "Builders"),
            members,
            lambda: target.delete_group("e9e30dba"),
        )
    )


_DOCUMENTED = (SyncdError,)
SCIM_TARGETS = (
    Target(
        "scim-lists",
        _asking(_lists),
        _DOCUMENTED,
        (page(PERSON), page(CREW), NEXT.join((page(PERSON, nextCursor="c2"), page())), *OTHERWISE),
        shape="message",
    ),
    Target(
        "scim-looks",
        _asking(_looks),
        _DOCUMENTED,
        (ok(PERSON), ok(CREW), page(PERSON), page(CREW), *OTHERWISE),
        shape="message",
    ),
    Target(
        "scim-user-writes",
        _asking(_user_writes),
        _DOCUMENTED,
        (
            ok(PERSON, status=201),
            NEXT.join((refusal(409, scimType="uniqueness"), page(PERSON), ok(PERSON))),
            *OTHERWISE,
        ),
        shape="message",
    ),
    Target(
        "scim-user-puts",
        _asking(_user_writes, "put"),
        _DOCUMENTED,
        (ok(PERSON), NEXT.join((ok(PERSON), ok(PERSON), refusal(412), ok(PERSON))), *OTHERWISE),
        shape="message",
    ),
    Target(
        "scim-group-writes",
        _asking(_group_writes),
        _DOCUMENTED,
        (ok(CREW, status=201), NEXT.join((page(), ok(CREW), ok(CREW))), *OTHERWISE),
        shape="message",
    ),
)
