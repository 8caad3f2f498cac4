"""What was under way when another worker took over is asked for twice: at once, and again two minutes later.

A request that the worker before had begun may reach the target after its successor asked what became of it. What it did
is found by the second look, which compares these objects with the target and repairs them under all limits.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from syncd.core.change import GROUP_KINDS
from syncd.core.nomination import Nominations
from syncd.engine.cycles.drift import repair
from syncd.engine.cycles.result import RunResult
from syncd.engine.cycles.seen import Key
from syncd.engine.facts import Fact
from syncd.engine.job import Job
from syncd.engine.reading.selection import Selection
from syncd.ports import Intent, Store

AFTER = timedelta(minutes=2)
LOOKED_AT_AT_MOST = 200
"""Objects, each of which is asked for by id at both sides."""


@dataclass(frozen=True, slots=True)
class SecondLook:
    """Okta ids to be compared with the target, from that moment on."""

    at: datetime
    users: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()


def _text(look: SecondLook | None) -> str:
    if look is None:
        return ""
    said = {"at": look.at.isoformat(), "users": sorted(look.users), "groups": sorted(look.groups)}
    return json.dumps(said, sort_keys=True)


def _read(text: str) -> SecondLook | None:
    """What cannot be read is looked for by the next comparison of everything."""
    with suppress(ValueError, TypeError, LookupError, RecursionError):
        found = json.loads(text)
        at = datetime.fromisoformat(found["at"])
        return SecondLook(at, frozenset(map(str, found["users"])), frozenset(map(str, found["groups"])))
    return None


SECOND_LOOK: Fact[SecondLook | None] = Fact("second_look", _text, _read)


def take_over(store: Store, now: datetime) -> Nominations:
    """Remembers a second look at what is open, and returns whom that is about: it is to be looked at now as well."""
    users, groups = _about(store.open_intents())
    if not (users or groups):
        return Nominations()
    before = SECOND_LOOK.of(store) or SecondLook(now)
    SECOND_LOOK.remember(store, SecondLook(now + AFTER, before.users | users, before.groups | groups))
    return Nominations(users=users, groups=groups)


def also_look_at(store: Store, named: AbstractSet[Key], now: datetime) -> None:
    """A second look at these as well. Of too many it is left to the comparison of everything."""
    before = SECOND_LOOK.of(store) or SecondLook(now)
    users = before.users | {okta_id for kind, okta_id in named if kind == "user"}
    groups = before.groups | {okta_id for kind, okta_id in named if kind == "group"}
    if named and len(users) + len(groups) <= LOOKED_AT_AT_MOST:
        SECOND_LOOK.remember(store, SecondLook(now + AFTER, users, groups))


def _about(intents: Iterable[Intent]) -> tuple[frozenset[str], frozenset[str]]:
    changes = [intent.change for intent in intents]
    users = {change.okta_id for change in changes if change.kind not in GROUP_KINDS}
    groups = {change.okta_id for change in changes if change.kind in GROUP_KINDS}
    groups |= {change.group_id for change in changes if change.group_id is not None}
    return frozenset(users), frozenset(groups)


def is_due(store: Store, now: datetime) -> bool:
    found = SECOND_LOOK.of(store)
    return found is not None and now >= found.at


def look_again(job: Job) -> RunResult | None:
    """Compares and repairs; None when nothing is to be looked at. It is over when everything could be read."""
    found = SECOND_LOOK.of(job.store)
    if found is None:
        return None
    named = Selection(users=tuple(sorted(found.users)), groups=tuple(sorted(found.groups)), by_id=True)
    _, result = repair(job, named, remembered=False)
    if not result.problems:
        SECOND_LOOK.remember(job.store, None)
    return result
