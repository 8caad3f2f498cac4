"""The org of the story: who works there, what Split has before the first sync, and what happens in Okta."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from syncd.simulators.world import OktaWorld, SplitWorld, default_split, generate_okta

PEOPLE = 250
GROUPS = 12
NAMED_GROUPS = ("Legal", "Security")
"""Pushed by a rule with their name; all the other groups are assigned to the app and pushed for that."""
LINKED_GROUP = "Release Managers"
NEW_GROUP = "R&D <Labs>"
RENAMED_GROUP, RENAMED_TO = "Design", "Design and Research"
LONG_NAME, SHORT_NAME = "Customer Success Enablement", "CS Enablement"
_SEED = 20


@dataclass(frozen=True, slots=True)
class Cast:
    """Okta ids of the people the story names."""

    returner: str
    leaver: str
    mover: str
    transfer: str
    release_managers: Sequence[str]
    founders: Sequence[str]
    """They have Split accounts from the time before provisioning."""


def okta_org() -> OktaWorld:
    """Some 250 people in a dozen groups; ten of the groups are assigned to the app, and Release Managers is not."""
    world = generate_okta(users=PEOPLE, groups=GROUPS, seed=_SEED, mappings=0)
    for group in list(world.groups.values()):
        if group.type == "OKTA_GROUP" and group.name not in NAMED_GROUPS:
            world.assign_group(group.id)
    return world


def cast_of(world: OktaWorld) -> Cast:
    """Picks people for the parts, the same ones every time."""
    able = sorted(
        (
            user
            for user in world.users.values()
            if user.status == "ACTIVE"
            and user.id in world.app_users
            and user.login == user.login.lower()
            and "+" not in user.login
            and user.display_name.isascii()
            and user.groups & set(world.app_groups)
        ),
        key=lambda user: user.login,
    )
    step = len(able) // 12
    picked = [user.id for user in able[::step]]
    return Cast(
        returner=picked[0],
        leaver=picked[1],
        mover=picked[2],
        transfer=picked[3],
        release_managers=picked[4:8],
        founders=picked[8:10],
    )


def split_organisation(okta: OktaWorld, cast: Cast) -> SplitWorld:
    """Split before provisioning: an administrator, a consultant, two founders, and the group Release Managers."""
    world = default_split()
    world.create_local_user("consultant@partner.example", "Connie", "Sultant")
    for okta_id in cast.founders:
        profile = okta.users[okta_id].profile
        world.create_local_user(str(profile["email"]), str(profile["firstName"]), str(profile["lastName"]))
    return world


def name_of(world: OktaWorld, okta_id: str) -> str:
    return world.users[okta_id].display_name


@dataclass(frozen=True, slots=True)
class Place:
    """How somebody is assigned: directly or not, and the assigned groups they are in."""

    direct: bool
    groups: Sequence[str]


def leave_the_app(world: OktaWorld, okta_id: str) -> Place:
    """Takes somebody off the app altogether; returns what brings them back."""
    row, user = world.app_users[okta_id], world.users[okta_id]
    place = Place(row.direct, sorted(user.groups & set(world.app_groups)))
    world.unassign(okta_id, everywhere=True)
    return place


def come_back(world: OktaWorld, okta_id: str, place: Place) -> None:
    """Undoes `leave_the_app`."""
    for group in place.groups:
        world.add_member(group, okta_id)
    if place.direct:
        world.assign(okta_id)


def change_things(world: OktaWorld, cast: Cast, place: Place) -> Sequence[str]:
    """A busy morning in Okta; returns what happened, a sentence each."""
    told = []
    come_back(world, cast.returner, place)
    told.append(f"{name_of(world, cast.returner)} comes back")

    leaver = name_of(world, cast.leaver)
    world.set_user_status(cast.leaver, "DEPROVISIONED")
    told.append(f"{leaver} leaves the company and is deactivated in Okta")

    before = name_of(world, cast.mover)
    first = str(world.users[cast.mover].profile["firstName"])
    email = f"{first.lower()}.stonebridge@example.com"
    world.update_profile(
        cast.mover, email=email, login=email, lastName="Stonebridge", displayName=f"{first} Stonebridge"
    )
    told.append(f"{before} marries: a new last name and e-mail address")

    own = {world.groups[group].name for group in world.users[cast.transfer].groups & set(world.app_groups)}
    world.create_group(NEW_GROUP, "New ideas", members=[cast.transfer, cast.mover], assign=True)
    told.append(f"a group {NEW_GROUP} is made, with two members, and assigned to the app")

    world.remove_member(min(own), cast.transfer)
    told.append(f"{name_of(world, cast.transfer)} leaves the group {min(own)}")

    world.rename_group(RENAMED_GROUP, RENAMED_TO)
    told.append(f"the group {RENAMED_GROUP} is renamed to {RENAMED_TO}")
    return told


def lose_people(world: OktaWorld, share: float) -> Mapping[str, Place]:
    """A broken import takes this share of the people off the app; returns what brings them back."""
    everybody = sorted(world.app_users)
    lost = everybody[: round(len(everybody) * share)]
    return {okta_id: leave_the_app(world, okta_id) for okta_id in lost}
