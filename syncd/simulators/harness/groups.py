"""`/Groups` of Harness."""

from typing import Any

from syncd.simulators.exchange import Reply
from syncd.simulators.harness import wire
from syncd.simulators.harness.directory import account_admins
from syncd.simulators.harness.group_patch import patch
from syncd.simulators.harness.identifier import hashed, is_identifier, plain
from syncd.simulators.split_entities import Json, ScimGroup

_ECHOED = ("schemas", "id", "externalId", "meta", "displayName", "members")


def groups(service: wire.Service) -> Reply:
    """GET and POST /Groups."""
    if service.call.method == "POST":
        return _create(service)
    asked = service.searched()
    rows = [each for each in service.world.groups.values() if each.managed and asked in (None, each.name)]
    return service.page(rows, lambda _row: True, service.group_json)


def group(service: wire.Service, identity: str) -> Reply:
    """GET, PUT, PATCH and DELETE /Groups/{id}: reading shows every group, the rest knows the managed ones."""
    entity, method = service.world.groups.get(identity), service.call.method
    if method == "GET":
        if entity is None:
            raise wire.scim_failure(404, "Group does not exist")
        return wire.one(service.group_json(entity))
    if method == "DELETE":
        return _delete(service, entity)
    if entity is None or not entity.managed:
        return wire.empty(404)
    return _put(service, entity) if method == "PUT" else patch(service, entity)


def _create(service: wire.Service) -> Reply:
    body, world = service.body(), service.world
    name = wire.text_of(body, "displayName") or ""
    members = _members(body)
    newest = service.knobs.newest
    identifier = hashed(name) if newest else plain(name)
    there = world.groups.get(identifier)
    if newest and there is None:
        there = world.groups.get(plain(name))  # one that was made before there were hashes
    if there is not None:
        if not newest:
            raise wire.scim_failure(
                409, f"Try using different user group identifier, [{there.id}] cannot be used"
            )
        return _answer_with(service, there, members)
    if not name.strip() or not is_identifier(identifier):
        raise wire.scim_failure(409, f"identifier: [{identifier}] is not one, or is a keyword")
    if newest and body.get("harnessScopes"):
        service.account.scoped_groups.add(identifier)
        elsewhere = ScimGroup(identifier, name, None, True, world.now(), world.now())  # noqa: FBT003
        elsewhere.members = dict.fromkeys(known(service, members))
        return wire.one(service.group_json(elsewhere), status=201)
    created = world.insert_group(name, external_id=None, managed=True, identity=identifier)
    world.set_members(created, known(service, members))
    return wire.one(service.group_json(created), status=201)


def _answer_with(service: wire.Service, there: ScimGroup, members: list[str]) -> Reply:
    """A managed group stays as it is; a hand-made one gets the members of the POST, and keeps its name."""
    if there.id in service.account.harness_managed:
        raise wire.scim_failure(409, f"Harness Managed User Group {there.id} cannot be updated")
    if not there.managed:
        service.world.set_members(there, known(service, members))
        there.managed = True
    return wire.one(service.group_json(there), status=201)


def _put(service: wire.Service, entity: ScimGroup) -> Reply:
    body, world = service.body(), service.world
    name, members = wire.text_of(body, "displayName") or "", _members(body)
    if not name.strip():
        raise wire.scim_failure(412, "name: cannot be empty")
    if "group_put" not in service.knobs.swallowed:
        world.replace_group(entity, name=name, external_id=None)
        world.set_members(entity, known(service, members))
    return wire.one({key: body[key] for key in _ECHOED if key in body})


def _delete(service: wire.Service, entity: ScimGroup | None) -> Reply:
    world, account = service.world, service.account
    if entity is not None and entity.id in account.harness_managed:
        raise wire.invalid_request(f"Harness Managed User Group {entity.id} cannot be deleted")
    if entity is None or not entity.managed:
        raise wire.platform_failure(401, "INVALID_TOKEN", "Token is not valid.")
    if account_admins(world) and not account_admins(world, without_group=entity.id):
        raise wire.invalid_request("The last Account Admin is in this user group")
    world.drop_group(entity)
    if not service.knobs.newest:
        account.scoped_groups.discard(entity.id)
    return wire.empty(204)


def _members(body: Json) -> list[str]:
    """The ids in `members`. Raises HarnessError 400."""
    members: Any = body.get("members") or []
    if not isinstance(members, list) or not all(isinstance(each, dict) for each in members):
        raise wire.invalid_request("Unable to process JSON: members")
    return [str(each["value"]) for each in members if each.get("value") is not None]


def known(service: wire.Service, members: list[str]) -> list[str]:
    """Who of them is in the account: every save of a group drops the others without a word."""
    return [member for member in dict.fromkeys(members) if member in service.world.users]
