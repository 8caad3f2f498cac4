"""The limits that stop a mistake before it becomes an outage. Pure: numbers in, violations and what they stop out.

Everything applied in the last 24 hours and everything planned counts together, so that a mass removal that trickles
in through small cycles is caught like one that comes at once. What a person decided on does not count: neither what was
approved, nor, for a limit as it is set, what was done while it was raised.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from syncd.core.change import Change, ChangeKind
from syncd.core.counting import counted
from syncd.core.limits import Limit

SMALL_GROUP = 5


@dataclass(frozen=True, slots=True)
class Limits:
    """What may be removed in 24 hours; the last one is of each group's members."""

    deactivations: Limit
    group_deletions: Limit
    member_removals: Limit
    member_removals_per_group: Limit


LIMITED: Mapping[str, ChangeKind] = {
    "deactivations": ChangeKind.DEACTIVATE_USER,
    "group_deletions": ChangeKind.DELETE_GROUP,
    "member_removals": ChangeKind.REMOVE_MEMBER,
    "member_removals_per_group": ChangeKind.REMOVE_MEMBER,
}
LIMIT_NAMES = tuple(LIMITED)
OF_ONE_GROUP = ("member_removals_per_group", "emptied_group", "protected_group")
"""Checks that judge each group by itself."""


@dataclass(frozen=True, slots=True)
class GroupNumbers:
    """One group with planned removals. `pushed`: members now; `remaining`: active members Okta still wants."""

    group_id: str
    name: str
    pushed: int
    removed_lately: int
    planned: int
    remaining: int
    protected: bool = False


@dataclass(frozen=True, slots=True)
class Numbers:
    """What the checks look at: managed now, removed in the last 24 hours, planned in this cycle."""

    active_users: int
    groups: int
    memberships: int
    deactivated_lately: int
    groups_deleted_lately: int
    members_removed_lately: int
    deactivations: int
    group_deletions: int
    member_removals: int
    by_group: Sequence[GroupNumbers] = ()
    app_is_empty: bool = False
    """A complete read of the app's users found nobody active."""


@dataclass(frozen=True, slots=True)
class Stops:
    """The changes that a violation stops: those of these kinds, in its group where it is about one."""

    kinds: Sequence[ChangeKind]
    leavers: bool = False
    """And the deactivations of the same people, and of the group's other active members."""
    only: Callable[[Change], bool] | None = None
    """Not all changes of these kinds, but those of which this is true."""


@dataclass(frozen=True, slots=True)
class Violation:
    """One check that says no. `check` names it, `numbers` are those that were compared, `way_out` what to do.

    `group_id` is set when only that group's member removals are meant.
    """

    check: str
    reason: str
    way_out: str
    stops: Stops
    group_id: str | None = None
    numbers: Mapping[str, int | str] = field(default_factory=dict)


_DEPARTURES = Stops([ChangeKind.DEACTIVATE_USER])
_DELETIONS = Stops([ChangeKind.DELETE_GROUP])
_MEMBER_REMOVALS = Stops([ChangeKind.REMOVE_MEMBER])
_LOSS_OF_LAST_MEMBERS = Stops([ChangeKind.REMOVE_MEMBER], leavers=True)


def allowed(limit: Limit, population: int, *, floor: int) -> int:
    """How many removals a limit allows of `population` objects.

    A percent always allows `floor`, but never more than half of the population for that reason (at least 1).
    """
    if limit.number is not None:
        return limit.number
    assert limit.percent is not None  # noqa: S101  (the type's own invariant)
    share = math.floor(population * limit.percent / 100 + 1e-9)
    return max(share, min(floor, max(1, population // 2)))


def violations(numbers: Numbers, limits: Limits) -> list[Violation]:
    """Every check that the planned removals break, sorted by check and group."""
    found = [
        *_over(
            "deactivations",
            limits.deactivations,
            _DEPARTURES,
            population=numbers.active_users + numbers.deactivated_lately,
            lately=numbers.deactivated_lately,
            planned=numbers.deactivations,
            floor=3,
            what="user",
        ),
        *_over(
            "group_deletions",
            limits.group_deletions,
            _DELETIONS,
            population=numbers.groups + numbers.groups_deleted_lately,
            lately=numbers.groups_deleted_lately,
            planned=numbers.group_deletions,
            floor=0,
            what="group",
        ),
        *_over(
            "member_removals",
            limits.member_removals,
            _MEMBER_REMOVALS,
            population=numbers.memberships + numbers.members_removed_lately,
            lately=numbers.members_removed_lately,
            planned=numbers.member_removals,
            floor=1,
            what="membership",
        ),
    ]
    if numbers.app_is_empty and numbers.deactivations:
        found.append(
            Violation(
                "empty_app",
                "nobody is assigned to the app any more; "
                f"{counted(numbers.deactivations, 'user')} would be deactivated",
                "check the app's assignments in Okta; approve the hold only if everybody shall really lose access",
                _DEPARTURES,
                numbers={"planned": numbers.deactivations, "managed": numbers.active_users},
            )
        )
    for group in numbers.by_group:
        found += _group_violations(group, limits.member_removals_per_group)
    return sorted(found, key=lambda violation: (violation.check, violation.group_id or ""))


def _over(
    check: str,
    limit: Limit,
    stops: Stops,
    *,
    population: int,
    lately: int,
    planned: int,
    floor: int,
    what: str,
) -> list[Violation]:
    most = allowed(limit, population, floor=floor)
    if not planned or lately + planned <= most:
        return []
    before = f" after {lately} in the last 24 hours" if lately else ""
    return [
        Violation(
            check,
            f"{counted(planned, what)} would be removed{before}; "
            f"the limit max_{check} = {limit} allows {most} of {population}",
            f"look at the hold; then approve it, or allow more once with --allow {check}={lately + planned}",
            stops,
            numbers={
                "planned": planned,
                "last_24_hours": lately,
                "allowed": most,
                "managed": population,
                "limit": str(limit),
            },
        )
    ]


def _group_violations(group: GroupNumbers, limit: Limit) -> list[Violation]:
    if not group.planned:
        return []
    numbers: dict[str, int | str] = {
        "planned": group.planned,
        "last_24_hours": group.removed_lately,
        "members": group.pushed,
        "remaining": group.remaining,
    }
    if group.protected and group.remaining == 0:
        return [
            Violation(
                "protected_group",
                f'"{group.name}" is protected and would be left without an active member',
                "add another member in Okta first: no approval empties a protected group",
                _LOSS_OF_LAST_MEMBERS,
                group.group_id,
                numbers,
            )
        ]
    if group.pushed + group.removed_lately > 1 and group.remaining == 0:
        return [
            Violation(
                "emptied_group",
                f'the group "{group.name}" had {group.pushed + group.removed_lately} members and Okta now shows none',
                "check the group in Okta; approve the hold only if it shall really be empty",
                _MEMBER_REMOVALS,
                group.group_id,
                numbers,
            )
        ]
    size = group.pushed + group.removed_lately
    most = allowed(limit, size, floor=0)
    if size <= SMALL_GROUP or group.removed_lately + group.planned <= most:
        return []
    return [
        Violation(
            "member_removals_per_group",
            f'{group.planned} of {size} members of "{group.name}" would be removed; '
            f"the limit max_member_removals_per_group = {limit} allows {most}",
            "look at the hold; then approve it, or allow more once with "
            f"--allow member_removals_per_group={group.removed_lately + group.planned}",
            _MEMBER_REMOVALS,
            group.group_id,
            {**numbers, "allowed": most, "limit": str(limit)},
        )
    ]
