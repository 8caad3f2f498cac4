"""The second look: what absence nominated is asked for again before anything is removed.

Up to 50 objects by id, beyond that by a second complete read of the same list. What cannot be confirmed stays.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

from syncd.core.evidence import (
    AbsentById,
    AskedByOperator,
    Evidence,
    NotInUsersGroups,
    SaidByOkta,
    TwoCompleteReads,
)
from syncd.engine.job import Job
from syncd.engine.reading import Reading, read_members, read_users, stage_user
from syncd.engine.selection import BY_ID_AT_MOST
from syncd.errors import IncompleteRead, NotFound, TemporaryError
from syncd.model import Absent, GroupCase, GroupState, KnownGroup, MemberCase, OktaGroup, Standing
from syncd.ports import Stage


@dataclass
class Departures:
    """Evidence of departures: by user, or one for everybody who is missing from both complete reads."""

    by_user: dict[str, Evidence] = field(default_factory=dict)
    """Also holds Okta's own word for users that are assigned but not active."""
    for_all: Evidence | None = None

    def of(self, okta_id: str) -> Evidence | None:
        return self.by_user.get(okta_id, self.for_all)


def confirm_departures(job: Job, stage: Stage, reading: Reading) -> Departures:
    """Evidence for users that are gone; who turns out to be assigned after all is staged again."""
    found = Departures()
    few = [known.okta_id for known in islice(stage.departures(), BY_ID_AT_MOST + 1)]
    if not few:
        return found
    job.observer.phase("confirming departures")
    grace = bool(job.settings.provisioning.deactivation_grace)
    if len(few) <= BY_ID_AT_MOST:
        for okta_id in few:
            evidence = _confirm_user(job, stage, reading, okta_id, ask_status=grace)
            if evidence is not None:
                found.by_user[okta_id] = evidence
        return found
    if reading.users_proof is None or reading.unidentified:
        return found
    first = reading.users_proof
    try:
        found.for_all = TwoCompleteReads(first, read_users(job, stage, reading))
    except IncompleteRead as problem:
        reading.problems.append(problem)
        return found
    if grace:
        for known in stage.departures():
            if known.pushed is not None and known.pushed.active:
                status = _deprovisioned(job, known.okta_id)
                if status is not None:
                    found.by_user[known.okta_id] = status
    return found


def _confirm_user(
    job: Job, stage: Stage, reading: Reading, okta_id: str, *, ask_status: bool
) -> Evidence | None:
    try:
        answer = job.source.app_user(okta_id)
    except TemporaryError as problem:
        reading.problems.append(problem)
        return None
    if not isinstance(answer, Absent):
        stage_user(job, stage, reading, answer)
        return None
    stage.put_absent([okta_id])
    if ask_status:
        said = _deprovisioned(job, okta_id)
        if said is not None:
            return said
    return AbsentById(answer, reading.app)


def _deprovisioned(job: Job, okta_id: str) -> Evidence | None:
    """No grace for a user whom Okta itself deactivated or deleted."""
    try:
        status = job.source.user_status(okta_id)
    except TemporaryError:
        return None
    if status == "DEPROVISIONED" or isinstance(status, Absent):
        return SaidByOkta("the Okta user is DEPROVISIONED and not assigned any more")
    return None


def group_witness(job: Job, reading: Reading, case: GroupCase) -> Evidence | None:
    """Why a pushed group is out of scope: its rule left the settings, Okta's own word, or a second look."""
    known = case.known
    if known is None or known.pushed is None or (case.wanted and case.wanted.state is not GroupState.GONE):
        return None
    rule = known.wanted.rule
    if rule not in {each.source.label for each in job.rules.rules}:
        return AskedByOperator(f"the push rule {rule} is no longer in the settings")
    try:
        group = job.source.group(case.okta_id)
        if isinstance(group, Absent):
            return AbsentById(group, reading.app)
        return _left_its_rule(job, reading, known, group)
    except TemporaryError as problem:
        reading.problems.append(problem)
        return None


