"""PATCH /Groups/{id} of Harness: 204 without a body, whatever came of it."""

import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote_plus

from syncd.simulators.exchange import Reply
from syncd.simulators.harness.operations import VALUE_KEYS, Operation, operations_of
from syncd.simulators.harness.wire import Service, empty, invalid_request
from syncd.simulators.split_entities import ScimGroup

_BROKEN_ESCAPE = re.compile("%(?![0-9A-Fa-f]{2})")


@dataclass(slots=True)
class _Deltas:
    """What the operations of one PATCH come to; nothing is stored before all are read."""

    name: str | None = None
    added: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)


def patch(service: Service, entity: ScimGroup) -> Reply:
    """Raises HarnessError 400 for what Harness takes as a rename and cannot read; nothing of the PATCH is done then."""
    operations = operations_of(service.body())
    names = [name for operation in operations if (name := _rename(service, operation)) is not None]
    renamed = names[-1] if names else ""
    if renamed and "group_rename" not in service.knobs.swallowed:
        service.world.replace_group(entity, name=renamed, external_id=None)
    if "member_patch" not in service.knobs.swallowed:
        members = _by_deltas if service.knobs.newest else _one_by_one
        wanted = members(service, entity, operations)
        service.world.set_members(entity, [each for each in wanted if each in service.world.users])
    return empty(204)


def _rename(service: Service, operation: Operation) -> str | None:
    """The name an operation gives, "" for none; None for one that gives no name. Raises HarnessError 400."""
    if operation.kind != "replace":
        return None
    value, path = operation.value, operation.path
    if path == "members" and (service.knobs.newest or not operation.capital):
        return None
    if operation.capital:
        if path == "displayName" and isinstance(value, str):
            return value
        raise invalid_request("Failed to update group name")
    if value is None:
        return ""
    if not isinstance(value, dict) or not set(value) <= VALUE_KEYS:
        raise invalid_request("Failed to update group name")
    name = value.get("displayName")
    return name if isinstance(name, str) else ""


def _by_deltas(service: Service, entity: ScimGroup, operations: list[Operation]) -> list[str]:
    """2026: what is added and what is removed goes down together."""
    deltas = _Deltas()
    for operation in operations:
        ids = _ids(operation)
        if operation.kind == "add":
            deltas.added += ids
        elif operation.kind == "remove":
            deltas.removed += ids
        elif operation.path == "members":
            deltas.added += [each for each in ids if each not in entity.members]
            deltas.removed += [each for each in entity.members if each not in ids]
    if service.knobs.delta_order == "adds_first":
        return [each for each in (*entity.members, *deltas.added) if each not in set(deltas.removed)]
    kept = [each for each in entity.members if each not in set(deltas.removed)]
    return [*kept, *deltas.added]


def _one_by_one(_service: Service, entity: ScimGroup, operations: list[Operation]) -> list[str]:
    """2023: the list is read, changed by one operation after the other, and written whole."""
    members = dict(entity.members)
    for operation in operations:
        ids = dict.fromkeys(_ids(operation))
        if operation.kind == "add":
            members |= ids
        elif operation.kind == "remove":
            members = {each: None for each in members if each not in ids}
    return list(members)


def _ids(operation: Operation) -> list[str]:
    """Whom an operation names: one person in a filter path, or the objects of an array at `members`."""
    if operation.path is not None and "members[" in operation.path:
        named = _filtered(operation.path)
        if named is not None:
            return [named]
    return _valued(operation.value) if operation.path == "members" else []


def _filtered(path: str) -> str | None:
    """The text after the first ` eq `, a letter shorter in front and two behind, whatever the attribute."""
    if _BROKEN_ESCAPE.search(path):
        return None
    parts = unquote_plus(path).split(" eq ")
    return parts[1][1:-2] if len(parts) > 1 and len(parts[1]) > 2 else None


def _valued(value: Any) -> list[str]:
    if not isinstance(value, list):
        return []
    if not all(isinstance(each, dict) and set(each) <= VALUE_KEYS for each in value):
        return []
    ids = [each.get("value") for each in value]
    return (
        [each for each in ids if each is not None]
        if all(isinstance(each, str | None) for each in ids)
        else []
    )
