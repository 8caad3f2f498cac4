"""What was wanted when, and what was written when: judged from Okta's acts and the target's own log alone.

A thing is a key, its value what it is or should be; None where it is not or should not be:

    ("active", person)          True
    ("userName", person)        "ada@example.com"
    ("name", person)            ("Ada", "Lovelace")
    ("group", group)            "push-eng"
    ("member", group, person)   True

All ids are Okta's. Moments are numbers of any one clock.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from syncd.simulators.world import OktaWorld
from tests.chaos.oracle import Holdings, wishes

Key = tuple[str, ...]
Facts = Mapping[Key, Any]


def wanted(world: OktaWorld) -> Facts:
    """Everything that Okta wants now."""
    with world.lock:
        found = wishes(world)
        facts: dict[Key, Any] = {("active", person): True for person in found.people}
        for row in world.app_users.values():
            facts["userName", row.id] = str(row.profile["email"])
            facts["name", row.id] = (
                str(row.profile.get("givenName") or ""),
                str(row.profile.get("familyName") or ""),
            )
        facts |= {("group", group): world.groups[group].name for group in found.members}
        facts |= {("member", group, one): True for group, members in found.members.items() for one in members}
    return facts


def held(found: Holdings) -> Facts:
    """Everything of ours that the target has."""
    facts: dict[Key, Any] = {}
    for person, account in found.people.items():
        facts["active", person] = account.active or None
        facts["userName", person], facts["name", person] = account.person[0], account.person[1:]
    facts |= {("group", group): pushed.name for group, pushed in found.groups.items()}
    facts |= {("member", *pair): True for pair in found.memberships}
    return facts


def differences(before: Facts, after: Facts) -> Iterator[tuple[Key, Any]]:
    """What changed, with its new value."""
    for key in sorted({*before, *after}):
        if before.get(key) != after.get(key):
            yield key, after.get(key)


def unequal(want: Facts, have: Facts, *, deletes: bool, renames: bool) -> list[str]:
    """What the target has and should not have, or the other way round. Groups that left stay unless a rule `deletes`
    them, and keep the name they began with unless it `renames`.
    """
    found = []
    for key in sorted({*want, *have}):
        same = want.get(key) == have.get(key)
        match key[0]:
            case "userName" | "name":
                counts = ("active", key[1]) in want
            case "group":
                counts = key in want or deletes
                same = same if renames else (key in want) == (key in have)
            case "member":
                counts = ("group", key[1]) in want
            case _:
                counts = True
        if counts and not same:
            found.append(f"{' '.join(key)}: Okta wants {want.get(key)!r}, the target has {have.get(key)!r}")
    return found


@dataclass(frozen=True)
class Write:
    """Something at the target became `value` between two moments."""

    key: Key
    value: Any
    started: float
    ended: float

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


def flips(writes: Iterable[Write], timeline: Timeline) -> Iterator[str]:
    """Writes of what was not wanted at any moment since the write before it began: that one knew better."""
    last: dict[Key, float] = {}
    for write in writes:
        since = last.get(write.key, -math.inf)
        if write.value not in timeline.values(write.key, since, write.ended):
            yield f"{write}, which was not wanted since the write before"
        last[write.key] = write.started
