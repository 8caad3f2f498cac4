"""Applies the safety checks to a plan: what breaks a limit moves from "to apply" to a hold; the rest goes on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import replace

from syncd.core.change import GROUP_KINDS, ChangeKind
from syncd.core.diff import Skipped, adopts_inactive
from syncd.core.expectation import widest
from syncd.core.left_out import REJECTED, rejected_reason
from syncd.core.plan import Hold, hold_id
from syncd.core.safety import (
    LIMITED_KINDS,
    LIMITS,
    RULES,
    Limits,
    Share,
    Stops,
    Violation,
    emptied,
    empty_app,
    over,
)
from syncd.core.undo import wish_about, wishes
from syncd.engine.facts import UNDONE, Undone
from syncd.engine.planning.draft import Planning
from syncd.engine.planning.keepers import active_members
from syncd.engine.planning.making import NO_ACCOUNT, counted_kinds, groups_under_protection, in_the_making
from syncd.engine.planning.numbers import PlanNumbers
from syncd.engine.planning.planned import Planned
from syncd.engine.planning.rewriting import too_much_is_rewritten
from syncd.engine.planning.scope import undecided_removals

_REMOVALS = (ChangeKind.DEACTIVATE_USER, ChangeKind.REMOVE_MEMBER, ChangeKind.DELETE_GROUP)
_GROUPS_LEFT = (ChangeKind.UNLINK_GROUP, ChangeKind.DELETE_GROUP)
Stopped = tuple[Violation, AbstractSet[str]]
"""With the ids of the changes."""
CANARY = "canary"
"""The check that is made while writing (`engine.writing.canary`)."""
_ARRIVALS = (ChangeKind.CREATE_USER, ChangeKind.ADOPT_USER, ChangeKind.REACTIVATE_USER)


def hold_unsafe_changes(planning: Planning, allow: Mapping[str, int]) -> list[Hold]:
    """Moves every change that a check stops into its hold, and with a deactivation the same person's other
    removals, so that nobody is taken apart by halves. `allow` raises named limits for this run. What a person
    approved passes; what a person rejected is dropped without a question. In a cycle that did not see everything, what
    waits for a decision goes on waiting, and counts: a hold is not nibbled away in small cycles, nor in broken ones.
    """
    planning.making = in_the_making(planning)
    planning.expected = widest(planning.job.store.expectations(), planning.policy.now)
    planning.protected = groups_under_protection(planning)
    approved = planning.stage.decided_changes("approve", planning.policy.now)
    _drop_rejected(planning, approved)
    holds = _still_held(planning, allow, approved)
    # Whoever approved a removal for another reason was not told that the store was altered.
    knowing = planning.stage.decided_changes("approve", planning.policy.now, about=_ALTERED_STORE.check)
    for violation, stopped in _violations(planning, allow):
        ids = stopped - (knowing if violation is _ALTERED_STORE else approved)
        if ids:
            holds.append(_hold(planning, violation, ids))
    holds = [_with_groups_left(planning, hold) for hold in holds]
    return sorted(holds, key=lambda hold: (hold.check, hold.id))


def _violations(planning: Planning, allow: Mapping[str, int]) -> Iterator[Stopped]:
    """One after the other: what one of them stops, the next does not see."""
    if undone := UNDONE.of(planning.job.store, Undone()).wishes:
        stops = Stops(tuple(ChangeKind), only=lambda change: not undone.isdisjoint(wishes(change)))
        given_back = replace(_UNDONE, stops=stops)
        yield given_back, _stopped_by(planning, given_back)
    if _plans_any(planning, LIMITED_KINDS):
        gathered = PlanNumbers(planning, allow)
        for violation in _over_limits(gathered, planning.job.limits, allow):
            yield violation, _stopped_by(planning, violation)
        if found := too_much_is_rewritten(planning, allow, gathered.waiting, gathered.active_people):
            yield found
    for violation in (_WAKES_UP, _OTHER_SCOPE):
        yield violation, _stopped_by(planning, violation)
    if _plans_any(planning, _ALTERED_STORE.stops.kinds) and planning.job.store.altered():
        yield _ALTERED_STORE, _stopped_by(planning, _ALTERED_STORE)


def _over_limits(gathered: PlanNumbers, limits: Limits, allow: Mapping[str, int]) -> Iterator[Violation]:
    """Limits that stand behind others are judged by what these leave, all others by what is planned."""
    numbers = {rule.name: list(gathered.of(rule)) for rule in LIMITS if not rule.behind}
    going, managed, is_empty = gathered.departures()
    checks = [empty_app(going, managed) if is_empty else None, *map(emptied, gathered.groups())]
    for rule in LIMITS:
        for each in numbers.get(rule.name) or gathered.of(rule):
            found = over(rule, limits[rule.name], each, raised=allow.get(rule.name))
            if found := gathered.unless_expected(rule, found, each):
                yield found
        if rule is LIMITS[0]:  # who leaves altogether leaves groups, too
            yield from filter(None, checks)


_UNDONE = Violation(
    "undone",
    "a person gave these changes back with syncd undo, and Okta still wants them",
    "change it in Okta, or approve the hold: then they are made again",
    Stops(()),
)


_WAKES_UP = Violation(
    "adopts_inactive",
    "the target has inactive accounts that would be taken over and woken up",
    "approve the hold if these accounts belong to these people",
    Stops([ChangeKind.ADOPT_USER], only=adopts_inactive),
)


_OTHER_SCOPE = Violation(
    "scope_change",
    "the scope settings (app, target, provisioning, attributes, matching, push groups) changed: what would be removed"
    " until a full cycle has seen everything under the new ones, and what that one found, is held whatever the limits",
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
    _move(planning, rejected | with_them, REJECTED)
    told = planning.job.store.decided().rejections if rejected else {}
    by_object = {each.object_key: each for each in told.values()}
    for change in stage.changes(hold_id=REJECTED):
        word = told.get(change.id) or by_object.get(f"user:{change.okta_id}")
        reason = (
            rejected_reason(change.kind, change.group, word.by, word.at)
            if word
            else f"{change.kind}: rejected by a person; asked again when the world changes"
        )
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


def _with_groups_left(planning: Planning, hold: Hold) -> Hold:
    """And what unlinks or deletes a group out of which held members were to go first. Once it is no longer managed
    nothing takes them out, and a deletion takes out everybody whose removal is held.
    """
    stage = planning.stage
    held_in = stage.changes_by_group(ChangeKind.REMOVE_MEMBER, hold_id=hold.id)
    leaving = (key for kind in _GROUPS_LEFT for key in stage.change_keys(kind))
    ids = {change_id for change_id, group_id in leaving if group_id in held_in}
    _move(planning, ids, hold.id)
    return replace(hold, changes=hold.changes + len(ids))


def _still_held(planning: Planning, allow: Mapping[str, int], approved: AbstractSet[str]) -> list[Hold]:
    """The open holds that changes of this plan wait in, but for those whose limit is raised for this run. A complete
    cycle has all these wishes in its own plan, and raises its holds afresh. But where a person decided on a part, it
    would let the rest go that nobody said a word about; and it does not see what was seen while writing, and no more
    objects are tried unasked.
    """
    stage, found = planning.stage, []
    for waiting in stage.waiting_changes(planning.policy.now):
        hold, ids = waiting.hold, waiting.change_ids
        if planning.reading.has_every_wish and not waiting.begun:
            ids = [each for each in ids if hold.check == CANARY and stage.has_change(each)]
        if ids and hold.check not in allow.keys() | planning.expected.keys():
            stopped = {*ids, *(_other_removals(planning, frozenset(ids)) - approved)}
            _move(planning, stopped, hold.id)
            found.append(replace(hold, changes=len(stopped)))
    return found


def _plans_any(planning: Planning, kinds: Iterable[ChangeKind]) -> bool:
    counts = planning.stage.change_counts()
    return any(counts.get(kind) for kind in kinds)


def _stopped_by(planning: Planning, violation: Violation) -> AbstractSet[str]:
    """Ids of the changes that this check stops. Nobody is taken apart by halves: with a deactivation the person's other
    removals.
    """
    stage, stops, group_id = planning.stage, violation.stops, violation.group_id
    if violation is _OTHER_SCOPE:  # not all of its kinds
        return frozenset(undecided_removals(planning.job, stage))
    if stops.only is not None:
        chosen = {change.id for change in stage.changes(kinds=stops.kinds) if stops.only(change)}
        return chosen | _other_removals(planning, chosen)
    keys = _keys(planning, violation)
    stopped = {change_id for change_id, _ in keys}
    if stops.leavers:
        people = {okta_id for _, okta_id in keys}
        people |= active_members(planning.job.store, group_id) if group_id else set()
        deactivations = stage.change_keys(ChangeKind.DEACTIVATE_USER)
        stopped |= {change_id for change_id, okta_id in deactivations if okta_id in people}
    return stopped | _other_removals(planning, stopped)


def _keys(planning: Planning, violation: Violation) -> list[tuple[str, str]]:
    """(change id, Okta id) of what is to be applied, and this check is about."""
    stage, stops = planning.stage, violation.stops
    rule = RULES.get(stops.counted)
    if rule is not None and rule.share not in (Share.MEMBERS, Share.PROTECTED):
        spared = planning.spared.get(rule.name, frozenset())
        keys = stage.counted_keys(rule.name, counted_kinds(planning, rule))
        return [key for key in keys if key[0] not in spared]
    groups: Iterable[str | None] = [violation.group_id]
    if rule is not None and rule.share is Share.PROTECTED:
        groups = sorted(planning.protected)
    return [
        key for kind in stops.kinds for group in groups for key in stage.change_keys(kind, group_id=group)
    ]


def _hold(planning: Planning, violation: Violation, ids: AbstractSet[str]) -> Hold:
    identity = hold_id(f"{violation.check}:{violation.group_id or ''}", ids)
    _move(planning, ids, identity)
    return Hold(identity, violation.check, violation.reason, violation.way_out, violation.numbers, len(ids))


def _move(planning: Planning, ids: AbstractSet[str], hold: str) -> None:
    """To a hold, or to what was rejected. Who gets no account for now has no memberships either."""
    stage = planning.stage
    people = {
        okta_id for kind in _ARRIVALS for change_id, okta_id in stage.change_keys(kind) if change_id in ids
    }
    stage.hold_changes(ids, hold)
    if people:
        memberships = stage.change_keys(ChangeKind.ADD_MEMBER)
        stage.hold_changes([change_id for change_id, okta_id in memberships if okta_id in people], NO_ACCOUNT)


def still_undone(planned: Planned, undone: AbstractSet[str], failed: AbstractSet[str]) -> frozenset[str]:
    """Of these wishes that a person gave back those that are not seen to be over, in a plan that saw everything and was
    carried out: wanted and held, for whatever reason; tried on approval and `failed` (ids); of whom was left alone.
    """
    stage, wanted = planned.stage, set[str]()
    for hold in (*(each.id for each in planned.header.holds), REJECTED, NO_ACCOUNT, None):
        for change in stage.changes(hold_id=hold):
            if hold is not None or change.id in failed:
                wanted |= wishes(change)
    return frozenset(
        wish for wish in undone if wish in wanted or any(map(stage.is_left_alone, wish_about(wish)))
    )
