"""One unit of writing: carries out one change (or one batch of memberships of one group) at the target.

Runs in worker threads. Returns outcomes; raises only what concerns the whole connection.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import msgspec
from msgspec.structs import replace

from syncd.core.change import GROUP_KINDS, Change, ChangeKind, Json, patched
from syncd.core.comparison import unlike
from syncd.core.diff import without
from syncd.core.match import MatchedUser, match_user, owner_by
from syncd.core.names import look_alike_key
from syncd.engine.job import Job
from syncd.engine.writing.creating import not_new, tied_group, unproven_by
from syncd.engine.writing.vanishing import Vanishing
from syncd.errors import (
    AlreadyExists,
    Disbelieved,
    NotFound,
    PermanentError,
    SyncdError,
    TemporaryError,
    kept,
)
from syncd.model import (
    Attributes,
    KnownGroup,
    KnownUser,
    PushedGroup,
    PushedUser,
    RemoteUser,
    Scalar,
    Standing,
    WantedUser,
)
from syncd.ports import (
    Applied,
    Effect,
    GroupForgotten,
    GroupPushed,
    MemberPushed,
    Stage,
    UserForgotten,
    UserPushed,
)


class Outcome(msgspec.Struct, frozen=True):
    """What became of one change. `error` None: applied. `deferred`: not its own failure, simply still wanted."""

    change: Change
    effects: Sequence[Effect] = ()
    status: int | None = None
    note: str = ""
    error: SyncdError | None = None
    deferred: bool = False
    vanished: bool = False
    """The known account had another id, or none, and was found or made again."""
    request: str = ""
    """What was sent for it (see `Target.sent`), be it for others of its batch too."""


@dataclass(frozen=True, slots=True, eq=False)
class Unit:
    """Changes that travel together, with what the store knew about their objects when they were journalled."""

    changes: Sequence[Change]
    sequences: Sequence[int]
    users: Mapping[str, KnownUser]
    vanishing: Vanishing
    stage: Stage
    """Of the plan. Workers ask it, not the store, whose object an id is: there they would wait for the journal."""
    accounts: Mapping[str, str]
    """Of a batch of memberships: the ids at the target, by Okta id."""
    group: KnownGroup | None = None

    @property
    def change(self) -> Change:
        """The only change, for everything but memberships."""
        return self.changes[0]


def execute(job: Job, unit: Unit) -> Sequence[Outcome]:
    """Never raises a SyncdError: failures are outcomes."""
    job.target.sent()
    outcomes = _outcomes(job, unit)
    request = job.target.sent()
    return [outcome if outcome.deferred else replace(outcome, request=request) for outcome in outcomes]


def _outcomes(job: Job, unit: Unit) -> Sequence[Outcome]:
    first = unit.changes[0]
    try:
        if first.kind in (ChangeKind.ADD_MEMBER, ChangeKind.REMOVE_MEMBER):
            return _members(job, unit)
        return [_SINGLE[first.kind](job, unit)]
    except SyncdError as error:
        return [Outcome(change, error=kept(error), status=error.status) for change in unit.changes]


def is_unanswered(error: SyncdError | None) -> bool:
    """The write may have taken effect."""
    return isinstance(error, TemporaryError) and error.may_have_acted


def _create_user(job: Job, unit: Unit) -> Outcome:
    change = unit.change
    attributes: dict[str, Scalar] = {
        path: value
        for path, value in change.after.items()
        if value is not None and path not in ("active", "externalId")
    }
    try:
        applied = job.target.create_user(
            change.okta_id, attributes, against=not_new(unit.stage, change.okta_id)
        )
    except Disbelieved as found:
        return Outcome(change, [unproven_by(change, found)], found.status, error=found)
    return _user_now(change, applied, without(attributes, job.settings.initial), active=True)


def _adopt_user(job: Job, unit: Unit) -> Outcome:
    change = unit.change
    scim_id = _known_id(change)
    wanted: Attributes = unit.users[change.okta_id].wanted.attributes
    invites = job.target.habits().invites
    applied = (
        job.target.update_user(scim_id, change.before, change.after, wanted, invited=invites)
        if change.after
        else Applied(scim_id)
    )
    if not job.settings.provisioning.update_users:
        wanted = without(job.target.user(scim_id).attributes, job.settings.initial)
    return _user_now(change, applied, wanted, active=True)


def _update_user(job: Job, unit: Unit) -> Outcome:
    change = unit.change
    known = unit.users[change.okta_id]
    whole = patched(known.pushed.attributes if known.pushed else {}, change.after)
    try:
        applied = job.target.update_user(
            _known_id(change), _as_it_is(known, change), change.after, whole, invited=_is_invited(known)
        )
    except NotFound:
        unit.vanishing.user_is_gone(change.okta_id, change.name)
        return _found_again(job, unit, known)
    active = known.pushed.active if known.pushed else True
    active = bool(change.after.get("active", active))
    compared = without(whole, job.settings.initial)
    return _user_now(change, applied, compared, active=active, invited=_is_invited(known))


def _as_it_is(known: KnownUser, change: Change) -> Mapping[str, Json]:
    """What the change begins with: after a detour no longer what the plan saw."""
    pushed = known.pushed.attributes if known.pushed else {}
    return {path: pushed.get(path, value) for path, value in change.before.items()}


def _found_again(job: Job, unit: Unit, known: KnownUser) -> Outcome:
    """The account is gone under the id that we know. It is adopted under another id if it carries our externalId and
    is awake, and made anew if nobody is there; anything else is for the next plan, with its matching and its holds.
    """
    change, wanted = unit.change, known.wanted
    if wanted.standing is not Standing.ACTIVE:
        return _gone(change, "the account is gone at the target")
    owner = owner_by(unit.stage.user_by_scim_id)
    candidates = _namesakes(job, wanted)
    if any(remote.scim_id == change.scim_id for remote in candidates):
        raise TemporaryError(f"{change.name} is found by a search, but cannot be read by its id", status=404)
    match = match_user(change.okta_id, wanted.user_name, candidates, owner, exact_names=True)
    if isinstance(match, MatchedUser) and match.remote.external_id == change.okta_id:
        if match.remote.active is False:
            return _gone(change, "the account is gone; under another id there is an inactive one")
        return _moved(job, wanted, change, match.remote)
    if candidates:
        return _gone(change, "the account is gone; another account has its name or its externalId")
    if not job.settings.provisioning.create_users:
        return _gone(change, "the account is gone at the target, and create_users is off")
    try:
        applied = job.target.create_user(
            change.okta_id,
            wanted.mapped,
            against=not_new(unit.stage, change.okta_id),
        )
    except AlreadyExists as taken:
        left = [unproven_by(change, taken)] if isinstance(taken, Disbelieved) else []
        return Outcome(change, [UserForgotten(change.okta_id), *left], taken.status, error=taken)
    note = "the account was gone at the target and was created again"
    return _now_elsewhere(change, applied, wanted.attributes, note)


def _namesakes(job: Job, wanted: WantedUser) -> Sequence[RemoteUser]:
    """Whom the target has with our externalId, this userName, or one that is alike. Costs a whole listing where a
    search without a hit proves nothing; that is for the few that vanish one by one.
    """
    found = job.target.find_users(okta_id=wanted.okta_id, user_name=wanted.user_name)
    if found or not job.settings.provisioning.create_users or job.target.search_is_whole(wanted.user_name):
        return found
    alike = look_alike_key(wanted.user_name)
    everybody = (remote for page in job.target.list_users() for remote in page)
    return [
        remote
        for remote in everybody
        if remote.external_id == wanted.okta_id or look_alike_key(remote.user_name) == alike
    ]


def _moved(job: Job, wanted: WantedUser, change: Change, remote: RemoteUser) -> Outcome:
    """Our own account under another id, brought up to date."""
    updates = job.settings.provisioning.update_users
    habits = job.target.habits()
    shown = without(remote.attributes, job.settings.initial)
    before, after = unlike(wanted.attributes, shown, habits) if updates else ({}, {})
    if remote.active is None and change.after.get("active") is True:
        after["active"] = True  # a return, and the server does not show whether it is needed
    applied = (
        job.target.update_user(remote.scim_id, before, after, wanted.attributes)
        if after
        else Applied(remote.scim_id)
    )
    attributes = wanted.attributes if updates else shown
    return _now_elsewhere(
        change, applied, attributes, "the id was gone; the account was found under another id"
    )


def _now_elsewhere(change: Change, applied: Applied, attributes: Attributes, note: str) -> Outcome:
    outcome = _user_now(change, applied, attributes, active=True, note=note)
    return replace(outcome, effects=[UserForgotten(change.okta_id), *outcome.effects], vanished=True)


def _gone(change: Change, what: str) -> Outcome:
    """Not applied: the id is forgotten, and the next plan finds out what to do."""
    group = change.kind in GROUP_KINDS
    effect: Effect = GroupForgotten(change.okta_id) if group else UserForgotten(change.okta_id)
    error = TemporaryError(f"{what}; it will be matched afresh", status=404)
    return Outcome(change, [effect], 404, error=error)


def _deactivate_user(job: Job, unit: Unit) -> Outcome:
    change = unit.change
    known = unit.users.get(change.okta_id)
    pushed = known.pushed if known else None
    invited = pushed is not None and pushed.invited
    applied = job.target.deactivate_user(_known_id(change), invited=invited)
    if applied.was_gone:
        unit.vanishing.user_is_gone(change.okta_id, change.name)
    return _user_now(change, applied, pushed.attributes if pushed else {}, active=False, invited=invited)


def _is_invited(known: KnownUser) -> bool:
    return known.pushed is not None and known.pushed.invited


def _create_group(job: Job, unit: Unit) -> Outcome:
    change = unit.change
    try:
        applied = job.target.create_group(
            change.okta_id, change.name, against=tied_group(unit.stage, change.okta_id)
        )
    except Disbelieved as found:
        return Outcome(change, [unproven_by(change, found)], found.status, error=found)
    if applied.scim_id is None:
        raise PermanentError(f"the target gave no id for the group {change.name}")
    effect = GroupPushed(change.okta_id, PushedGroup(applied.scim_id, change.name))
    return Outcome(change, [effect], applied.status, applied.note)


def _link_group(job: Job, unit: Unit) -> Outcome:
    change = unit.change
    applied = job.target.take_over_group(_known_id(change))
    remote = job.target.group(_known_id(change))
    owners = [unit.stage.user_by_scim_id(scim_id) for scim_id in sorted(remote.members or ())]
    members = [known.okta_id for known in owners if known is not None]
    effect = GroupPushed(change.okta_id, PushedGroup(remote.scim_id, remote.name), members)
    return Outcome(change, [effect], applied.status, applied.note)


def _rename_group(job: Job, unit: Unit) -> Outcome:
    change = unit.change
    scim_id = _known_id(change)
    try:
        applied = job.target.rename_group(scim_id, str(change.after["displayName"]))
    except NotFound:
        unit.vanishing.group_is_gone(change.okta_id, change.name)
        return _gone(change, f"the group {change.before.get('displayName')} is gone at the target")
    effect = GroupPushed(change.okta_id, PushedGroup(scim_id, str(change.after["displayName"])))
    return Outcome(change, [effect], applied.status, applied.note)


def _unlink_group(_: Job, unit: Unit) -> Outcome:
    change = unit.change
    return Outcome(change, [GroupForgotten(change.okta_id)], note="left at the target as it is")


def _delete_group(job: Job, unit: Unit) -> Outcome:
    change = unit.change
    applied = job.target.delete_group(_known_id(change))
    return Outcome(change, [GroupForgotten(change.okta_id)], applied.status, applied.note)


_SINGLE: Mapping[ChangeKind, Callable[[Job, Unit], Outcome]] = {
    ChangeKind.CREATE_USER: _create_user,
    ChangeKind.ADOPT_USER: _adopt_user,
    ChangeKind.UPDATE_USER: _update_user,
    ChangeKind.REACTIVATE_USER: _update_user,
    ChangeKind.DEACTIVATE_USER: _deactivate_user,
    ChangeKind.CREATE_GROUP: _create_group,
    ChangeKind.LINK_GROUP: _link_group,
    ChangeKind.RENAME_GROUP: _rename_group,
    ChangeKind.UNLINK_GROUP: _unlink_group,
    ChangeKind.DELETE_GROUP: _delete_group,
}


def _members(job: Job, unit: Unit) -> Sequence[Outcome]:
    """A batch of additions or removals of one group. Who has no account yet waits; the others go on."""
    add = unit.changes[0].kind is ChangeKind.ADD_MEMBER
    pushed_group = unit.group.pushed if unit.group else None
    ids = sorted(
        {unit.accounts[change.okta_id] for change in unit.changes if change.okta_id in unit.accounts}
    )
    if pushed_group is None or not ids:
        what = "its group" if pushed_group is None else "its user"
        return [_waits(change, what) for change in unit.changes]
    try:
        result = job.target.change_members(
            pushed_group.scim_id, add=ids if add else (), remove=() if add else ids
        )
    except NotFound as error:
        unit.vanishing.group_is_gone(unit.changes[0].group_id or "", pushed_group.name)
        vanished = TemporaryError(
            f"the group {pushed_group.name} is gone at the target; it will be matched or created again",
            hint=error.hint,
            status=404,
        )
        first, *rest = unit.changes
        effects = [GroupForgotten(first.group_id or "")]
        return [
            Outcome(first, effects, 404, error=vanished),
            *(_waits(change, "its group") for change in rest),
        ]
    done = result.added if add else result.removed
    outcomes = []
    for change in unit.changes:
        scim_id = unit.accounts.get(change.okta_id)
        if scim_id is None:
            outcomes.append(_waits(change, "its user"))
        elif scim_id in done:
            effect = MemberPushed(change.group_id or "", change.okta_id, present=add)
            outcomes.append(Outcome(change, [effect], result.status, result.note))
        else:
            failed = result.failed.get(scim_id)
            cause = failed if isinstance(failed, SyncdError) else TemporaryError(f"not applied: {failed}")
            outcomes.append(Outcome(change, error=cause, status=result.status))
    return outcomes


def _waits(change: Change, what: str) -> Outcome:
    return Outcome(change, error=TemporaryError(f"waits for {what}"), deferred=True)


def _known_id(change: Change) -> str:
    if change.scim_id is None:
        raise PermanentError(f"{change.kind} of {change.name} has no id at the target")
    return change.scim_id


def _user_now(
    change: Change,
    applied: Applied,
    attributes: Attributes,
    *,
    active: bool,
    invited: bool = False,
    note: str = "",
) -> Outcome:
    """`invited`: what was known of the account before this write."""
    note = "; ".join(part for part in (note, applied.note) if part)
    if applied.scim_id is None:
        return Outcome(change, [UserForgotten(change.okta_id)], applied.status, note)
    never_seen_active = (invited or (active and applied.active is False)) and applied.active is not True
    pushed = PushedUser(applied.scim_id, dict(attributes), active, never_seen_active)
    return Outcome(change, [UserPushed(change.okta_id, pushed)], applied.status, note)
