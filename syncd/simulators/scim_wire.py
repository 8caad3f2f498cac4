"""How the simulated Split says things in SCIM 2.0 (RFC 7643, RFC 7644): errors, resources, lists."""

import base64
import binascii
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from syncd.simulators.exchange import Call, Reply
from syncd.simulators.split_entities import Json, ScimGroup, ScimUser
from syncd.simulators.split_knobs import SplitKnobs
from syncd.simulators.split_store import SplitStore

USER_SCHEMA = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP_SCHEMA = "urn:ietf:params:scim:schemas:core:2.0:Group"
PATCH_SCHEMA = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
LIST_SCHEMA = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
ERROR_SCHEMA = "urn:ietf:params:scim:api:messages:2.0:Error"
MEDIA_TYPE = "application/scim+json"
BASE = "/scim/v2"
_DEFAULT_COUNT = 100
T = TypeVar("T", ScimUser, ScimGroup)


class ScimError(Exception):
    """An error answer (RFC 7644 section 3.12), raised from wherever it is found out."""

    def __init__(self, status: int, detail: str, scim_type: str | None = None) -> None:
        super().__init__(status, detail)
        self.status = status
        self.detail = detail
        self.scim_type = scim_type

    def reply(self, knobs: SplitKnobs) -> Reply:
        """The error as a SCIM Error message."""
        body: Json = {
            "schemas": [ERROR_SCHEMA],
            "status": self.status if knobs.status_as_int else str(self.status),
            "detail": self.detail,
        }
        if self.scim_type is not None:
            body["scimType"] = self.scim_type
        return Reply(self.status, body, content_type=MEDIA_TYPE)


@dataclass(frozen=True, slots=True)
class Service:
    """What a handler needs: the organisation, the knobs, the request."""

    world: SplitStore
    knobs: SplitKnobs
    call: Call

    def location(self, kind: str, identity: str) -> str:
        """The absolute URL of a resource."""
        return f"{self.call.origin}{BASE}/{kind}/{identity}"

    def creates(self, what: str) -> bool:
        """True for POST, False for GET. Raises ScimError for any other method."""
        if self.call.method not in ("POST", "GET"):
            raise ScimError(405, f"{what} are listed or created here")
        return self.call.method == "POST"

    def body(self) -> Json:
        """The JSON object a client sent. Raises ScimError 400 invalidSyntax, 415."""
        kind = self.call.headers.get("content-type", "").partition(";")[0].strip()
        if kind not in ((MEDIA_TYPE,) if self.knobs.require_scim_type else (MEDIA_TYPE, "application/json")):
            raise ScimError(415, f"Content type {kind!r} is not supported")
        try:
            body = self.call.json()
        except ValueError as error:
            raise ScimError(400, "The request body is not JSON", "invalidSyntax") from error
        if not isinstance(body, dict):
            raise ScimError(400, "The request body is not an object", "invalidSyntax")
        return body

    def check_version(self, version: int) -> None:
        """Honours If-Match where ETags are on. Raises ScimError 412."""
        asked, tag = self.call.headers.get("if-match"), self.etag(version)
        fits = asked in (None, "*") or (asked == tag and not self._is_never_equal(tag))
        if self.knobs.etag and not fits:
            raise ScimError(412, f"The resource is at version {tag}")

    def _is_never_equal(self, tag: str) -> bool:
        return self.knobs.etag_compares_strongly and tag.startswith("W/")

    def etag(self, version: int) -> str:
        """The entity tag of a version."""
        return f'{"W/" if self.knobs.weak_etag else ""}"{version}"'

    def user_json(self, user: ScimUser, *, listed: bool = False) -> Json:
        """A User resource, as a list shows it if `listed`."""
        active = user.active and user.accepted
        record: Json = {"schemas": [USER_SCHEMA], "id": user.id, **user.attributes, "active": active}
        if not self.knobs.names_shown or not (listed or self.knobs.names_by_id):
            record.pop("name", None)
        record["groups"] = [
            {"value": group.id, "display": group.name, "type": "direct"}
            for group in self.world.groups_of(user.id)
        ]
        record["meta"] = self._meta("User", "Users", user)
        return self._with_marks(record)

    def group_json(self, group: ScimGroup, *, listed: bool = False) -> Json:
        """A Group resource, as a list shows it if `listed`."""
        record: Json = {"schemas": [GROUP_SCHEMA], "id": group.id, "displayName": group.name}
        if group.external_id is not None:
            record["externalId"] = group.external_id
        if self.knobs.members_shown and (self.knobs.members_in_lists or not listed):
            shown = [] if self.knobs.members_empty else list(group.members)
            at_most = (self.knobs.members_shown_at_most, self.knobs.members_listed if listed else -1)
            for most in at_most:
                shown = shown[:most] if most >= 0 else shown
            record["members"] = [self._member(identity) for identity in shown]
        record["meta"] = self._meta("Group", "Groups", group)
        return self._with_marks(record)

    def _with_marks(self, record: Json) -> Json:
        if not self.knobs.external_id_shown:
            record.pop("externalId", None)
        if not self.knobs.meta_shown:
            record["meta"] = {
                name: value for name, value in record["meta"].items() if name in ("location", "version")
            }
        return record

    def _member(self, identity: str) -> Json:
        user = self.world.users.get(identity)
        shown: Json = {"value": identity, "$ref": self.location("Users", identity)}
        if user is not None:
            shown["display"] = user.user_name
        return shown

    def _meta(self, kind: str, plural: str, entity: ScimUser | ScimGroup) -> Json:
        meta: Json = {"resourceType": kind, "created": entity.created, "lastModified": entity.modified}
        meta["location"] = self.location(plural, entity.id)
        if self.knobs.etag:
            meta["version"] = self.etag(entity.version)
        return meta

    def one(self, record: Json, *, status: int = 200) -> Reply:
        """One resource as the answer, with ETag and, when it was created, Location."""
        record = self._projected(record)
        headers: list[tuple[str, str]] = []
        if self.knobs.etag:
            headers.append(("ETag", record["meta"]["version"]))
        where = record["meta"]["location"]
        if status == 201 and self.knobs.location != "missing":
            wrong = where.rsplit("/", 1)[0]
            shown = {"relative": where[len(self.call.origin) :], "wrong": wrong}
            headers.append(("Location", shown.get(self.knobs.location, where)))
        return Reply(status, record, tuple(headers), MEDIA_TYPE)

    def _projected(self, record: Json) -> Json:
        """`attributes` and `excludedAttributes` (RFC 7644 section 3.9), by top-level name."""
        query = self.call.query
        if "attributes" in query:
            kept = {name.split(".")[0].strip().lower() for name in query["attributes"].split(",")}
            kept |= {"schemas", "id", "meta"}
            return {name: value for name, value in record.items() if name.lower() in kept}
        if "excludedAttributes" in query:
            dropped = {name.split(".")[0].strip().lower() for name in query["excludedAttributes"].split(",")}
            dropped -= {"schemas", "id", "meta"}
            return {name: value for name, value in record.items() if name.lower() not in dropped}
        return record

    def many(self, identities: Sequence[str], render: Callable[[str], Json]) -> Reply:
        """One page of a list (RFC 7644 section 3.4.2.4, RFC 9865 with `cursor`)."""
        knobs, query = self.knobs, self.call.query
        total = len(identities)
        count = self._integer("count", _DEFAULT_COUNT)
        start = max(1, self._integer("startIndex", 1))
        by_cursor = knobs.cursor_paging and "cursor" in query
        if by_cursor:
            start = _cursor_position(query["cursor"])
        if knobs.ignore_paging:
            start, count = 1, knobs.max_count or 20
        if knobs.max_count:
            count = min(count, knobs.max_count)
        chosen = identities[start - 1 : start - 1 + max(0, count)]
        shown = [self._projected(render(identity)) for identity in chosen]
        if knobs.total_is_page_length:
            total = len(shown)
        elif knobs.total_cap:
            total = min(total, knobs.total_cap)
        body: Json = {
            "schemas": [LIST_SCHEMA],
            "totalResults": total,
            "startIndex": start,
            "itemsPerPage": len(shown),
            "Resources": shown,
        }
        if by_cursor:
            del body["startIndex"]
            if start - 1 + len(shown) < len(identities):
                body["nextCursor"] = base64.urlsafe_b64encode(f"at:{start + len(shown)}".encode()).decode()
        return Reply(payload=body, content_type=MEDIA_TYPE)

    def _integer(self, name: str, default: int) -> int:
        refusal = ScimError(400, f"{name} is not an integer", "invalidValue")
        return self.call.integer(name, default, form=r"-?\d+", refusal=refusal)


