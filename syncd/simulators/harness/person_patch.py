"""PATCH /Users/{id} of Harness: two passes over the operations, and what fails inside one is swallowed.

The first pass is the directory's ("details"), the second the platform's own. They understand different things. In a
value that is an object the second reads `displayName` and `active`, whatever the path.
"""

from contextlib import suppress
from typing import Any

from syncd.simulators.exchange import Reply
from syncd.simulators.harness.directory import Names, is_last_admin, is_name, remove, somebody_has, write
from syncd.simulators.harness.operations import VALUE_KEYS, Operation, boolean_of, operations_of
from syncd.simulators.harness.wire import Service, empty, one, platform_failure
from syncd.simulators.split_entities import ScimUser


def patch(service: Service, entity: ScimUser) -> Reply:
    """204 when an operation was to remove, whether it did or not; else 200 and the person.

    Raises HarnessError 400, 500.
    """
    knobs = service.knobs
    operations = operations_of(service.body())
    fails = any(_fails(service, each) for each in operations)
    if "user_patch" not in knobs.swallowed and (not fails or knobs.array_keeps_rest):
        for operation in operations:
            with suppress(ValueError):
                _details(service, entity, operation)
        for operation in operations:
            with suppress(ValueError):
                _platform(service, entity, operation)
    if fails:
        raise platform_failure(500, "UNKNOWN_ERROR", "Oops, something went wrong on our end")
    gone = entity.id not in service.world.users and service.account.record(entity.id) is None
    if gone or (knobs.removes_inactive and _says_removed(service, operations)):
        return empty(204)
    return one(service.user_json(entity))


def _fails(service: Service, operation: Operation) -> bool:
    where = service.knobs.array_fails
    if operation.kind != "replace" or not isinstance(operation.value, list):
        return False
    return where == "any_path" or (where == "active" and operation.path == "active")


def _text(value: Any) -> str:
    """Raises ValueError for what the mapper makes no text of."""
    if isinstance(value, str) and value.strip():
        return value.strip()
    raise ValueError("no text")


def _details(service: Service, entity: ScimUser, operation: Operation) -> None:
    """The first pass: texts at their paths, and the flag `disabled`, which counts in the whole directory.

    Raises ValueError for what it cannot read.
    """
    world, value = service.world, operation.value
    if operation.kind == "remove":
        return
    changed = False
    if operation.path == "displayName" and is_name(_text(value)):
        changed = write(world, entity, Names(_text(value)))
    elif operation.path == "userName" and not somebody_has(world, _text(value).lower(), entity.id):
        changed = write(world, entity, Names(), email=_text(value).lower())
    elif operation.path == "active":
        enabled = boolean_of(value, absent=None)
        changed = enabled is not None and world.replace_user(entity, entity.attributes, active=enabled)
    elif not service.knobs.removes_inactive and isinstance(value, dict) and not _active(service, value):
        changed = world.replace_user(entity, entity.attributes, active=False)
    entity.managed = entity.managed or (changed and service.knobs.patch_imports)


def _platform(service: Service, entity: ScimUser, operation: Operation) -> None:
    """The second pass: its own copy of the display name, and the removal. Raises ValueError for what it cannot read."""
    path, value = operation.path, operation.value
    if operation.kind == "remove" or not service.knobs.removes_inactive:
        return
    if path in ("displayName", "userName"):
        _text(value)
    if path == "active" and boolean_of(value, absent=None) is False:
        _remove(service, entity)
    if isinstance(value, dict) and set(value) <= VALUE_KEYS:
        name = value.get("displayName")
        if isinstance(name, str) and entity.id in service.world.users:
            service.account.copied_names[entity.id] = name
        if not _active(service, value):
            _remove(service, entity)


def _active(service: Service, value: dict[str, Any]) -> bool:
    """`active` of an object that has nothing else; without it, false. Raises ValueError for other objects."""
    if not set(value) <= {"active"}:
        raise ValueError("an attribute that is not known")
    return bool(boolean_of(value.get("active"), absent=not service.knobs.empty_patch_removes))


def _says_removed(service: Service, operations: list[Operation]) -> bool:
    """Whether one of the operations reads as a removal; it is not looked any further than to one that is unreadable."""
    with suppress(ValueError):
        for operation in operations:
            value = None if operation.kind == "remove" else operation.value
            if isinstance(value, dict) and not _active(service, value):
                return True
            if operation.path == "active" and boolean_of(value, absent=None) is False:
                return True
    return False


def _remove(service: Service, entity: ScimUser) -> None:
    """The last account admin is refused, and that is swallowed like any other failure."""
    last = service.knobs.last_admin_kept and is_last_admin(service.world, entity.id)
    if entity.id in service.world.users and not last:
        remove(service, entity)
