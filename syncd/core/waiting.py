"""What is not done now, and what makes it be looked at again.

kind           what it is                                 looked at again when
-----------------------------------------------------------------------------------------------------------------------
conflict       somebody else has, or wants, the name      the name is left; and after a growing delay
refused_name   the target's rules refuse the name         Okta renames the group (the log); the settings change
unconfirmed    a second look did not confirm a removal    after a growing delay
unsettled      nobody knows how the last write ended      after a growing delay
refused        a side does not let it be read             the log names it; and after a growing delay
unread         reading it failed for now                  the next deltas; and after a growing delay
frozen         Okta's answer cannot be trusted            the log names the object; the settings change
protected      a protected user is to be removed          the log names the user; the settings change
deactivate_off deactivate_users is off                    the log names the user; the settings change
last_member    a protected group would be left empty      after a growing delay
name_not_left  whoever had the name failed to leave it    the name is left; and after a growing delay
not_sent       too many writes of this kind failed        after a growing delay

Those are remembered (`REMEMBERED`), with the time since when. What else is left alone needs no memory: a failure has
its own next try, a grace its end, a rejection its decision, a release a person's word; and what a setting leaves out
(create_off, update_off, not_pushed ...) is looked at by the full cycle that a change of the settings brings.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from syncd.core.diff import Skipped

DELAYS = (
    timedelta(minutes=1),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=6),
    timedelta(hours=24),
)
"""How long is waited after the first failure or look in vain, the second, ...; the last one repeats."""


def delay(times: int) -> timedelta:
    """After so many failures, or looks in vain (1 or more), of one object."""
    return DELAYS[min(times, len(DELAYS)) - 1]


REMEMBERED: Mapping[str, bool] = {
    "conflict": True,
    "unconfirmed": True,
    "unsettled": True,
    "refused": True,
    "unread": True,
    "last_member": True,
    "name_not_left": True,
    "not_sent": True,
    "refused_name": False,
    "frozen": False,
    "protected": False,
    "deactivate_off": False,
}
"""Kinds of what is left alone that are remembered; True: looked at again after a growing delay too."""

LEFT_BY_SETTING = frozenset({"protected", "deactivate_off"})
"""Kinds that somebody chose: nobody has to do anything about them."""

NOT_READ = frozenset({"refused", "unread"})
"""Kinds of what could not be read: a failure, although nothing was refused that is wanted."""

WHILE_WRITING = frozenset({"last_member", "name_not_left", "not_sent"})
"""Kinds that turn out only when the plan is carried out."""


@dataclass(frozen=True, slots=True)
class LookRecord:
    """One object that is left alone, under the key of its change (`core.change.Change.object_key`). `name`: userName
    or displayName, of a membership the person's. `looks`: how often it was looked at in vain. `next_look` None: nothing
    brings it up again by the clock.
    """

    object_key: str
    kind: str
    name: str
    reason: str
    since: datetime
    looks: int = 1
    next_look: datetime | None = None

    @property
    def okta_id(self) -> str:
        """Of a membership: the user's."""
        return self.object_key.rpartition(":")[2]


@dataclass(frozen=True, slots=True)
class Waiting(LookRecord):
    """One for now. Without a `next_look` only what it waits for, the log, or a full cycle brings it up again."""

    waits_for: tuple[str, ...] = ()


def still_waiting(
    skipped: Iterable[Skipped], known: Mapping[tuple[str, str], Waiting], now: datetime
) -> dict[tuple[str, str], Waiting]:
    """What of `skipped` is to be remembered, by object key and kind; `known` is what was remembered before.

    A look before its time changes no delay: only what is new about it is written.
    """
    found: dict[tuple[str, str], Waiting] = {}
    for skip in skipped:
        if skip.kind not in REMEMBERED or not skip.okta_id:
            continue
        key = (skip.object_key, skip.kind)
        before = known.get(key)
        looks, next_look = 1, now + delay(1)
        if before is not None:
            looks, next_look = before.looks, before.next_look or now
            if next_look <= now:
                looks += 1
                next_look = now + delay(looks)
        found[key] = Waiting(
            *key,
            name=skip.name,
            reason=skip.reason,
            since=before.since if before else now,
            looks=looks,
            next_look=next_look if REMEMBERED[skip.kind] else None,
            waits_for=tuple(sorted({*skip.waits_for, *(found[key].waits_for if key in found else ())})),
        )
    return found
