"""Every intent without an outcome is settled by asking the target, before anything new is planned.

The process died in between, or the target never answered: either way only the target knows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from syncd import ports
from syncd.core.change import MEMBERSHIPS, Change, ChangeKind, patched
from syncd.core.comparison import Verdict, compare, unlike
from syncd.core.creation import CLOCKS_APART, CREATED, Create, Disbelief, judge
from syncd.core.diff import without
from syncd.core.match import MatchedUser, match_user, owner_by
from syncd.engine.job import Job
from syncd.engine.writing.vanishing import Vanishing
from syncd.errors import LockLost, NotFound, SyncdError, concerns_the_connection
from syncd.model import Attributes, KnownUser, PushedGroup, PushedUser, RemoteGroup, RemoteUser, Scalar

GIVES_UP_AFTER = 3
"""So many objects that the target cannot be asked about, and none that it can: it is the target, not the objects."""


def settle_open_intents(job: Job) -> frozenset[str]:
    """Returns the keys of objects that the target cannot be asked about now: their intents stay open, and nothing
    new may be planned for them. Raises AccessDenied, ConnectionSick, LockLost, and what a target raises that answers
    nothing.
    """
    intents = job.store.open_intents()
    if not intents:
        return frozenset()
    job.observer.phase("settling what was never answered", len(intents))
    asking = AskedTarget(job, Vanishing(job, besides=frozenset(_leaving(intents))))
    unknown: set[str] = set()
    answered = False
    for intent in intents:
        try:
            settled = _settled(asking, intent)
        except LockLost:
            raise
        except SyncdError as problem:
            if concerns_the_connection(problem):
                raise
            unknown.add(intent.change.object_key)
            job.observer.event("warning", "not settled", object=intent.change.name, error=problem.message)
            if not answered and len(unknown) >= GIVES_UP_AFTER:
                raise
        else:
            answered = True
            settle(job, [settled])
        job.observer.advance()
    return frozenset(unknown)


def settle(job: Job, outcomes: Sequence[ports.Settled]) -> None:
    """Stores outcomes; what somebody else settled meanwhile, by asking the target, is only said."""
    for late in job.store.settle(outcomes):
        how = "applied" if late.error is None else late.error
        job.observer.event(
            "warning", "settled already", object=late.change.name, kind=late.change.kind.value, ours=how
        )


@dataclass(frozen=True)
class AskedTarget:
    """One round of questions. `groups` holds those that were read, by Okta id; None: gone."""

    job: Job
    vanishing: Vanishing
    groups: dict[str, RemoteGroup | None] = field(default_factory=dict)


def _leaving(intents: Sequence[ports.Intent]) -> Iterator[str]:
    """Whom the target may have removed because we asked for it (Harness does)."""
    return (intent.change.okta_id for intent in intents if intent.change.kind is ChangeKind.DEACTIVATE_USER)


def _settled(asking: AskedTarget, intent: ports.Intent) -> ports.Settled:
    effects = _found(asking, intent)
    if effects is None or any(isinstance(effect, ports.CreationUnproven) for effect in effects):
        error = "interrupted before it took effect"
        return ports.Settled(intent.sequence, intent.change, effects or (), error=error, deferred=True)
    return ports.Settled(intent.sequence, intent.change, effects, note="settled after an interruption")


def _found(asking: AskedTarget, intent: ports.Intent) -> Sequence[ports.Effect] | None:
    """The effects if the target shows that the write happened, None if it did not (it is then simply wanted). A create
    that may have happened leaves a doubt.
    """
    job, change = asking.job, intent.change
    if change.kind is ChangeKind.CREATE_USER:
        return [_created_user(job, intent)]
    if change.kind is ChangeKind.CREATE_GROUP:
        return [_created_group(job, intent)]
    return done(asking, change)


def done(asking: AskedTarget, change: Change) -> Sequence[ports.Effect] | None:
    """The effects of a change of something known, if the target shows it as done."""
    job = asking.job
    if change.kind in MEMBERSHIPS:
        return _membership(asking, change)
    if change.kind in (ChangeKind.LINK_GROUP, ChangeKind.UNLINK_GROUP) or change.scim_id is None:
        return None
    if change.kind in (ChangeKind.RENAME_GROUP, ChangeKind.DELETE_GROUP):
        return _changed_group(job, change, change.scim_id)
    return _changed_user(asking, change, change.scim_id)


_LOST = "the answer to the create was lost"


def _created_user(job: Job, intent: ports.Intent) -> ports.Effect:
    change = intent.change
    attributes: dict[str, Scalar] = patched({}, change.after)
    name = str(attributes.get("userName", change.name))
    owner = owner_by(job.store.user_by_scim_id)
    candidates = job.target.find_users(okta_id=change.okta_id, user_name=name)
    match = match_user(change.okta_id, name, candidates, owner, exact_names=True)
    if not isinstance(match, MatchedUser):
        return ports.CreationUnproven("user", change.okta_id, name, _LOST)
    remote = match.remote
    verdict = _judged(job, intent, name, remote)
    if remote.external_id != change.okta_id or verdict is not None:
        # Perhaps made by somebody else: the next plan's matching decides, and says so.
        reason = f"{_LOST}; {verdict.reason}" if verdict else _LOST
        stranger = verdict is not None and verdict.stranger
        return ports.CreationUnproven(
            "user", change.okta_id, remote.user_name, reason, remote.scim_id, stranger=stranger
        )
    habits, shown = job.target.habits(), remote.attributes
    wrong = unlike(attributes, shown, habits)[0]
    asleep = remote.active is False
    # What was made and never answered was not seen active either: it may wait for the person.
    pushed = PushedUser(
        remote.scim_id,
        without(
            {**attributes, **{path: shown[path] for path in wrong if path in shown}}, job.settings.initial
        ),
        active=not asleep,
        invited=asleep,
    )
    return ports.UserPushed(change.okta_id, pushed)


def _judged(job: Job, intent: ports.Intent, name: str, remote: RemoteUser | RemoteGroup) -> Disbelief | None:
    """What speaks against its being the result of this create."""
    mark = "externalId" if isinstance(remote, RemoteUser) else "group.externalId"
    shows = bool(job.target.learned().get(f"shown:{mark}"))
    create = Create(intent.change.okta_id, name, CREATED, intent.at - CLOCKS_APART, shows_external_id=shows)
    verdict = judge(create, remote, against=None)
    return verdict if isinstance(verdict, Disbelief) else None


def _changed_user(asking: AskedTarget, change: Change, scim_id: str) -> Sequence[ports.Effect] | None:
    known = asking.job.store.user(change.okta_id)
    try:
        remote = asking.job.target.user(scim_id)
    except NotFound:
        if change.kind is not ChangeKind.DEACTIVATE_USER:
            return None
        asking.vanishing.user_is_gone(change.okta_id, change.name)
        return [ports.UserForgotten(change.okta_id)]
    habits, shown = asking.job.target.habits(), _shown(asking.job, change, remote)
    was = known.pushed if known else None
    if was is not None and was.invited and remote.active is not True and "active" in change.after:
        return None  # an account that was never seen active shows nothing of that: it is sent again
    for path, value in change.after.items():
        if path == "active":
            if remote.active is not value:
                return None  # also where the server does not show it: sent twice it does no harm
        elif path == "externalId":
            if remote.external_id != value:
                return (
                    None  # or the server drops it: then adopting once more writes it in vain, and that is all
                )
        elif compare(value, shown.get(path), habits.of(path)) is not Verdict.SAME:
            return None
    attributes = without(_attributes_after(known, change), asking.job.settings.initial)
    active = bool(change.after.get("active", known.pushed.active if known and known.pushed else True))
    invited = was is not None and was.invited and remote.active is not True
    pushed = PushedUser(scim_id, attributes, active, invited)
    return [ports.UserPushed(change.okta_id, pushed)]


def _shown(job: Job, change: Change, remote: RemoteUser) -> Attributes:
    """What the target shows of an account: in a list, where it shows less by id (Harness: the parts of the name)."""
    shown = remote.attributes
    if all(path in shown for path in change.after if path not in ("active", "externalId")):
        return shown
    listed = job.target.find_users(okta_id=change.okta_id, user_name=remote.user_name)
    return {**next((user.attributes for user in listed if user.scim_id == remote.scim_id), {}), **shown}


def _attributes_after(known: KnownUser | None, change: Change) -> dict[str, Scalar]:
    if change.kind is ChangeKind.ADOPT_USER:
        return dict(known.wanted.attributes) if known else patched({}, change.after)
    return patched(known.pushed.attributes if known and known.pushed else {}, change.after)


def _created_group(job: Job, intent: ports.Intent) -> ports.Effect:
    """By our externalId; without one only an empty group of this name, at a server that shows none."""
    change = intent.change
    for remote in job.target.find_groups(okta_id=change.okta_id, name=change.name):
        known = job.store.group_by_scim_id(remote.scim_id)
        if known is not None and known.okta_id != change.okta_id:
            continue
        if remote.external_id not in (None, "", change.okta_id):
            continue
        if not remote.external_id and remote.name != change.name:
            continue
        verdict = _judged(job, intent, change.name, job.target.group(remote.scim_id))
        if verdict is None:
            return ports.GroupPushed(change.okta_id, PushedGroup(remote.scim_id, remote.name))
        reason = f"{_LOST}; {verdict.reason}"
        return ports.CreationUnproven(
            "group", change.okta_id, remote.name, reason, remote.scim_id, stranger=verdict.stranger
        )
    return ports.CreationUnproven("group", change.okta_id, change.name, _LOST)


def _changed_group(job: Job, change: Change, scim_id: str) -> Sequence[ports.Effect] | None:
    try:
        remote = job.target.group(scim_id)
    except NotFound:
        return [ports.GroupForgotten(change.okta_id)] if change.kind is ChangeKind.DELETE_GROUP else None
    wanted = change.after.get("displayName")
    if change.kind is ChangeKind.RENAME_GROUP and remote.name == wanted:
        return [ports.GroupPushed(change.okta_id, PushedGroup(scim_id, remote.name))]
    return None


def _membership(asking: AskedTarget, change: Change) -> Sequence[ports.Effect] | None:
    job, groups = asking.job, asking.groups
    group_id = change.group_id or ""
    known_group, known_user = job.store.group(group_id), job.store.user(change.okta_id)
    if not (known_group and known_group.pushed and known_user and known_user.pushed):
        return None
    if group_id not in groups:
        try:
            groups[group_id] = job.target.group(known_group.pushed.scim_id)
        except NotFound:
            groups[group_id] = None
    remote = groups[group_id]
    if remote is None:
        return None
    present = change.kind is ChangeKind.ADD_MEMBER
    scim_id = known_user.pushed.scim_id
    done = scim_id in (remote.members or ()) if present else remote.lacks(scim_id)
    if not done:
        return None
    return [ports.MemberPushed(group_id, change.okta_id, present=present)]
