"""`/Users` of Harness."""

from dataclasses import replace

from syncd.simulators.exchange import Reply
from syncd.simulators.harness.directory import (
    LAST_ADMIN,
    MissingPartError,
    Names,
    come_back,
    enter,
    first_names_of,
    is_last_admin,
    names_of,
    remove,
    somebody_has,
    write,
)
from syncd.simulators.harness.operations import boolean_of
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
            where = "NG" if service.account.record(identity) else "Harness"
            raise scim_failure(404, f"Invalid request: User does not exist in {where}")
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
    half = service.account.half_known(email)
    if half is not None:
        come_back(world, half)
    there = world.by_name.find(email)
    if there:
        return one(service.user_json(_adopted(service, world.users[there[0]], body)), status=201)
    try:
        names = first_names_of(body)
    except MissingPartError as error:
        raise scim_failure(409, None) from error
    if names.problem is not None:
        raise scim_failure(409, names.problem)
    if "user_invite" in service.knobs.missing_rights:
        raise scim_failure(409, "Missing permission core_user_invite on account")
    if email in service.account.invites:
        return empty(404)
    if service.seats and sum(each.active for each in world.users.values()) >= service.seats:
        raise scim_failure(
            409, f"You have reached the maximum number of allowed users ({service.seats}) of your licence"
        )
    return _invited(service, email, names, text_of(body, "externalId"))


def _adopted(service: Service, there: ScimUser, body: Json) -> ScimUser:
    """Somebody who is in the account already: nothing is looked at, written or imported where nothing differs."""
    parts, sent = there.attributes.get("name", {}), body.get("name")
    differs = not there.active or there.attributes.get("displayName") != text_of(body, "displayName")
    if service.knobs.adoption_compares == "all_names" and isinstance(sent, dict):
        differs = differs or any(
            text_of(sent, part) != parts.get(part) for part in ("givenName", "familyName")
        )
    if differs:
        _update(service, there, body, there.user_name, status=409)
    there.managed = there.managed or service.knobs.adoption_imports
    return there


def _update(service: Service, entity: ScimUser, body: Json, email: str, *, status: int) -> None:
    """Names and e-mail, all that Harness ever takes of an update; whoever it changed is imported from then on.

    Raises HarnessError of that status.
    """
    try:
        names = names_of(body)
    except MissingPartError as error:
        raise scim_failure(status, None) from error
    if names.problem is not None:
        raise scim_failure(status, names.problem)
    if somebody_has(service.world, email, entity.id):
        raise scim_failure(status, _SWALLOWED)
    changed = write(service.world, entity, names, email=email)
    if service.knobs.active_enables:
        changed = service.world.replace_user(entity, entity.attributes, active=True) or changed
    entity.managed = entity.managed or changed


def _invited(service: Service, email: str, names: Names, external_id: str | None) -> Reply:
    """An invite of type SCIM, approved at once; then the request waits for the person's roles."""
    entered = enter(service.world, email, names, external_id)
    delay = service.knobs.role_setup_seconds
    if service.knobs.role_setup_fails:
        failure = scim_failure(409, "Role assignment of the user did not finish").reply
        return replace(failure, delay=delay)
    return one(service.user_json(entered), status=201, delay=delay)


def _put(service: Service, entity: ScimUser) -> Reply:
    body, knobs = service.body(), service.knobs
    try:
        active = boolean_of(body.get("active"), absent=None)
    except ValueError as error:
        raise invalid_request("Unable to process JSON: active") from error
    if active is None:
        raise scim_failure(404, None)
    if "user_put" in knobs.swallowed:
        return one(service.user_json(entity))
    if not active:
        return _put_inactive(service, entity, body)
    email = (text_of(body, "userName") or "").lower()
    _update(service, entity, body, email or entity.user_name, status=404)
    return one(service.user_json(entity))


def _put_inactive(service: Service, entity: ScimUser, body: Json) -> Reply:
    """The platform's copy gets the name, the directory does not; then the person is removed."""
    knobs = service.knobs
    try:
        names = names_of(body)
    except MissingPartError as error:
        raise scim_failure(404, None) from error
    if names.display is not None and names.display != entity.attributes.get("displayName"):
        service.account.copied_names[entity.id] = names.display
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
