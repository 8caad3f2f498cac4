"""From the staged wishes to a plan: decide, match, check. Writes nothing at either side nor in the store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice

from syncd.core.change import Change, ChangeKind, Removal
from syncd.core.counting import counted
from syncd.core.diff import (
    Decision,
    NeedsMatch,
    Policy,
    Skipped,
    adopt_user,
    create_user,
    decide_group,
    decide_user,
)
from syncd.core.evidence import SaidByOkta
from syncd.core.flavors import RESERVED, group_name_problem
from syncd.core.match import Conflict, MatchedGroup, MatchedUser, NoMatch, match_group, match_user
from syncd.engine.job import Job
from syncd.engine.reading import Reading
from syncd.engine.selection import BY_ID_AT_MOST
from syncd.engine.witness import Departures, confirm_departures, confirm_removals, group_witness
from syncd.model import (
    GroupCase,
    MemberCase,
    RemoteGroup,
    RemoteUser,
    Standing,
    UserCase,
    WantedGroup,
    WantedUser,
)
from syncd.ports import Failure, RemoteListing, Stage


@dataclass
class Planning:
    """One plan in the making. Changes go to the stage's spool; the rest gathers here."""

    job: Job
    stage: Stage
    reading: Reading
    policy: Policy
    failures: Mapping[str, Failure]
    skipped: list[Skipped] = field(default_factory=list)
    left: dict[str, datetime] = field(default_factory=dict)
    """Confirmed departures, with the time each was first seen."""
    group_names: dict[str, str] = field(default_factory=dict)
    group_ids: dict[str, str | None] = field(default_factory=dict)
    """SCIM ids of the groups in scope, None while there is none."""

    def add(self, decision: Decision, okta_id: str) -> None:
        self.skipped.extend(decision.skipped)
        still = decision.still
        for change in decision.changes:
            still |= not self.add_change(change)
        if still:
            self.stage.hold_still([okta_id])

    def add_change(self, change: Change) -> bool:
        """False when the very same wish failed lately and waits for its next try."""
        failure = self.failures.get(change.object_key)
        if failure and failure.change_id == change.id and failure.next_attempt > self.policy.now:
            reason = (
                f"{change.kind} failed {counted(failure.attempts, 'time')} ({failure.message}); "
                f"next try {failure.next_attempt:%Y-%m-%d %H:%M:%S} UTC"
            )
            self.skipped.append(Skipped("quarantined", change.okta_id, change.name, reason))
            return False
        self.stage.add_change(change)
        return True


def make_plan(job: Job, stage: Stage, reading: Reading) -> Planning:
    """Decides every case. Raises what the target raises while it is being matched."""
    failures = {failure.object_key: failure for failure in job.store.failures()}
    planning = Planning(job, stage, reading, job.policy, failures, list(reading.skipped))
    departures = confirm_departures(job, stage, reading)
    plan_users(planning, departures)
    if job.settings.provisioning.push_groups:
        plan_groups(planning)
        plan_members(planning, departures)
    return planning


def plan_users(planning: Planning, departures: Departures) -> None:
    finder = UserFinder(planning)
    for case in planning.stage.user_cases():
        evidence = departures.of(case.okta_id) if _departed(case) else None
        decision = decide_user(case, planning.policy, evidence)
        wanted = case.wanted
        if wanted is not None and wanted.standing is Standing.INACTIVE:
            departures.by_user[case.okta_id] = SaidByOkta(wanted.reason)
        if wanted is not None and wanted.standing is Standing.ACTIVE and _takes_a_name(case):
            rivals = planning.stage.rivals(wanted.name_key, case.okta_id)
            if rivals:
                decision = _rivalry(wanted, rivals)
        if isinstance(decision, NeedsMatch):
            assert wanted is not None  # noqa: S101  (only a wish can need a match)
            decision = finder.decide(wanted)
        if decision.left and case.known is not None:
            planning.left[case.okta_id] = case.known.left_at or planning.policy.now
        planning.add(decision, case.okta_id)


def _departed(case: UserCase) -> bool:
    return case.wanted is None or case.wanted.standing is Standing.ABSENT


def _takes_a_name(case: UserCase) -> bool:
    known = case.known
    if known is None or known.pushed is None or not known.pushed.active:
        return not (known and known.released)
    return known.pushed.attributes.get("userName") != (case.wanted.user_name if case.wanted else None)


