"""What a targeted or a delta cycle looks at: single users and groups, each read by id."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace

from syncd.core.diff import Skipped
from syncd.core.groups import Claim, resolve
from syncd.engine.job import Job, stop_if_asked
from syncd.engine.reading.claims import Claiming
from syncd.engine.reading.group_scope import in_scope_already, linked_names, wants_a_name
from syncd.engine.reading.learned import NamedReading, Reading
from syncd.engine.reading.lists import read_application, read_members, read_users, stage_user
from syncd.engine.reading.one_by_one import ENOUGH, own_problem
from syncd.engine.reading.rule_lists import read_assigned, read_mappings
from syncd.engine.reading.selection import BY_ID_AT_MOST
from syncd.errors import IncompleteRead, TemporaryError
from syncd.model import Absent, AppUser, BadRecord, GroupState
from syncd.ports import Person, Stage


def read_selected(
    job: Job,
    stage: Stage,
    users: Sequence[str],
    groups: Sequence[str],
    *,
    member_lists: Collection[str] | None = None,
    by_id_at_most: int = BY_ID_AT_MOST,
    hearsay: AbstractSet[tuple[str, str]] = frozenset(),
) -> NamedReading:
    """The nomination of a targeted or a delta cycle: Okta ids of users and groups, each read by id.

    A user's own group list answers for their memberships, so that the cost is that person's, not the groups'. With
    `member_lists` only these groups, and those that enter scope, have their members read. More users than
    `by_id_at_most` are read by one complete list. One that cannot be read is left out (`unread`); raises the problem
    when nothing can. `hearsay`: see `NamedReading`.
    """
    reading = NamedReading(read_application(job), hearsay=hearsay)
    read_also(job, stage, reading, users, groups, member_lists=member_lists, by_id_at_most=by_id_at_most)
    return reading


def read_also(
    job: Job,
    stage: Stage,
    reading: NamedReading,
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
    job: Job, stage: Stage, reading: NamedReading, users: Sequence[str], *, with_groups: bool
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
    job: Job, stage: Stage, reading: NamedReading, person: Person, answer: AppUser | BadRecord | Absent
) -> None:
    if isinstance(answer, Absent):
        if reading.is_nothing("user", person.okta_id, is_known=job.store.user(person.okta_id) is not None):
            return
        stage.put_absent([person.okta_id])
        reading.absent[person.okta_id] = answer
        return
    stage_user(job, stage, reading, answer)
    if isinstance(answer, AppUser) and answer.updated is not None:
        reading.updated["user", person.okta_id] = answer.updated
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
        elif by_id and not claiming.reading.is_nothing("group", group_id, is_known=known is not None):
            claiming.stage.put_absent([group_id])
        if not managed:
            name = known.wanted.name if known else group_id
            claiming.reading.skipped.append(Skipped("not_pushed", group_id, name, reason, "group"))
