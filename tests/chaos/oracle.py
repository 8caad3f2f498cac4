"""What must be true, judged from the two simulated worlds alone: a second, much simpler opinion than the engine's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from syncd.simulators.split_entities import ScimGroup, ScimUser
from syncd.simulators.world import OktaWorld, SplitWorld
from tests.chaos.owners import PREFIX, Owners, is_nobodys

ASSIGNED = {"ACTIVE", "PROVISIONED", "STAGED", "APPROVED", "PENDING", "IMPLICIT"}
ALIVE = {"ACTIVE", "RECOVERY", "PASSWORD_EXPIRED", "LOCKED_OUT", "PROVISIONED", "SUSPENDED"}

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
    """What the target has: ours by Okta id, and everything that is nobody's in Okta."""

    people: Mapping[str, Account]
    groups: Mapping[str, Pushed]
    strangers: Mapping[str, tuple[object, ...]]

    @property
    def memberships(self) -> frozenset[tuple[str, str]]:
        """(Okta group id, Okta user id or SCIM id)."""
        return frozenset((key, member) for key, group in self.groups.items() for member in group.members)


def wishes(world: OktaWorld, *, lowered: bool = False) -> Wishes:
    """`lowered`: the target keeps e-mails in small letters."""
    with world.lock:
        people = {}
        for row in world.app_users.values():
            if row.status in ASSIGNED and world.users[row.id].status in ALIVE:
                profile = row.profile
                email = str(profile["email"])
                names = (str(profile.get("givenName") or ""), str(profile.get("familyName") or ""))
                people[row.id] = (email.lower() if lowered else email, *names)
        listed = {
            group.id: frozenset(group.members)
            for group in world.groups.values()
            if group.name.startswith(PREFIX)
        }
    wanted = {key: frozenset(member for member in group if member in people) for key, group in listed.items()}
    return Wishes(people, wanted, listed)


def holdings(world: SplitWorld, owners: Owners | None = None) -> Holdings:
    """`owners`: at Harness, who keeps no Okta ids of groups; there a member who is not in the account is none.

    Raises AssertionError for twins: two accounts or groups of one Okta id, or of one userName.
    """
    with world.lock:
        people, groups = _owned(world, owners)
        names = [user.user_name for user in world.users.values()]
        for what, found in (
            ("userName", names),
            ("Okta user", list(people.values())),
            ("Okta group", list(groups.values())),
        ):
            twins = sorted({one for one in found if found.count(one) > 1})
            assert not twins, f"twins: one {what}, several objects: {twins}"
        accounts = {owner: _account(world.users[scim_id]) for scim_id, owner in people.items()}
        pushed = {owner: _pushed(world.groups[scim_id], world, people) for scim_id, owner in groups.items()}
        strangers: dict[str, tuple[object, ...]] = {
            user.id: (user.user_name, user.active, repr(user.attributes))
            for user in world.users.values()
            if user.id not in people
        }
        strangers |= {
            group.id: (group.name, tuple(group.members))
            for group in world.groups.values()
            if group.id not in groups and not (owners and is_nobodys(group))
        }
    return Holdings(accounts, pushed, strangers)


def _owned(world: SplitWorld, owners: Owners | None) -> tuple[dict[str, str], dict[str, str]]:
    """Okta ids by SCIM id: of users, and of groups."""
    if owners is None:
        people = {user.id: user.external_id for user in world.users.values() if user.external_id}
        return people, {group.id: group.external_id for group in world.groups.values() if group.external_id}
    owners.look()
    found = {user.id: owners.of_user(user) for user in world.users.values()}
    return {scim_id: owner for scim_id, owner in found.items() if owner}, owners.of_groups(world)


def _account(user: ScimUser) -> Account:
    name = user.attributes.get("name", {})
    person = (user.user_name, name.get("givenName") or "", name.get("familyName") or "")
    return Account(user.id, user.active, person)


def _pushed(group: ScimGroup, world: SplitWorld, people: Mapping[str, str]) -> Pushed:
    """At Harness groups forget later who was removed."""
    there = [member for member in group.members if world.flavor != "harness" or member in world.users]
    return Pushed(group.id, group.name, frozenset(people.get(member, member) for member in there))
