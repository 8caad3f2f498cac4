"""The limits that stop a mistake before it becomes an outage. Pure: numbers in, violations and what they stop out.

`LIMITS` is the table: one row says what counts against a limit, of what it is a share, what is always allowed, and what
the hold says. Everything applied in the last 24 hours and everything planned counts together, so that a mistake that
trickles in through small cycles is caught like one that comes at once. What a person decided on does not count: neither
what was approved, nor, for a limit as it is set, what was done while it was raised.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from enum import Enum

from syncd.core.change import Change, ChangeKind, Json
from syncd.core.comparison import is_blank
from syncd.core.counting import counted
from syncd.core.limits import ALL, GROWTH, Limit
from syncd.core.order import former_name

SMALL_GROUP = 5

Values = Mapping[str, Json]
Limits = Mapping[str, Limit]
"""As they are set, by name."""


class Share(Enum):
    """Of how many a percent is taken: those that were there before what was applied lately."""

    PEOPLE = "active people that are managed"
    GROUPS = "linked groups"
    MEMBERSHIPS = "memberships of all linked groups"
    MEMBERS = "members of the one group"
    PROTECTED = "members of all protected groups"


@dataclass(frozen=True, slots=True)
class LimitRule:
    """One limit. Its name is that of the hold kind and of `--allow`."""

    name: str
    kinds: tuple[ChangeKind, ...]
    """What counts, and what is stopped when it is too much."""
    share: Share
    floor: int
    """A percent always allows so many,"""
    what: str
    would: str
    """What would happen to `what`, for people; {group} is the name of the one group."""
    only: Callable[[Values, Values], bool] | None = None
    """Of these kinds only changes whose before and after are like this."""
    halved: bool = False
    """the floor too never more than half of all (at least 1)."""
    moves: int = 0
    """By how many each applied change moves that of which it is a share."""
    behind: tuple[str, ...] = ()
    """What these limits hold is not written, and does not count here."""
    spares_beginnings: bool = True
    """What a first sync does, and what fills a group that is being made, does not count."""
    most_percent: float = ALL
    setting: str = ""
    """Where it is set, without `max_`, if not under its name."""
    each_once: bool = False
    """Whoever was changed lately and is changed again is one person."""

    @property
    def of_each_group(self) -> bool:
        """Counted for each group by itself instead of over all."""
        return self.share is Share.MEMBERS

    @property
    def covered_by(self) -> Sequence[LimitRule]:
        """Limits of which each change counts here too: whoever gets another userName is also updated."""
        return [RULES[name] for name in self.behind if RULES[name].kinds == self.kinds]

    @property
    def key(self) -> str:
        """The key under `[safety]`."""
        return f"max_{self.setting or self.name}"


def _mapped(values: Values) -> set[str]:
    return values.keys() - {"active", "externalId"}


def mapped_paths(before: Values, after: Values) -> set[str]:
    """The mapped attributes that a change of a user is about."""
    return _mapped(before) | _mapped(after)


def _updates(before: Values, after: Values) -> bool:
    return bool(mapped_paths(before, after)) and not _is_on_its_way(before)


def _changes_identity(before: Values, after: Values) -> bool:
    return "userName" in after and "userName" in before and not _is_on_its_way(before)


def _is_on_its_way(before: Values) -> bool:
    """It sits under a temporary name, from a run that died: nobody is left there for a limit."""
    name = before.get("userName")
    return isinstance(name, str) and former_name(name) is not None


def _blanks(before: Values, after: Values) -> bool:
    return any(is_blank(after[path]) and not is_blank(before.get(path)) for path in _mapped(after))


REWRITES = (ChangeKind.UPDATE_USER, ChangeKind.ADOPT_USER, ChangeKind.REACTIVATE_USER)


def _removal(
    name: str, kind: ChangeKind, share: Share, *, floor: int, what: str, would: str = "would be removed"
) -> LimitRule:
    return LimitRule(name, (kind,), share, floor, what, would, halved=True, moves=-1)


def _rewrite(
    name: str,
    only: Callable[[Values, Values], bool],
    *,
    floor: int,
    would: str,
    behind: tuple[str, ...] = (),
) -> LimitRule:
    return LimitRule(name, REWRITES, Share.PEOPLE, floor, "user", would, only, behind=behind, each_once=True)


def _member_addition(
    name: str,
    share: Share,
    *,
    floor: int,
    would: str,
    behind: tuple[str, ...],
    setting: str = "",
    spares_beginnings: bool = True,
) -> LimitRule:
    return LimitRule(
        name,
        (ChangeKind.ADD_MEMBER,),
        share,
        floor,
        what="member",
        would=would,
        moves=1,
        behind=behind,
        spares_beginnings=spares_beginnings,
        most_percent=GROWTH,
        setting=setting,
    )


# In the order in which they are judged: what one of them stops, the next does not see.
LIMITS: Sequence[LimitRule] = (
    _removal("deactivations", ChangeKind.DEACTIVATE_USER, Share.PEOPLE, floor=3, what="user"),
    _removal("group_deletions", ChangeKind.DELETE_GROUP, Share.GROUPS, floor=0, what="group"),
    _removal("member_removals", ChangeKind.REMOVE_MEMBER, Share.MEMBERSHIPS, floor=1, what="membership"),
    _removal(
        "member_removals_per_group",
        ChangeKind.REMOVE_MEMBER,
        Share.MEMBERS,
        floor=0,
        what="member",
        would="would be removed from {group}",
    ),
    _rewrite("identity_changes", _changes_identity, floor=5, would="would get another userName"),
    _rewrite("blanked", _blanks, floor=5, would="would lose a value"),
    _rewrite("updates", _updates, floor=20, would="would be changed", behind=("identity_changes", "blanked")),
    LimitRule(
        "creations",
        (ChangeKind.CREATE_USER,),
        Share.PEOPLE,
        floor=50,
        what="account",
        would="would be created",
        moves=1,
        most_percent=GROWTH,
    ),
    _member_addition(
        "protected_additions",
        Share.PROTECTED,
        floor=0,
        would="would be added to protected groups",
        behind=("creations",),
        spares_beginnings=False,
    ),
    _member_addition(
        "member_additions",
        Share.MEMBERS,
        floor=50,
        would="would be added to {group}",
        setting="member_additions_per_group",
        behind=("creations", "protected_additions"),
    ),
)
LIMIT_NAMES = tuple(rule.name for rule in LIMITS)
RULES: Mapping[str, LimitRule] = {rule.name: rule for rule in LIMITS}
LIMITED_KINDS = frozenset(kind for rule in LIMITS for kind in rule.kinds)
OF_ONE_GROUP = (
    *(rule.name for rule in LIMITS if rule.of_each_group),
    "emptied_group",
    "protected_group",
)
"""Checks that judge each group by itself."""

_OF_KIND: Mapping[ChangeKind, Sequence[LimitRule]] = {
    kind: tuple(rule for rule in LIMITS if kind in rule.kinds) for kind in ChangeKind
}

JUDGED_BY_VALUES = frozenset(kind for kind, rules in _OF_KIND.items() if any(rule.only for rule in rules))
"""Kinds of which the values of a change tell for which limits it counts."""
_ACCOUNTS = frozenset({*REWRITES, ChangeKind.CREATE_USER})


def judged_with(kinds: AbstractSet[ChangeKind]) -> frozenset[ChangeKind]:
    """Kinds of waiting changes that can matter to a plan of these: what makes and changes accounts shares no limit and
    no check with anything else.
    """
    return _ACCOUNTS if kinds <= _ACCOUNTS else frozenset(ChangeKind)


def counts_for(kind: ChangeKind, before: Values, after: Values) -> tuple[str, ...]:
    """Names of the limits that a change counts for; `protected_additions` only if its group is protected."""
    return tuple(rule.name for rule in _OF_KIND[kind] if rule.only is None or rule.only(before, after))


def limits_of_kind(kind: ChangeKind) -> tuple[str, ...]:
    """Names of the limits that changes of this kind may count for."""
    return tuple(rule.name for rule in _OF_KIND[kind])


@dataclass(frozen=True, slots=True)
class Numbers:
    """What one limit looks at, of everything or of one group: `planned` now, or waiting in a hold; applied `lately`, in
    the last 24 hours; `there`, that of which it is a share, now.
    """

    planned: int
    lately: int
    there: int
    group_id: str | None = None
    group: str = ""

    def before(self, rule: LimitRule) -> int:
        """How many there were before what was applied lately."""
        return max(0, self.there - rule.moves * self.lately)


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
class Stops:
    """The changes that a violation stops: those of these kinds, in its group where it is about one."""

    kinds: Sequence[ChangeKind]
    leavers: bool = False
    """And the deactivations of the same people, and of the group's other active members."""
    counted: str = ""
    """Not all changes of these kinds, but those that count for the limit of this name."""
    only: Callable[[Change], bool] | None = None
    """Not all changes of these kinds, but those of which this is true."""


