"""Creates that were refused, lost or disbelieved, and what they may have left at the target.

While the object is wanted, what was found counts when it is matched; once it is wanted no more, an account that a
create of ours opened is taken back, and one of which nobody can say so is reported, as is a group.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

from syncd.core.creation import is_provably_ours
from syncd.core.diff import Decision, Skipped, grace_ends, take_back
from syncd.core.evidence import Evidence, SaidByOkta
from syncd.core.names import Likeness, likeness
from syncd.core.policy import Policy
from syncd.engine.planning.draft import Planning, UnreadError
from syncd.engine.reading.witness import Departures, confirm_user
from syncd.errors import NotFound
from syncd.model import KnownUser, RemoteGroup, RemoteUser, Standing, UserCase, WantedGroup, WantedUser
from syncd.ports import Unproven


@dataclass(frozen=True, slots=True)
class Blocked:
    """Why nothing is created, and how a person ends it. `is_theirs`: what the create was answered with belongs to
    somebody else and shows nothing of this object, so whatever else is found at the target may be matched.
    """

    reason: str
    is_theirs: bool


def blocking_user(planning: Planning, wanted: WantedUser) -> Blocked | None:
    """The last create was answered with somebody else's account, as it still is. Raises UnreadError."""
    doubt = planning.unproven.get(("user", wanted.okta_id))
    if doubt is None or not doubt.stranger:
        return None
    remote = _doubted_user(planning, doubt)
    if remote is None or remote.user_name != doubt.name:
        return None
    tied = planning.job.store.user_by_scim_id(remote.scim_id) is not None
    is_theirs = tied or _shows_nothing_of(wanted.okta_id, wanted.user_name, remote)
    beside = f"make an account {wanted.user_name} in Split, which is then adopted"
    return _blocked(doubt, beside, is_theirs=is_theirs)


def blocking_group(planning: Planning, wanted: WantedGroup) -> Blocked | None:
    """As `blocking_user`."""
    doubt = planning.unproven.get(("group", wanted.okta_id))
    if doubt is None or not doubt.stranger or doubt.scim_id is None:
        return None
    remote = _doubted_group(planning, doubt)
    if remote is None:
        planning.over.append((doubt.kind, doubt.okta_id))
        return None
    if remote.name != doubt.name:
        return None
    tied = planning.job.store.group_by_scim_id(remote.scim_id) is not None
    is_theirs = tied or _shows_nothing_of(wanted.okta_id, wanted.target_name, remote)
    beside = f"make a group in Split, and tie it: syncd link {wanted.okta_id} TARGET"
    return _blocked(doubt, beside, is_theirs=is_theirs)


def _blocked(doubt: Unproven, beside: str, *, is_theirs: bool) -> Blocked:
    """`beside`: how the wish comes true beside what is somebody else's."""
    way_out = beside if is_theirs else "give it its own name and externalId in Split, or delete it there"
    return Blocked(f"{doubt.reason}: nothing is written to it; {way_out}", is_theirs=is_theirs)


def _doubted_group(planning: Planning, doubt: Unproven) -> RemoteGroup | None:
    """What the create may have left, as far as it is there. Raises UnreadError."""
    target = planning.job.target
    scim_id = doubt.scim_id
    if scim_id is None:
        hits = planning.asked(lambda: target.find_groups(okta_id=doubt.okta_id, name=doubt.name))
        return next((hit for hit in hits if hit.external_id in (None, "", doubt.okta_id)), None)
    try:
        return planning.asked(lambda: target.group(scim_id))
    except NotFound:
        return None


def _shows_nothing_of(okta_id: str, name: str, remote: RemoteUser | RemoteGroup) -> bool:
    called = remote.user_name if isinstance(remote, RemoteUser) else remote.name
    return remote.external_id != okta_id and likeness(called, name) is Likeness.DIFFERENT


def with_doubted(planning: Planning, okta_id: str, found: Sequence[RemoteUser]) -> Sequence[RemoteUser]:
    """The candidates for a match, with the account that a create was answered with: no search need find it. The
    externalId of a stranger may be the create's own doing, so it is no mark.
    """
    doubt = planning.unproven.get(("user", okta_id))
    remote = _doubted_user(planning, doubt) if doubt is not None else None
    if doubt is None or remote is None:
        return found
    others = [each for each in found if each.scim_id != remote.scim_id]
    return [*others, replace(remote, external_id=None) if doubt.stranger else remote]


