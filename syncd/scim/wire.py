"""SCIM JSON and back: attribute paths, payloads, tolerant reading (RFC 7643 sections 3 and 4, RFC 7644 section 3).

What leaves: no nulls, nothing empty, no extension URN without its attributes, whole sub-objects. What arrives: ids
as numbers, booleans as text, missing lists, other letter case of names. Pure: values in, values out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, TypeVar

from syncd.core.change import Json
from syncd.model import RemoteGroup, RemoteUser, Scalar

E = TypeVar("E", bound=Mapping[str, Any])
USER = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
PATCH_OP = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
_LIST_ITEM = re.compile(r"([^\[\].]+)\[([^\[\]]+)\](?:\.(.+))?")
_FALSE_TRUE = {"false": False, "true": True, "0": False, "1": True}
_NEVER_SENT = ("meta", "groups", "password")


@dataclass(frozen=True, slots=True)
class Path:
    """`urn:...:User:manager.value` is (schema, "manager", None, "value"), `emails[work].value` (None, "emails",
    "work", "value").
    """

    schema: str | None
    name: str
    kind: str | None
    sub: str | None

    @property
    def family(self) -> str:
        """What is sent and judged as one: a core attribute, or a whole extension."""
        return self.schema or self.name

    @property
    def patch(self) -> str:
        """The path of a PATCH operation (RFC 7644 section 3.5.2)."""
        start = f"{self.schema}:{self.name}" if self.schema else self.name
        chosen = f"{start}[type eq {json.dumps(self.kind)}]" if self.kind else start
        return f"{chosen}.{self.sub}" if self.sub else chosen


@lru_cache(maxsize=1024)
def parse_path(text: str) -> Path:
    """A path as it stands in the settings."""
    schema = None
    if text.lower().startswith("urn:"):
        schema, _, text = text.rpartition(":")
        if schema.lower() == USER.lower():
            schema = None
    if found := _LIST_ITEM.fullmatch(text):
        return Path(schema, found[1], found[2], found[3] or "value")
    name, _, sub = text.partition(".")
    if schema is not None and schema.lower() == ENTERPRISE.lower() and name == "manager" and not sub:
        sub = "value"  # the enterprise manager is complex (RFC 7643 section 4.3)
    return Path(schema, name, None, sub or None)


def sendable(value: Json) -> bool:
    """Nulls and empty text are never sent; they mean "not set"."""
    return value is not None and value != ""


def assign(resource: dict[str, Any], path: Path, value: Scalar) -> None:
    """Sets one value in a resource, making the objects around it; what else is there stays."""
    holder = resource
    if path.schema:
        holder = _child(resource, path.schema)
    if path.kind is not None:
        _entry(holder, path)[path.sub or "value"] = value
    elif path.sub is not None:
        _child(holder, path.name)[path.sub] = value
    else:
        holder[_spelled(holder, path.name)] = value


def clear(resource: dict[str, Any], path: Path) -> None:
    """Takes one value out of a resource, and the list entry or object around it when nothing else is in it."""
    holder: Any = resource
    if path.schema:
        holder = resource.get(_spelled(resource, path.schema))
    if not isinstance(holder, dict):
        return
    name = _spelled(holder, path.name)
    if path.kind is not None:
        entries = [dict(entry) for entry in _entries(holder, path.name)]
        meant = chosen(entries, path)
        for entry in entries:
            if entry is meant or _is_kind(entry, path.kind):
                entry.pop(path.sub or "value", None)
        holder[name] = [entry for entry in entries if set(entry) - {"type", "primary"}]
    elif path.sub is not None and isinstance(holder.get(name), dict):
        holder[name] = {key: value for key, value in holder[name].items() if key != path.sub}
    else:
        holder.pop(name, None)


def read(resource: Mapping[str, Any], path: Path) -> Scalar | None:
    """The value that a resource shows at a path; None when it shows none."""
    holder: Any = resource
    if path.schema:
        holder = resource.get(_spelled(resource, path.schema))
    if not isinstance(holder, dict):
        return None
    found: Any = holder.get(_spelled(holder, path.name))
    if path.kind is not None:
        found = chosen(_entries(holder, path.name), path)
    if path.sub is not None:
        found = found.get(_spelled(found, path.sub)) if isinstance(found, dict) else None
    if path.name == "active" and path.schema is None:
        return as_bool(found)
    return found if isinstance(found, str | int | float | bool) and found != "" else None


def as_bool(value: object) -> bool | None:
    """`active` as servers write it: true, "True", "false", 1."""
    if isinstance(value, bool):
        return value
    return _FALSE_TRUE.get(str(value).lower()) if isinstance(value, str | int) else None


def _spelled(holder: Mapping[str, Any], name: str) -> str:
    """The key as the other side spells it: SCIM attribute names and URNs ignore case (RFC 7643 section 2.1)."""
    if name in holder:
        return name
    return next((key for key in holder if key.lower() == name.lower()), name)


def _child(holder: dict[str, Any], name: str) -> dict[str, Any]:
    key = _spelled(holder, name)
    child = holder.get(key)
    holder[key] = dict(child) if isinstance(child, dict) else {}
    made: dict[str, Any] = holder[key]
    return made


def _entries(holder: Mapping[str, Any], name: str) -> Sequence[Mapping[str, Any]]:
    entries = holder.get(_spelled(holder, name))
    return [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []


def _is_kind(entry: Mapping[str, Any], kind: str) -> bool:
    return str(entry.get("type", "")).lower() == kind.lower()


def chosen(entries: Sequence[E], path: Path) -> E | None:
    """The entry that a path means: the one of its type; else one without a type that is the only entry or the primary
    one. Some servers drop `type` (and people leave it out). An e-mail without a type is the work e-mail.
    """
    found = next((entry for entry in entries if _is_kind(entry, path.kind or "")), None)
    if found is not None or (path.name == "emails" and (path.kind or "").lower() != "work"):
        return found
    untyped = [entry for entry in entries if not entry.get("type")]
    primary = next((entry for entry in untyped if entry.get("primary")), None)
    return primary if primary is not None else untyped[0] if len(entries) == len(untyped) == 1 else None


def untyped_lists(resource: Mapping[str, Any], paths: Iterable[str]) -> Sequence[str]:
    """Names of the lists where the entry that one of these paths means has no type."""
    found: dict[str, None] = {}
    for path in map(parse_path, paths):
        if path.kind is not None and path.schema is None:
            entry = chosen(_entries(resource, path.name), path)
            if entry is not None and not entry.get("type"):
                found[path.name] = None
    return list(found)


def _entry(holder: dict[str, Any], path: Path) -> dict[str, Any]:
    """The list entry of a path, made (and primary, if it is the first e-mail) when it is not there."""
    entries = [dict(entry) for entry in _entries(holder, path.name)]
    holder[_spelled(holder, path.name)] = entries
    meant = chosen(entries, path)
    if meant is not None:
        return meant
    made: dict[str, Any] = {"type": path.kind}
    if path.name == "emails" and not any(entry.get("primary") for entry in entries):
        made["primary"] = True
    entries.append(made)
    return made


def without_empty(value: Any) -> Any:
    """The same JSON without nulls, empty text, empty objects and empty lists, at any depth."""
    if isinstance(value, Mapping):
        kept = {key: without_empty(item) for key, item in value.items()}
        return {key: item for key, item in kept.items() if item not in (None, "", {}, [])}
    if isinstance(value, list):
        return [kept for item in value if (kept := without_empty(item)) not in (None, "", {}, [])]
    return value


def group_body(name: str, external_id: str) -> dict[str, Any]:
    """The body of POST /Groups; members follow separately."""
    return {"schemas": [GROUP], "displayName": name, "externalId": external_id}


def schemas(core: str, resource: Iterable[str]) -> list[str]:
    """The core schema and every extension that has attributes in the resource."""
    return [
        core,
        *(key for key in resource if key.lower().startswith("urn:") and key.lower() != core.lower()),
    ]


def replacement(shown: Mapping[str, Any], changes: Mapping[str, Json], *, active: bool) -> dict[str, Any]:
    """The body of PUT /Users/{id}: what GET showed, with only these values changed, and always `active`."""
    body: dict[str, Any] = without_empty({k: v for k, v in shown.items() if k.lower() not in _NEVER_SENT})
    body[_spelled(body, "active")] = active
    for text, value in changes.items():
        if value is not None and sendable(value):
            assign(body, parse_path(text), value)
        else:
            clear(body, parse_path(text))
    kept: dict[str, Any] = without_empty({k: v for k, v in body.items() if k != "schemas"})
    return {"schemas": schemas(USER, kept), **kept}


def group_replacement(
    shown: Mapping[str, Any], *, name: str | None = None, members: Iterable[str] | None = None
) -> dict[str, Any]:
    """The body of PUT /Groups/{id}: what GET showed, with another name or another set of members."""
    body: dict[str, Any] = without_empty({k: v for k, v in shown.items() if k.lower() not in _NEVER_SENT})
    if name is not None:
        body[_spelled(body, "displayName")] = name
    if members is not None:
        key = _spelled(body, "members")
        known = {_text(entry, "value"): entry for entry in _entries(body, key)}
        body[key] = [known.get(member, {"value": member}) for member in sorted(members)]
    body.pop("schemas", None)
    return {"schemas": schemas(GROUP, body), **body}


def patch(*operations: Mapping[str, Any]) -> dict[str, Any]:
    """A PatchOp message (RFC 7644 section 3.5.2)."""
    return {"schemas": [PATCH_OP], "Operations": list(operations)}


def equals(attribute: str, value: str) -> str:
    """A filter (RFC 7644 section 3.4.2.2); the literal is a JSON string, so quotes in a name stay inside it."""
    return f"{attribute} eq {json.dumps(value, ensure_ascii=False)}"


def equals_decoded_twice(attribute: str, value: str) -> str:
    """The same for a server that decodes the filter again after the query was, and undoes no escapes (Harness)."""
    return f'{attribute} eq "{value.replace("%", "%25").replace("+", "%2B")}"'


def identifier(resource: Mapping[str, Any]) -> str | None:
    """The `id`: text, or a number made text; None when absent or empty, and when NUL is in it, which no database and
    no path of a URL carries.
    """
    return _storable(_text(resource, "id"))


def _storable(found: str | None) -> str | None:
    return None if found is None or "\0" in found else found


def _text(resource: Mapping[str, Any], name: str) -> str | None:
    return _id_of(resource.get(_spelled(resource, name)))


def _id_of(value: object) -> str | None:
    """A text, or a number made one."""
    return (
        str(value) if isinstance(value, str | int) and not isinstance(value, bool) and value != "" else None
    )


def user_from(resource: object, paths: Iterable[str], *, emails: bool = False) -> RemoteUser | None:
    """A user as shown, with the values of `paths`, and all `emails`; None when it is no object with an id."""
    if not isinstance(resource, dict) or (scim_id := identifier(resource)) is None:
        return None
    shown = {text: value for text in paths if (value := read(resource, parse_path(text))) is not None}
    return RemoteUser(
        scim_id=scim_id,
        external_id=_text(resource, "externalId"),
        user_name=_text(resource, "userName") or "",
        active=as_bool(resource.get(_spelled(resource, "active"))),
        attributes=shown,
        created=stamp(resource, "created"),
        modified=stamp(resource, "lastModified"),
        emails=_emails(resource) if emails else (),
    )


def _emails(resource: Mapping[str, Any]) -> tuple[str, ...]:
    values = (_text(entry, "value") for entry in _entries(resource, "emails"))
    return tuple(dict.fromkeys(value for value in values if value))


def group_from(resource: object) -> RemoteGroup | None:
    """A group as shown; None when it is no object with an id."""
    if not isinstance(resource, dict) or (scim_id := identifier(resource)) is None:
        return None
    return RemoteGroup(
        scim_id=scim_id,
        external_id=_text(resource, "externalId"),
        name=_text(resource, "displayName") or "",
        members=members_of(resource),
        created=stamp(resource, "created"),
        modified=stamp(resource, "lastModified"),
    )


def stamp(resource: Mapping[str, Any], name: str) -> datetime | None:
    """A time in `meta`; None when absent, malformed, or without a time zone: then it is anybody's guess."""
    meta = resource.get("meta")
    text = meta.get(name) if isinstance(meta, dict) else None
    try:
        moment = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return moment if moment is not None and moment.tzinfo is not None else None


def members_of(resource: Mapping[str, Any]) -> frozenset[str] | None:
    """SCIM ids of the members, as `identifier` reads one; None when the resource shows no list (absent or null)."""
    found = resource.get(_spelled(resource, "members"))
    if not isinstance(found, list):
        return None
    ids = (_text(entry, "value") if isinstance(entry, dict) else _id_of(entry) for entry in found)
    return frozenset(member for each in ids if (member := _storable(each)) is not None)


def resources(body: object) -> Sequence[Any] | None:
    """The records of a list answer: `Resources`, absent when there is none; None when this is no list answer."""
    if isinstance(body, list):
        return body
    if not isinstance(body, dict):
        return None
    found = body.get(_spelled(body, "Resources"))
    if isinstance(found, list):
        return found
    if found is None and (total(body) is not None or "schemas" in body) and identifier(body) is None:
        return []
    return None


def total(body: object) -> int | None:
    """`totalResults`, also when written as text; None when absent."""
    found = body.get(_spelled(body, "totalResults")) if isinstance(body, dict) else None
    if isinstance(found, bool) or not isinstance(found, str | int):
        return None
    text = str(found)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else None
