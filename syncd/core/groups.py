"""Which Okta groups are pushed: push rules, the app's assigned groups, and Okta's own push mappings.

The first rule in file order that names a group wins; every further claim is reported. Two groups that want one name
at the target are a conflict, except that a group already linked keeps its name, and that a directory's own group
gives way to an Okta group (an app imports its target's groups as APP_GROUP under their own names).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from syncd.core.diff import Skipped
from syncd.core.order import NAME_RULES
from syncd.core.rules import PushRule
from syncd.model import GroupState, OktaGroup, PushMapping, WantedGroup

_BY_NAME = frozenset({"name", "name_starts_with", "name_ends_with", "name_contains", "description_contains"})


@dataclass(frozen=True, slots=True)
class RuleBook:
    """The push rules in file order, and what must be read to answer them."""

    rules: Sequence[PushRule]

    @property
    def needs_every_group(self) -> bool:
        """Whether a rule goes by names or descriptions: then all groups are listed."""
        return any(rule.source.kind in _BY_NAME for rule in self.rules)

    @property
    def needs_assigned(self) -> bool:
        """Whether a rule names the app's assigned groups."""
        return any(rule.source.kind == "assigned" for rule in self.rules)

    @property
    def needs_mappings(self) -> bool:
        """Whether a rule names Okta's own push mappings."""
        return any(rule.source.kind == "okta_mappings" for rule in self.rules)

    @property
    def ids(self) -> Sequence[str]:
        """Okta ids of the groups that rules name by id."""
        return tuple(rule.source.value for rule in self.rules if rule.source.kind == "id")


@dataclass(frozen=True, slots=True)
class Claim:
    """What the rules make of one Okta group."""

    wanted: WantedGroup
    rule: int
    """Index of the winning rule."""
    also: Sequence[int] = ()
    """Indexes of further rules that name the group."""
    type: str = "OKTA_GROUP"


def claim(
    group: OktaGroup, book: RuleBook, assigned: Collection[str], mappings: Mapping[str, PushMapping]
) -> Claim | None:
    """None when no rule names the group."""
    hits = [index for index, rule in enumerate(book.rules) if _claims(rule, group, assigned, mappings)]
    if not hits:
        return None
    rule = book.rules[hits[0]]
    state, reason = GroupState.PUSHED, f"push rule {rule.source.label}"
    target = rule.target or group.name
    action: str = rule.action or "create"
    if rule.source.kind == "okta_mappings":
        mapping = mappings[group.okta_id]
        target = mapping.target_name or group.name
        action = rule.action or "either"
        if mapping.status != "ACTIVE":
            state, reason = GroupState.FROZEN, f"its push mapping in Okta is {mapping.status}"
    wanted = WantedGroup(
        okta_id=group.okta_id,
        state=state,
        name=group.name,
        target_name=target,
        action=action,
        rename=rule.rename,
        on_removal=rule.on_removal,
        rule=rule.source.label,
        reason=reason,
        stamp=group.stamp,
    )
    return Claim(wanted, hits[0], tuple(hits[1:]), group.type)


BY_HAND = "linked by hand"


def linked_by_hand(group: OktaGroup, found: Claim | None, name: str) -> Claim:
    """What becomes of the rules' claim (None: no rule names the group) once a person tied the group to `name` at the
    target: it is managed as it is there, and no rule creates, renames or deletes it.
    """
    if found is None:
        wanted = WantedGroup(
            okta_id=group.okta_id,
            state=GroupState.PUSHED,
            name=group.name,
            target_name=name,
            action="link",
            rename=False,
            on_removal="keep",
            rule=BY_HAND,
            reason=BY_HAND,
            stamp=group.stamp,
        )
        return Claim(wanted, -1, (), group.type)
    wanted = replace(found.wanted, target_name=name, action="link", rename=False, on_removal="keep")
    if wanted.state is GroupState.PUSHED:
        wanted = replace(wanted, reason=BY_HAND)
    return replace(found, wanted=wanted)


