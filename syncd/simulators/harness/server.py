"""Harness's SCIM server: who may ask, and which resource answers."""

import secrets

from syncd.simulators.exchange import Call, Reply
from syncd.simulators.harness.account import DEFAULT_GROUPS, EVERYONE
from syncd.simulators.harness.directory import deliver_due_events
from syncd.simulators.harness.discovery import DOCUMENTS
from syncd.simulators.harness.groups import group, groups
from syncd.simulators.harness.knobs import HarnessKnobs
from syncd.simulators.harness.people import user, users
from syncd.simulators.harness.wire import HarnessError, Service, one, platform_failure, scim_failure
from syncd.simulators.split_store import SplitStore

BASE = ("scim", "v2")
"""Where the simulator serves every flavor."""
REAL_BASE = ("gateway", "ng", "api", "scim", "account")
"""Where Harness serves it; the account id comes after it."""
_READS = {"application/scim+json", "application/json"}
_CAUGHT = (404, 409, 412)


def open_account(world: SplitStore) -> None:
    """Gives the world what every account has from the start: the default groups, and e-mails in small letters."""
    for entity in list(world.users.values()):
        world.replace_user(entity, world.stored(entity.attributes), active=entity.active)
    for identity, name in DEFAULT_GROUPS.items():
        if identity not in world.groups:
            world.insert_group(name, external_id=None, managed=False, identity=identity)
    world.set_members(world.groups[EVERYONE], world.users)


def answer(world: SplitStore, knobs: HarnessKnobs, seats: int, call: Call) -> Reply:
    """The answer to a request. Take the world's lock."""
    try:
        deliver_due_events(world)
        _authenticate(world, knobs, call)
        return _served(Service(world, knobs, seats, call))
    except HarnessError as failure:
        return failure.reply


def error(status: int, code: str | None, summary: str | None) -> Reply:
    """An error body for faults: the SCIM resources' own for what they catch, else the platform's."""
    text = summary or f"Simulated failure {status}"
    if status in _CAUGHT and code is None:
        return scim_failure(status, text).reply
    return platform_failure(status, code or "UNKNOWN_ERROR", text).reply


def _authenticate(world: SplitStore, knobs: HarnessKnobs, call: Call) -> None:
    header = call.headers.get("authorization")
    if header is None and not knobs.gateway_authenticates:
        raise platform_failure(500, "UNKNOWN_ERROR", "Oops, something went wrong on our end")
    scheme, _, token = (header or "").partition(" ")
    valid = bool(token) and secrets.compare_digest(token.encode(), world.token.encode())
    if scheme != "Bearer" or not valid:
        raise platform_failure(401, "INVALID_TOKEN", "Token is not valid.")
    if world.token_expires is not None and world.clock() >= world.token_expires:
        raise platform_failure(401, "EXPIRED_TOKEN", "Token has expired.")


def _served(service: Service) -> Reply:
    call = service.call
    match _below(call.segments):
        case ("Users" | "Groups" as resource,):
            _permit(service, resource, ("GET", "POST"))
            return users(service) if resource == "Users" else groups(service)
        case ("Users" | "Groups" as resource, identity) if identity:
            _permit(service, resource, ("GET", "PUT", "PATCH", "DELETE"))
            return user(service, identity) if resource == "Users" else group(service, identity)
        case (name,) if name in DOCUMENTS and call.method == "GET":
            return one(DOCUMENTS[name])
        case _:
            raise platform_failure(404, "RESOURCE_NOT_FOUND", "HTTP 404 Not Found")


def _below(segments: tuple[str, ...]) -> tuple[str, ...]:
    if segments[: len(BASE)] == BASE:
        return segments[len(BASE) :]
    if (
        segments[: len(REAL_BASE)] == REAL_BASE
        and len(segments) > len(REAL_BASE)
        and segments[len(REAL_BASE)]
    ):
        return segments[len(REAL_BASE) + 1 :]
    return ()


def _permit(service: Service, resource: str, methods: tuple[str, ...]) -> None:
    """Raises HarnessError 403, 405, 415."""
    kind = "user" if resource == "Users" else "group"
    method = service.call.method
    if method not in methods:
        raise platform_failure(405, "INVALID_REQUEST", "HTTP 405 Method Not Allowed")
    right = f"{kind}_{'view' if method == 'GET' else 'manage'}"
    if right in service.knobs.missing_rights:
        permission = "core_user" if kind == "user" else "core_usergroup"
        what = f"Missing permission {permission}_{right.rpartition('_')[2]} on account"
        raise platform_failure(403, "NG_ACCESS_DENIED", what)
    media = service.call.headers.get("content-type", "").partition(";")[0].strip()
    if method in ("POST", "PUT", "PATCH") and media not in _READS:
        raise platform_failure(415, "INVALID_REQUEST", "HTTP 415 Unsupported Media Type")
