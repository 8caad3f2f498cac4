"""Applies the safety checks to a plan: what breaks a limit moves from "to apply" to a hold; the rest goes on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from datetime import timedelta

from syncd.core.change import Change, ChangeKind
from syncd.core.diff import Skipped, adopts_inactive
from syncd.core.limits import Limit
from syncd.core.plan import Hold, hold_id
from syncd.core.safety import GroupNumbers, Limits, Numbers, Violation, violations
from syncd.engine.job import scope_changed
from syncd.engine.last_member import active_members, protected_groups
from syncd.engine.planning import Planning, group_name
from syncd.ports import HoldRecord, RecentRemovals

WINDOW = timedelta(hours=24)
OTHER_SCOPE = "scope_change"

_HELD_BY: Mapping[str, ChangeKind] = {
    "deactivations": ChangeKind.DEACTIVATE_USER,
    "empty_app": ChangeKind.DEACTIVATE_USER,
    "group_deletions": ChangeKind.DELETE_GROUP,
    "member_removals": ChangeKind.REMOVE_MEMBER,
    "member_removals_per_group": ChangeKind.REMOVE_MEMBER,
    "emptied_group": ChangeKind.REMOVE_MEMBER,
    "protected_group": ChangeKind.REMOVE_MEMBER,
}
_REMOVALS = (ChangeKind.DEACTIVATE_USER, ChangeKind.REMOVE_MEMBER, ChangeKind.DELETE_GROUP)


REJECTED = "rejected"
"""Where rejected changes go in the spool: neither applied nor raised again."""


def hold_unsafe_changes(planning: Planning, allow: Mapping[str, int]) -> list[Hold]:
    """Moves every change that a check stops into its hold, and with a deactivation the same person's other
    removals, so that nobody is taken apart by halves. `allow` raises named limits for this run. What a person
    approved passes; what a person rejected is dropped without a question. In a cycle of some objects, what waits for
    a decision goes on waiting, and counts: a hold is not nibbled away in small cycles.
    """
    _drop_rejected(planning)
    limits = _raised(planning.job.limits, allow)
    waiting = _waiting(planning)
    holds = _still_held(planning, waiting, allow)
    found = violations(_numbers(planning, _removals_in(planning, waiting)), limits)
    for violation in found:
        hold = _hold(planning, violation, _changes_of(planning, violation))
        if hold is not None:
            holds.append(hold)
    for check, changes in (
        (_WAKES_UP, _adoptions_of_inactive(planning)),
        (_OTHER_SCOPE, _removals_under_other_scope(planning)),
    ):
        hold = _hold(planning, check, changes)
        if hold is not None:
            holds.append(hold)
    return sorted(holds, key=lambda hold: (hold.check, hold.id))


_WAKES_UP = Violation(
    "adopts_inactive",
    "the target has inactive accounts that would be taken over and woken up",
    "approve the hold if these accounts belong to these people",
)


_OTHER_SCOPE = Violation(
    OTHER_SCOPE,
    "the scope settings (app, target, provisioning, attributes, push groups) changed since the last full cycle; "
    "removals that the new settings bring are held whatever the limits",
    "if these removals are what the new settings are meant to do, approve the hold; else mend the settings",
)


def _drop_rejected(planning: Planning) -> None:
    rejected = sorted(
        each for each in planning.job.store.decided().rejected if planning.stage.has_change(each)
    )
    planning.stage.hold_changes(rejected, REJECTED)
    for change in planning.stage.changes(hold_id=REJECTED):
        reason = f"{change.kind}: rejected by a person; asked again when the world changes"
        planning.skipped.append(Skipped(REJECTED, change.okta_id, change.name, reason))


def _waiting(planning: Planning) -> Sequence[HoldRecord]:
    """The open holds. A complete cycle has all these wishes in its own plan, and raises its holds afresh."""
    return planning.job.store.holds() if planning.reading.looked_at else ()


def _still_held(planning: Planning, waiting: Sequence[HoldRecord], allow: Mapping[str, int]) -> list[Hold]:
    """The open holds that changes of this plan wait in, but for those whose limit is raised for this run."""
    found = []
    for record in waiting:
        if record.check in allow:
            continue
        ids = [each.id for each in record.changes if planning.stage.has_change(each.id)]
        if ids:
            planning.stage.hold_changes(ids, record.id)
            found.append(
                Hold(record.id, record.check, record.reason, record.way_out, record.numbers, len(ids))
            )
    return found


def _removals_in(planning: Planning, waiting: Sequence[HoldRecord]) -> Sequence[Change]:
    """What waits, once each, without what is still to be judged in this plan and what this cycle saw to be over."""
    stage, looked_at = planning.stage, planning.reading.looked_at
    judged = {change.id for change in stage.changes(kinds=_REMOVALS)}
    each_once = {change.id: change for record in waiting for change in record.changes}
    return [
        change
        for change in each_once.values()
        if change.kind in _REMOVALS
        and change.id not in judged
        and (stage.has_change(change.id) or not _was_looked_at(change, looked_at))
    ]


def _was_looked_at(change: Change, looked_at: AbstractSet[tuple[str, str]]) -> bool:
    of_a_group = change.kind is ChangeKind.DELETE_GROUP
    return ("group" if of_a_group else "user", change.okta_id) in looked_at


def _removals_under_other_scope(planning: Planning) -> Iterator[Change]:
    if not scope_changed(planning.job):
        return iter(())
    return planning.stage.changes(kinds=_REMOVALS)


def _raised(limits: Limits, allow: Mapping[str, int]) -> Limits:
    return replace(limits, **{name: Limit(number=number) for name, number in allow.items()})


def _changes_of(planning: Planning, violation: Violation) -> Iterator[Change]:
    stage = planning.stage
    kind = _HELD_BY[violation.check]
    meant: Callable[[Change], bool] = lambda change: violation.group_id in (None, change.group_id)  # noqa: E731
    if kind is ChangeKind.DEACTIVATE_USER:
        people = {change.okta_id for change in stage.changes(kinds=[kind])}
        yield from (change for change in stage.changes(kinds=[kind]))
        yield from (
            change for change in stage.changes(kinds=[ChangeKind.REMOVE_MEMBER]) if change.okta_id in people
        )
    elif kind is ChangeKind.REMOVE_MEMBER:
        kept = [change for change in stage.changes(kinds=[kind]) if meant(change)]
        people = {change.okta_id for change in kept}
        if violation.check == "protected_group" and violation.group_id:
            people |= active_members(planning.job.store, violation.group_id)
        yield from kept
        yield from (
            change
            for change in stage.changes(kinds=[ChangeKind.DEACTIVATE_USER])
            if change.okta_id in people and violation.check == "protected_group"
        )
    else:
        yield from stage.changes(kinds=[kind])


def _adoptions_of_inactive(planning: Planning) -> Iterator[Change]:
    adoptions = planning.stage.changes(kinds=[ChangeKind.ADOPT_USER])
    return (change for change in adoptions if adopts_inactive(change))


def _hold(planning: Planning, violation: Violation, changes: Iterable[Change]) -> Hold | None:
    approved = planning.job.store.decided().approved
    ids = [change.id for change in changes if change.id not in approved]
    if not ids:
        return None
    key = f"{violation.check}:{violation.group_id or ''}"
    identity = hold_id(key, ids)
    planning.stage.hold_changes(ids, identity)
    return Hold(identity, violation.check, violation.reason, violation.way_out, violation.numbers, len(ids))


def _numbers(planning: Planning, waiting: Sequence[Change]) -> Numbers:
    job, stage = planning.job, planning.stage
    population = job.store.population()
    recent = job.store.removals_since(planning.policy.now - WINDOW)
    counts = Counter(stage.change_counts())
    counts.update(change.kind for change in waiting)
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
    if reading.users_proof is not None:
        return reading.active_seen == 0
    coming = (ChangeKind.CREATE_USER, ChangeKind.ADOPT_USER, ChangeKind.REACTIVATE_USER)
    return counts.get(ChangeKind.DEACTIVATE_USER, 0) >= active and not any(map(counts.get, coming))


def _group_numbers(
    planning: Planning, recent: RecentRemovals, waiting: Sequence[Change]
) -> list[GroupNumbers]:
    planned: dict[str, int] = {}
    for change in planning.stage.changes(kinds=[ChangeKind.REMOVE_MEMBER]):
        assert change.group_id is not None  # noqa: S101  (a membership has a group)
        planned[change.group_id] = planned.get(change.group_id, 0) + 1
    for change in waiting:
        if change.group_id in planned:
            planned[change.group_id] += 1
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
                protected=group_name(planning, group_id) in planning.policy.protected_groups,
            )
        )
    return numbers


def _keepers_of_protected_groups(planning: Planning) -> dict[str, tuple[set[str], int]]:
    """By linked protected group: its active members that would go, be it from the group or altogether, and how many
    active members it would have left.
    """
    stage, store = planning.stage, planning.job.store
    groups = protected_groups(store, planning.policy.protected_groups)
    if not groups:
        return {}
    deactivated = {change.okta_id for change in stage.changes(kinds=[ChangeKind.DEACTIVATE_USER])}
    removed: dict[str, set[str]] = {}
    joining: dict[str, int] = {}
    for change in stage.changes(kinds=[ChangeKind.REMOVE_MEMBER, ChangeKind.ADD_MEMBER]):
        if change.group_id in groups and change.kind is ChangeKind.REMOVE_MEMBER:
            removed.setdefault(change.group_id, set()).add(change.okta_id)
        elif change.group_id in groups:
            joining[change.group_id] = joining.get(change.group_id, 0) + 1
    found = {}
    for group_id in groups:
        active = active_members(store, group_id)
        going = active & (deactivated | removed.get(group_id, set()))
        found[group_id] = (going, len(active - going) + joining.get(group_id, 0))
    return found
