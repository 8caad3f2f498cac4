"""The second look: what absence nominated is asked for again before anything is removed.

Up to 50 objects by id, beyond that by a second complete read of the same list, and 50 of them by id: a list that lags
lags twice, so one that is there after all makes two reads worth nothing. What cannot be confirmed stays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TypeVar

from syncd.core.evidence import (
    AbsentById,
    AskedByOperator,
    Evidence,
    NotInUsersGroups,
    SaidByOkta,
    TwoCompleteReads,
)
from syncd.core.groups import BY_HAND
from syncd.core.mapping import wanted_user
from syncd.core.rules import GroupSource
from syncd.engine.job import Job
from syncd.engine.reading.heard import ask_own_groups
from syncd.engine.reading.learned import Reading
from syncd.engine.reading.lists import read_members, read_users, stage_user
from syncd.engine.reading.one_by_one import own_problem
from syncd.engine.reading.selection import BY_ID_AT_MOST
from syncd.errors import IncompleteRead, NotFound, SyncdError
from syncd.model import (
    Absent,
    AppUser,
    BadRecord,
    GroupCase,
    GroupState,
    KnownGroup,
    MemberCase,
    OktaGroup,
    Standing,
)
from syncd.ports import Stage

T = TypeVar("T")
_NO_RULES = frozenset({"", BY_HAND})
"""What stands in the place of a rule's label where none is known to have named the group."""
UNLISTED_USER = ("missing from the list of the app's users", "shows the assignment")
"""What such a list says, and the answer by id that contradicts it."""


@dataclass
class Departures:
    """Evidence of departures: by user, or one for everybody who is missing from both complete reads (`misses`)."""

    misses: Callable[[str], bool]
    by_user: dict[str, Evidence] = field(default_factory=dict)
    """Also holds Okta's own word for users that are assigned but not active."""
    for_all: Evidence | None = None

    def of(self, okta_id: str) -> Evidence | None:
        """What proves that this person is gone; None where nothing does."""
        return self.by_user.get(okta_id) or (self.for_all if self.misses(okta_id) else None)


def confirm_departures(job: Job, stage: Stage, reading: Reading) -> Departures:
    """Evidence for users that are gone; who turns out to be assigned after all is staged again."""
    found = Departures(lambda okta_id: stage.misses(okta_id) and ("user", okta_id) not in reading.unread)
    grace = bool(job.settings.provisioning.deactivation_grace)
    for okta_id in sorted(reading.absent):
        evidence = confirm_user(job, stage, reading, okta_id, ask_status=grace and _is_active(job, okta_id))
        if evidence is not None:
            found.by_user[okta_id] = evidence
    unknown = (known.okta_id for known in stage.departures() if known.okta_id not in reading.absent)
    few = list(islice(unknown, BY_ID_AT_MOST + 1))
    if not few:
        return found
    job.observer.phase("confirming departures")
    if len(few) <= BY_ID_AT_MOST:
        for okta_id in few:
            evidence = confirm_user(job, stage, reading, okta_id, ask_status=grace)
            if evidence is not None:
                found.by_user[okta_id] = evidence
        return found
    if reading.users.proof is None or reading.users.unidentified:
        return found
    first = reading.users.proof
    try:
        second = read_users(job, stage, reading)
    except IncompleteRead as problem:
        reading.problems.append(problem)
        return found
    if reading.users.unidentified:  # in the second read
        return found
    if not _sample_is_gone(job, stage, reading, found):
        return found
    found.for_all = TwoCompleteReads(first, second)
    if grace:
        for known in stage.departures():
            if known.pushed is not None and known.pushed.active and known.okta_id not in found.by_user:
                status = _deprovisioned(job, known.okta_id)
                if status is not None:
                    found.by_user[known.okta_id] = status
    return found


