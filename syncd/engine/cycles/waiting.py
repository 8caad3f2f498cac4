"""What is left alone: remembered with its since, and looked at again in the very delta that frees its name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from itertools import chain

from syncd.core.diff import Skipped
from syncd.core.order import group_name_freed, user_name_freed
from syncd.core.waiting import REMEMBERED, WHILE_WRITING, Waiting, still_waiting
from syncd.engine.job import Job
from syncd.engine.planning.planned import Planned
from syncd.engine.reading.learned import NamedReading
from syncd.engine.reading.named import read_also
from syncd.model import GroupCase, GroupState, Standing, UserCase
from syncd.ports import Stage

TOLD_AT_MOST = 50
"""So many lines about who is left out does one cycle write into the log."""
MORE_AT_MOST = 50
"""So many objects that a delta frees are looked at with it; the others by the next deltas."""


def read_whom_it_frees(job: Job, stage: Stage, reading: NamedReading) -> None:
    """Whoever waits for a name that is left in this delta is read too, and so on until nobody more is freed."""
    asked: set[tuple[str, str]] = set()
    while len(asked) < MORE_AT_MOST:
        reading.freed |= set(_left(stage))
        waiting = (key.partition(":") for key in job.store.waiting_for(reading.freed))
        others = {(kind, okta_id) for kind, _, okta_id in waiting} - reading.looked_at - asked
        more = sorted(others)[: MORE_AT_MOST - len(asked)]
        if not more:
            return
        asked |= set(more)
        users = [okta_id for kind, okta_id in more if kind == "user"]
        groups = [okta_id for kind, okta_id in more if kind == "group"]
        read_also(job, stage, reading, users, groups, member_lists=(), by_id_at_most=len(users))


def names_left(stage: Stage) -> frozenset[str]:
    """Keys of the names that objects of this cycle give up, by what Okta wishes now."""
    return frozenset(_left(stage))


def _left(stage: Stage) -> Iterator[str]:
    return chain(
        chain.from_iterable(map(_left_by_user, stage.user_cases())),
        chain.from_iterable(map(_left_by_group, stage.group_cases())),
    )


def _left_by_user(case: UserCase) -> Iterator[str]:
    known, wanted = case.known, case.wanted
    if known is None:
        return
    kept = wanted.user_name if wanted and wanted.standing is Standing.ACTIVE else ""
    had = [known.wanted.user_name] if known.wanted.standing is Standing.ACTIVE else []
    if known.pushed is not None:
        had.append(str(known.pushed.attributes.get("userName", "")))
    yield from {user_name_freed(name) for name in had if name} - {user_name_freed(kept)}


def _left_by_group(case: GroupCase) -> Iterator[str]:
    known, wanted = case.known, case.wanted
    if known is None:
        return
    pushed = known.pushed.name if known.pushed else None
    had = {known.wanted.target_name, *([pushed] if pushed else [])}
    kept = set()
    if wanted is not None and wanted.state is not GroupState.GONE:
        kept = {wanted.target_name} if wanted.rename or not pushed else {pushed}
    yield from {group_name_freed(name) for name in had} - {group_name_freed(name) for name in kept}


def remember(job: Job, planned: Planned, *, whole: bool, failures_over: Sequence[str] = ()) -> None:
    """What this plan leaves alone, and what it found to be over. `whole`: everything was looked at."""
    known = _known(job, REMEMBERED.keys() - WHILE_WRITING)
    planning = planned.planning
    found = still_waiting(planned.stage.skipped(), known, planning.policy.now)
    over = [key for key in known if key not in found and _was_seen(planned, key[0], whole=whole)]
    freed: AbstractSet[str] = frozenset()
    if isinstance(planning.reading, NamedReading) and job.store.waiting_for(planning.reading.freed):
        freed = planning.reading.freed  # for nobody is nothing to write down
    # Whoever was looked at in this cycle is not woken for the next.
    changed = {each.object_key: each for each in found.values() if not freed.isdisjoint(each.waits_for)}
    written = [*_changed(found, known), *changed.values()]
    job.store.wait(written, over=over, failures_over=failures_over, freed=sorted(freed))
    _tell(job, found, known, over)


def remember_left(job: Job, planned: Planned, left: Iterable[Skipped], *, whole: bool) -> None:
    """What turned out while writing."""
    known = _known(job, WHILE_WRITING)
    found = still_waiting(left, known, planned.planning.policy.now)
    over = [key for key in known if key not in found and _was_seen(planned, key[0], whole=whole)]
    job.store.wait(_changed(found, known), over=over)
    _tell(job, found, known, over)


_Waits = Mapping[tuple[str, str], Waiting]


def _tell(job: Job, found: _Waits, known: _Waits, over: Sequence[tuple[str, str]]) -> None:
    """A line in the log when it begins for somebody, and one when it ends; of a great number the first."""
    begun = [each for key, each in found.items() if key not in known]
    ended = [known[key] for key in over]
    for event, those in (("left out", begun), ("no longer left out", ended)):
        for each in those[:TOLD_AT_MOST]:
            about = {"object": each.name or each.okta_id, "okta_id": each.okta_id, "kind": each.kind}
            job.observer.event("info", event, **about, reason=each.reason)
        if len(those) > TOLD_AT_MOST:
            job.observer.event("info", event, more=len(those) - TOLD_AT_MOST, hint="syncd skipped")


def failures_over(planned: Planned, *, whole: bool) -> list[str]:
    """Object keys of failures whose wish is gone: this cycle looked at the object, and neither plans that change nor
    waits for its next try. What is held instead waits for its decision, and what is left alone has its own next look.
    """
    planning = planned.planning
    return [
        key
        for key, failure in planning.failures.items()
        if key not in planning.unsettled
        and key not in planning.quarantined
        and _was_seen(planned, key, whole=whole)
        and not planned.stage.applies(failure.change_id)
    ]


def _known(job: Job, kinds: AbstractSet[str]) -> _Waits:
    return {(each.object_key, each.kind): each for each in job.store.waiting(kinds)}


def _changed(
    found: Mapping[tuple[str, str], Waiting], known: Mapping[tuple[str, str], Waiting]
) -> list[Waiting]:
    return [each for key, each in found.items() if known.get(key) != each]


def _was_seen(planned: Planned, object_key: str, *, whole: bool) -> bool:
    """A membership is seen with either end."""
    reading = planned.planning.reading
    if whole or planned.problems or not isinstance(reading, NamedReading):
        return whole
    kind, _, okta_id = object_key.partition(":")
    if kind == "member":
        group_id, _, user_id = okta_id.partition(":")
        return ("user", user_id) in reading.looked_at or ("group", group_id) in reading.looked_at
    return (kind, okta_id) in reading.looked_at
