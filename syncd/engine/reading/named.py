"""Reads Okta into the stage: complete lists for a full cycle, single objects for a targeted one."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from syncd.core.diff import Skipped
from syncd.core.groups import Claim, resolve
from syncd.core.mapping import frozen_user, wanted_user
from syncd.engine.job import Job, stop_if_asked
from syncd.engine.reading.claims import Claiming
from syncd.engine.reading.group_scope import (
    in_scope_already,
    linked_names,
    moved,
    settled_stamp,
    wants_a_name,
)
from syncd.engine.reading.one_by_one import ENOUGH, member_list_problem, own_problem
from syncd.engine.reading.rule_lists import read_assigned, read_mappings
from syncd.engine.reading.selection import BY_ID_AT_MOST
from syncd.errors import (
    AccessDenied,
    IncompleteRead,
    NotFound,
    PermanentError,
    SyncdError,
    TemporaryError,
    concerns_the_connection,
)
from syncd.model import Absent, Application, AppUser, BadRecord, GroupState, PushMapping, ReadProof
from syncd.ports import Page, Person, Stage

ASSIGNMENTS_KEY = "assignments"
"""Under this key the store keeps how many records the last complete list of assignments had, to reckon with."""


@dataclass
class Reading:
    """What one cycle learned from Okta besides what is staged. Grows while reading."""

    app: Application
    users_proof: ReadProof | None = None
    unidentified: bool = False
    """A record of the user list did not say whose it is: a departure can only be confirmed by id."""
    active_seen: int = 0
    groups_whole: bool = False
    assigned: frozenset[str] | None = None
    mappings: Mapping[str, PushMapping] | None = None
    list_proofs: dict[str, ReadProof] = field(default_factory=dict)
    member_proofs: dict[str, ReadProof] = field(default_factory=dict)
    absent: dict[str, Absent] = field(default_factory=dict)
    """Users that were named, asked for by id, and are not assigned."""
    own_lists: dict[str, frozenset[str]] = field(default_factory=dict)
    """The own group lists of users that were named."""
    looked_at: set[tuple[str, str]] = field(default_factory=set)
    """(user or group, Okta id) of what was named and read, or found to be gone."""
    freed: set[str] = field(default_factory=set)
    """Keys of names that objects of this cycle give up, where others may wait for them."""
    claims: dict[str, Claim] = field(default_factory=dict)
    """Of the groups that were named."""
    asked: set[str] = field(default_factory=set)
    """Okta ids of the groups among them that were asked for by id."""
    heard: dict[str, str | None] = field(default_factory=dict)
    """Names of groups, by Okta id, as answers that were asked for about people told them; None: it is gone."""
    announced: frozenset[tuple[str, str]] = frozenset()
    """(group id, user id): the System Log says that this person left this group."""
    unread: dict[tuple[str, str], SyncdError] = field(default_factory=dict)
    """(user or group, Okta id) of what could not be read, or not wholly, while others could: it stays as it is."""
    problems: list[SyncdError] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    contradictions: list[Skipped] = field(default_factory=list)
    """Where a list says one thing and an answer by id, which counts, another."""

    def contradict(self, okta_id: str, name: str, listed: str, by_id: str, *, about: str = "user") -> None:
        """`listed` and `by_id`: what the list and the answer by id say, for people."""
        reason = f"{listed}; asked by id Okta {by_id}: that counts"
        self.contradictions.append(Skipped("contradicted", okta_id, name, reason, about))

    def leave_in_doubt(self, what: str, count: int) -> None:
        """More than are asked for by id in one cycle."""
        reason = (
            f"{count} more {what}: a list differs from what Okta answered by id a moment before;"
            " left as they are until the next cycles have asked for them"
        )
        self.contradictions.append(Skipped("unconfirmed", "", "", reason))

    def cannot_tell(self, kind: str, okta_id: str, problem: SyncdError) -> None:
        """The object stays as it is, and everything else goes on. Raises what concerns the whole connection."""
        if concerns_the_connection(problem):
            raise problem
        self.unread[kind, okta_id] = problem
        if not isinstance(problem, AccessDenied):
            self.problems.append(problem)

    def looked_at_of(self, kind: str) -> set[str]:
        """Okta ids."""
        return {okta_id for of_kind, okta_id in self.looked_at if of_kind == kind}

    @property
    def refused(self) -> Mapping[tuple[str, str], AccessDenied]:
        """What a side does not let be read while it answers the rest: it waits, and the cycle has not failed."""
        return {key: error for key, error in self.unread.items() if isinstance(error, AccessDenied)}

    @property
    def is_whole(self) -> bool:
        """Nothing was left unread."""
        return not self.problems and not self.unread

    @property
    def saw_everything(self) -> bool:
        """A complete cycle, in whose plan every wish stands."""
        return self.is_whole and not self.looked_at


def read_application(job: Job) -> Application:
    """Raises PermanentError unless the app is ACTIVE: an inactive app says nothing about anybody's assignment."""
    app = job.source.application()
    if app.status != "ACTIVE":
        raise PermanentError(
            f"the Okta app {app.label or app.app_id} ({app.app_id}) is {app.status}",
            hint="activate the app in Okta; until then nothing is read from it and nobody is removed",
        )
    return app


