"""Applies the safety checks to a plan: what breaks a limit moves from "to apply" to a hold; the rest goes on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from datetime import timedelta

from syncd.core.change import GROUP_KINDS, ChangeKind
from syncd.core.diff import Skipped, adopts_inactive
from syncd.core.limits import Limit
from syncd.core.plan import Hold, hold_id
from syncd.core.safety import GroupNumbers, Limits, Numbers, Stops, Violation, violations
from syncd.core.waiting import REJECTED
from syncd.engine.planning.draft import Planning, group_name
from syncd.engine.planning.keepers import active_members, protected_groups
from syncd.engine.planning.scope import undecided_removals
from syncd.engine.reading.learned import NamedReading
from syncd.ports import RecentRemovals

WINDOW = timedelta(hours=24)

_REMOVALS = (ChangeKind.DEACTIVATE_USER, ChangeKind.REMOVE_MEMBER, ChangeKind.DELETE_GROUP)
_Waiting = Mapping[tuple[ChangeKind, str | None], int]


def hold_unsafe_changes(planning: Planning, allow: Mapping[str, int]) -> list[Hold]:
    """Moves every change that a check stops into its hold, and with a deactivation the same person's other
    removals, so that nobody is taken apart by halves. `allow` raises named limits for this run. What a person
    approved passes; what a person rejected is dropped without a question. In a cycle that did not see everything, what
    waits for a decision goes on waiting, and counts: a hold is not nibbled away in small cycles, nor in broken ones.
    """
    approved = planning.stage.decided_changes("approve", planning.policy.now)
    _drop_rejected(planning, approved)
    holds = _still_held(planning, allow, approved)
    # Whoever approved a removal for another reason was not told that the store was altered.
    knowing = planning.stage.decided_changes("approve", planning.policy.now, about=_ALTERED_STORE.check)
    for violation in _violations(planning, allow):
        passes = knowing if violation is _ALTERED_STORE else approved
        ids = [change_id for change_id in _stopped_by(planning, violation) if change_id not in passes]
        if ids:
            holds.append(_hold(planning, violation, ids))
    return sorted(holds, key=lambda hold: (hold.check, hold.id))


def _violations(planning: Planning, allow: Mapping[str, int]) -> Iterator[Violation]:
    """One after the other: what one of them stops, the next does not see."""
    if _plans_any(planning, _REMOVALS):
        yield from violations(_numbers(planning, allow), _raised(planning.job.limits, allow))
    yield _WAKES_UP
    yield _OTHER_SCOPE
    if _plans_any(planning, _ALTERED_STORE.stops.kinds) and planning.job.store.altered():
        yield _ALTERED_STORE


_WAKES_UP = Violation(
    "adopts_inactive",
    "the target has inactive accounts that would be taken over and woken up",
    "approve the hold if these accounts belong to these people",
    Stops([ChangeKind.ADOPT_USER], only=adopts_inactive),
)


_OTHER_SCOPE = Violation(
    "scope_change",
    "the scope settings (app, target, provisioning, attributes, push groups) changed: what would be removed until a "
    "full cycle has seen everything under the new ones, and what that one found, is held whatever the limits",
    "if these removals are what the new settings are meant to do, approve the hold; else mend the settings",
    Stops(_REMOVALS),
)


_ALTERED_STORE = Violation(
    "altered_store",
    "the store was changed behind syncd's back: limits, decided settings and what is remembered may be forged, so "
    "whatever would be removed is held",
    "look at syncd audit verify, keep a copy of the store and go back to a backup; or approve the hold if these "
    "removals are right",
    Stops([*_REMOVALS, ChangeKind.UNLINK_GROUP]),
)


def _drop_rejected(planning: Planning, approved: AbstractSet[str]) -> None:
    stage = planning.stage
    rejected = stage.decided_changes("reject", planning.policy.now)
    with_them = _other_removals(planning, rejected) - approved
    # Neither applied nor raised again.
    stage.hold_changes(rejected | with_them, REJECTED)
    for change in stage.changes(hold_id=REJECTED):
        reason = f"{change.kind}: rejected by a person; asked again when the world changes"
        about = "group" if change.kind in GROUP_KINDS else "user"
        planning.skip(Skipped(REJECTED, change.okta_id, change.name, reason, about, group_id=change.group_id))


def _other_removals(planning: Planning, stopped: AbstractSet[str]) -> AbstractSet[str]:
    """What else would be taken from the people whose deactivation is among these changes."""
    if not stopped:
        return frozenset()
    keys = planning.stage.change_keys
    people = {okta_id for change_id, okta_id in keys(ChangeKind.DEACTIVATE_USER) if change_id in stopped}
    memberships = keys(ChangeKind.REMOVE_MEMBER) if people else ()
    return {change_id for change_id, okta_id in memberships if okta_id in people}


def _still_held(planning: Planning, allow: Mapping[str, int], approved: AbstractSet[str]) -> list[Hold]:
    """The open holds that changes of this plan wait in, but for those whose limit is raised for this run. A complete
    cycle has all these wishes in its own plan, and raises its holds afresh.
    """
    stage, found = planning.stage, []
    for hold, ids in () if planning.reading.has_every_wish else stage.waiting_changes(planning.policy.now):
        if hold.check not in allow:
            stopped = {*ids, *(_other_removals(planning, frozenset(ids)) - approved)}
            stage.hold_changes(stopped, hold.id)
            found.append(replace(hold, changes=len(stopped)))
    return found


def _plans_any(planning: Planning, kinds: Iterable[ChangeKind]) -> bool:
    counts = planning.stage.change_counts()
    return any(counts.get(kind) for kind in kinds)


def _waiting_elsewhere(planning: Planning) -> _Waiting:
    """What waits, without what is still to be judged in this plan and what this cycle saw to be over."""
    reading = planning.reading
    if reading.has_every_wish:
        return {}
    seen = reading.looked_at if isinstance(reading, NamedReading) else frozenset[tuple[str, str]]()
    return planning.stage.waiting_elsewhere(_REMOVALS, planning.policy.now, besides=seen)


def _raised(limits: Limits, allow: Mapping[str, int]) -> Limits:
    return replace(limits, **{name: Limit(number=number) for name, number in allow.items()})


def _stopped_by(planning: Planning, violation: Violation) -> AbstractSet[str]:
    """Ids of the changes that this check stops. Nobody is taken apart by halves: with a deactivation the person's other
    removals.
    """
    stage, stops, group_id = planning.stage, violation.stops, violation.group_id
    if violation is _OTHER_SCOPE:  # not all of its kinds
        return frozenset(undecided_removals(planning.job, stage))
    if stops.only is not None:
        return {change.id for change in stage.changes(kinds=stops.kinds) if stops.only(change)}
    keys = [key for kind in stops.kinds for key in stage.change_keys(kind, group_id=group_id)]
    stopped = {change_id for change_id, _ in keys}
    if stops.leavers:
        people = {okta_id for _, okta_id in keys}
        people |= active_members(planning.job.store, group_id) if group_id else set()
        deactivations = stage.change_keys(ChangeKind.DEACTIVATE_USER)
        stopped |= {change_id for change_id, okta_id in deactivations if okta_id in people}
    return stopped | _other_removals(planning, stopped)


def _hold(planning: Planning, violation: Violation, ids: Sequence[str]) -> Hold:
    identity = hold_id(f"{violation.check}:{violation.group_id or ''}", ids)
    planning.stage.hold_changes(ids, identity)
    return Hold(identity, violation.check, violation.reason, violation.way_out, violation.numbers, len(ids))


def _numbers(planning: Planning, allow: Mapping[str, int]) -> Numbers:
    job, stage = planning.job, planning.stage
    waiting = _waiting_elsewhere(planning)
    population = job.store.population()
    recent = job.store.removals_since(planning.policy.now - WINDOW, under=allow.keys())
    counts = Counter(stage.change_counts())
    for (kind, _), number in waiting.items():
        counts[kind] += number
    return Numbers(
        active_users=population.active_users,
        groups=population.groups,
        memberships=population.memberships,
        deactivated_lately=recent.deactivations,
        groups_deleted_lately=recent.group_deletions,
        members_removed_lately=recent.member_removals,
        deactivations=counts.get(ChangeKind.DEACTIVATE_USER, 0),
        group_deletions=counts.get(ChangeKind.DELETE_GROUP, 0),
        member_removals=counts.get(ChangeKind.REMOVE_MEMBER, 0),
        by_group=_group_numbers(planning, recent, waiting),
        app_is_empty=_app_is_empty(planning, counts, population.active_users),
    )


def _app_is_empty(planning: Planning, counts: Mapping[ChangeKind, int], active: int) -> bool:
    """Where no complete list was read: nobody would be left of those we manage, and nobody comes."""
    reading = planning.reading
    if reading.users.proof is not None:
        return reading.users.active_seen == 0
    coming = (ChangeKind.CREATE_USER, ChangeKind.ADOPT_USER, ChangeKind.REACTIVATE_USER)
    return counts.get(ChangeKind.DEACTIVATE_USER, 0) >= active and not any(map(counts.get, coming))


def _group_numbers(planning: Planning, recent: RecentRemovals, waiting: _Waiting) -> list[GroupNumbers]:
    planned = {
        group_id: count + waiting.get((ChangeKind.REMOVE_MEMBER, group_id), 0)
        for group_id, count in planning.stage.changes_by_group(ChangeKind.REMOVE_MEMBER).items()
    }
    keepers = _keepers_of_protected_groups(planning)
    for group_id, (going, _) in keepers.items():
        if going:
            planned.setdefault(group_id, len(going))
    numbers = []
    for group_id, count in sorted(planned.items()):
        remaining = planning.stage.wanted_count(group_id)
        if group_id in keepers:
            remaining = min(remaining, keepers[group_id][1])
        numbers.append(
            GroupNumbers(
                group_id=group_id,
                name=group_name(planning, group_id),
                pushed=planning.stage.pushed_count(group_id),
                removed_lately=recent.by_group.get(group_id, 0),
                planned=count,
                remaining=remaining,
                protected=group_id in keepers or _is_protected(planning, group_id),
            )
        )
    return numbers


def _is_protected(planning: Planning, group_id: str) -> bool:
    """Also of a group that is only being linked."""
    names = {group_name(planning, group_id), planning.group_ids.get(group_id)}
    return bool(names & set(planning.policy.protected_groups))


def _keepers_of_protected_groups(planning: Planning) -> dict[str, tuple[set[str], int]]:
    """By linked protected group: its active members that would go, be it from the group or altogether, and how many
    active members it would have left.
    """
    stage, store = planning.stage, planning.job.store
    groups = protected_groups(store, planning.policy.protected_groups)
    if not groups:
        return {}
    deactivated = {okta_id for _, okta_id in stage.change_keys(ChangeKind.DEACTIVATE_USER)}
    found = {}
    for group_id in groups:
        active = active_members(store, group_id)
        removed = {okta_id for _, okta_id in stage.change_keys(ChangeKind.REMOVE_MEMBER, group_id=group_id)}
        going = active & (deactivated | removed)
        joining = stage.change_keys(ChangeKind.ADD_MEMBER, group_id=group_id)
        found[group_id] = (going, len(active - going) + len(joining))
    return found