@dataclass(frozen=True, slots=True)
class Violation:
    """One check that says no. `check` names it, `numbers` are those that were compared, `way_out` what to do.

    `group_id` is set when only that group's memberships are meant.
    """

    check: str
    reason: str
    way_out: str
    stops: Stops
    group_id: str | None = None
    numbers: Mapping[str, int | str] = field(default_factory=dict)


_DEPARTURES = Stops([ChangeKind.DEACTIVATE_USER])
_MEMBER_REMOVALS = Stops([ChangeKind.REMOVE_MEMBER])
_LOSS_OF_LAST_MEMBERS = Stops([ChangeKind.REMOVE_MEMBER], leavers=True)


def allowed(rule: LimitRule, limit: Limit, population: int) -> int:
    """How many a limit allows of `population` objects. A plain number has no floor."""
    if limit.number is not None:
        return limit.number
    assert limit.percent is not None  # noqa: S101  (the type's own invariant)
    share = math.floor(population * limit.percent / 100 + 1e-9)
    return max(share, min(rule.floor, max(1, population // 2)) if rule.halved else rule.floor)


def over(rule: LimitRule, limit: Limit, numbers: Numbers, *, raised: int | None = None) -> Violation | None:
    """The violation, when the planned changes are more than the limit allows, or as many as it is `raised` to."""
    population, total = numbers.before(rule), numbers.lately + numbers.planned
    most = allowed(rule, limit, population)
    if raised is not None and raised > most:
        limit, most = Limit(number=raised), raised
    if not numbers.planned or total <= most or _is_small(rule, population):
        return None
    before = f" after {numbers.lately:,} in the last 24 hours" if numbers.lately else ""
    share = {"percent": percent_of(total, population)} if population else {}
    of_them = f", {share['percent']} of {population:,}" if population else ""
    would = rule.would.format(group=f'"{numbers.group}"')
    return Violation(
        rule.name,
        f"{counted(numbers.planned, rule.what)} {would}{before}{of_them}; "
        f"the limit {rule.key} = {limit} allows {most:,} of {population:,}",
        f"look at the hold; then approve it, or allow more once with --allow {rule.name}={total}",
        Stops(rule.kinds, counted=rule.name),
        numbers.group_id,
        {
            "planned": numbers.planned,
            "last_24_hours": numbers.lately,
            "allowed": most,
            "managed": population,
            **share,
            "limit": str(limit),
        },
    )


def percent_of(part: int, whole: int) -> str:
    """For people: "60%", "0.4%", "1,064%"."""
    percent = 100 * part / whole
    return f"{percent:,.0f}%" if percent >= 10 else f"{percent:.1f}%"


def _is_small(rule: LimitRule, size: int) -> bool:
    """Such a group is guarded only against being emptied."""
    return rule.of_each_group and rule.moves < 0 and size <= SMALL_GROUP


def empty_app(planned: int, managed: int) -> Violation | None:
    """For an app whose complete list shows nobody active: `planned` of `managed` active people would be deactivated."""
    if not planned:
        return None
    return Violation(
        "empty_app",
        f"nobody is assigned to the app any more; {counted(planned, 'user')} would be deactivated",
        "check the app's assignments in Okta; approve the hold only if everybody shall really lose access",
        _DEPARTURES,
        numbers={"planned": planned, "managed": managed},
    )


def emptied(group: GroupNumbers) -> Violation | None:
    """A group that would lose its last members, whatever the limits."""
    if not group.planned or group.remaining:
        return None
    numbers: dict[str, int | str] = {
        "planned": group.planned,
        "last_24_hours": group.removed_lately,
        "members": group.pushed,
        "remaining": group.remaining,
    }
    if group.protected:
        return Violation(
            "protected_group",
            f'"{group.name}" is protected and would be left without an active member',
            "add another member in Okta first: no approval empties a protected group",
            _LOSS_OF_LAST_MEMBERS,
            group.group_id,
            numbers,
        )
    if group.pushed + group.removed_lately <= 1:
        return None
    return Violation(
        "emptied_group",
        f'the group "{group.name}" had {group.pushed + group.removed_lately} members and Okta now shows none',
        "check the group in Okta; approve the hold only if it shall really be empty",
        _MEMBER_REMOVALS,
        group.group_id,
        numbers,
    )