def _rivalry(wanted: WantedUser, rivals: Sequence[str]) -> Decision:
    reason = f"{wanted.user_name} is also the userName of {', '.join(sorted(rivals))}: neither is changed"
    return Decision(skipped=[Skipped("conflict", wanted.okta_id, wanted.user_name, reason)], still=True)


class UserFinder:
    """Matches unlinked users: one complete listing of the target when they are many, else one search each."""

    def __init__(self, planning: Planning) -> None:
        self._planning = planning
        self._target = planning.job.target
        self._listed: bool | None = None
        self._complete = False

    def decide(self, wanted: WantedUser) -> Decision:
        policy, store = self._planning.policy, self._planning.job.store

        def owner(scim_id: str) -> str | None:
            known = store.user_by_scim_id(scim_id)
            return known.okta_id if known else None

        match = match_user(
            wanted.okta_id,
            wanted.user_name,
            self._candidates(wanted),
            owner,
            exact_names=policy.flavor == "split",
        )
        match match:
            case NoMatch():
                return create_user(wanted, policy)
            case Conflict(reason):
                return Decision(
                    skipped=[Skipped("conflict", wanted.okta_id, wanted.user_name, reason)], still=True
                )
            case MatchedUser():
                self._planning.stage.will_link_user(wanted.okta_id, match.remote.scim_id)
                return adopt_user(wanted, match, policy)

    def _candidates(self, wanted: WantedUser) -> list[RemoteUser]:
        stage = self._planning.stage
        if self._listed is None:
            self._listed = self._many_unlinked()
            if self._listed:
                self._planning.job.observer.phase("listing the target's users")
                self._complete = list_into(self._target.list_users(), stage)
        if self._listed:
            found = list(stage.remote_candidates(okta_id=wanted.okta_id, user_name=wanted.user_name))
            if found or self._complete:
                return found
        return list(self._target.find_users(okta_id=wanted.okta_id, user_name=wanted.user_name))

    def _many_unlinked(self) -> bool:
        unlinked = (
            case
            for case in self._planning.stage.user_cases()
            if case.wanted is not None
            and case.wanted.standing is Standing.ACTIVE
            and (case.known is None or case.known.pushed is None)
        )
        return len(list(islice(unlinked, BY_ID_AT_MOST + 1))) > BY_ID_AT_MOST


def list_into(listing: RemoteListing[RemoteUser], stage: Stage) -> bool:
    """Stages a listing of the target; True when it provably saw everybody."""
    for page in listing:
        stage.put_remote_users(page)
    return listing.complete


def plan_groups(planning: Planning) -> None:
    decided: list[tuple[GroupCase, Decision | NeedsMatch]] = []
    for case in planning.stage.group_cases():
        pushed = case.known.pushed if case.known else None
        wish = case.wanted or (case.known.wanted if case.known else None)
        if wish is not None:
            planning.group_names[case.okta_id] = pushed.name if pushed else wish.target_name
        planning.group_ids[case.okta_id] = pushed.scim_id if pushed else None
        witness = group_witness(planning.job, planning.reading, case)
        decided.append((case, decide_group(case, planning.policy, witness)))
    unlinked = sum(isinstance(decision, NeedsMatch) for _, decision in decided)
    finder = GroupFinder(planning, listing=unlinked > BY_ID_AT_MOST)
    for case, outcome in decided:
        decision = outcome
        if isinstance(decision, NeedsMatch):
            assert case.wanted is not None  # noqa: S101  (only a wish can need a match)
            decision = finder.decide(case.wanted)
        planning.skipped.extend(decision.skipped)
        added = [planning.add_change(change) for change in decision.changes]
        if decision.still or not all(added):
            planning.stage.hold_group_still(case.okta_id)


