"""What gives a change back: its reverse, and the wishes that would make it again. Pure.

was done                     gives it back                               what is not given back
----------------------------------------------------------------------------------------------------------------
create_user, reactivate_user deactivate_user                             the account (on Harness it goes)
update_user, adopt_user      update_user; deactivate_user for who slept  the tie to the Okta user
deactivate_user              reactivate_user                             on Harness all: the account is gone
create_group                 delete_group
delete_group                 create_group                                its id and its members
link_group, unlink_group     unlink_group, link_group
rename_group                 rename_group
add_member, remove_member    remove_member, add_member
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from syncd.core.canonical import canonical_values
from syncd.core.change import A_MEMBER, NO_MEMBER, REMOVALS, Change, ChangeKind, Json, Removal
from syncd.core.evidence import AskedByOperator

_NO_ATTRIBUTES = frozenset({"active", "externalId"})
_LINKS: Mapping[ChangeKind, bool] = {
    ChangeKind.CREATE_GROUP: True,
    ChangeKind.LINK_GROUP: True,
    ChangeKind.UNLINK_GROUP: False,
    ChangeKind.DELETE_GROUP: False,
}


@dataclass(frozen=True, slots=True)
class Reversal:
    """`changes` give the change back, `again` are the wishes (see `wishes`) that would make it once more, in whatever
    change they come. `note` says what is not given back.
    """

    changes: Sequence[Change]
    again: frozenset[str]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Irreversible:
    """Nothing gives it back, and why."""

    reason: str


def wishes(change: Change) -> frozenset[str]:
    """What a change asks for, one text for each: a state of the account, a value, a membership, a tie of a group. Not
    what was there before: the same wish comes in other changes when something else of the object moved.
    """
    kind, key = change.kind, change.object_key
    if kind in (ChangeKind.ADD_MEMBER, ChangeKind.REMOVE_MEMBER):
        return frozenset({_wish(key, "member", kind is ChangeKind.ADD_MEMBER)})
    if kind is ChangeKind.RENAME_GROUP:
        return frozenset({_wish(key, "displayName", change.after.get("displayName"))})
    if kind in _LINKS:
        return frozenset({_wish(key, "linked", _LINKS[kind])})
    values = {_wish(key, path, change.after[path]) for path in change.after.keys() - _NO_ATTRIBUTES}
    if kind is ChangeKind.DEACTIVATE_USER:
        return frozenset({_wish(key, "active", value=False)})
    if kind in (ChangeKind.CREATE_USER, ChangeKind.REACTIVATE_USER) or change.before.get("active") is False:
        values.add(_wish(key, "active", value=True))
    return frozenset(values)


def wish_about(wish: str) -> Sequence[str]:
    """Okta ids of the objects that a wish is about: the user or group; of a membership the group and the user."""
    return wish.split(":")[1:-1]


def _wish(object_key: str, path: str, value: Json) -> str:
    text = canonical_values({path: value})
    return f"{object_key}:{hashlib.blake2b(text.encode(), digest_size=8).hexdigest()}"


def reverse(done: Change, scim_id: str | None, by: str, *, removes: bool) -> Reversal | Irreversible:
    """`done` was applied; `scim_id` is the id of its object at the target now, None where we know none any more. `by`
    says who asked, and why. `removes`: there a deactivation removes the account (Harness).
    """
    kind = done.kind
    if kind is ChangeKind.DEACTIVATE_USER and (removes or scim_id is None):
        return Irreversible("the target removed the account; the next sync makes a new one if Okta wants it")
    if kind is ChangeKind.DELETE_GROUP:
        made = _change(done, ChangeKind.CREATE_GROUP, None, {}, _new_group(done), by)
        return Reversal([made], wishes(done), "made anew, under another id and without members")
    if kind is ChangeKind.UNLINK_GROUP:
        scim_id = done.scim_id
    if scim_id is None:
        return Irreversible("it is not tied to anything at the target any more")
    if kind in (ChangeKind.UPDATE_USER, ChangeKind.ADOPT_USER):
        return _values_given_back(done, scim_id, by)
    table: Mapping[ChangeKind, tuple[ChangeKind, Mapping[str, Json], Mapping[str, Json]]] = {
        ChangeKind.CREATE_USER: (ChangeKind.DEACTIVATE_USER, {"active": True}, {"active": False}),
        ChangeKind.REACTIVATE_USER: (ChangeKind.DEACTIVATE_USER, {"active": True}, {"active": False}),
        ChangeKind.DEACTIVATE_USER: (ChangeKind.REACTIVATE_USER, {"active": False}, {"active": True}),
        ChangeKind.CREATE_GROUP: (ChangeKind.DELETE_GROUP, {"linked": True}, {"linked": False}),
        ChangeKind.LINK_GROUP: (ChangeKind.UNLINK_GROUP, {"linked": True}, {"linked": False}),
        ChangeKind.UNLINK_GROUP: (ChangeKind.LINK_GROUP, {"linked": False}, {"linked": True}),
        ChangeKind.RENAME_GROUP: (ChangeKind.RENAME_GROUP, done.after, done.before),
        ChangeKind.ADD_MEMBER: (ChangeKind.REMOVE_MEMBER, A_MEMBER, NO_MEMBER),
        ChangeKind.REMOVE_MEMBER: (ChangeKind.ADD_MEMBER, NO_MEMBER, A_MEMBER),
    }
    back, before, after = table[kind]
    made = _change(done, back, scim_id, before, after, by)
    if kind in (ChangeKind.CREATE_USER, ChangeKind.REACTIVATE_USER):  # whatever values it would come with
        return Reversal([made], frozenset({_wish(done.object_key, "active", value=True)}))
    return Reversal([made], wishes(done))


def _values_given_back(done: Change, scim_id: str, by: str) -> Reversal | Irreversible:
    """Only mapped values; who was woken up sleeps again."""
    paths = done.after.keys() - _NO_ATTRIBUTES
    before = {path: done.after[path] for path in paths}
    after = {path: done.before.get(path) for path in paths}
    changes = []
    if after:
        changes.append(_change(done, ChangeKind.UPDATE_USER, scim_id, before, after, by))
    if done.before.get("active") is False:
        sleep = _change(done, ChangeKind.DEACTIVATE_USER, scim_id, {"active": True}, {"active": False}, by)
        changes.append(sleep)
    if not changes:
        return Irreversible("it changed nothing at the target; `syncd release` stops managing the account")
    note = "the account stays tied to the Okta user" if done.kind is ChangeKind.ADOPT_USER else ""
    return Reversal(changes, wishes(done), note)


def _new_group(done: Change) -> Mapping[str, Json]:
    return {"displayName": done.name, "externalId": done.okta_id}


def _change(
    done: Change,
    kind: ChangeKind,
    scim_id: str | None,
    before: Mapping[str, Json],
    after: Mapping[str, Json],
    by: str,
) -> Change:
    where = (done.group_id, done.group, done.user)
    name = str(after.get("displayName", done.name)) if kind is ChangeKind.RENAME_GROUP else done.name
    if kind in REMOVALS:
        said = AskedByOperator(by)
        return Removal(kind, done.okta_id, scim_id, name, before, after, by, *where, evidence=said)
    return Change(kind, done.okta_id, scim_id, name, before, after, by, *where)
