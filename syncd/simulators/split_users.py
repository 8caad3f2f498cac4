"""`/Users`: what Split does with users, and what its flavors and knobs make of it."""

from collections.abc import Callable
from typing import Any

from syncd.simulators.exchange import Reply
from syncd.simulators.scim_patch import patch_attributes
from syncd.simulators.scim_wire import ScimError, Service, Verbs, deleted, operations_of, patched
from syncd.simulators.split_entities import Json, ScimUser
from syncd.simulators.split_find import Index, found
from syncd.simulators.split_habits import kept
from syncd.simulators.split_rules import keep_an_administrator

_NOT_STORED = frozenset({"id", "schemas", "meta", "groups", "active", "password"})


def users(service: Service) -> Reply:
    """GET and POST /Users."""
    if service.creates("Users"):
        return _create(service)
    world = service.world
    indexes: dict[str, Index] = {
        "username": lambda text: _called(service, text),
        "externalid": world.by_external.find,
        "id": lambda text: [text] if text in world.users else [],
    }
    chosen = found(
        service, list(world.users), indexes, lambda identity: service.user_json(world.users[identity])
    )
    return service.many(chosen, lambda identity: service.user_json(world.users[identity], listed=True))


def user(service: Service, identity: str) -> Reply:
    """GET, PUT, PATCH and DELETE /Users/{id}."""
    verbs = Verbs("User", Service.user_json, _put, _patch, _delete)
    entity = service.world.users.get(identity)
    return verbs.reply(service, identity, entity, patches=service.knobs.patch_users)


def _delete(service: Service, entity: ScimUser) -> Reply:
    keep_an_administrator(service.world, leaving=entity.id)
    service.world.drop_user(entity, keep_memberships=service.knobs.deleted_stay_members)
    return deleted(service.knobs)


def _create(service: Service) -> Reply:
    attributes, active = _split_body(service, service.body())
    there = _answered_with(service, attributes)
    if there is not None:
        if service.knobs.posts_touch:
            service.world.replace_user(there, {**there.attributes, **attributes}, active=True)
        return service.one(service.user_json(there), status=service.knobs.posts_answer_status)
    _check_unique(service, attributes["userName"], None)
    if active is not False:
        _check_seats(service)
    created = service.world.insert_user(attributes, active=active is not False, managed=True)
    created.accepted = not service.knobs.inactive_until_accepted
    return service.one(service.user_json(created), status=201)


def _answered_with(service: Service, attributes: Json) -> ScimUser | None:
    """The user that is there already and is taken for the one to be created."""
    world = service.world
    name = attributes["userName"]
    mails = {entry.get("value") for entry in attributes.get("emails", [])}
    same: dict[str, Callable[[ScimUser], bool]] = {
        "same_name": lambda user: user.user_name == name,
        "same_letters": lambda user: user.user_name.lower() == name.lower(),
        "same_email": lambda user: any(
            mail.get("value") in mails for mail in user.attributes.get("emails", [])
        ),
        "oldest": lambda _user: True,
    }
    fits = same.get(service.knobs.posts_answer)
    return next((user for user in world.users.values() if fits is not None and fits(user)), None)


def _put(service: Service, entity: ScimUser) -> Reply:
    attributes, active = _split_body(service, service.body())
    if active is None:
        active = True if service.knobs.put_without_active_enables else entity.active
        if service.knobs.put_without_active_drops:
            active = False
    return service.one(_store(service, entity, attributes, active=active))


def _patch(service: Service, entity: ScimUser) -> Reply:
    operations = operations_of(service.body())
    before: Json = {**entity.attributes, "active": entity.active}
    after = patch_attributes(before, operations, pathless=not service.knobs.pathless_ignored)
    attributes, active = _split_body(service, after)
    record = _store(service, entity, attributes, active=entity.active if active is None else active)
    reply = patched(service, record)
    wait = service.knobs.operation_seconds * len(operations)
    return Reply(reply.status, reply.payload, reply.headers, reply.content_type, delay=wait)


def _store(service: Service, entity: ScimUser, attributes: Json, *, active: bool) -> Json:
    """Stores the update and returns the record to show."""
    world = service.world
    if attributes["userName"] != entity.user_name:
        _check_unique(service, attributes["userName"], entity.id)
    if active and not entity.active:
        _check_seats(service)
    if entity.active and not active:
        keep_an_administrator(world, leaving=entity.id)
    entity.managed = True
    world.replace_user(entity, attributes, active=active)
    return service.user_json(entity)


def _split_body(service: Service, body: Json) -> tuple[Json, bool | None]:
    """The attributes to store, and `active` if it was sent. Raises ScimError 400 invalidValue."""
    attributes: dict[str, Any] = {k: v for k, v in body.items() if k not in _NOT_STORED and v is not None}
    name = attributes.get("userName")
    if not isinstance(name, str) or not name.strip():
        raise ScimError(400, "userName is required", "invalidValue")
    active = body.get("active")
    if active is not None and not isinstance(active, bool):
        raise ScimError(400, "active is not a boolean", "invalidValue")
    for attribute, kind in (("name", dict), ("emails", list), ("externalId", str), ("displayName", str)):
        if attribute in attributes and not isinstance(attributes[attribute], kind):
            raise ScimError(400, f"{attribute} has the wrong type", "invalidValue")
    if not service.knobs.keep_user_external_id:
        attributes.pop("externalId", None)
    return kept(attributes, service.knobs), active


def _called(service: Service, name: str) -> list[str]:
    """Ids of those who have this userName, in other letter case too if it is not significant."""
    names, knobs = service.world.by_name, service.knobs
    if not knobs.case_sensitive and knobs.case_folding == "lower":
        return names.lowered(name)
    return names.find(name, exact=knobs.case_sensitive)


def _check_seats(service: Service) -> None:
    """Servers have no word of SCIM for a full licence."""
    seats = service.knobs.seats
    if seats and sum(user.active for user in service.world.users.values()) >= seats:
        raise ScimError(service.knobs.seats_status, f"The licence is for {seats} users")


def _check_unique(service: Service, name: str, own: str | None) -> None:
    others = [identity for identity in _called(service, name) if identity != own]
    if others and service.knobs.duplicates == "refuse":
        kind = "uniqueness" if service.knobs.conflict_scim_type else None
        raise ScimError(service.knobs.conflict_status, f"User {name} already exists", kind)
