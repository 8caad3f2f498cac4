"""What gives a change back: its reverse, and the change that would make it again. Pure.

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

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from syncd.core.change import A_MEMBER, NO_MEMBER, REMOVALS, Change, ChangeKind, Json, Removal
from syncd.core.evidence import AskedByOperator

_NO_ATTRIBUTES = frozenset({"active", "externalId"})


@dataclass(frozen=True, slots=True)
class Reversal:
    """`changes` give the change back, `again` are the ids of what would make it once more while Okta's wish is as it
    is. `note` says what is not given back.
    """

    changes: Sequence[Change]
    again: frozenset[str]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Irreversible:
    """Nothing gives it back, and why."""

    reason: str


def reverse(done: Change, scim_id: str | None, by: str, *, removes: bool) -> Reversal | Irreversible:
    """`done` was applied; `scim_id` is the id of its object at the target now, None where we know none any more. `by`
    says who asked, and why. `removes`: there a deactivation removes the account (Harness).
    """
    kind = done.kind
    if kind is ChangeKind.DEACTIVATE_USER and (removes or scim_id is None):
        return Irreversible("the target removed the account; the next sync makes a new one if Okta wants it")
    if kind is ChangeKind.DELETE_GROUP:
        made = _change(done, ChangeKind.CREATE_GROUP, None, {}, _new_group(done), by)
        return Reversal([made], frozenset({done.id}), "made anew, under another id and without members")
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
    again = {done.id}
    if kind in (ChangeKind.CREATE_USER, ChangeKind.REACTIVATE_USER):
        again.add(
            _change(done, ChangeKind.REACTIVATE_USER, scim_id, {"active": False}, {"active": True}, by).id
        )
    return Reversal([made], frozenset(again))


def _values_given_back(done: Change, scim_id: str, by: str) -> Reversal | Irreversible:
    """Only mapped values; who was woken up sleeps again."""
    paths = done.after.keys() - _NO_ATTRIBUTES
    before = {path: done.after[path] for path in paths}
    after = {path: done.before.get(path) for path in paths}
    changes, again = [], {done.id}
    if after:
        changes.append(_change(done, ChangeKind.UPDATE_USER, scim_id, before, after, by))
        again.add(_change(done, ChangeKind.UPDATE_USER, scim_id, after, before, by).id)
    if done.before.get("active") is False:
        sleep = _change(done, ChangeKind.DEACTIVATE_USER, scim_id, {"active": True}, {"active": False}, by)
        changes.append(sleep)
        awake = {**after, "active": False}, {**before, "active": True}
        again.add(_change(done, ChangeKind.REACTIVATE_USER, scim_id, *awake, by).id)
    if not changes:
        return Irreversible("it changed nothing at the target; `syncd release` stops managing the account")
    note = "the account stays tied to the Okta user" if done.kind is ChangeKind.ADOPT_USER else ""
    return Reversal(changes, frozenset(again), note)


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
