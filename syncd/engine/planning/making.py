"""What is only just being made: a first sync, and groups that are being filled. Limits of what is added spare them.

It lasts until a cycle came to its end with it, also over restarts: what an outage cut short is still the same first
sync. What was done meanwhile is journalled as exempt, so that it uses up nobody's day.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from syncd.core.change import Change, ChangeKind
from syncd.core.plan import Hold
from syncd.core.safety import LimitRule
from syncd.engine.facts import MAKING, NOTHING_IN_THE_MAKING, Making
from syncd.engine.planning.draft import Planning, group_name
from syncd.engine.planning.keepers import protected_groups
from syncd.ports import Store

BEGINS = frozenset({ChangeKind.CREATE_USER, ChangeKind.ADOPT_USER, ChangeKind.ADD_MEMBER})
"""What a first sync does to people. Who is updated was there before."""
NO_ACCOUNT = "no_account"
"""Where memberships go in the spool whose person's account is held: they are planned again when it is there."""


def manages_anything(store: Store) -> bool:
    """Whether anybody or any group is tied to something at the target: else this is a first sync."""
    population = store.population()
    return bool(population.users or population.groups)


def in_the_making(planning: Planning) -> Making:
    """As remembered, with what this plan begins."""
    store = planning.job.store
    known = MAKING.of(store, NOTHING_IN_THE_MAKING)
    begun = {okta_id for _, okta_id in planning.stage.change_keys(ChangeKind.CREATE_GROUP)}
    first = known.first_sync or not manages_anything(store)
    return Making(first, known.groups | begun)


def groups_under_protection(planning: Planning) -> frozenset[str]:
    """Okta ids of the groups that have a protected name, linked or about to be."""
    planned = planning.stage.changes_by_group(ChangeKind.ADD_MEMBER)
    return protected_groups(planning.job.store, planning.policy.protected_groups) | {
        group_id for group_id in planned if is_named_protected(planning, group_id)
    }


def is_named_protected(planning: Planning, group_id: str) -> bool:
    """By its name or its id at the target, also while it is only being linked."""
    names = {group_name(planning, group_id), planning.group_ids.get(group_id)}
    return bool(names & set(planning.policy.protected_groups))


def is_exempt(planning: Planning, change: Change) -> bool:
    """No limit counts this change. What goes into a protected group always counts."""
    making = planning.making
    if change.kind not in BEGINS or change.group_id in planning.protected:
        return False
    return making.first_sync or change.group_id in making.groups


def counted_kinds(planning: Planning, rule: LimitRule) -> Collection[ChangeKind]:
    """Those of the rule's kinds that count now."""
    spared = BEGINS if rule.spares_beginnings and planning.making.first_sync else frozenset()
    return [kind for kind in rule.kinds if kind not in spared]


def begun(planning: Planning) -> Mapping[str, str | None]:
    """To be remembered before the first write, so that who comes after an interruption knows of it."""
    if planning.making == MAKING.of(planning.job.store, NOTHING_IN_THE_MAKING):
        return {}
    return dict([MAKING.entry(planning.making)])


def ended(
    planning: Planning, holds: Sequence[Hold], *, whole: bool, came_to_its_end: bool
) -> Mapping[str, str | None]:
    """To be remembered after the last write. `whole`: the plan was about everything; `came_to_its_end`: nothing was put
    off.
    """
    making = planning.making
    if not came_to_its_end:
        return {}
    if making == NOTHING_IN_THE_MAKING:
        return {}
    left = replace(
        making,
        first_sync=making.first_sync and not whole,
        groups=making.groups - _filled(planning, making.groups, holds, whole=whole),
    )
    if left == making:
        return {}
    return dict([MAKING.entry(None if left == NOTHING_IN_THE_MAKING else left)])


def _filled(
    planning: Planning, groups: Collection[str], holds: Sequence[Hold], *, whole: bool
) -> frozenset[str]:
    """Of these groups those that this plan filled; not those of which members are held, or wait for their accounts."""
    stage, member = planning.stage, ChangeKind.ADD_MEMBER
    waiting = set(stage.changes_by_group(member, hold_id=NO_ACCOUNT))
    for hold in holds:
        waiting |= stage.changes_by_group(member, hold_id=hold.id).keys()
    if whole:
        return frozenset(groups) - waiting
    made = {okta_id for _, okta_id in stage.change_keys(ChangeKind.CREATE_GROUP)}
    return frozenset((made | stage.changes_by_group(member).keys()) - waiting)
