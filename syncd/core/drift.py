"""Drift: what the target has and should not have, or the other way round. Pure: three sides in, items out.

linked objects      remembered (last written)  against found (at the target now); wanted (Okta now) decides the repair
unlinked objects    wanted against found, and only where syncd manages nothing yet: an audit of somebody else's push

found                            remembered or wanted       item
--------------------------------------------------------------------------------------------------------------------
not there                        active                     missing_user
active                           inactive, not assigned     wrongly_active_user
inactive                         active                     wrongly_inactive_user
other values                     its values                 changed_user (compared by core.comparison)
nobody that Okta or we know      -                          unmanaged_user, unmanaged_group: reported, never touched
not there, other name            linked                     missing_group, renamed_group
in the group, not in the group   not a member, a member     extra_member, missing_member
not shown by this server         anything                   unknown: cannot tell
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from syncd.core.change import Json
from syncd.core.comparison import NO_HABITS, ServerHabits, Verdict, compare, explained, in_words
from syncd.model import (
    Attributes,
    GroupState,
    KnownGroup,
    PushedUser,
    RemoteGroup,
    RemoteUser,
    Standing,
    UserCase,
    WantedGroup,
    WantedUser,
)


class DriftKind(StrEnum):
    """How the target differs from what Okta wants and what the store remembers."""

    MISSING_USER = "missing_user"
    UNMANAGED_USER = "unmanaged_user"
    CHANGED_USER = "changed_user"
    WRONGLY_ACTIVE_USER = "wrongly_active_user"
    WRONGLY_INACTIVE_USER = "wrongly_inactive_user"
    MISSING_GROUP = "missing_group"
    UNMANAGED_GROUP = "unmanaged_group"
    RENAMED_GROUP = "renamed_group"
    MISSING_MEMBER = "missing_member"
    EXTRA_MEMBER = "extra_member"
    UNKNOWN = "unknown"


REPORTED_ONLY = frozenset({DriftKind.UNMANAGED_USER, DriftKind.UNMANAGED_GROUP, DriftKind.UNKNOWN})
"""Not a difference in anything of ours."""

Side = Mapping[str, Json]
"""One side of an item, only what differs; None in its place: that side knows nothing of the object."""


@dataclass(frozen=True, slots=True)
class DriftItem:
    """One difference. For a membership `okta_id`, `scim_id` and `name` are the user's, `group*` the group's."""

    kind: DriftKind
    type: str
    """user, group, membership, or target for what concerns the whole server."""
    name: str
    okta_id: str | None
    scim_id: str | None
    wanted: Side | None
    remembered: Side | None
    found: Side | None
    reason: str
    repair: str
    """What `--fix` would do, in words; empty when nothing would be done."""
    group: str | None = None
    group_id: str | None = None

    @property
    def order(self) -> tuple[str, str, str, str]:
        return (self.kind.value, self.group or "", self.name, self.okta_id or self.scim_id or "")

    def document(self) -> dict[str, Any]:
        about = {
            "type": self.type,
            "name": self.name,
            "okta_id": self.okta_id,
            "scim_id": self.scim_id,
            "group": self.group,
            "group_id": self.group_id,
        }
        sides = {"wanted": self.wanted, "remembered": self.remembered, "found": self.found}
        return {
            "kind": self.kind.value,
            "object": about,
            **{name: None if side is None else dict(side) for name, side in sides.items()},
            "reason": self.reason,
            "repair": self.repair,
        }


def summary_of(items: Iterable[DriftItem]) -> dict[str, int]:
    """A count for each kind that occurs."""
    counts: dict[str, int] = {}
    for item in items:
        counts[item.kind.value] = counts.get(item.kind.value, 0) + 1
    return dict(sorted(counts.items()))


@dataclass(frozen=True, slots=True)
class Shown:
    """What this server shows of users at all, and what it makes of their values: paths that no user of a complete
    listing had are hidden, not removed.
    """

    paths: Collection[str] = field(default_factory=frozenset)
    active: bool = True
    habits: ServerHabits = NO_HABITS


def wanted_active(wanted: WantedUser | None) -> bool:
    """Whether an active account is wanted; False where nothing is."""
    return wanted is not None and wanted.standing is Standing.ACTIVE


def judge_linked_user(case: UserCase, remote: RemoteUser | None, shown: Shown) -> DriftItem | None:
    """`remote` None: asked for by id, it is not there. Only for a case that is linked."""
    known = case.known
    if known is None or known.pushed is None:
        return None
    pushed, wish = known.pushed, case.wanted
    name = str(pushed.attributes.get("userName") or (wish.user_name if wish else "") or case.okta_id)
    if remote is None:
        if not pushed.active and not wanted_active(wish):
            return None
        repair = "match or create it again" if wanted_active(wish) else "forget it"
        return _user(
            DriftKind.MISSING_USER,
            case,
            name,
            pushed.scim_id,
            wanted=_whole(wish),
            remembered={**pushed.attributes, "active": pushed.active},
            found=None,
            reason="the account that syncd wrote is gone at the target",
            repair=repair,
        )
    return _judge_found(case, name, pushed, remote, shown)


def _judge_found(
    case: UserCase, name: str, pushed: PushedUser, remote: RemoteUser, shown: Shown
) -> DriftItem | None:
    wish = case.wanted
    remembered, found, untold = _compared(pushed.attributes, remote, shown)
    wanted: dict[str, Json] = {path: wish.attributes.get(path) if wish else None for path in remembered}
    awaited = pushed.invited and pushed.active  # shown inactive until the person accepts
    if remote.active is not None and remote.active is not pushed.active and not awaited:
        remembered["active"], found["active"] = pushed.active, remote.active
        wanted["active"] = wanted_active(wish)
    if not found:
        return _untold(name, case.okta_id, untold)
    fields = {"wanted": wanted if wish else None, "remembered": remembered, "found": found}
    values = _values_repair(wish, found)
    if found.get("active") is True:
        back = wanted_active(wish)
        repair = "; ".join(part for part in ("" if back else "deactivate it", values if back else "") if part)
        reason = "activated at the target, and not by syncd"
        kind = DriftKind.WRONGLY_ACTIVE_USER
    elif found.get("active") is False:
        repair = "reactivate it" if wanted_active(wish) else ""
        reason = "deactivated at the target, and not by syncd"
        kind = DriftKind.WRONGLY_INACTIVE_USER
    else:
        kind, reason, repair = DriftKind.CHANGED_USER, f"changed at the target: {', '.join(found)}", values
    return _user(kind, case, name, pushed.scim_id, reason=reason, repair=repair, **fields)


def _values_repair(wish: WantedUser | None, found: Mapping[str, Json]) -> str:
    if not wanted_active(wish) or wish is None:
        return ""
    wrong = [path for path in found if path != "active" and wish.attributes.get(path) != found[path]]
    return f"write {', '.join(wrong)} again" if wrong else ""


def judge_unlinked_user(case: UserCase, remote: RemoteUser | None, shown: Shown) -> DriftItem | None:
    """Somebody else provisions, or nobody did yet: what Okta wants against what is there. `remote`: the match."""
    wish = case.wanted
    if wish is None or wish.standing in (Standing.FROZEN, Standing.ABSENT):
        return None
    active = wanted_active(wish)
    if not active and (remote is None or remote.active is not True):
        return None
    if remote is None:
        return _user(
            DriftKind.MISSING_USER,
            case,
            wish.user_name,
            None,
            wanted=_whole(wish),
            remembered=None,
            found=None,
            reason=f"{wish.reason}, and no account at the target matches",
            repair="create it",
        )
    if not active:
        return _user(
            DriftKind.WRONGLY_ACTIVE_USER,
            case,
            wish.user_name,
            remote.scim_id,
            wanted={"active": False},
            remembered=None,
            found={"active": True},
            reason=f"{wish.reason}, and still active at the target",
            repair="deactivate it",
        )
    wanted, found, untold = _compared(wish.attributes, remote, shown)
    kind, reason = DriftKind.CHANGED_USER, f"not as Okta has it: {', '.join(found)}"
    if remote.active is False:
        wanted["active"], found["active"] = True, False
        kind, reason = DriftKind.WRONGLY_INACTIVE_USER, f"{wish.reason}, and inactive at the target"
    if not found:
        return _untold(wish.user_name, case.okta_id, untold)
    sides = {"wanted": wanted, "remembered": None, "found": found}
    repair = "adopt it, and write it as Okta has it"
    return _user(kind, case, wish.user_name, remote.scim_id, **sides, reason=reason, repair=repair)


def _compared(
    expected: Attributes, remote: RemoteUser, shown: Shown
) -> tuple[dict[str, Json], dict[str, Json], list[str]]:
    """What differs, as expected and as found, and in words what cannot be told."""
    have: dict[str, Json] = {}
    found: dict[str, Json] = {}
    untold = []
    for path in sorted({*expected, *remote.attributes} & set(shown.paths)):
        written, there = expected.get(path), remote.attributes.get(path)
        verdict = compare(written, there, shown.habits.of(path))
        if verdict is Verdict.DIFFERENT:
            have[path], found[path] = written, there
        elif verdict is Verdict.CANNOT_TELL and there is None:
            untold.append(f"{path} is not shown, and was not seen of anybody")
        elif verdict is Verdict.CANNOT_TELL:
            made = in_words(explained(written, there) or frozenset())
            untold.append(f"{path} is shown {made}, and this server was not seen to make that of it")
    return have, found, untold


def _untold(name: str, okta_id: str, untold: Sequence[str]) -> DriftItem | None:
    return unknown("user", name, f"{'; '.join(untold)}: cannot tell", okta_id=okta_id) if untold else None


def _whole(wish: WantedUser | None) -> Side | None:
    return None if wish is None else {**wish.attributes, "active": wanted_active(wish)}


def _user(
    kind: DriftKind,
    case: UserCase,
    name: str,
    scim_id: str | None,
    *,
    wanted: Side | None,
    remembered: Side | None,
    found: Side | None,
    reason: str,
    repair: str,
) -> DriftItem:
    return DriftItem(kind, "user", name, case.okta_id, scim_id, wanted, remembered, found, reason, repair)


def unassigned_user(okta_id: str, remote: RemoteUser) -> DriftItem:
    """Active at the target under the id of an Okta user who is not assigned (asked for by id)."""
    return DriftItem(
        DriftKind.WRONGLY_ACTIVE_USER,
        "user",
        remote.user_name,
        okta_id,
        remote.scim_id,
        {"active": False},
        None,
        {"active": True},
        "not assigned to the app in Okta, active at the target, and not managed by syncd",
        "",
    )


def unmanaged_user(
    remote: RemoteUser, reason: str = "an account that neither Okta nor syncd knows"
) -> DriftItem:
    """The finding for an account that is nobody's, or nobody's for this `reason`."""
    found: Side = {"userName": remote.user_name, "active": remote.active}
    return _stranger(DriftKind.UNMANAGED_USER, "user", remote.user_name, remote.scim_id, found, reason)


def unmanaged_group(remote: RemoteGroup) -> DriftItem:
    """The finding for a group at the target that nothing names."""
    reason = "a group that no push rule and no link names"
    found = {"displayName": remote.name}
    return _stranger(DriftKind.UNMANAGED_GROUP, "group", remote.name, remote.scim_id, found, reason)


def _stranger(kind: DriftKind, what: str, name: str, scim_id: str, found: Side, reason: str) -> DriftItem:
    return DriftItem(kind, what, name, None, scim_id, None, None, found, reason, "")


def missing_group(wanted: WantedGroup | None, known: KnownGroup | None, okta_id: str) -> DriftItem:
    """The finding for a group that syncd made and the target does not have."""
    pushed = known.pushed if known else None
    name = pushed.name if pushed else wanted.target_name if wanted else okta_id
    still = wanted is not None and wanted.state is GroupState.PUSHED
    return DriftItem(
        DriftKind.MISSING_GROUP,
        "group",
        name,
        okta_id,
        pushed.scim_id if pushed else None,
        {"displayName": wanted.target_name} if wanted and still else None,
        {"displayName": pushed.name} if pushed else None,
        None,
        "the group that syncd wrote is gone at the target" if pushed else "no group at the target matches",
        "match or create it again, with its members" if still else "forget it",
    )


def renamed_group(
    okta_id: str, wanted: WantedGroup | None, remembered: str | None, remote: RemoteGroup
) -> DriftItem:
    """`remembered` is the name as it was last pushed, None before that."""
    name = remembered or (wanted.target_name if wanted else remote.name)
    return DriftItem(
        DriftKind.RENAMED_GROUP,
        "group",
        name,
        okta_id,
        remote.scim_id,
        {"displayName": wanted.target_name} if wanted else None,
        None if remembered is None else {"displayName": remembered},
        {"displayName": remote.name},
        "renamed at the target",
        f'name it "{name}" again',
    )


@dataclass(frozen=True, slots=True)
class Member:
    """One person of a group. `okta_id` None: somebody whom we do not manage; `name` may then be the SCIM id."""

    scim_id: str
    name: str
    okta_id: str | None
    carries: str | None = None
    """The id of an Okta user that the account has as its externalId."""


def member_item(
    group: str, group_id: str, member: Member, *, wanted: bool, remembered: bool | None, found: bool
) -> DriftItem:
    """A membership that is found and was not expected, or the other way round."""
    if found:
        managed = member.okta_id is not None
        reason = "added at the target, and not by syncd"
        if member.carries and not managed:  # perhaps by syncd, with a store that is gone
            reason = f"in the group at the target; the account carries an Okta user's id, {member.carries}"
        repair = "" if wanted or not managed else "remove the member"
        if not managed:
            reason += "; the account is not managed, so it stays"
    else:
        reason = "removed at the target, and not by syncd"
        repair = "add the member again" if wanted else ""
    return DriftItem(
        DriftKind.EXTRA_MEMBER if found else DriftKind.MISSING_MEMBER,
        "membership",
        member.name,
        member.okta_id,
        member.scim_id,
        {"member": wanted},
        None if remembered is None else {"member": remembered},
        {"member": found},
        reason,
        repair,
        group=group,
        group_id=group_id,
    )


def unknown(what: str, name: str, reason: str, *, okta_id: str | None = None) -> DriftItem:
    """`what` is "user" or "group": nobody can say whether it differs, for this reason."""
    return DriftItem(DriftKind.UNKNOWN, what, name, okta_id, None, None, None, None, reason, "")


def sorted_items(items: Iterable[DriftItem]) -> Sequence[DriftItem]:
    """In the order in which people are shown them: by kind, group and name."""
    return sorted(items, key=lambda item: item.order)