def _sample_is_gone(job: Job, stage: Stage, reading: Reading, found: Departures) -> bool:
    """Whether Okta says by id what its list said twice: of nobody otherwise, and of somebody at all."""
    grace = bool(job.settings.provisioning.deactivation_grace)
    answers = {
        okta_id: confirm_user(job, stage, reading, okta_id, ask_status=grace)
        for okta_id in _spread(lambda: (known.okta_id for known in stage.departures()))
    }
    gone = {okta_id: evidence for okta_id, evidence in answers.items() if evidence is not None}
    found.by_user |= gone
    return bool(gone) and all(("user", okta_id) in reading.unread for okta_id in answers.keys() - gone.keys())


def _spread(every: Callable[[], Iterable[T]]) -> list[T]:
    """At most as many as are asked for by id, from the whole length."""
    count = sum(1 for _ in every())
    return list(islice(every(), 0, None, max(1, -(-count // BY_ID_AT_MOST))))


def _is_active(job: Job, okta_id: str) -> bool:
    known = job.store.user(okta_id)
    return known is not None and known.pushed is not None and known.pushed.active


def confirm_user(
    job: Job, stage: Stage, reading: Reading, okta_id: str, *, ask_status: bool
) -> Evidence | None:
    answer: AppUser | BadRecord | Absent | None = reading.absent.get(
        okta_id
    )  # whoever was named is asked once
    if answer is None:
        try:
            answer = job.source.app_user(okta_id)
        except SyncdError as problem:
            reading.cannot_tell("user", okta_id, own_problem(problem))
            return None
    if not isinstance(answer, Absent):
        if stage.misses(okta_id):
            _say_unlisted(job, reading, okta_id, answer)
        stage_found(job, stage, reading, answer)
        return None
    stage.put_absent([okta_id])
    if ask_status:
        said = _deprovisioned(job, okta_id)
        if said is not None:
            return said
    return AbsentById(answer, reading.app)


def stage_found(job: Job, stage: Stage, reading: Reading, answer: AppUser | BadRecord) -> None:
    """An answer by id about somebody whom the lists show otherwise. Whoever comes back may have lost their groups with
    leaving, which no list or stamp need show yet: their own list is asked for too; without it they stay as they are.
    """
    if isinstance(answer, AppUser) and _comes_back(job, answer) and reading.own_list(answer.okta_id) is None:
        try:
            ask_own_groups(job, stage, reading, answer.okta_id)
        except SyncdError as error:
            reading.cannot_tell("user", answer.okta_id, error)
            return
    stage_user(job, stage, reading, answer)


def _comes_back(job: Job, answer: AppUser) -> bool:
    if not job.settings.provisioning.push_groups:
        return False
    known = job.store.user(answer.okta_id)
    away = known is None or known.wanted.standing in (Standing.ABSENT, Standing.INACTIVE)
    return away and wanted_user(answer, job.mapping).standing is Standing.ACTIVE


def _say_unlisted(job: Job, reading: Reading, okta_id: str, answer: AppUser | BadRecord) -> None:
    known = job.store.user(okta_id)
    name = known.wanted.user_name if known else answer.user_name if isinstance(answer, AppUser) else ""
    reading.contradict(okta_id, name, *UNLISTED_USER)


def _deprovisioned(job: Job, okta_id: str) -> Evidence | None:
    """No grace for a user whom Okta itself deactivated or deleted."""
    try:
        status = job.source.user_status(okta_id)
    except SyncdError as problem:
        own_problem(problem)
        return None
    if status == "DEPROVISIONED" or isinstance(status, Absent):
        return SaidByOkta("the Okta user is DEPROVISIONED and not assigned any more")
    return None


def group_witness(job: Job, reading: Reading, case: GroupCase) -> Evidence | None:
    """Why a pushed group is out of scope: its rule left the settings, Okta's own word, or a second look."""
    known = case.known
    if known is None or known.pushed is None or (case.wanted and case.wanted.state is not GroupState.GONE):
        return None
    try:
        group = job.source.group(case.okta_id)
        if isinstance(group, Absent):
            return AbsentById(group, reading.app)
        if case.asked is not None and case.asked.what == "link":
            return None  # a person's word outlives the rules
        sources = {each.source.label: each.source for each in job.rules.rules}
        if known.wanted.rule in _NO_RULES:
            return _no_rule_fits(job, reading, group, list(sources.values()))
        if known.wanted.rule not in sources:
            return _lost_its_rule(job, reading, known, group)
        return _left_its_rule(job, reading, group, sources[known.wanted.rule])
    except SyncdError as problem:
        reading.cannot_tell("group", case.okta_id, own_problem(problem))
        return None


def _lost_its_rule(job: Job, reading: Reading, known: KnownGroup, group: OktaGroup) -> Evidence | None:
    """Its rule is no longer in the settings, and no other names it: the lists may have missed or misread it."""
    lists, book = reading.rule_lists, job.rules
    if not lists.answer(book) or lists.claim(group, book) is not None:
        return None
    return AskedByOperator(f"the push rule {known.wanted.rule} is no longer in the settings")


def _no_rule_fits(
    job: Job, reading: Reading, group: OktaGroup, sources: Sequence[GroupSource]
) -> Evidence | None:
    """It was linked, and no rule is known to have named it: so each of them has to be seen not to, by itself."""
    lists, book = reading.rule_lists, job.rules
    if not lists.answer(book) or lists.claim(group, book) is not None:
        return None
    if any(_left_its_rule(job, reading, group, source) is None for source in sources):
        return None
    return SaidByOkta(f'Okta calls the group "{group.name}", and no push rule in the settings names it')


def _left_its_rule(job: Job, reading: Reading, group: OktaGroup, source: GroupSource) -> Evidence | None:
    if source.kind == "assigned":  # its list, read twice, would lag twice
        answer = job.source.app_group(group.okta_id)
        return AbsentById(answer, reading.app) if isinstance(answer, Absent) else None
    if source.kind == "okta_mappings":
        listing = job.source.mappings()
        ids = {record.source_group_id for page in listing for record in page.records}
        first = reading.rule_lists.mappings_proof
        return None if group.okta_id in ids or first is None else TwoCompleteReads(first, listing.proof)
    if source.matches(group.name, group.description) or source.value == group.okta_id:
        return None
    return SaidByOkta(f'Okta now calls the group "{group.name}", which {source.label} does not match')


def confirm_removals(
    job: Job, stage: Stage, reading: Reading, departures: Departures
) -> Mapping[tuple[str, str], Evidence]:
    """Evidence for member removals, by (group id, user id). Unconfirmed ones have no entry."""
    found: dict[tuple[str, str], Evidence] = {}
    asked: list[MemberCase] = []
    inactive = _Inactive(job, stage, reading)
    for case in stage.member_removals():
        evidence = _from_standing(case, departures, inactive)
        if evidence is not None:
            found[case.group_id, case.user_id] = evidence
        elif not case.listed:
            asked.append(case)
    if asked:
        job.observer.phase("confirming member removals")
        own = [case for case in asked if reading.own_list(case.user_id) is not None]
        listed = [case for case in asked if reading.own_list(case.user_id) is None]
        found |= _ask_users(job, stage, reading, own)
        if len(listed) <= BY_ID_AT_MOST:
            found |= _ask_users(job, stage, reading, listed)
        else:
            found |= _read_twice_and_sampled(job, stage, reading, listed)
    return found


class _Inactive:
    """Okta's word for users that are assigned but not active. What only the store remembers is asked for again."""

    def __init__(self, job: Job, stage: Stage, reading: Reading) -> None:
        self._job, self._stage, self._reading = job, stage, reading
        self._asked: dict[str, Evidence | None] = {}

    def word_for(self, okta_id: str) -> Evidence | None:
        if self._reading.users.proof is not None:  # a complete read found the stored record unchanged
            known = self._job.store.user(okta_id)
            return SaidByOkta(known.wanted.reason) if known else None
        if okta_id not in self._asked:
            few = len(self._asked) < BY_ID_AT_MOST
            self._asked[okta_id] = self._by_id(okta_id) if few else None
        return self._asked[okta_id]

    def _by_id(self, okta_id: str) -> Evidence | None:
        try:
            answer = self._job.source.app_user(okta_id)
        except SyncdError as problem:
            self._reading.cannot_tell("user", okta_id, own_problem(problem))
            return None
        if isinstance(answer, Absent):
            return AbsentById(answer, self._reading.app)
        stage_user(self._job, self._stage, self._reading, answer)
        if isinstance(answer, BadRecord):
            return None
        wish = wanted_user(answer, self._job.mapping)
        return SaidByOkta(wish.reason) if wish.standing is Standing.INACTIVE else None


def _from_standing(case: MemberCase, departures: Departures, inactive: _Inactive) -> Evidence | None:
    if case.standing is Standing.ABSENT:
        return departures.of(case.user_id)
    if case.standing is Standing.INACTIVE:
        return departures.by_user.get(case.user_id) or inactive.word_for(case.user_id)
    return None


def _ask_users(
    job: Job, stage: Stage, reading: Reading, cases: Sequence[MemberCase]
) -> dict[tuple[str, str], Evidence]:
    """Who is in the group after all keeps the membership, in the stage too."""
    found: dict[tuple[str, str], Evidence] = {}
    groups: dict[str, OktaGroup | None] = {}
    lists: dict[str, frozenset[str] | None] = {}
    for case in cases:
        try:
            if case.group_id not in groups:
                groups[case.group_id] = None
                group = job.source.group(case.group_id)
                groups[case.group_id] = group if isinstance(group, OktaGroup) else None
                reading.heard[case.group_id] = group.name if isinstance(group, OktaGroup) else None
        except SyncdError as problem:
            reading.cannot_tell("group", case.group_id, own_problem(problem))
        try:
            if groups[case.group_id] is not None and case.user_id not in lists:
                lists[case.user_id] = None
                lists[case.user_id] = _own_list(job, stage, reading, case.user_id, of=cases)
        except NotFound:
            pass
        except SyncdError as problem:
            reading.cannot_tell("user", case.user_id, own_problem(problem))
        group_now, users_groups = groups[case.group_id], lists.get(case.user_id)
        if group_now is None or users_groups is None:
            continue
        if case.group_id not in users_groups:
            found[case.group_id, case.user_id] = NotInUsersGroups(case.user_id, group_now, users_groups)
        elif case.group_id in reading.member_proofs:
            listed = f"missing from the members of {group_now.name}"
            reading.contradict(case.user_id, case.user_name, listed, "names the group")
    return found


def _own_list(
    job: Job, stage: Stage, reading: Reading, user_id: str, *, of: Sequence[MemberCase]
) -> frozenset[str]:
    """Whoever was named has been asked. That answer is the second witness only of what the log had announced: what it
    alone nominated, and that somebody lost several groups and has none at all, is asked once more.
    """
    asked = reading.own_list(user_id)
    lost = [(case.group_id, user_id) for case in of if case.user_id == user_id]
    if asked is None or not reading.is_announced(lost) or (not asked and len(lost) > 1):
        return ask_own_groups(job, stage, reading, user_id)
    return asked


def _read_twice_and_sampled(
    job: Job, stage: Stage, reading: Reading, cases: Sequence[MemberCase]
) -> Mapping[tuple[str, str], Evidence]:
    agreed = _read_twice(job, stage, reading, cases)
    sample = _spread(lambda: (case for case in cases if (case.group_id, case.user_id) in agreed))
    asked = _ask_users(job, stage, reading, sample)
    still = {(case.group_id, case.user_id) for case in stage.member_removals()}
    kept = any((case.group_id, case.user_id) not in still for case in sample)
    return {**agreed, **asked} if asked and not kept else asked


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
    still = {(case.group_id, case.user_id) for case in stage.member_removals()}
    return {
        (case.group_id, case.user_id): agreed[case.group_id]
        for case in cases
        if case.group_id in agreed and (case.group_id, case.user_id) in still
    }
