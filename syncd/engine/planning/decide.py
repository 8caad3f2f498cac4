"""From the staged wishes to a plan: decide, match, check. Writes nothing at either side nor in the store."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import replace
from datetime import datetime, timedelta

from syncd.core.change import A_MEMBER, GROUP_KINDS, NO_MEMBER, Change, ChangeKind, Removal, revised
from syncd.core.counting import counted
from syncd.core.diff import (
    Decision,
    NeedsMatch,
    Skipped,
    decide_user,
    grace_ends,
    grace_reason,
)
from syncd.core.diff_groups import decide_group
from syncd.core.evidence import Evidence, SaidByOkta
from syncd.core.names import rivalry
from syncd.core.order import NAME_RULES, leaves
from syncd.core.policy import Policy
from syncd.engine.facts import TIES
from syncd.engine.job import Job, scope_changed
from syncd.engine.planning.accounts import ties_over
from syncd.engine.planning.draft import Planning, group_in_okta, group_name
from syncd.engine.planning.match import GroupFinder, UserFinder, name_conflict
from syncd.engine.planning.scope import undecided
from syncd.engine.planning.unproven import plan_groups_left_behind, plan_left_behind
from syncd.engine.reading.doubts import say_contradictions, settle_doubts
from syncd.engine.reading.heard import take_up_what_was_heard
from syncd.engine.reading.learned import NamedReading, Reading
from syncd.engine.reading.selection import BY_ID_AT_MOST
from syncd.engine.reading.witness import Departures, confirm_departures, confirm_removals, group_witness
from syncd.model import GroupCase, GroupState, MemberCase, Standing, UserCase, WantedUser
from syncd.ports import Stage

HEARD_SINCE = "heard_since"
"""Where changes go in the spool that were decided about groups before they were heard to be otherwise."""


def make_plan(job: Job, stage: Stage, reading: Reading, unsettled: AbstractSet[str]) -> Planning:
    """Decides every case. Raises what the target raises while it is being matched."""
    planning = begin(job, stage, reading, unsettled)
    planning.skip(*reading.skipped)
    planning.ties_over = ties_over(job)
    standing = {key: tie for key, tie in TIES.of(job.store, {}).items() if key not in planning.ties_over}
    planning.ties = {**standing, **reading.ties}
    planning.unproven = {(each.kind, each.okta_id): each for each in job.store.unproven()}
    settle_doubts(job, stage, reading)
    departures = confirm_departures(job, stage, reading)
    plan_users(planning, departures)
    if job.settings.provisioning.push_groups:
        take_up_what_was_heard(job, stage, reading)
        plan_groups(planning)
        plan_members(planning, departures)
        _put_off(stage, take_up_what_was_heard(job, stage, reading))
    planning.skip(*reading.contradictions)
    say_contradictions(job, reading)
    return planning


def _put_off(stage: Stage, groups: Collection[str]) -> None:
    """What was decided about these groups, and who is let into them, rests on what is not so any more."""
    if not groups:
        return
    about = [
        change_id
        for kind in GROUP_KINDS
        for change_id, okta_id in stage.change_keys(kind)
        if okta_id in groups
    ]
    stage.hold_changes(about, HEARD_SINCE)
    for group_id in groups:
        stage.hold_memberships(group_id, HEARD_SINCE)


def begin(job: Job, stage: Stage, reading: Reading, unsettled: AbstractSet[str]) -> Planning:
    """A plan in which nothing is decided yet."""
    job.observer.phase("planning")
    failures = {failure.object_key: failure for failure in job.store.failures()}
    return Planning(
        job, stage, reading, _policy(job), failures, unsettled=unsettled, undecided=undecided(job)
    )


def _policy(job: Job) -> Policy:
    """While a change of the scope settings is undecided nobody's grace hides what it would remove: it is all held."""
    return replace(job.policy, grace=timedelta(0)) if scope_changed(job) else job.policy