def _claims(
    rule: PushRule, group: OktaGroup, assigned: Collection[str], mappings: Mapping[str, PushMapping]
) -> bool:
    match rule.source.kind:
        case "id":
            return group.okta_id == rule.source.value
        case "assigned":
            return group.okta_id in assigned
        case "okta_mappings":
            return group.okta_id in mappings
        case _:
            return rule.source.matches(group.name, group.description)


@dataclass(frozen=True, slots=True)
class Resolved:
    """The groups in scope, in okta_id order, and what a person should know about the rules."""

    wanted: Sequence[WantedGroup]
    skipped: Sequence[Skipped]


def resolve(
    claims: Sequence[Claim], book: RuleBook, *, flavor: str, linked: Mapping[str, str], whole: bool
) -> Resolved:
    """`linked`: okta ids of groups pushed already, with what each holds unique at the target: its name, or its
    identifier (`core.order`).

    `whole`: every list arrived complete, so that a rule without a group may be called empty.
    """
    skipped = [
        Skipped(
            "overlapping_rules",
            found.wanted.okta_id,
            found.wanted.name,
            f"named by {book.rules[found.rule].source.label}, which is used, and also by "
            + ", ".join(book.rules[index].source.label for index in found.also),
        )
        for found in claims
        if found.also
    ]
    used = {index for found in claims for index in (found.rule, *found.also)}
    for index, rule in enumerate(book.rules):
        if whole and index not in used and rule.source.kind not in ("assigned", "okta_mappings"):
            reason = f"the push rule {rule.source.label} matches no group in Okta"
            skipped.append(Skipped("empty_rule", "", rule.source.label, reason))
    wanted = _without_name_conflicts(claims, flavor, linked)
    return Resolved(sorted(wanted, key=lambda group: group.okta_id), skipped)


def _without_name_conflicts(
    claims: Sequence[Claim], flavor: str, linked: Mapping[str, str]
) -> list[WantedGroup]:
    """A linked group holds the name it has; a newcomer, or a rename, wants one. A name is given once."""
    rules = NAME_RULES[flavor]
    wanting: dict[str, list[Claim]] = {}
    holders: dict[str, Claim] = {}
    for found in claims:
        group = found.wanted
        held = linked.get(group.okta_id)
        if held is not None:
            holders[rules.group_key(held)] = found
        if held is None or (rules.renaming_counts and group.rename and group.target_name != held):
            wanting.setdefault(rules.group_key(group.target_name), []).append(found)
    for found in [each for rivals in wanting.values() for each in rivals]:
        for other in rules.also_found_as(found.wanted.target_name):
            if other in wanting or other in holders:
                wanting.setdefault(other, []).append(found)
    frozen: dict[str, str] = {}
    for key, rivals in wanting.items():
        holder = holders.get(key)
        moves = rules.renaming_counts and holder is not None and _moves_away(holder, linked)
        if holder is not None and (moves or holder in rivals):
            holder = None
        winner = None if holder is not None else _winner(rivals)
        for found in rivals:
            if found is winner:
                continue
            others = ", ".join(
                f"{other.wanted.name} ({other.wanted.okta_id})"
                for other in [*rivals, *([holder] if holder else [])]
                if other is not found
            )
            what = f'wants the name "{found.wanted.target_name}" at the target'
            if not rules.renaming_counts:
                what += f', where it becomes the identifier "{key}"'
            frozen[found.wanted.okta_id] = f"{what}, as does {others}: rename one of them in Okta"
    return [
        replace(found.wanted, state=GroupState.FROZEN, reason=frozen[found.wanted.okta_id])
        if found.wanted.okta_id in frozen
        else found.wanted
        for found in claims
    ]


def _moves_away(holder: Claim, linked: Mapping[str, str]) -> bool:
    group = holder.wanted
    return group.rename and group.target_name != linked[group.okta_id]


def _winner(rivals: Sequence[Claim]) -> Claim | None:
    """The only rival, or the only one that is Okta's own group; else nobody."""
    own = rivals if len(rivals) == 1 else [found for found in rivals if found.type != "APP_GROUP"]
    return own[0] if len(own) == 1 else None