@dataclass(frozen=True, slots=True)
class Verbs(Generic[T]):
    """What one kind of resource ("User") makes of each method of its address."""

    kind: str
    show: Callable[[Service, T], Json]
    put: Callable[[Service, T], Reply]
    patch: Callable[[Service, T], Reply]
    delete: Callable[[Service, T], Reply]

    def reply(self, service: Service, identity: str, entity: T | None, *, patches: bool) -> Reply:
        """`entity` is what has this id, if anything; `patches` whether it knows PATCH. Raises ScimError."""
        method, knobs = service.call.method, service.knobs
        if entity is None:
            raise ScimError(404, f"{self.kind} {identity} not found")
        if method == "GET":
            return service.one(self.show(service, entity))
        service.check_version(entity.version)
        if method == "PUT" and knobs.put:
            return self.put(service, entity)
        if method == "PATCH" and patches:
            return self.patch(service, entity)
        if method == "DELETE" and knobs.delete_status != 405:
            return self.delete(service, entity)
        raise ScimError(405, f"{method} is not supported on {self.kind.lower()}s")


def deleted(knobs: SplitKnobs) -> Reply:
    """The answer to a DELETE that worked."""
    if knobs.delete_status == 200:
        return Reply(200, {}, content_type=MEDIA_TYPE)
    return Reply(204)


def patched(service: Service, record: Json) -> Reply:
    """The answer to a PATCH that worked: the resource, or nothing."""
    return Reply(204) if service.knobs.patch_204 else service.one(record)


def operations_of(body: Json) -> list[Json]:
    """The Operations of a PatchOp message. Raises ScimError 400."""
    operations = body.get("Operations", body.get("operations"))
    if PATCH_SCHEMA not in body.get("schemas", []) or not isinstance(operations, list) or not operations:
        raise ScimError(400, "A PatchOp message needs its schema and Operations", "invalidSyntax")
    for operation in operations:
        if not isinstance(operation, dict) or str(operation.get("op")).lower() not in (
            "add",
            "replace",
            "remove",
        ):
            raise ScimError(400, f"op {operation!r} is not add, replace or remove", "invalidSyntax")
        if str(operation["op"]).lower() == "remove" and not operation.get("path"):
            raise ScimError(400, "remove needs a path", "noTarget")
    return operations


def _cursor_position(cursor: str) -> int:
    if not cursor:
        return 1
    try:
        text = base64.urlsafe_b64decode(cursor.encode()).decode()
    except (binascii.Error, ValueError):
        text = ""
    if not text.startswith("at:") or not text[3:].isdecimal():
        raise ScimError(400, "The cursor is invalid", "invalidCursor")
    return int(text[3:])