def _left_its_rule(job: Job, reading: Reading, known: KnownGroup, group: OktaGroup) -> Evidence | None:
    source = next(rule.source for rule in job.rules.rules if rule.source.label == known.wanted.rule)
    if source.kind in ("assigned", "okta_mappings"):
        listing = job.source.app_groups() if source.kind == "assigned" else job.source.mappings()
        ids = {
            record if isinstance(record, str) else record.source_group_id
            for page in listing
            for record in page.records
        }
        if known.okta_id in ids or source.kind not in reading.list_proofs:
            return None
        return TwoCompleteReads(reading.list_proofs[source.kind], listing.proof)
    if source.matches(group.name, group.description) or source.value == group.okta_id:
        return None
    return SaidByOkta(f'Okta now calls the group "{group.name}", which {source.label} does not match')


def confirm_removals(
    job: Job, stage: Stage, reading: Reading, departures: Departures
) -> Mapping[tuple[str, str], Evidence]:
    """Evidence for member removals, by (group id, user id). Unconfirmed ones have no entry."""
    found: dict[tuple[str, str], Evidence] = {}
    asked: list[MemberCase] = []
    for case in stage.member_cases():
        if case.wanted:
            continue
        evidence = _from_standing(job, case, departures)
        if evidence is not None:
            found[case.group_id, case.user_id] = evidence
        elif not case.listed:
            asked.append(case)
    if asked:
        job.observer.phase("confirming member removals")
        if len(asked) <= BY_ID_AT_MOST:
            found |= _ask_users(job, reading, asked)
        else:
            found |= _read_twice(job, stage, reading, asked)
    return found


def _from_standing(job: Job, case: MemberCase, departures: Departures) -> Evidence | None:
    if case.standing is Standing.ABSENT:
        return departures.of(case.user_id)
    if case.standing is Standing.INACTIVE:
        known = job.store.user(case.user_id)
        said = departures.by_user.get(case.user_id)
        return said or (SaidByOkta(known.wanted.reason) if known else None)
    return None


def _ask_users(job: Job, reading: Reading, cases: Sequence[MemberCase]) -> dict[tuple[str, str], Evidence]:
    found: dict[tuple[str, str], Evidence] = {}
    groups: dict[str, OktaGroup | None] = {}
    lists: dict[str, frozenset[str] | None] = {}
    for case in cases:
        try:
            if case.group_id not in groups:
                group = job.source.group(case.group_id)
                groups[case.group_id] = group if isinstance(group, OktaGroup) else None
            if case.user_id not in lists:
                lists[case.user_id] = job.source.groups_of(case.user_id)
        except NotFound:
            lists[case.user_id] = None
        except TemporaryError as problem:
            reading.problems.append(problem)
            groups.setdefault(case.group_id, None)
            lists.setdefault(case.user_id, None)
        group_now, users_groups = groups[case.group_id], lists.get(case.user_id)
        if group_now is not None and users_groups is not None and case.group_id not in users_groups:
            found[case.group_id, case.user_id] = NotInUsersGroups(case.user_id, group_now, users_groups)
    return found


def _read_twice(
    job: Job, stage: Stage, reading: Reading, cases: Sequence[MemberCase]
) -> dict[tuple[str, str], Evidence]:
    groups = sorted({case.group_id for case in cases})
    unread = [group_id for group_id in groups if group_id not in reading.member_proofs]
    stamps: dict[str, str | None] = dict.fromkeys(groups)  # no stamp: the next full cycle reads them again
    first = {
        **{group_id: proof for group_id, proof in reading.member_proofs.items() if group_id in groups},
        **read_members(job, stage, reading, {group_id: stamps[group_id] for group_id in unread}),
    }
    second = read_members(job, stage, reading, stamps)
    agreed = {
        group_id: TwoCompleteReads(first[group_id], second[group_id])
        for group_id in groups
        if group_id in first and group_id in second
    }
    still = {(case.group_id, case.user_id) for case in _removals(stage.member_cases())}
    return {
        (case.group_id, case.user_id): agreed[case.group_id]
        for case in cases
        if case.group_id in agreed and (case.group_id, case.user_id) in still
    }


def _removals(cases: Iterable[MemberCase]) -> Iterable[MemberCase]:
    return (case for case in cases if not case.wanted)
