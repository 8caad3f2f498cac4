"""Is a saved plan still true? Settings, every object at Okta, every object at the target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime

from syncd.core.change import MEMBERSHIPS, Change, ChangeKind
from syncd.core.comparison import Verdict, compare
from syncd.core.counting import counted
from syncd.core.plan import SavedPlan
from syncd.engine.job import Job
from syncd.engine.reading.selection import BY_ID_AT_MOST
from syncd.errors import NotFound, RefusedError, StaleError
from syncd.model import RemoteGroup, RemoteUser

_LOOKED_AT = 50
"""So many changes, and outcomes of each object, tell whether a plan was applied."""
_HINT = "look at the world again: make a new plan with `syncd plan -o FILE`"


def touched(changes: Sequence[Change]) -> tuple[list[str], list[str]]:
    """Okta ids of the users and groups that these changes touch; a membership touches its user and its group."""
    users = {change.okta_id for change in changes if change.object_key.startswith(("user:", "member:"))}
    groups = {change.okta_id for change in changes if change.object_key.startswith("group:")}
    groups |= {change.group_id for change in changes if change.group_id is not None}
    return sorted(users), sorted(groups)


def refuse_other_settings(job: Job, saved: SavedPlan) -> None:
    """Connection, target and scope settings must be those of the plan. Raises StaleError."""
    _same("connection", saved.connection, job.settings.name)
    _same("target (base_url, flavor)", saved.target, job.target_fingerprint)
    _same("scope settings (app, provisioning, attributes, matching, push groups)", saved.scope, job.scope)


def refuse_if_stale(job: Job, saved: SavedPlan, *, wanted: AbstractSet[str], held: AbstractSet[str]) -> None:
    """Every change must still be wanted (`wanted`: change ids of a plan made just now; `held`: those that a safety
    check stopped in it), and what it would change at the target must still be what the plan saw.
    """
    gone = [change for change in saved.changes if change.id not in wanted and change.id not in held]
    if gone:
        first = gone[0]
        if len(gone) == len(saved.changes) and (at := _applied_at(job, saved, gone)) is not None:
            raise StaleError(
                f"the plan was applied already, at {at:%Y-%m-%d %H:%M} UTC: nothing of it is left to do",
                hint="for what is to be done now make a new plan with `syncd plan -o FILE`",
            )
        raise StaleError(
            f"the plan is stale: {len(gone)} of {counted(len(saved.changes), 'change')} no longer wanted,"
            f" first {first.kind} {first.name}",
            hint=_HINT,
        )
    stopped = [change for change in saved.changes if change.id in held]
    if stopped:
        raise RefusedError(
            f"{counted(len(stopped), 'change')} of the plan would now break a safety limit, first {stopped[0].name}",
            hint="`syncd plan` shows the limit and its numbers",
        )
    _target_unmoved(job, saved.changes)


def _applied_at(job: Job, saved: SavedPlan, changes: Sequence[Change]) -> datetime | None:
    """When the last of these changes was applied since the plan was made; None unless all of them were."""
    found: list[datetime] = []
    if saved.created_at is None:
        return None
    for change in changes[:_LOOKED_AT]:
        done = [
            entry.at
            for entry in job.store.last_changes(change.okta_id, limit=_LOOKED_AT)
            if entry.applied and entry.at >= saved.created_at and entry.body.get("change") == change.id
        ]
        if not done:
            return None
        found += done
    return max(found)


def _same(what: str, then: str, now: str) -> None:
    if then != now:
        raise StaleError(f"the plan is stale: the {what} changed since it was made", hint=_HINT)


def _target_unmoved(job: Job, changes: Sequence[Change]) -> None:
    names = {change.id: change.name for change in changes}
    for change_id, what in moved_since(job, changes).items():
        raise StaleError(f"the plan is stale: {names[change_id]} {what} since the plan was made", hint=_HINT)


def moved_since(job: Job, changes: Sequence[Change]) -> Mapping[str, str]:
    """What at the target is not what these changes begin with, by change id, and how. What the server does not show has
    not moved, as far as anybody can tell.
    """
    users = {
        change.scim_id
        for change in changes
        if change.object_key.startswith("user:") and change.scim_id is not None
    }
    shown = _users(job, users)
    groups: dict[str, RemoteGroup | None] = {}
    moved = {}
    for change in changes:
        what = None
        if change.object_key.startswith("user:") and change.scim_id is not None:
            what = _user_moved(job, change, shown.get(change.scim_id))
        elif change.kind in MEMBERSHIPS:
            what = _membership_moved(job, change, groups)
        elif change.scim_id is not None:
            what = _group_moved(job, change, groups)
        if what is not None:
            moved[change.id] = what
    return moved


def _users(job: Job, ids: set[str]) -> Mapping[str, RemoteUser]:
    if len(ids) > BY_ID_AT_MOST:
        listing = job.target.list_users()
        listed = {user.scim_id: user for page in listing for user in page if user.scim_id in ids}
        if listing.complete or len(listed) == len(ids):
            return listed
    found = {}
    for scim_id in sorted(ids):
        try:
            found[scim_id] = job.target.user(scim_id)
        except NotFound:
            continue
    return found


def _user_moved(job: Job, change: Change, remote: RemoteUser | None) -> str | None:
    """What may be what the plan saw has not moved, as far as anybody can tell."""
    if remote is None:
        return "is gone at the target"
    habits, known = job.target.habits(), job.store.user(change.okta_id)
    invited = known is not None and known.pushed is not None and known.pushed.invited
    for path, value in change.before.items():
        if path == "active":
            if (
                remote.active is not None
                and remote.active is not value
                and not (invited and not remote.active)
            ):
                return "was activated or deactivated at the target"
        elif path == "externalId":
            if remote.external_id != value:
                return "has another externalId at the target"
        elif compare(value, remote.attributes.get(path), habits.of(path)) is Verdict.DIFFERENT:
            return f"has another {path} at the target"
    return None


def _remote_group(job: Job, scim_id: str, groups: dict[str, RemoteGroup | None]) -> RemoteGroup | None:
    if scim_id not in groups:
        try:
            groups[scim_id] = job.target.group(scim_id)
        except NotFound:
            groups[scim_id] = None
    return groups[scim_id]


def _group_moved(job: Job, change: Change, groups: dict[str, RemoteGroup | None]) -> str | None:
    remote = _remote_group(job, change.scim_id or "", groups)
    if remote is None:
        return "is gone at the target"
    name = change.before.get("displayName", change.name if change.kind is ChangeKind.LINK_GROUP else None)
    if name is not None and remote.name != name:
        return "has another name at the target"
    return None


def _membership_moved(job: Job, change: Change, groups: dict[str, RemoteGroup | None]) -> str | None:
    known = job.store.group(change.group_id or "")
    if known is None or known.pushed is None or change.scim_id is None:
        return None  # the group or the user does not exist yet: nothing to have moved
    remote = _remote_group(job, known.pushed.scim_id, groups)
    if remote is None:
        return f"cannot move: the group {change.group} is gone at the target"
    is_member = change.scim_id in (remote.members or ())
    if not is_member and not remote.lacks(change.scim_id):
        return None  # this server does not show members, or not all
    if is_member is not change.before.get("member"):
        return f"was added to or removed from {change.group} at the target"
    return None
