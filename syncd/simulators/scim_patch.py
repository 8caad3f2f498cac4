"""PATCH on the attributes of a user (RFC 7644 section 3.5.2)."""

import re
from typing import Any

from syncd.simulators.filters import FilterError, Predicate, compile_filter
from syncd.simulators.scim_wire import USER_SCHEMA, ScimError
from syncd.simulators.split_entities import Json

_PATH = re.compile(r"^(?P<attribute>[\w:.$-]+?)(?:\[(?P<filter>.*)\])?(?:\.(?P<sub>[\w$-]+))?$", re.DOTALL)


def patch_attributes(record: Json, operations: list[Json], *, pathless: bool = True) -> Json:
    """A user record after the operations; the given one is not touched.

    `pathless` off ignores operations without a path, as some servers do. Raises ScimError 400.
    """
    changed = {key: _copied(value) for key, value in record.items()}
    for operation in operations:
        op = str(operation["op"]).lower()
        path = operation.get("path")
        value = operation.get("value")
        if path:
            _apply(changed, op, _without_urn(str(path)), value)
        elif not isinstance(value, dict):
            raise ScimError(400, "An operation without a path needs an object as its value", "invalidValue")
        elif pathless:
            for name, part in value.items():
                if name not in ("id", "schemas", "meta", "groups"):
                    _apply(changed, op, _without_urn(name), part)
    return changed


def _copied(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copied(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_copied(item) for item in value]
    return value


def _without_urn(path: str) -> str:
    return path[len(USER_SCHEMA) + 1 :] if path.lower().startswith(USER_SCHEMA.lower() + ":") else path


def _apply(record: Json, op: str, path: str, value: Any) -> None:
    match = _PATH.match(path)
    if match is None:
        raise ScimError(400, f"path {path!r} cannot be read", "invalidPath")
    attribute, expression, sub = match["attribute"], match["filter"], match["sub"]
    if attribute in ("id", "meta", "groups"):
        raise ScimError(400, f"{attribute} is read-only", "mutability")
    if expression is not None:
        _apply_to_items(record, op, attribute, expression, sub, value)
        return
    if sub is not None or "." in attribute:
        head, _, tail = path.partition(".")
        parent = record.setdefault(head, {})
        if not isinstance(parent, dict):
            raise ScimError(400, f"{head} has no sub-attributes", "invalidPath")
        record, attribute = parent, tail
    if op == "remove" or value is None:
        record.pop(attribute, None)
    elif op == "add" and isinstance(value, list) and isinstance(record.get(attribute), list):
        record[attribute] += [item for item in value if item not in record[attribute]]
    elif op in ("add", "replace") and isinstance(value, dict) and isinstance(record.get(attribute), dict):
        record[attribute] = {**record[attribute], **value}
    else:
        record[attribute] = value


def _apply_to_items(
    record: Json, op: str, attribute: str, expression: str, sub: str | None, value: Any
) -> None:
    items = record.setdefault(attribute, [])
    matching = [item for item in items if _item_filter(expression)(item)]
    if op == "remove":
        for item in matching:
            if sub is None:
                items.remove(item)
            else:
                item.pop(sub, None)
        return
    if not matching:
        raise ScimError(400, f"{attribute}[{expression}] matches nothing", "noTarget")
    for item in matching:
        if sub is not None:
            item[sub] = value
        elif isinstance(value, dict):
            item.update(value)


def _item_filter(expression: str) -> Predicate:
    try:
        return compile_filter(expression)
    except FilterError as error:
        raise ScimError(400, str(error), "invalidPath") from error
