"""What the target's own request log says was written, one thing at a time (timeline.py has the keys)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.chaos.timeline import Key, Write

Record = Mapping[str, Any]
"""A request as `GET /_control/requests` shows it."""
_MEMBER = re.compile(r'members\[value eq "([^"]+)"\]')


@dataclass
class TargetLog:
    """`owners` has the externalId of every object by its SCIM id."""

    owners: Mapping[str, str]
    created: dict[str, int] = field(default_factory=dict)
    """How often each Okta group was created."""
    _now: dict[Key, Any] = field(default_factory=dict)

    def writes(self, requests: Iterable[Record]) -> Iterator[Write]:
        """What became different, in the order of the answers. A PATCH counts as it was meant."""
        for request in requests:
            if request["method"] == "GET" or not 200 <= request["status"] < 300:
                continue
            for key, value in self._meant(request):
                if self._now.get(key) != value:
                    self._now[key] = value
                    yield Write(key, value, request["started"], request["ended"])

    def _meant(self, request: Record) -> Iterator[tuple[Key, Any]]:
        kind, _, identity = request["path"].partition("?")[0].removeprefix("/scim/v2/").partition("/")
        body = request["body"] or {}
        owner = body.get("externalId") if request["method"] == "POST" else self.owners.get(identity)
        if owner is None:
            return
        if kind == "Users":
            for values in _operations(body) if request["method"] == "PATCH" else [("replace", "", body)]:
                yield from _person(owner, values[2] if not values[1] else {values[1]: values[2]})
            return
        if request["method"] == "DELETE":
            yield ("group", owner), None
            for key in [key for key in self._now if key[:2] == ("member", owner)]:
                yield key, None
            return
        if request["method"] == "POST":
            self.created[owner] = self.created.get(owner, 0) + 1
        for operation in _operations(body) if request["method"] == "PATCH" else [("replace", "", body)]:
            yield from self._group(owner, *operation)

    def _group(self, owner: str, op: str, path: str, value: Any) -> Iterator[tuple[Key, Any]]:
        if found := _MEMBER.fullmatch(path):
            yield ("member", owner, self.owners.get(found[1], found[1])), None
        elif path == "members":
            for member in value or ():
                person = self.owners.get(member["value"], member["value"])
                yield ("member", owner, person), None if op == "remove" else True
        elif path == "displayName":
            yield ("group", owner), value
        elif not path:
            for name in ("displayName", "members"):
                if name in value:
                    yield from self._group(owner, op, name, value[name])


def _operations(body: Mapping[str, Any]) -> Iterator[tuple[str, str, Any]]:
    for operation in body["Operations"]:
        yield operation["op"].lower(), operation.get("path", ""), operation.get("value")


def _person(owner: str, values: Mapping[str, Any]) -> Iterator[tuple[Key, Any]]:
    if "active" in values:
        yield ("active", owner), values["active"] or None
    if "userName" in values:
        yield ("userName", owner), values["userName"]
    if "name" in values:
        name = values["name"]
        yield ("name", owner), (name.get("givenName") or "", name.get("familyName") or "")