def _doubted_user(planning: Planning, doubt: Unproven) -> RemoteUser | None:
    """Raises UnreadError."""
    scim_id = doubt.scim_id
    if scim_id is None:
        return None
    try:
        return planning.asked(lambda: planning.job.target.user(scim_id))
    except NotFound:
        planning.over.append((doubt.kind, doubt.okta_id))
        return None


def plan_left_behind(planning: Planning, departures: Departures, cases: Mapping[str, UserCase]) -> None:
    """`cases`: of the doubted users, those that this cycle decided on. The others only when everybody was read."""
    for (kind, okta_id), doubt in planning.unproven.items():
        known = planning.job.store.user(okta_id) if kind == "user" else None
        case = cases.get(okta_id)
        if known is None or known.pushed is not None:
            continue
        if case is None and planning.reading.users.proof is None:
            continue
        evidence = _evidence(planning, departures, known, case)
        if evidence is None or grace_ends(known, planning.policy, evidence) is not None:
            continue
        try:
            decision = _left_behind(planning, doubt, known, evidence)
        except UnreadError as unread:
            decision = planning.left_unread(kind, okta_id, unread.problem)
        if decision is not None:
            planning.add(decision, okta_id)


def plan_groups_left_behind(planning: Planning, wished: AbstractSet[str]) -> None:
    """Of the doubted groups that are wanted no more; `wished`: Okta ids of those that are. No group is taken back: what
    is there may be in use by now, and a stranger was never ours.
    """
    reading, store = planning.reading, planning.job.store
    for (kind, okta_id), doubt in planning.unproven.items():
        is_seen = reading.saw_group(okta_id)
        known = store.group(okta_id)
        if kind != "group" or okta_id in wished or not is_seen or (known is not None and known.pushed):
            continue
        try:
            remote = None if doubt.stranger else _doubted_group(planning, doubt)
        except UnreadError as unread:
            planning.left_unread(kind, okta_id, unread.problem)
            continue
        if remote is None or store.group_by_scim_id(remote.scim_id) is not None:
            planning.over.append((kind, okta_id))
            continue
        reason = (
            f"wanted no more, and the group {remote.name} ({remote.scim_id}) is at the target: {doubt.reason}."
            " Nothing proves that syncd made it: delete it in Split if nobody needs it"
        )
        planning.skip(Skipped("left_behind", okta_id, remote.name, reason, "group"))


def _evidence(
    planning: Planning, departures: Departures, known: KnownUser, case: UserCase | None
) -> Evidence | None:
    """None while the person is wanted, or may be."""
    wanted = known.wanted if case is None else case.wanted
    if wanted is not None and wanted.standing in (Standing.ACTIVE, Standing.FROZEN):
        return None
    if wanted is not None and wanted.standing is Standing.INACTIVE:
        return SaidByOkta(wanted.reason)
    if case is not None:
        return departures.of(known.okta_id)
    return confirm_user(
        planning.job, planning.stage, planning.reading, known.okta_id, ask_status=bool(planning.policy.grace)
    )


def _left_behind(
    planning: Planning, doubt: Unproven, known: KnownUser, evidence: Evidence
) -> Decision | None:
    name = known.wanted.user_name or doubt.name
    remote = _account(planning, doubt, name)
    if remote is None or remote.active is False:
        planning.over.append((doubt.kind, doubt.okta_id))
        return None
    policy: Policy = planning.policy
    if not doubt.stranger and is_provably_ours(remote, known.okta_id, doubt.since):
        return take_back(known.okta_id, remote, name, policy, evidence)
    reason = (
        f"left, and {remote.user_name} ({remote.scim_id}) is active at the target: {doubt.reason}."
        " Nothing proves that syncd made it: deactivate it in Split if it is theirs"
    )
    return Decision(skipped=[Skipped("left_behind", known.okta_id, name, reason)], still=True)


def _account(planning: Planning, doubt: Unproven, name: str) -> RemoteUser | None:
    """What the create may have left; None when nothing is there that is not somebody else's by now. May raise
    UnreadError.
    """
    target, store, scim_id = planning.job.target, planning.job.store, doubt.scim_id
    if scim_id is not None:
        try:
            found: Sequence[RemoteUser] = [planning.asked(lambda: target.user(scim_id))]
        except NotFound:
            return None
    else:
        hits = planning.asked(lambda: target.find_users(okta_id=doubt.okta_id, user_name=name))
        marked = [hit for hit in hits if hit.external_id == doubt.okta_id]
        found = marked or [hit for hit in hits if not hit.external_id and hit.user_name == name]
    return next((each for each in found if store.user_by_scim_id(each.scim_id) is None), None)