def read_everything(job: Job, stage: Stage, *, every_member_list: bool) -> Reading:
    """The nomination of a full cycle. Incomplete lists are reported in `problems` and prove no absence."""
    reading = Reading(read_application(job))
    before = job.store.recall(ASSIGNMENTS_KEY)
    job.observer.phase("reading assignments", int(before) if before and before.isdecimal() else None)
    try:
        read_users(job, stage, reading)
        stage.users_read_whole()
    except IncompleteRead as problem:
        reading.problems.append(problem)
    if job.settings.provisioning.push_groups:
        job.observer.phase("reading groups")
        read_groups(job, stage, reading)
        read_members(job, stage, reading, moved(stage, every=every_member_list))
    return reading


def read_users(job: Job, stage: Stage, reading: Reading) -> ReadProof:
    """One complete pass over the app's users, staged page by page. Raises IncompleteRead."""
    listing = job.source.app_users()
    for page in listing:
        stop_if_asked(job)
        stage_users(job, stage, reading, page)
        job.observer.advance(len(page.records))
    if reading.users_proof is None:
        reading.users_proof = listing.proof
    return listing.proof


def stage_users(
    job: Job, stage: Stage, reading: Reading, page: Page[AppUser], *, by_id: bool = False
) -> None:
    mapping = job.mapping
    wanted = [wanted_user(record, mapping) for record in page.records]
    reading.active_seen += sum(user.standing.value == "active" for user in wanted)
    for bad in page.bad:
        frozen = frozen_user(bad)
        if frozen is not None:
            wanted.append(frozen)
        else:
            reading.unidentified = True
            reading.skipped.append(
                Skipped("unreadable", "", "", f"a record of the app's users: {bad.problem}")
            )
    stage.put_users(wanted, by_id=by_id)


def stage_user(job: Job, stage: Stage, reading: Reading, record: AppUser | BadRecord) -> None:
    """An answer by id."""
    page: Page[AppUser] = Page([record]) if isinstance(record, AppUser) else Page([], [record])
    stage_users(job, stage, reading, page, by_id=True)


def read_groups(job: Job, stage: Stage, reading: Reading) -> None:
    """Resolves the push rules. Lists that stay incomplete leave the known groups as they are."""
    book = job.rules
    whole = True
    if book.needs_assigned:
        whole &= _attempt(reading, lambda: read_assigned(job, stage, reading))
    if book.needs_mappings:
        whole &= _attempt(reading, lambda: read_mappings(job, reading))
    claiming = Claiming(job, stage, reading, stage.links_asked())
    whole &= _attempt(reading, claiming.everything)
    resolved = resolve(
        list(claiming.found.values()),
        book,
        flavor=job.settings.split.flavor,
        linked=linked_names(job, claiming.by_hand),
        whole=whole,
    )
    reading.skipped.extend(resolved.skipped)
    claiming.put(resolved.wanted)
    if whole:
        reading.groups_whole = True
        stage.groups_read_whole()