def _policy_for(planning: Planning, okta_id: str) -> Policy:
    """Nor does it once that is known, of those who wait for a decision: only later leavers have their grace."""
    policy, undecided = planning.policy, planning.undecided
    return replace(policy, grace=timedelta(0)) if undecided and f"user:{okta_id}" in undecided else policy


def plan_users(planning: Planning, departures: Departures) -> None:
    """Every staged user, page by page: evidence, match, decision."""
    finder = UserFinder(planning)
    doubted: dict[str, UserCase] = {}
    for case in planning.stage.user_cases():
        if ("user", case.okta_id) in planning.unproven:
            doubted[case.okta_id] = case
        evidence = departures.of(case.okta_id) if _departed(case) else None
        decision = decide_user(case, _policy_for(planning, case.okta_id), evidence)
        wanted = case.wanted
        if wanted is not None and wanted.standing is Standing.INACTIVE:
            departures.by_user[case.okta_id] = SaidByOkta(wanted.reason)
        if (
            case.shares_name
            and wanted is not None
            and wanted.standing is Standing.ACTIVE
            and case.okta_id not in planning.ties
            and _takes_a_name(case)
        ):
            rivals = planning.stage.rivals(wanted.name_key, case.okta_id)
            if rivals:
                decision = _rivalry(wanted, rivals)
        if isinstance(decision, NeedsMatch):
            assert wanted is not None  # noqa: S101  (only a wish can need a match)
            decision = finder.decide(wanted)
        if decision.left and case.known is not None:
            planning.left[case.okta_id] = case.known.left_at or planning.policy.now
        planning.add(decision, case.okta_id)
    for okta_id, decision in finder.put_off():
        planning.add(decision, okta_id)
    plan_left_behind(planning, departures, doubted)


def _departed(case: UserCase) -> bool:
    return case.wanted is None or case.wanted.standing is Standing.ABSENT


def _takes_a_name(case: UserCase) -> bool:
    known = case.known
    if known is None or known.pushed is None or not known.pushed.active:
        return not (known and known.released)
    return known.pushed.attributes.get("userName") != (case.wanted.user_name if case.wanted else None)


def _rivalry(wanted: WantedUser, rivals: Mapping[str, str]) -> Decision:
    """For who does not have the name yet."""
    keeper = "whoever has an account of that name already keeps it, and goes on being managed"
    return name_conflict(
        wanted, f"{rivalry(wanted.user_name, rivals)}: nobody else is given the name; {keeper}"
    )


def plan_groups(planning: Planning) -> None:
    """Every staged group; who leaves a name is known before anybody is matched."""
    decided: list[tuple[GroupCase, Decision | NeedsMatch]] = []
    for case in planning.stage.group_cases():
        pushed = case.known.pushed if case.known else None
        wish = case.wanted or (case.known.wanted if case.known else None)
        if wish is not None:
            planning.group_names[case.okta_id] = pushed.name if pushed else wish.target_name
            planning.okta_names[case.okta_id] = wish.name
        planning.group_ids[case.okta_id] = pushed.scim_id if pushed else None
        witness = group_witness(planning.job, planning.reading, case)
        decided.append((case, _who_loses(planning, decide_group(case, planning.policy, witness))))
    unlinked = sum(isinstance(decision, NeedsMatch) for _, decision in decided)
    rules = NAME_RULES[planning.policy.flavor]
    leaving = {
        case.okta_id
        for case, decision in decided
        if isinstance(decision, Decision) and any(leaves(change, rules) for change in decision.changes)
    }
    finder = GroupFinder(planning, listing=unlinked > BY_ID_AT_MOST, leaving=leaving)
    for case, outcome in decided:
        decision = outcome
        if isinstance(decision, NeedsMatch):
            assert case.wanted is not None  # noqa: S101  (only a wish can need a match)
            decision = finder.decide(case.wanted, case.asked)
        planning.add_group(decision, case.okta_id)
    wishes = (case.wanted for case, _ in decided if case.wanted is not None)
    wished = {wanted.okta_id for wanted in wishes if wanted.state is not GroupState.GONE}
    plan_groups_left_behind(planning, wished)


