"""PATCH /Users/{id} of Harness: two passes over the operations, and what fails inside one is swallowed.

The first pass is the directory's ("details"), the second the platform's own. They understand different things.
"""

from typing import Any

from syncd.simulators.exchange import Reply
from syncd.simulators.harness.directory import Names, is_last_admin, is_name, remove, somebody_has, write
from syncd.simulators.harness.operations import Operation, operations_of
from syncd.simulators.harness.wire import Service, empty, one, platform_failure
from syncd.simulators.split_entities import ScimUser

_KNOWN = {"displayName", "active"}
"""What the second pass reads in a value without a path; anything else makes it pass over the whole operation."""


def patch(service: Service, entity: ScimUser) -> Reply:
    """204 when an operation removed, or was to remove; else 200 and the person. Raises HarnessError 400, 500."""
    operations = operations_of(service.body())
    array = next((number for number, each in enumerate(operations) if _breaks(each)), None)
    if array is not None and not service.knobs.array_keeps_earlier:
        raise _server_error()
    removed = False
    if "user_patch" not in service.knobs.swallowed:
        done = operations if array is None else operations[:array]
        for operation in done:
            _details(service, entity, operation)
        for operation in done:
            removed = _platform(service, entity, operation) or removed
    if array is not None:
        raise _server_error()
    return empty(204) if removed else one(service.user_json(entity))


def _breaks(operation: Operation) -> bool:
    return operation.kind == "replace" and isinstance(operation.value, list)


def _server_error() -> Exception:
    return platform_failure(500, "UNKNOWN_ERROR", "Oops, something went wrong on our end")


def _details(service: Service, entity: ScimUser, operation: Operation) -> None:
    """The first pass: texts at their paths, and the flag `disabled`, which counts in the whole directory."""
    world, value = service.world, operation.value
    if operation.kind == "remove":
        return
    display = str(entity.attributes.get("displayName") or entity.user_name)
    match operation.path, value:
        case "displayName", str() if is_name(value.strip()):
            write(world, entity, Names(value.strip()))
        case "userName", str() if value and not somebody_has(world, value.lower(), entity.id):
            write(world, entity, Names(display), email=value.lower())
        case "active", bool():
            _set_enabled(service, entity, enabled=value)
        case None, {"active": False} if _is_read(value) and not service.knobs.removes_inactive:
            _set_enabled(service, entity, enabled=False)
        case _:
            pass


def _set_enabled(service: Service, entity: ScimUser, *, enabled: bool) -> None:
    if service.world.replace_user(entity, entity.attributes, active=enabled):
        entity.managed = True


def _is_read(value: Any) -> bool:
    return isinstance(value, dict) and set(value) <= _KNOWN


def _platform(service: Service, entity: ScimUser, operation: Operation) -> bool:
    """The second pass. Whether the operation was one that removes, even if the last admin stayed."""
    value = operation.value
    if operation.kind == "remove":
        return False
    if operation.path is not None:
        return operation.path == "active" and value is False and _removed(service, entity)
    if not _is_read(value):
        return False
    name = value.get("displayName")
    if isinstance(name, str) and is_name(name) and entity.id in service.world.users:
        service.account.copied_names[entity.id] = name
    if value.get("active") is False or (not value and service.knobs.empty_patch_removes):
        return _removed(service, entity)
    return False


def _removed(service: Service, entity: ScimUser) -> bool:
    world, knobs = service.world, service.knobs
    if not knobs.removes_inactive:
        return False
    last = knobs.last_admin_kept and is_last_admin(world, entity.id)
    if entity.id in world.users and not last:
        remove(service, entity)
    return True
