"""Who is looked at first by a delta: leavers, then whom the store knows."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from syncd.engine.cycles.hooked import Hooked
from syncd.engine.cycles.seen import Key, Seen
from syncd.engine.job import Job
from syncd.engine.reading.selection import BY_ID_AT_MOST

FEW = 10
"""Others who are no more than so many keep nobody waiting."""


@dataclass(frozen=True, slots=True)
class AllNamed:
    """Whom a delta could look at, by Okta ids: `leavers` of them, `hearsay` that only event hooks name. `hurried`: all
    but the leavers have a full cycle.
    """

    users: Sequence[str]
    groups: Sequence[str]
    leavers: Sequence[str]
    hearsay: AbstractSet[Key]
    hurried: bool


def who_goes_first(
    job: Job, seen: Seen, hooked: Hooked, among: AllNamed
) -> tuple[list[str], list[str], bool]:
    """Users and groups to look at now, and whether others wait for the next delta. Leavers do not wait for many others,
    nor whom the store knows for many that only hooks name and it does not.
    """
    alone_before, hooked.went_first = hooked.went_first, False
    users, groups, leavers = list(among.users), list(among.groups), list(among.leavers)
    named = len(users) + len(groups)
    # Whoever may post hooks could name leavers without end; the log's end.
    if leavers and (among.hurried or named - len(leavers) > FEW) and (not alone_before or seen.leavers()):
        hooked.went_first = True
        return leavers, [], True
    strangers = {key for key in among.hearsay if not _knows(job, key)}
    hooked.put_off = FEW < len(strangers) < named and not hooked.put_off
    if hooked.put_off:
        users = [each for each in users if ("user", each) not in strangers]
        groups = [each for each in groups if ("group", each) not in strangers]
    return users, groups, hooked.put_off


def _knows(job: Job, key: Key) -> bool:
    kind, okta_id = key
    return (job.store.user(okta_id) if kind == "user" else job.store.group(okta_id)) is not None


def leavers_of(job: Job, seen: Seen, hooked: Hooked) -> Sequence[str]:
    """Okta ids of people of whom an event says that they lost access; as many as are asked for by id. On the word of a
    hook nobody whom the store does not know: they have none to lose.
    """
    said = (okta_id for (kind, okta_id), name in hooked.due().items() if kind == "user" and name.leaving)
    by_hooks = (okta_id for okta_id in said if job.store.user(okta_id) is not None)
    return list(dict.fromkeys([*by_hooks, *seen.leavers()]))[:BY_ID_AT_MOST]
