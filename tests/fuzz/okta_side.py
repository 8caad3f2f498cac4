"""Okta's answers, from where they leave the socket to the values that the engine takes over."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Self

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from syncd.core.attribute_mapping import mapping_of
from syncd.core.mapping import MappingPolicy, frozen_user, wanted_user
from syncd.core.nomination import Known, nominate
from syncd.engine.cycles.seen import Seen
from syncd.engine.reading.group_scope import settled_stamp
from syncd.errors import SyncdError
from syncd.model import Absent, AppUser, BadRecord
from syncd.okta.credentials import Credentials, PrivateKey, Ssws
from syncd.okta.listing import ListingLimits
from syncd.okta.pace import Clock
from syncd.okta.reader import OktaReader
from syncd.ports import Listing
from syncd.redact import Redactor
from tests.fuzz.messages import Message, attempts, message, split, storable
from tests.fuzz.target import Target

ORG = "https://acme.okta.com"
APP = "0oa1gjh63g214q0Hq0g4"
USER, OTHER = "00u0000000000000000a", "00u0000000000000000b"
GROUP = "00g0000000000000000a"
_TOKEN = "00abcDEF-secret-token-value-123456"
_WALL = 1_790_000_000.0
_PAGES = 30
_PIECE = 256 * 1024
POLICY = MappingPolicy.of(
    {
        "userName": mapping_of("email"),
        "name.givenName": mapping_of("{givenName}"),
        "displayName": mapping_of("{givenName} {familyName}"),
        "title": mapping_of("{switch(join(level, '/'), 'a', upper(user.title), before(level, 'b'))}"),
        "urn:example:2.0:User:level": mapping_of("level"),
    },
    suspended_users="keep",
    flavor="split",
)
RECORD: Mapping[str, Any] = {
    "id": USER,
    "externalId": None,
    "created": "2026-01-02T03:04:05.000Z",
    "scope": "GROUP",
    "status": "ACTIVE",
    "credentials": {"userName": "ada@example.com"},
    "profile": {
        "email": "ada@example.com",
        "givenName": "Ada \U0001f600",
        "familyName": "Lovelace",
        "level": 7,
        "tags": ["a", {"b": [1.5]}],
    },
    "_links": {"group": {"name": "Engineering", "href": f"{ORG}/api/v1/groups/{GROUP}"}},
    "_embedded": {"user": {"id": USER, "status": "ACTIVE", "profile": {"login": "ada@example.com"}}},
}
GROUP_RECORD: Mapping[str, Any] = {
    "id": GROUP,
    "lastMembershipUpdated": "2026-01-02T03:04:05.000Z",
    "type": "OKTA_GROUP",
    "objectClass": ["okta:user_group"],
    "profile": {"name": "Engineering \U0001f600", "description": "Those who build"},
}
_JSON = ("Content-Type", "application/json")
_LIMITS = (
    ("X-Rate-Limit-Limit", "600"),
    ("X-Rate-Limit-Remaining", "599"),
    ("X-Rate-Limit-Reset", "1790000060"),
)
_DATE = ("Date", "Mon, 21 Sep 2026 14:13:20 GMT")


def ok(value: object, *headers: tuple[str, str], status: int = 200) -> bytes:
    return message(json.dumps(value).encode(), _JSON, _DATE, *_LIMITS, *headers, status=status)


def following(cursor: str) -> tuple[str, str]:
    return ("Link", f'<{ORG}/api/v1/apps/{APP}/users?after={cursor}&limit=500>; rel="next"')


MISSING = ok(
    {
        "errorCode": "E0000007",
        "errorSummary": f"Not found: Resource not found: {USER} (AppUser)",
        "errorCauses": [],
    },
    status=404,
)
LIMITED = ok(
    {"errorCode": "E0000047", "errorSummary": "API call exceeded rate limit"},
    ("Retry-After", "30"),
    status=429,
)
DENIED = ok({"errorCode": "E0000006", "errorSummary": "You do not have permission"}, status=403)
MOVED = message(b"", ("Location", "https://elsewhere.example/login"), _DATE, status=302)
OTHERWISE = (MISSING, LIMITED, DENIED, MOVED, message(b"", status=503))


class _Time:
    """A clock on which sleeping takes no time."""

    def __init__(self) -> None:
        self.now = 0.0

    async def sleep(self, seconds: float) -> None:
        assert 0 <= seconds < 1e6, f"a pause of {seconds} seconds"
        self.now += seconds

    def clock(self) -> Clock:
        return Clock(monotonic=lambda: self.now, wall=lambda: _WALL + self.now, sleep=self.sleep)


class Answering:
    """A reader whose connections are answered by the messages of an input."""

    def __init__(self, credentials: Credentials | None = None, *, user_profiles: bool = False) -> None:
        self._user_profiles = user_profiles
        self._credentials = credentials or Ssws(lambda: _TOKEN)
        self._messages: Sequence[Message] = ()
        self._asked = 0

    def reader(self, data: bytes) -> OktaReader:
        self._messages, self._asked = split(data), 0
        made = OktaReader(
            org_url=ORG,
            app_id=APP,
            credentials=self._credentials,
            rate_limit_share=0.5,
            timeout=5.0,
            clock=_Time().clock(),
            limits=ListingLimits(pages=_PAGES),
            redactor=Redactor(),
            user_profiles=self._user_profiles,
        )
        transport = made._client._session.transport
        assert transport._session is not None
        self._real = transport._session
        transport._session = self  # type: ignore[assignment]
        return made

    # what the transport asks of aiohttp's session

    def request(self, _method: str, url: URL, **_options: object) -> _Response:
        assert str(url).startswith(f"{ORG}/"), f"the token was sent to {url}"
        said = self._messages[min(self._asked, len(self._messages) - 1)]
        self._asked += 1
        return _Response(said)

    async def close(self) -> None:
        await self._real.close()


class _Response:
    """What the transport asks of aiohttp's response."""

    def __init__(self, said: Message) -> None:
        self.status = said.status
        self.headers = CIMultiDictProxy(CIMultiDict(said.headers))
        self.content_type = self.headers.get("Content-Type", "")
        self.content = self
        self._body = said.body

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        """Nothing to let go."""

    async def iter_any(self) -> AsyncIterator[bytes]:
        for at in range(0, len(self._body), _PIECE):
            yield self._body[at : at + _PIECE]

    def close(self) -> None:
        """Nothing to let go."""


