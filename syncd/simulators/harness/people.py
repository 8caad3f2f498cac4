"""`/Users` of Harness."""

from syncd.simulators.exchange import Reply
from syncd.simulators.harness.directory import (
    LAST_ADMIN,
    MissingPartError,
    Names,
    enter,
    is_last_admin,
    names_of,
    remove,
    somebody_has,
    write,
)
from syncd.simulators.harness.person_patch import patch
from syncd.simulators.harness.wire import (
    Service,
    empty,
    invalid_request,
    one,
    platform_failure,
    scim_failure,
    text_of,
)
from syncd.simulators.split_entities import Json, ScimUser

_SWALLOWED = "Error occurred while performing this operation."


def users(service: Service) -> Reply:
    """GET and POST /Users."""
    return _create(service) if service.call.method == "POST" else _list(service)


def user(service: Service, identity: str) -> Reply:
    """GET, PUT, PATCH and DELETE /Users/{id}."""
    world, method = service.world, service.call.method
    entity = world.users.get(identity)
    if method == "GET":
        if entity is None:
            where = "in NG" if service.account.record(identity) else "in Harness"
            raise scim_failure(404, f"User {identity} does not exist {where}")
        return one(service.user_json(entity))
    if method == "PUT":
        return empty(404) if entity is None else _put(service, entity)
    if method == "PATCH":
        if entity is None:
            raise invalid_request("User does not exist")
        return patch(service, entity)
    return _delete(service, entity)


def _list(service: Service) -> Reply:
    """Only the imported are looked for; of those the page is cut, and who is not in the account is taken out."""
    world, account = service.world, service.account
    everybody = [*account.half_removed.values(), *world.users.values()]
    asked = service.searched()
    rows = [each for each in everybody if each.managed and asked in (None, each.user_name)]
    return service.page(
        rows, lambda row: row.id in world.users, lambda row: service.user_json(row, listed=True)
    )


def _create(service: Service) -> Reply:
    body, world = service.body(), service.world
    email = (text_of(body, "userName") or "").lower()
    if not email:
        raise scim_failure(409, "userName is empty")
    try:
        names = names_of(body, email)
    except MissingPartError as error:
        raise scim_failure(409, None) from error
    if names.problem is not None:
        raise scim_failure(409, names.problem)
    there = world.by_name.find(email)
    if there:
        return one(service.user_json(_adopted(service, world.users[there[0]], names)), status=201)
    if "user_invite" in service.knobs.missing_rights:
        raise scim_failure(409, "Missing permission core_user_invite on account")
    if email in service.account.invites:
        return empty(404)
    if service.seats and sum(each.active for each in world.users.values()) >= service.seats:
        raise scim_failure(
            409, f"You have reached the maximum number of allowed users ({service.seats}) of your licence"
        )
    return _invited(service, email, names, text_of(body, "externalId"))


def _adopted(service: Service, there: ScimUser, names: Names) -> ScimUser:
    """Somebody who is in the account already: nothing is written, and nobody imported, where nothing differs."""
    world = service.world
    parts = there.attributes.get("name", {})
    differs = there.attributes.get("displayName") != names.display
    if service.knobs.adoption_compares == "all_names":
        differs = differs or any(
            wanted is not None and parts.get(part) != wanted
            for part, wanted in (("givenName", names.given), ("familyName", names.family))
        )
    if differs:
        write(world, there, names)
        there.managed = True
    world.replace_user(there, there.attributes, active=True)
    there.managed = there.managed or service.knobs.adoption_imports
    return there


def _invited(service: Service, email: str, names: Names, external_id: str | None) -> Reply:
    """An invite of type SCIM, approved at once; then the request waits for the person's roles."""
    entered = enter(service.world, email, names, external_id)
    delay = service.knobs.role_setup_seconds
    if service.knobs.role_setup_fails:
        failure = scim_failure(409, "Role assignment of the user did not finish").reply
        return Reply(failure.status, failure.payload, content_type=failure.content_type, delay=delay)
    return one(service.user_json(entered), status=201, delay=delay)


def _put(service: Service, entity: ScimUser) -> Reply:
    body, world, knobs = service.body(), service.world, service.knobs
    active = body.get("active")
    if active is None:
        raise scim_failure(404, None)
    if not isinstance(active, bool):
        raise invalid_request("Unable to process JSON: active")
    swallowed = "user_put" in knobs.swallowed
    if not active:
        return one(service.user_json(entity)) if swallowed else _put_inactive(service, entity)
    email = (text_of(body, "userName") or "").lower()
    if not email:
        raise scim_failure(404, None)
    try:
        names = names_of(body, email)
    except MissingPartError as error:
        raise scim_failure(404, None) from error
    if names.problem is not None:
        raise scim_failure(404, names.problem)
    if somebody_has(world, email, entity.id):
        raise scim_failure(404, _SWALLOWED)
    if not swallowed:
        write(world, entity, names, email=email, active=True if knobs.put_enables else None)
    return one(service.user_json(entity))


def _put_inactive(service: Service, entity: ScimUser) -> Reply:
    knobs = service.knobs
    if not knobs.removes_inactive:
        service.world.replace_user(entity, entity.attributes, active=False)
        return one(service.user_json(entity))
    if knobs.last_admin_kept and is_last_admin(service.world, entity.id):
        raise scim_failure(404, LAST_ADMIN)
    shown: Json = {**service.user_json(entity), "active": False}
    remove(service, entity)
    if knobs.newest or knobs.put_removal_shows == "nothing":
        return empty(200)
    if knobs.put_removal_shows == "null":
        return Reply(200, text="null")
    return one(shown)


def _delete(service: Service, entity: ScimUser | None) -> Reply:
    knobs = service.knobs
    if entity is None:
        if knobs.delete_unknown_user_status == 401:
            raise platform_failure(401, "INVALID_TOKEN", "Token is not valid.")
        raise invalid_request("User does not exist")
    if knobs.last_admin_kept and is_last_admin(service.world, entity.id):
        if knobs.last_admin_delete == "refused":
            raise invalid_request(LAST_ADMIN)
        return empty(204)
    remove(service, entity)
    return empty(204)