def _who_loses(planning: Planning, decision: Decision | NeedsMatch) -> Decision | NeedsMatch:
    """A deletion says how many members lose the group with it."""
    if isinstance(decision, NeedsMatch):
        return decision
    changes = []
    for change in decision.changes:
        if change.kind is ChangeKind.DELETE_GROUP:
            losing = counted(planning.stage.pushed_count(change.okta_id), "member loses", "members lose")
            note = "; ".join(part for part in (change.note, f"{losing} the group") if part)
            changes.append(revised(change, note=note))
        else:
            changes.append(change)
    return replace(decision, changes=changes) if decision.changes else decision


def plan_members(planning: Planning, departures: Departures) -> None:
    """Every membership that differs; removals only with evidence."""
    evidence = confirm_removals(planning.job, planning.stage, planning.reading, departures)
    of, group, reason = "", "", ""
    for case in planning.stage.member_cases():
        if case.group_id != of:  # they come group by group
            of, group = case.group_id, group_name(planning, case.group_id)
            reason = f"member of {group_in_okta(planning, of)} in Okta"
        if not case.wanted:
            _plan_removal(planning, case, group, departures, evidence.get((of, case.user_id)))
            continue
        change = Change(
            ChangeKind.ADD_MEMBER,
            case.user_id,
            case.user_scim_id,
            case.user_name,
            NO_MEMBER,
            A_MEMBER,
            reason,
            of,
            group,
            case.user_name,
        )
        planning.add_change(change)


def _plan_removal(
    planning: Planning, case: MemberCase, group: str, departures: Departures, witness: Evidence | None
) -> None:
    """Removes the member for whom there is a witness, or says why they stay."""
    if _protected(planning, case):
        why = f"no longer a member of {group} in Okta, but the user is protected"
        planning.skip(Skipped("protected", case.user_id, case.user_name, why, group_id=case.group_id))
        return
    ends = _grace_ends(planning, case, departures)
    if ends is not None:
        planning.skip(Skipped("grace", case.user_id, case.user_name, grace_reason(ends)))
        return
    if witness is None:
        if case.listed and isinstance(planning.reading, NamedReading):
            return  # who left the app, and was not looked at: held, rejected or unconfirmed by another cycle
        what = "no longer assigned" if case.listed else f"missing from {group} in Okta"
        why = f"{what}, but a second look did not confirm it"
        planning.skip(Skipped("unconfirmed", case.user_id, case.user_name, why, group_id=case.group_id))
        return
    removal = Removal(
        ChangeKind.REMOVE_MEMBER,
        case.user_id,
        case.user_scim_id,
        case.user_name,
        A_MEMBER,
        NO_MEMBER,
        _removal_reason(case, group_in_okta(planning, case.group_id)),
        evidence=witness,
        group_id=case.group_id,
        group=group,
        user=case.user_name,
    )
    planning.add_change(removal)


def _grace_ends(planning: Planning, case: MemberCase, departures: Departures) -> datetime | None:
    """For who left the app and was not decided in this cycle: the same grace as when they are."""
    policy = _policy_for(planning, case.user_id)
    if not policy.grace or case.standing is not Standing.ABSENT:
        return None
    known = planning.job.store.user(case.user_id)
    return grace_ends(known, policy, departures.of(case.user_id)) if known else None


def _protected(planning: Planning, case: MemberCase) -> bool:
    """Under the Okta id, the userName that is wanted, or the one that the target still has."""
    if not planning.policy.protected_users:
        return False
    known = planning.job.store.user(case.user_id)
    pushed = str(known.pushed.attributes.get("userName", "")) if known and known.pushed else None
    return planning.policy.protects_user(case.user_id, case.user_name, pushed)


def _removal_reason(case: MemberCase, group: str) -> str:
    if case.standing is Standing.ABSENT:
        return "left the app"
    if case.standing is Standing.INACTIVE:
        return "not active in the app any more"
    return f"no longer a member of {group} in Okta"
