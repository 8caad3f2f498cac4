"""A new SCIM resource with the values that it is to have: the body of a create, or of a path-less replace.

As `wire.assign` makes it, one value after the other. That looks each time for what is there already under another
spelling; of paths that cannot meet, which is all that anybody maps, nothing has to be looked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from syncd.core.change import Json
from syncd.model import Attributes, Scalar
from syncd.scim.wire import USER, Path, assign, parse_path, schemas, sendable

_OF_ENTRIES = ("type", "primary")


def set_values(values: Mapping[str, Json]) -> dict[str, Any]:
    """The JSON object that holds these values: the body of a path-less replace, or part of a resource."""
    made: dict[str, Any] = {}
    put = _put if _stand_apart(tuple(values)) else assign
    for text, value in values.items():
        if value is not None and sendable(value):
            put(made, parse_path(text), value)
    return made


@lru_cache(maxsize=256)
def _stand_apart(texts: tuple[str, ...]) -> bool:
    """Whether these paths can be set in a new object without looking for what is there in another letter case, as
    another kind of value, or under a type that a value changes.
    """
    kinds: dict[tuple[str, ...], tuple[str, str]] = {}
    for path in map(parse_path, texts):
        shape = "list" if path.kind is not None else "plain" if path.sub is None else "object"
        steps = [("", path.schema or "", "extension"), (path.schema or "", path.name, shape)]
        for holder, name, what in steps if path.schema else steps[1:]:
            if kinds.setdefault((holder.lower(), name.lower()), (name, what)) != (name, what):
                return False
        within = (path.schema or "", path.name, path.kind or "", path.sub or "")
        spelled = tuple(each.lower() for each in within)
        if (path.kind is not None and path.sub in _OF_ENTRIES) or spelled in kinds:
            return False
        kinds[spelled] = (path.name, shape)
        if path.kind is not None:
            key = (spelled[0], spelled[1], spelled[2])
            if kinds.setdefault(key, (path.kind, "entry")) != (path.kind, "entry"):
                return False
    return True


def _put(made: dict[str, Any], path: Path, value: Scalar) -> None:
    """As `assign`, of paths that stand apart."""
    holder: dict[str, Any] = made if path.schema is None else made.setdefault(path.schema, {})
    if path.kind is not None:
        entries: list[dict[str, Any]] = holder.setdefault(path.name, [])
        entry = next((each for each in entries if each["type"] == path.kind), None)
        if entry is None:
            entry = {"type": path.kind}
            if path.name == "emails" and not entries:
                entry["primary"] = True
            entries.append(entry)
        entry[path.sub or "value"] = value
    elif path.sub is not None:
        holder.setdefault(path.name, {})[path.sub] = value
    else:
        holder[path.name] = value


def user_body(attributes: Attributes, external_id: str) -> dict[str, Any]:
    """The body of POST /Users: active, with externalId (RFC 7643 section 3.1: the client's own identifier)."""
    values = set_values({**attributes, "externalId": external_id, "active": True})
    return {"schemas": schemas(USER, values), **values}
