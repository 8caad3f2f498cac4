"""What the limits are compared with: what is planned, what waits, what was done in 24 hours, and of how many."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from datetime import timedelta

from syncd.core.change import ChangeKind
from syncd.core.limits import Limit
from syncd.core.safety import GroupNumbers, LimitRule, Numbers, Share, Violation, judged_with, over
from syncd.engine.planning.draft import Planning, group_name
from syncd.engine.planning.keepers import active_members, protected_groups
from syncd.engine.planning.making import counted_kinds, is_named_protected
from syncd.engine.reading.learned import NamedReading
from syncd.ports import RecentlyApplied, WaitingElsewhere

WINDOW = timedelta(hours=24)


class PlanNumbers:
    """The numbers of one plan. What is held meanwhile no longer counts as planned."""

    def __init__(self, planning: Planning, allow: Mapping[str, int]) -> None:
        self._planning = planning
        self.waiting = _waiting_elsewhere(planning)
        store = planning.job.store
        self._population = store.population()
        self._raised = allow.keys() | planning.expected.keys()
        self._recent = store.applied_since(planning.policy.now - WINDOW, under=self._raised)

    @property
    def active_people(self) -> int:
        return self._population.active_users

    def of(self, rule: LimitRule) -> Iterator[Numbers]:
        """One for each group where the limit is of each group."""
        lately = self._recent.in_groups(rule.name)
        if rule.share is Share.MEMBERS:
            for group_id, planned in sorted(self._by_group(rule).items()):
                there = self._planning.stage.pushed_count(group_id)
                name = group_name(self._planning, group_id)
                yield Numbers(planned, lately.get(group_id, 0), there, group_id, name)
        elif rule.share is Share.PROTECTED:
            groups, planned_in = self._planning.protected, self._by_group(rule)
            yield Numbers(
                planned=sum(planned_in.get(group_id, 0) for group_id in groups),
                lately=sum(lately.get(group_id, 0) for group_id in groups),
                there=sum(map(self._planning.stage.pushed_count, groups)),
            )
        else:
            planned = self._planning.stage.counted(rule.name, counted_kinds(self._planning, rule))
            planned -= len(self._spared(rule))
            planned += sum(each.count for each in self.waits_for(rule))
            yield Numbers(planned, self._lately(rule, self._recent), self._there(rule.share))

    def _spared(self, rule: LimitRule) -> AbstractSet[str]:
        """Planned changes that a person expects under a limit that covers this one, as many as are expected there."""
        found: set[str] = set()
        for wider in rule.covered_by:
            if (expectation := self._planning.expected.get(wider.name)) is not None:
                recent = self._planning.job.store.applied_since(expectation.begins, under=self._raised)
                left = max(0, expectation.number - self._lately(wider, recent))
                found.update(sorted(change_id for change_id, _ in self._keys(wider))[:left])
        if found:
            found &= {change_id for change_id, _ in self._keys(rule)}
            self._planning.spared[rule.name] = frozenset(found)
        return found

    def _lately(self, rule: LimitRule, recent: RecentlyApplied) -> int:
        if not rule.each_once:
            return recent.of(rule.name)
        again = {okta_id for _, okta_id in self._keys(rule)} if recent.whose(rule.name) else set()
        return len(recent.whose(rule.name) - again)

    def _keys(self, rule: LimitRule) -> Sequence[tuple[str, str]]:
        return self._planning.stage.counted_keys(rule.name, counted_kinds(self._planning, rule))

    def unless_expected(self, rule: LimitRule, found: Violation | None, numbers: Numbers) -> Violation | None:
        """None for what a person expects: it counts from the beginning of the window."""
        expectation = self._planning.expected.get(rule.name)
        if found is None or expectation is None:
            return found
        recent = self._planning.job.store.applied_since(expectation.begins, under=self._raised)
        groups, done = self._planning.protected, recent.in_groups(rule.name)
        lately = self._lately(rule, recent)
        if numbers.group_id is not None:
            lately = done.get(numbers.group_id, 0)
        elif rule.share is Share.PROTECTED:
            lately = sum(done.get(group_id, 0) for group_id in groups)
        return over(rule, Limit(number=expectation.number), replace(numbers, lately=lately))

    def _there(self, share: Share) -> int:
        population = self._population
        return {
            Share.PEOPLE: population.active_users,
            Share.GROUPS: population.groups,
            Share.MEMBERSHIPS: population.memberships,
        }[share]

    def _by_group(self, rule: LimitRule) -> Mapping[str, int]:
        """Planned here, and waiting besides."""
        planning = self._planning
        planned: Counter[str] = Counter()
        for kind in counted_kinds(planning, rule):
            planned.update(planning.stage.changes_by_group(kind))
        if rule.spares_beginnings:
            for group_id in planning.making.groups - planning.protected:
                planned.pop(group_id, None)
        if not planned:
            return planned
        for each in self.waits_for(rule):
            if each.group_id in planned or rule.share is Share.PROTECTED:
                planned[each.group_id or ""] += each.count
        return planned

    def waits_for(self, rule: LimitRule) -> Iterator[WaitingElsewhere]:
        for each in self.waiting:
            if rule.name in each.limits and each.check not in rule.behind:
                yield each

    def departures(self) -> tuple[int, int, bool]:
        """Deactivations, of so many active people; whether Okta shows nobody active. Where no complete list was read:
        nobody would be left of those we manage, and nobody comes.
        """
        planning, active = self._planning, self._population.active_users
        counts = planning.stage.change_counts()
        going = counts.get(ChangeKind.DEACTIVATE_USER, 0)
        going += sum(each.count for each in self.waiting if "deactivations" in each.limits)
        if planning.gives_back:  # what a person asked to be taken back says nothing of the app
            return going, active, False
        if planning.reading.users.proof is not None:
            return going, active, planning.reading.users.active_seen == 0
        coming = (ChangeKind.CREATE_USER, ChangeKind.ADOPT_USER, ChangeKind.REACTIVATE_USER)
        return going, active, going >= active and not any(map(counts.get, coming))

    def groups(self) -> list[GroupNumbers]:
        """Of each group that loses members, or active ones."""
        planning = self._planning
        planned = dict(planning.stage.changes_by_group(ChangeKind.REMOVE_MEMBER))
        for each in self.waiting:
            if "member_removals" in each.limits and each.group_id in planned:
                planned[each.group_id] += each.count
        keepers = _keepers_of_protected_groups(planning)
        for group_id, (going, _) in keepers.items():
            if going:
                planned.setdefault(group_id, len(going))
        lately = self._recent.in_groups("member_removals_per_group")
        return [
            _group_numbers(planning, group_id, count, lately.get(group_id, 0), keepers)
            for group_id, count in sorted(planned.items())
        ]


def _group_numbers(
    planning: Planning,
    group_id: str,
    planned: int,
    lately: int,
    keepers: Mapping[str, tuple[set[str], int]],
) -> GroupNumbers:
    remaining = planning.stage.wanted_count(group_id)
    if group_id in keepers:
        remaining = min(remaining, keepers[group_id][1])
    return GroupNumbers(
        group_id=group_id,
        name=group_name(planning, group_id),
        pushed=planning.stage.pushed_count(group_id),
        removed_lately=lately,
        planned=planned,
        remaining=remaining,
        protected=group_id in planning.protected or is_named_protected(planning, group_id),
    )


def _waiting_elsewhere(planning: Planning) -> Sequence[WaitingElsewhere]:
    """What waits, without what is still to be judged in this plan and what this cycle saw to be over."""
    reading = planning.reading
    if reading.has_every_wish:
        return ()
    seen = reading.looked_at if isinstance(reading, NamedReading) else frozenset[tuple[str, str]]()
    kinds = judged_with(planning.stage.change_counts().keys())
    return planning.stage.waiting_elsewhere(planning.policy.now, besides=seen, kinds=kinds)


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
