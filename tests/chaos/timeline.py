"""What was wanted when, and what was written when: judged from Okta's acts and the target's own log alone.

A thing is a key, its value what it is or should be; None where it is not or should not be:

    ("active", person)          True
    ("userName", person)        "ada@example.com"
    ("name", person)            ("Ada", "Lovelace")
    ("group", group)            "push-eng", or True where names do not count
    ("member", group, person)   True

All ids are Okta's. Moments are numbers of any one clock.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from syncd.simulators.world import OktaWorld
from tests.chaos.oracle import Holdings, wishes
from tests.chaos.owners import PREFIX

Key = tuple[str, ...]
Facts = Mapping[Key, Any]


@dataclass(frozen=True)
class Scope:
    """Which groups are pushed: by their name, assigned to the app, or mapped in Okta; and whether their names count."""

    source: str = "name"
    renames: bool = True

    def groups(self, world: OktaWorld) -> set[str]:
        """Their ids; `world` is locked."""
        match self.source:
            case "assigned":
                return set(world.app_groups)
            case "mappings":
                return {mapping.source_group_id for mapping in world.mappings.values()}
            case _:
                return {group.id for group in world.groups.values() if group.name.startswith(PREFIX)}


def parts(world: OktaWorld, scope: Scope | None = None) -> Facts:
    """What Okta says now, in the pieces in which it is read: who is in a group, whether or not anybody wants that."""
    scope = scope or Scope()
    with world.lock:
        facts: dict[Key, Any] = {("active", person): True for person in wishes(world).people}
        for row in world.app_users.values():
            facts["userName", row.id] = str(row.profile["email"])
            facts["name", row.id] = (
                str(row.profile.get("givenName") or ""),
                str(row.profile.get("familyName") or ""),
            )
        for group in scope.groups(world):
            facts["group", group] = world.groups[group].name if scope.renames else True
        for group in world.groups:
            facts |= {("member", group, member): True for member in world.groups[group].members}
    return facts


def wanted(world: OktaWorld, scope: Scope | None = None) -> Facts:
    """Everything that Okta wants at the target now."""
    facts = parts(world, scope)
    return {key: value for key, value in facts.items() if all(part in facts for part in parts_of(key))}


def parts_of(key: Key) -> tuple[Key, ...]:
    """A membership takes a group that is pushed, somebody in it, and that they are active."""
    return (key, ("group", key[1]), ("active", key[2])) if key[0] == "member" else (key,)


def held(found: Holdings, scope: Scope | None = None) -> Facts:
    """Everything of ours that the target has."""
    names = (scope or Scope()).renames
    facts: dict[Key, Any] = {}
    for person, account in found.people.items():
        facts["active", person] = account.active or None
        facts["userName", person], facts["name", person] = account.person[0], account.person[1:]
    facts |= {("group", group): pushed.name if names else True for group, pushed in found.groups.items()}
    facts |= {("member", *pair): True for pair in found.memberships}
    return facts


def differences(before: Facts, after: Facts) -> Iterator[tuple[Key, Any]]:
    """What changed, with its new value."""
    for key in sorted({*before, *after}):
        if before.get(key) != after.get(key):
            yield key, after.get(key)


def unequal(want: Facts, have: Facts, *, deletes: bool) -> list[str]:
    """What the target has and should not, or the other way round. Groups that left stay unless the rule `deletes`."""
    found = []
    for key in sorted({*want, *have}):
        match key[0]:
            case "userName" | "name":
                counts = ("active", key[1]) in want
            case "group":
                counts = key in want or deletes
            case "member":
                counts = ("group", key[1]) in want
            case _:
                counts = True
        if counts and want.get(key) != have.get(key):
            found.append(f"{' '.join(key)}: Okta wants {want.get(key)!r}, the target has {have.get(key)!r}")
    return found


@dataclass(frozen=True)
class Write:
    """Something at the target became `value` between two moments."""

    key: Key
    value: Any
    started: float
    ended: float
    by: object = None
    """The cycle that wrote, where that is known."""

    def __str__(self) -> str:
        return f"{' '.join(self.key)} became {self.value!r}"


@dataclass
class Timeline:
    """The values of everything since the beginning."""

    _last: Facts = field(default_factory=dict)
    _of: dict[Key, list[tuple[float, float, Any]]] = field(default_factory=dict)

    def note(self, facts: Facts, *, began: float, ended: float) -> None:
        """From some moment between these two on, this is so."""
        for key, value in differences(self._last, facts):
            self._of.setdefault(key, [(-math.inf, -math.inf, None)]).append((began, ended, value))
        self._last = facts

    def values(self, key: Key, start: float, end: float) -> Sequence[Any]:
        """Every value that the thing may have had at some moment between these two, in order."""
        spans = [*self._of.get(key, [(-math.inf, -math.inf, None)]), (math.inf, math.inf, None)]
        return [
            value for (began, _, value), (_, over, _) in pairwise(spans) if began <= end and over >= start
        ]

    def changes(self, ids: AbstractSet[str]) -> Iterator[tuple[Key, float, Any]]:
        """When what is about one of these became what it was, apart from the beginning."""
        for key, spans in self._of.items():
            if ids & set(key[1:]):
                yield from ((key, began, value) for began, _, value in spans[1:])

    def explains(self, write: Write, since: Callable[[Key], float]) -> bool:
        """Whether somebody who knew each part of it `since` then at the least could believe that this was wanted. Parts
        are read one after the other: they need not have been so at one moment.
        """
        seen = {key: self.values(key, since(key), write.ended) for key in parts_of(write.key)}
        if write.key[0] != "member":
            return write.value in seen[write.key]
        if write.value is None:
            return any(None in values for values in seen.values())
        return all(any(value is not None for value in values) for values in seen.values())