class GroupFinder:
    """Matches unlinked groups by externalId and by name, and applies the rules for names."""

    def __init__(self, planning: Planning, *, listing: bool) -> None:
        self._planning = planning
        self._listed: list[RemoteGroup] = []
        self._complete = False
        if listing:
            groups = planning.job.target.list_groups()
            self._listed = [group for page in groups for group in page]
            self._complete = groups.complete

    def _candidates(self, wanted: WantedGroup) -> Sequence[RemoteGroup]:
        found = [
            group
            for group in self._listed
            if group.external_id == wanted.okta_id or group.name == wanted.target_name
        ]
        if found or self._complete:
            return found
        return self._planning.job.target.find_groups(okta_id=wanted.okta_id, name=wanted.target_name)

    def decide(self, wanted: WantedGroup) -> Decision:
        job, policy = self._planning.job, self._planning.policy
        if policy.flavor == "harness" and wanted.target_name == RESERVED:
            problem = group_name_problem(policy.flavor, wanted.target_name, policy.protected_groups)
            return _refused(wanted, problem or "")
        if wanted.action == "create":
            problem = group_name_problem(policy.flavor, wanted.target_name, policy.protected_groups)
            if problem:
                return _refused(wanted, problem)

        def owner(scim_id: str) -> str | None:
            known = job.store.group_by_scim_id(scim_id)
            return known.okta_id if known else None

        match match_group(wanted.okta_id, wanted.target_name, wanted.action, self._candidates(wanted), owner):
            case Conflict(reason):
                return Decision(
                    skipped=[Skipped("conflict", wanted.okta_id, wanted.name, reason)], still=True
                )
            case NoMatch():
                problem = group_name_problem(policy.flavor, wanted.target_name, policy.protected_groups)
                return _refused(wanted, problem) if problem else Decision([_creation(wanted)])
            case MatchedGroup(remote, how):
                return self._link(wanted, remote, how)

    def _link(self, wanted: WantedGroup, remote: RemoteGroup, how: str) -> Decision:
        whole = self._planning.job.target.group(remote.scim_id)
        stage = self._planning.stage
        stage.put_remote_members(wanted.okta_id, whole.members or ())
        self._planning.group_ids[wanted.okta_id] = remote.scim_id
        self._planning.group_names[wanted.okta_id] = remote.name
        skipped = []
        strangers = stage.remote_strangers(wanted.okta_id)
        if strangers:
            reason = f"{counted(strangers, 'member')} at the target not managed by syncd: left as they are"
            skipped.append(Skipped("unmanaged_members", wanted.okta_id, remote.name, reason))
        change = Change(
            ChangeKind.LINK_GROUP,
            wanted.okta_id,
            remote.scim_id,
            remote.name,
            {"linked": False},
            {"linked": True},
            f"{wanted.reason}; the group exists at the target (same {how})",
        )
        return Decision([change], skipped)


def _refused(wanted: WantedGroup, problem: str) -> Decision:
    return Decision(skipped=[Skipped("refused_name", wanted.okta_id, wanted.name, problem)], still=True)


def _creation(wanted: WantedGroup) -> Change:
    return Change(
        ChangeKind.CREATE_GROUP,
        wanted.okta_id,
        None,
        wanted.target_name,
        {},
        {"displayName": wanted.target_name, "externalId": wanted.okta_id},
        wanted.reason,
    )


def plan_members(planning: Planning, departures: Departures) -> None:
    evidence = confirm_removals(planning.job, planning.stage, planning.reading, departures)
    for case in planning.stage.member_cases():
        group = planning.group_names.get(case.group_id) or _known_name(planning, case.group_id)
        fields = {"group_id": case.group_id, "group": group, "user": case.user_name}
        if case.wanted:
            reason = f"member of {group} in Okta"
            change = Change(
                ChangeKind.ADD_MEMBER,
                case.user_id,
                case.user_scim_id,
                case.user_name,
                {"member": False},
                {"member": True},
                reason,
                **fields,
            )
            planning.add_change(change)
            continue
        if _protected(planning, case):
            reason = f"no longer a member of {group} in Okta, but the user is protected"
            planning.skipped.append(Skipped("protected", case.user_id, case.user_name, reason))
            continue
        witness = evidence.get((case.group_id, case.user_id))
        if witness is None:
            reason = f"missing from {group} in Okta, but a second look did not confirm it"
            planning.skipped.append(Skipped("unconfirmed", case.user_id, case.user_name, reason))
            continue
        removal = Removal(
            ChangeKind.REMOVE_MEMBER,
            case.user_id,
            case.user_scim_id,
            case.user_name,
            {"member": True},
            {"member": False},
            _removal_reason(case, group),
            evidence=witness,
            **fields,
        )
        planning.add_change(removal)


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


def _known_name(planning: Planning, group_id: str) -> str:
    known = planning.job.store.group(group_id)
    if known is None:
        return group_id
    return known.pushed.name if known.pushed else known.wanted.target_name
