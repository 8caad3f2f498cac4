"""Stops managing an object and leaves it at the target as it is."""

from __future__ import annotations

from typing import Any

from syncd.errors import UsageError
from syncd.ports import Store


def release(store: Store, connection: str, text: str) -> dict[str, Any]:
    """`text`: Okta id, SCIM id, e-mail or group name. Returns the contract's decision document.

    Raises UsageError when the store manages no such object, or several.
    """
    users = [user for user in store.find_users(text) if user.pushed is not None]
    groups = [group for group in store.find_groups(text) if group.pushed is not None]
    if len(users) + len(groups) != 1:
        found = "several managed objects" if users or groups else "no managed user or group"
        raise UsageError(f"{text} is {found}", hint="give the Okta id (00u... or 00g...)")
    if users:
        store.release_user(users[0].okta_id)
        kind, okta_id, name = "user", users[0].okta_id, users[0].wanted.user_name
    else:
        store.release_group(groups[0].okta_id)
        kind, okta_id, name = "group", groups[0].okta_id, groups[0].wanted.name
    return {
        "schema": "syncd.decision/1",
        "connection": connection,
        "decision": "release",
        "items": [{"object": kind, "okta_id": okta_id, "name": name}],
    }