def _asking(
    ask: Callable[[OktaReader], object], answering: Answering | None = None
) -> Callable[[], Callable[[bytes], None]]:
    def opened() -> Callable[[bytes], None]:
        answers = answering or Answering()

        def take(data: bytes) -> None:
            with answers.reader(data) as reader:
                storable(ask(reader))
                storable((reader.limits(), reader.clock_offset(), reader.waited_seconds()))

        return take

    return opened


def _read(pages: Iterable[Any]) -> list[Any]:
    return [each for page in pages for each in (*page.records, *page.bad)]


def _app_users(reader: OktaReader) -> object:
    return [_wish(user) for user in _read(reader.app_users())]


def _wish(answer: AppUser | BadRecord | Absent) -> object:
    """What the engine makes of a person's record, and keeps."""
    match answer:
        case AppUser():
            return wanted_user(answer, POLICY)
        case BadRecord():
            return answer, frozen_user(answer)
    return answer


def _lists(reader: OktaReader) -> object:
    def groups() -> object:
        listing = reader.groups()
        found = _read(listing)
        return [(group, settled_stamp(getattr(group, "stamp", None), listing.proof.at)) for group in found]

    others = (reader.app_groups, reader.mappings, reader.group_rules)
    return list(attempts(groups, *(partial(_listed, each) for each in others)))


def _listed(ask: Callable[[], Listing[Any]]) -> object:
    return _read(ask())


def _members(reader: OktaReader) -> object:
    pages = [(page.user_ids, page.proof, str(page.failed)) for page in reader.members([GROUP])]
    return [pages, *attempts(lambda: reader.groups_of(USER))]


def _single(reader: OktaReader) -> object:
    return list(
        attempts(
            reader.application,
            lambda: _wish(reader.app_user(USER)),
            lambda: reader.user_status(USER),
            lambda: reader.user_id_of("ada@example.com"),
            lambda: reader.group(GROUP),
            lambda: reader.app_group(GROUP),
        )
    )


