"""A protected group keeps one active member, whatever was planned or approved: asked again right before each write.

"It must have at least one member" (SCIM for Okta in Split, on Administrators).
"""

from __future__ import annotations

from collections.abc import Collection

from syncd.core.change import Change, ChangeKind
from syncd.ports import Store


def protected_groups(store: Store, names: Collection[str]) -> frozenset[str]:
    """Okta ids of the linked groups that have a protected name, at the target or in the wish, or a protected id."""
    return frozenset(
        known.okta_id
        for known in store.groups()
        if known.pushed is not None
        and {known.pushed.scim_id, known.pushed.name, known.wanted.target_name} & set(names)
    )


def active_members(store: Store, group_id: str) -> set[str]:
    """Okta ids of the managed members that the target has in the group, and whose accounts are active there."""
    known = ((user_id, store.user(user_id)) for user_id in store.pushed_members(group_id))
    return {user_id for user_id, user in known if user and user.pushed and user.pushed.active}


class LastMembers:
    """Counts down, from what was really written, who may still go. One for each phase that removes."""

    def __init__(self, store: Store, names: Collection[str]) -> None:
        self._store = store
        self._left: dict[str, set[str]] = {
            group_id: active_members(store, group_id) for group_id in protected_groups(store, names)
        }

    def refuse(self, change: Change) -> str | None:
        """The name of the group that this change would leave without an active member; else the change counts."""
        if not self._left:
            return None
        if change.kind is ChangeKind.REMOVE_MEMBER:
            touched = {change.group_id} & self._left.keys()
        elif change.kind is ChangeKind.DEACTIVATE_USER:
            touched = {group for group in self._left if change.okta_id in self._left[group]}
        else:
            return None
        for group_id in sorted(filter(None, touched)):
            if self._left[group_id] == {change.okta_id}:
                known = self._store.group(group_id)
                return known.pushed.name if known and known.pushed else group_id
        for group_id in filter(None, touched):
            self._left[group_id].discard(change.okta_id)
        return None