def _attempt(reading: Reading, read: Callable[[], None]) -> bool:
    try:
        read()
    except TemporaryError as problem:
        reading.problems.append(problem)
        return False
    return True


def read_members(
    job: Job, stage: Stage, reading: Reading, groups: Mapping[str, str | None]
) -> dict[str, ReadProof]:
    """Complete member lists of these groups; a group whose list failed is left alone in this cycle."""
    proofs: dict[str, ReadProof] = {}
    if groups:
        job.observer.phase("reading members", len(groups))
    for page in job.source.members(sorted(groups)):
        stop_if_asked(job)
        stage.put_members(page.group_id, page.user_ids)
        if isinstance(page.failed, NotFound) and _is_gone(job, page.group_id):
            stage.put_absent([page.group_id])  # deleted since it was listed: no list of it will ever come
        elif page.failed is not None:
            stage.hold_group_still(page.group_id)
            reading.cannot_tell("group", page.group_id, member_list_problem(page.failed, page.group_id))
        elif page.proof is not None:
            stage.members_read_whole(page.group_id, settled_stamp(groups[page.group_id], page.proof.at))
            proofs[page.group_id] = page.proof
            job.observer.advance()
    for group_id, proof in proofs.items():
        reading.member_proofs.setdefault(group_id, proof)
    return proofs


def _is_gone(job: Job, group_id: str) -> bool:
    try:
        return isinstance(job.source.group(group_id), Absent)
    except SyncdError:
        return False


def read_selected(
    job: Job,
    stage: Stage,
    users: Sequence[str],
    groups: Sequence[str],
    *,
    member_lists: Collection[str] | None = None,
    by_id_at_most: int = BY_ID_AT_MOST,
) -> Reading:
    """The nomination of a targeted or a delta cycle: Okta ids of users and groups, each read by id.

    A user's own group list answers for their memberships, so that the cost is that person's, not the groups'. With
    `member_lists` only these groups, and those that enter scope, have their members read. More users than
    `by_id_at_most` are read by one complete list. One that cannot be read is left out (`unread`); raises the problem
    when nothing can.
    """
    reading = Reading(read_application(job))
    read_also(job, stage, reading, users, groups, member_lists=member_lists, by_id_at_most=by_id_at_most)
    return reading


def read_also(
    job: Job,
    stage: Stage,
    reading: Reading,
    users: Sequence[str],
    groups: Sequence[str],
    *,
    member_lists: Collection[str] | None,
    by_id_at_most: int,
) -> None:
    """As `read_selected`, into a reading that looks at others already."""
    pushing = job.settings.provisioning.push_groups
    seen_groups: Sequence[str] = ()
    if pushing and groups:
        try:
            seen_groups = read_selected_groups(job, stage, reading, groups, member_lists)
        except TemporaryError as problem:  # of a list that decides on all of them
            reading.problems.append(problem)
            reading.unread |= {("group", each): problem for each in groups}
    seen: Sequence[str] = users
    if len(users) > by_id_at_most:
        try:
            read_users(job, stage, reading)
            stage.users_read_whole()
        except IncompleteRead as problem:
            reading.problems.append(problem)
    else:
        seen = _read_people(job, stage, reading, users, with_groups=pushing)
    reading.looked_at |= {("user", each) for each in seen} | {("group", each) for each in seen_groups}
    if reading.unread and reading.problems and not reading.looked_at:
        raise reading.problems[-1]
    stage.limit_to(users=reading.looked_at_of("user"), groups=reading.looked_at_of("group"))


