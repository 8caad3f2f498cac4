"""What must be true, judged from the two simulated worlds alone: a second, much simpler opinion than the engine's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from syncd.simulators.world import OktaWorld, SplitWorld

ASSIGNED = {"ACTIVE", "PROVISIONED", "STAGED", "APPROVED", "PENDING", "IMPLICIT"}
ALIVE = {"ACTIVE", "RECOVERY", "PASSWORD_EXPIRED", "LOCKED_OUT", "PROVISIONED", "SUSPENDED"}
PREFIX = "push-"

Person = tuple[str, str, str]
"""userName, first name, last name."""


@dataclass(frozen=True)
class Wishes:
    """What Okta wants: people by Okta id; members' Okta ids by Okta group id, assigned and active people only."""

    people: Mapping[str, Person]
    members: Mapping[str, frozenset[str]]
    listed: Mapping[str, frozenset[str]]
    """Everybody in the group in Okta, assigned or not."""


@dataclass(frozen=True)
class Account:
    scim_id: str
    active: bool
    person: Person


@dataclass(frozen=True)
class Pushed:
    scim_id: str
    name: str
    members: frozenset[str]
    """Okta ids of members that carry one, SCIM ids of the others."""


@dataclass(frozen=True)
class Holdings:
    """What Split has: ours by Okta id, and everything that carries no Okta id."""

    people: Mapping[str, Account]
    groups: Mapping[str, Pushed]
    strangers: Mapping[str, tuple[object, ...]]

    @property
    def memberships(self) -> frozenset[tuple[str, str]]:
        """(Okta group id, Okta user id or SCIM id)."""
        return frozenset((key, member) for key, group in self.groups.items() for member in group.members)


def wishes(world: OktaWorld) -> Wishes:
    with world.lock:
        people = {}
        for row in world.app_users.values():
            if row.status in ASSIGNED and world.users[row.id].status in ALIVE:
                profile = row.profile
                names = (str(profile.get("givenName") or ""), str(profile.get("familyName") or ""))
                people[row.id] = (str(profile["email"]), *names)
        listed = {
            group.id: frozenset(group.members)
            for group in world.groups.values()
            if group.name.startswith(PREFIX)
        }
    wanted = {key: frozenset(member for member in group if member in people) for key, group in listed.items()}
    return Wishes(people, wanted, listed)


def holdings(world: SplitWorld) -> Holdings:
    """Raises AssertionError for twins: two accounts or groups of one Okta id, or of one userName."""
    with world.lock:
        users, groups = list(world.users.values()), list(world.groups.values())
        names = [user.user_name for user in users]
        owners = [user.external_id for user in users if user.external_id]
        sources = [group.external_id for group in groups if group.external_id]
        for what, found in (("userName", names), ("externalId", owners), ("group externalId", sources)):
            twins = sorted({one for one in found if found.count(one) > 1})
            assert not twins, f"twins: one {what}, several objects: {twins}"
        ids = {user.id: user.external_id or user.id for user in users}
        people = {}
        for user in users:
            if user.external_id:
                name = user.attributes.get("name", {})
                person = (user.user_name, name.get("givenName") or "", name.get("familyName") or "")
                people[user.external_id] = Account(user.id, user.active, person)
        pushed = {
            group.external_id: Pushed(
                group.id, group.name, frozenset(ids.get(member, member) for member in group.members)
            )
            for group in groups
            if group.external_id
        }
        strangers: dict[str, tuple[object, ...]] = {
            user.id: (user.user_name, user.active, repr(user.attributes))
            for user in users
            if not user.external_id
        }
        strangers |= {
            group.id: (group.name, tuple(group.members)) for group in groups if not group.external_id
        }
    return Holdings(people, pushed, strangers)
