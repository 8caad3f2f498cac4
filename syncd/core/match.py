"""Is an object at the target the one we mean? Decided by comparing values, never by trusting a filter.

Order: externalId, exact userName, then a userName that differs only in case and is unique. What belongs to another
Okta id is never matched: a re-used e-mail must not hand over the leaver's account.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from syncd.model import RemoteGroup, RemoteUser


@dataclass(frozen=True, slots=True)
class MatchedUser:
    remote: RemoteUser
    how: str


@dataclass(frozen=True, slots=True)
class MatchedGroup:
    remote: RemoteGroup
    how: str


@dataclass(frozen=True, slots=True)
class NoMatch:
    pass


@dataclass(frozen=True, slots=True)
class Conflict:
    reason: str


Owner = Callable[[str], str | None]
"""SCIM id to the Okta id that we manage it for, None when we manage it for nobody."""


def match_user(
    okta_id: str, user_name: str, candidates: Sequence[RemoteUser], owner: Owner, *, exact_names: bool
) -> MatchedUser | NoMatch | Conflict:
    """Raises nothing; several equally good candidates are a Conflict."""
    unique = {remote.scim_id: remote for remote in candidates}
    ours, free, foreign = [], [], []
    for remote in unique.values():
        managed_for = owner(remote.scim_id)
        if managed_for is not None and managed_for != okta_id:
            foreign.append((remote, managed_for))
        elif remote.external_id == okta_id:
            ours.append(remote)
        elif remote.external_id:
            foreign.append((remote, remote.external_id))
        else:
            free.append(remote)
    if len(ours) == 1:
        return MatchedUser(ours[0], "externalId")
    if ours:
        return Conflict(f"{len(ours)} accounts at the target carry the externalId {okta_id}")
    exact = [remote for remote in free if remote.user_name == user_name]
    if len(exact) == 1:
        return MatchedUser(exact[0], "userName")
    if exact:
        return Conflict(f"{len(exact)} accounts at the target are called {user_name}")
    for remote, other in foreign:
        if remote.user_name.casefold() == user_name.casefold():
            return Conflict(f"{user_name} at the target belongs to another Okta user ({other})")
    folded = [remote for remote in free if remote.user_name.casefold() == user_name.casefold()]
    if not folded:
        return NoMatch()
    if exact_names:
        return Conflict(
            f"the target has {folded[0].user_name}, which differs from {user_name} only in letter case"
        )
    if len(folded) > 1:
        return Conflict(f"{len(folded)} accounts at the target differ from {user_name} only in letter case")
    return MatchedUser(folded[0], "userName, ignoring letter case")


def match_group(
    okta_id: str, name: str, action: str, candidates: Sequence[RemoteGroup], owner: Owner
) -> MatchedGroup | NoMatch | Conflict:
    """`action` as in WantedGroup. A "create" matches only a group that is already ours by externalId."""
    unique = {remote.scim_id: remote for remote in candidates}
    ours = [remote for remote in unique.values() if remote.external_id == okta_id]
    if len(ours) == 1 and owner(ours[0].scim_id) in (None, okta_id):
        return MatchedGroup(ours[0], "externalId")
    if len(ours) > 1:
        return Conflict(f"{len(ours)} groups at the target carry the externalId {okta_id}")
    named = [remote for remote in unique.values() if remote.name == name]
    if not named:
        if action == "link":
            return Conflict(
                f'no group at the target is called "{name}": create it there, or use action = "create"'
            )
        return NoMatch()
    if action == "create":
        return Conflict(
            f'a group called "{name}" exists at the target: use action = "link", or syncd link,'
            " to tie it to the Okta group"
        )
    free = [
        remote
        for remote in named
        if owner(remote.scim_id) in (None, okta_id) and remote.external_id in (None, "", okta_id)
    ]
    if not free:
        return Conflict(f'the group "{name}" at the target belongs to another Okta group')
    if len(free) > 1:
        return Conflict(f'{len(free)} groups at the target are called "{name}"')
    return MatchedGroup(free[0], "displayName")
