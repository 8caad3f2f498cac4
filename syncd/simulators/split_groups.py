"""`/Groups`: what Split does with groups, and what its flavors and knobs make of it."""

import re
from typing import Any

from syncd.simulators.exchange import Reply
from syncd.simulators.filters import equality
from syncd.simulators.scim_wire import ScimError, Service, Verbs, deleted, operations_of, patched
from syncd.simulators.split_entities import Json, ScimGroup
from syncd.simulators.split_find import Index, found
from syncd.simulators.split_rules import check_group_name, keep_members

_MEMBER_PATH = re.compile(r"^members\[(.*)\]$", re.DOTALL | re.IGNORECASE)
_REFUSALS = {"refused_400": 400, "refused_501": 501}


def groups(service: Service) -> Reply:
    """GET and POST /Groups."""
    if service.creates("Groups"):
        return _create(service)
    world = service.world
    indexes: dict[str, Index] = {
        "displayname": world.groups_by_name.find,
        "externalid": world.groups_by_external.find,
        "id": lambda text: [text] if text in world.groups else [],
    }

    def listed(identity: str) -> Json:
        return service.group_json(world.groups[identity], listed=True)

    return service.many(found(service, list(world.groups), indexes, listed), listed)


def group(service: Service, identity: str) -> Reply:
    """GET, PUT, PATCH and DELETE /Groups/{id}."""
    verbs = Verbs("Group", Service.group_json, _put, _patch, _delete)
    entity = service.world.groups.get(identity)
    return verbs.reply(service, identity, entity, patches=service.knobs.patch_groups)


def _delete(service: Service, entity: ScimGroup) -> Reply:
    if entity.name in service.world.reserved:
        raise ScimError(400, f"The group {entity.name} cannot be deleted", "mutability")
    service.world.drop_group(entity)
    return deleted(service.knobs)


def _create(service: Service) -> Reply:
    body, world = service.body(), service.world
    there = _answered_with(service, str(body.get("displayName")))
    if there is not None:
        if service.knobs.posts_touch:
            world.replace_group(
                there, name=there.name, external_id=_external(service, body.get("externalId"))
            )
        return service.one(service.group_json(there), status=service.knobs.posts_answer_status)
    name = check_group_name(service, body.get("displayName"))
    ignored = service.knobs.post_ignores_members or service.knobs.members_ignored
    members = [] if ignored else _members(service, body.get("members"))
    external = _external(service, body.get("externalId"))
    created = world.insert_group(name, external_id=external, managed=True)
    world.set_members(created, members)
    return service.one(service.group_json(created), status=201)


def _answered_with(service: Service, name: str) -> ScimGroup | None:
    """The group that is there already and is taken for the one to be created."""
    mode = service.knobs.posts_answer
    for group in service.world.groups.values():
        same_letters = mode == "same_letters" and group.name.lower() == name.lower()
        if mode == "oldest" or same_letters or (mode == "same_name" and group.name == name):
            return group
    return None


def _put(service: Service, entity: ScimGroup) -> Reply:
    body = service.body()
    members = list(entity.members)
    if not (service.knobs.put_ignores_members or service.knobs.members_ignored):
        asked = _members(service, body.get("members"))
        members = [*members, *asked] if service.knobs.replace_only_adds else asked
    _store(service, entity, body.get("displayName"), _external(service, body.get("externalId")), members)
    return service.one(service.group_json(entity))