def _read_people(
    job: Job, stage: Stage, reading: Reading, users: Sequence[str], *, with_groups: bool
) -> list[str]:
    """Okta ids of those whose record was read. Whose own group list cannot be read keeps the memberships they have."""
    seen: list[str] = []
    for person in job.source.people(users, with_groups=with_groups):
        stop_if_asked(job)
        if person.failed is not None:
            reading.cannot_tell("user", person.okta_id, own_problem(person.failed))
        if person.answer is not None:
            _stage_person(job, stage, reading, person, person.answer)
            seen.append(person.okta_id)
        elif not seen and len(reading.problems) >= ENOUGH:
            break  # it is Okta, and not they
    for each in set(users) - set(seen):
        if ("user", each) not in reading.unread:
            reading.unread["user", each] = reading.problems[-1]
    return seen


def _stage_person(
    job: Job, stage: Stage, reading: Reading, person: Person, answer: AppUser | BadRecord | Absent
) -> None:
    if isinstance(answer, Absent):
        stage.put_absent([person.okta_id])
        reading.absent[person.okta_id] = answer
        return
    stage_user(job, stage, reading, answer)
    if person.groups is not None:
        reading.own_lists[person.okta_id] = frozenset(person.groups)
        reading.heard.update(person.groups)
        stage.put_user_groups(person.okta_id, person.groups)


def read_selected_groups(
    job: Job,
    stage: Stage,
    reading: Reading,
    groups: Sequence[str],
    member_lists: Collection[str] | None,
) -> Sequence[str]:
    """Okta ids of those that were read, or found to be gone."""
    book = job.rules
    if book.needs_assigned:
        read_assigned(job, stage, reading)
    if book.needs_mappings:
        read_mappings(job, reading)
    store, claiming = job.store, Claiming(job, stage, reading, stage.links_asked())
    claiming.some(groups)
    seen = [each for each in groups if ("group", each) not in reading.unread]
    _nominate_unclaimed(claiming, sorted(set(seen) - claiming.found.keys()))
    earlier = reading.looked_at_of("group")
    rivals = [Claim(known.wanted, 0) for known in store.groups() if wants_a_name(known, earlier | set(seen))]
    reading.claims = {each: found for each, found in reading.claims.items() if each not in seen}
    reading.claims |= claiming.found
    flavor, linked = job.settings.split.flavor, linked_names(job, claiming.by_hand)
    claims = [*reading.claims.values(), *rivals]
    resolved = resolve(claims, book, flavor=flavor, linked=linked, whole=False)
    reading.skipped.extend(skip for skip in resolved.skipped if skip.okta_id in seen)
    wanted = [group for group in resolved.wanted if group.okta_id in earlier | set(seen)]
    reading.asked |= claiming.asked
    claiming.asked |= reading.asked
    claiming.put(wanted)
    pushed = [group for group in wanted if group.state is GroupState.PUSHED]
    lists = {
        group.okta_id: group.stamp
        for group in pushed
        if group.okta_id not in reading.member_proofs
        and (
            member_lists is None
            or group.okta_id in member_lists
            or not in_scope_already(store.group(group.okta_id))
        )
    }
    read_members(job, stage, reading, lists)
    return seen


def _nominate_unclaimed(claiming: Claiming, groups: Sequence[str]) -> None:
    """Also of those that are nowhere yet it is remembered that they are gone: older lists may name them still."""
    reason = "no push rule names this group"
    for group_id in groups:
        known, by_id = claiming.job.store.group(group_id), group_id in claiming.asked
        managed = known is not None and known.pushed is not None
        if known is not None and not known.released and (managed or by_id):
            claiming.put([replace(known.wanted, state=GroupState.GONE, reason=reason)])
        elif by_id:
            claiming.stage.put_absent([group_id])
        if not managed:
            name = known.wanted.name if known else group_id
            claiming.reading.skipped.append(Skipped("not_pushed", group_id, name, reason, "group"))