def _log(reader: OktaReader) -> object:
    cursor = f"{ORG}/api/v1/logs?after=1790000000000_1&limit=1000"
    seen, named = Seen(), []
    known = Known(app_id=APP, user=lambda _: True, group=lambda _: True, any_group=True)

    def poll() -> object:
        page = reader.log_page(cursor)
        found = nominate(seen.fresh(page.events), known)
        seen.name(found)
        seen.remember(page.events)
        named.append((page, found, seen.kept(), list(seen.uuids)))
        return reader.log_page(page.cursor)

    return [*attempts(reader.log_cursor, poll, poll), named]


def _private_key() -> PrivateKey:
    made = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = made.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    return PrivateKey("0oaclient", lambda: pem, "kid-1", dpop=False)


def _token_of() -> Callable[[bytes], None]:
    return _asking(
        lambda reader: (reader.application(), reader.granted_scopes()), Answering(_private_key())
    )()


_MAPPING = {"id": "gPm1", "sourceGroupId": GROUP, "targetGroupId": "00gTARGET", "status": "ACTIVE"}
_APPLICATION = {
    "id": APP,
    "label": "Split",
    "status": "ACTIVE",
    "features": ["PUSH_NEW_USERS"],
    "name": "scim2",
}
_EVENT = {
    "uuid": "2c1f6b1e-0000-11f0-8b7e-000000000001",
    "published": "2026-09-21T14:13:20.000Z",
    "eventType": "application.user_membership.add",
    "target": [
        {"id": USER, "type": "User", "displayName": "Ada"},
        {"id": APP, "type": "AppInstance"},
        {"id": GROUP, "type": "UserGroup"},
    ],
}
_TOKEN_ANSWER = {
    "token_type": "Bearer",
    "expires_in": 3600,
    "access_token": "eyJhbGciOi.eyJz.c2ln",
    "scope": "okta.apps.read",
}
_LOG_NEXT = ("Link", f'<{ORG}/api/v1/logs?after=1790000000000_2&limit=1000>; rel="next"')
LOG_PAGE = ok([_EVENT], _LOG_NEXT)
_ANY = (Exception,)
_DOCUMENTED = (SyncdError,)

OKTA_TARGETS = (
    Target(
        "okta-app-users",
        _asking(_app_users),
        _DOCUMENTED,
        (
            ok([RECORD]),
            b"\n\x1e\n".join(
                (ok([RECORD], following("a")), ok([{**RECORD, "id": OTHER, "_embedded": None}]))
            ),
            *OTHERWISE,
        ),
        shape="message",
    ),
    Target(
        "okta-user-profiles",
        _asking(_app_users, Answering(user_profiles=True)),
        _DOCUMENTED,
        (ok([RECORD]), ok([{**RECORD, "id": OTHER, "_embedded": None}]), *OTHERWISE),
        shape="message",
    ),
    Target(
        "okta-lists",
        _asking(_lists),
        _DOCUMENTED,
        (ok([GROUP_RECORD]), ok([_MAPPING]), *OTHERWISE),
        shape="message",
    ),
    Target(
        "okta-members",
        _asking(_members),
        _DOCUMENTED,
        (
            ok([{"id": USER}, {"id": OTHER}]),
            ok([GROUP_RECORD]),
            ok([{"id": USER}], following("a")),
            *OTHERWISE,
        ),
        shape="message",
    ),
    Target(
        "okta-objects",
        _asking(_single),
        _DOCUMENTED,
        (ok(RECORD), ok(GROUP_RECORD), ok(_APPLICATION), *OTHERWISE),
        shape="message",
    ),
    Target(
        "okta-log", _asking(_log), _DOCUMENTED, (LOG_PAGE, ok([], _LOG_NEXT), *OTHERWISE), shape="message"
    ),
    Target(
        "okta-token",
        _token_of,
        _DOCUMENTED,
        (
            b"\n\x1e\n".join((ok(_TOKEN_ANSWER), ok(_APPLICATION))),
            ok({"error": "invalid_client"}, status=401),
            *OTHERWISE,
        ),
        shape="message",
    ),
)