class _Draft:
    """A group as the operations of one PATCH leave it, before anything is stored: PATCH is atomic."""

    def __init__(self, service: Service, entity: ScimGroup) -> None:
        self._service = service
        self.name: object = entity.name
        self.external = entity.external_id
        self.members = dict(entity.members)

    def apply(self, operation: Json) -> None:
        op = str(operation["op"]).lower()
        path, value = operation.get("path"), operation.get("value")
        if not path:
            if not isinstance(value, dict):
                raise ScimError(
                    400, "An operation without a path needs an object as its value", "invalidValue"
                )
            if not self._service.knobs.pathless_ignored:
                for name, part in value.items():
                    if name != "id":
                        self._set(op, name, part)
            return
        filtered = _MEMBER_PATH.match(str(path))
        if filtered is None:
            self._set(op, str(path), value)
        elif op == "remove":
            self._remove_filtered(filtered[1])
        else:
            raise ScimError(400, f"{op} with path {path!r} is not supported", "invalidPath")

    def _set(self, op: str, name: str, value: Any) -> None:
        lowered = name.rpartition(":")[2].lower()
        if lowered == "members":
            self._set_members(op, value)
        elif lowered == "displayname" and op != "remove":
            self.name = value
        elif lowered == "externalid":
            self.external = None if op == "remove" else _external(self._service, value)
        elif lowered not in ("schemas", "meta"):
            raise ScimError(400, f"Groups have no attribute {name!r}", "invalidPath")

    def _set_members(self, op: str, value: Any) -> None:
        knobs = self._service.knobs
        if op == "remove":
            self._remove_values(value)
            return
        added = _members(self._service, value)
        if op == "replace" and not knobs.replace_only_adds:
            self.members.clear()
        self.members.update(dict.fromkeys(added))

    def _remove_values(self, value: Any) -> None:
        mode = self._service.knobs.remove_by_values
        _refuse(mode, "remove with a value")
        if value is None or mode == "clears":
            self.members.clear()
        elif mode == "works":
            for identity in _values(value):
                self.members.pop(identity, None)

    def _remove_filtered(self, expression: str) -> None:
        mode = self._service.knobs.remove_by_filter
        _refuse(mode, "a filter in a path")
        single = equality(expression)
        if single is None or single[0].lower() != "value":
            raise ScimError(400, f"members[{expression}] cannot be read", "invalidPath")
        if mode == "clears":
            self.members.clear()
        elif mode == "works":
            self.members.pop(str(single[1]), None)


def _patch(service: Service, entity: ScimGroup) -> Reply:
    operations = operations_of(service.body())
    draft = _Draft(service, entity)
    for operation in operations:
        draft.apply(operation)
    members = entity.members if service.knobs.members_ignored else draft.members
    _store(service, entity, draft.name, draft.external, list(members))
    reply = patched(service, service.group_json(entity))
    wait = service.knobs.operation_seconds * len(operations)
    return Reply(reply.status, reply.payload, reply.headers, reply.content_type, delay=wait)


def _store(
    service: Service, entity: ScimGroup, name: object, external: str | None, members: list[str]
) -> None:
    world = service.world
    if name != entity.name:
        if entity.name in world.reserved:
            raise ScimError(400, f"The group {entity.name} cannot be renamed", "mutability")
        name = check_group_name(service, name, own=entity.id)
    keep_members(world, entity.name, list(entity.members), members)
    world.replace_group(entity, name=str(name), external_id=external)
    world.set_members(entity, members)
    entity.managed = True


def _members(service: Service, value: Any) -> list[str]:
    """The ids in a members value. Raises ScimError 400 for another shape, and for nobody's id."""
    known = _values(value)
    status = service.knobs.unknown_member_status
    unknown = [identity for identity in known if identity not in service.world.users]
    if unknown and status:
        raise ScimError(status, f"User {unknown[0]} not found", "invalidValue")
    for identity in known:
        _refuse_bad(service, identity)
    return known


def _refuse_bad(service: Service, identity: str) -> None:
    bad, user = service.knobs.bad_member, service.world.users.get(identity)
    if bad and user is not None and user.user_name == bad:
        raise ScimError(service.knobs.bad_member_status, "Something went wrong")


def _values(value: Any) -> list[str]:
    items = [] if value is None else value if isinstance(value, list) else [value]
    if not all(isinstance(item, dict) and isinstance(item.get("value"), str) for item in items):
        raise ScimError(400, "members is a list of objects with a value", "invalidValue")
    return [item["value"] for item in items]


def _external(service: Service, value: Any) -> str | None:
    return value if isinstance(value, str) and service.knobs.keep_group_external_id else None


def _refuse(mode: str, what: str) -> None:
    if mode in _REFUSALS:
        raise ScimError(_REFUSALS[mode], f"{what} is not supported", "invalidPath")
