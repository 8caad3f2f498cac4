"""The worlds the simulators serve, and generators for them.

`generate_okta` makes an org of any size from a seed; `default_split` the organisation a new Split customer
has. Fixtures are read by `OktaWorld.from_fixture` and `SplitWorld.from_fixture`.
"""

import random
import unicodedata
from collections.abc import Callable
from datetime import datetime, timedelta

from syncd.simulators.harness.account import FME_ADMINS
from syncd.simulators.harness.server import open_account
from syncd.simulators.ids import WorldError
from syncd.simulators.okta_entities import AppGroup, AppUser, Group, PushMapping, User, moment, stamp
from syncd.simulators.okta_fixture import LONG_AGO
from syncd.simulators.okta_state import utc_now
from syncd.simulators.okta_world import OktaWorld
from syncd.simulators.split_world import SplitWorld

__all__ = ["OktaWorld", "SplitWorld", "WorldError", "default_split", "generate_okta"]

_FIRST = (
    "Ada", "Amélie", "Anna", "Ben", "Bjørn", "Carmen", "Chloé", "Daniel", "Dmitri", "Elena", "Emeka",
    "Fatima", "Femi", "Grace", "Hana", "Hugo", "Ines", "Ivan", "Jack", "Jia", "José", "Kofi", "Lars",
    "Leila", "Liam", "Maria", "Mei", "Mohammed", "Nadia", "Noah", "Olga", "Omar", "Priya", "Quentin",
    "Rosa", "Samir", "Sofia", "Tomás", "Uma", "Victor", "Wei", "Ximena", "Yuki", "Zoë",
)  # fmt: skip
_LAST = (
    "Abadi", "Andersen", "Bauer", "Brown", "Castillo", "Chen", "Dubois", "Edwards", "Fischer", "García",
    "Haddad", "Ito", "Jensen", "Johnson", "Kim", "Kowalski", "Lee", "López", "Müller", "Nakamura",
    "Nguyen", "O'Brien", "Okafor", "Patel", "Petrov", "Quist", "Ramos", "Rossi", "Sato", "Schmidt",
    "Silva", "Smith", "Tanaka", "Novák", "Usman", "Vargas", "Wagner", "Wang", "Yilmaz", "Zhang",
)  # fmt: skip
_GROUPS = (
    "Engineering",
    "Product",
    "Design",
    "Data Science",
    "Site Reliability",
    "Support",
    "Sales",
    "Marketing",
    "Finance",
    "Legal",
    "People",
    "Security",
    "Quality",
    "Mobile",
    "Platform",
    "Release Managers",
)
_STATUSES = (
    ("ACTIVE",) * 94 + ("SUSPENDED",) * 2 + ("LOCKED_OUT", "PASSWORD_EXPIRED", "STAGED", "DEPROVISIONED")
)


def generate_okta(
    *,
    users: int,
    groups: int,
    seed: int,
    mappings: int = 2,
    domain: str = "example.com",
    clock: Callable[[], datetime] = utc_now,
) -> OktaWorld:
    """An Okta org with that many users and groups (besides Everyone and the mappings' APP_GROUPs).

    The same arguments give the same world, ids and stamps included. Every second group is assigned to the
    app; of the people in none of those, four in five are assigned directly, and so is every fourth of the
    rest. A few are SUSPENDED, LOCKED_OUT, PASSWORD_EXPIRED, STAGED or DEPROVISIONED. The last `mappings`
    groups have a group push mapping. The app has no features: Okta's own provisioning is off. The System
    Log starts empty.
    """
    dice = random.Random(seed)
    world = OktaWorld(clock=clock)
    world.app.created = world.app.last_updated = LONG_AGO
    made = [_group(world, index) for index in range(groups)]
    everyone = _stored_group(world, "Everyone", "BUILT_IN", "All users in your organization")
    taken: set[str] = set()
    for index in range(users):
        user = _person(world, dice, index, domain, taken)
        if user.status == "DEPROVISIONED":
            continue
        everyone.members.add(user.id)
        user.groups.add(everyone.id)
        for _ in range(dice.choice((1, 1, 2, 3)) if made else 0):
            group = dice.choice(made)
            group.members.add(user.id)
            user.groups.add(group.id)
        _assign(world, dice, user)
    for group in made[len(made) - mappings :] if mappings else []:
        target = _stored_group(world, group.name, "APP_GROUP", "")
        mapping = PushMapping(
            world.new_id("gPm"), group.id, target.id, "ACTIVE", LONG_AGO, LONG_AGO, LONG_AGO
        )
        world.store_mapping(mapping)
    return world


def _stamp(index: int) -> str:
    return stamp(moment(LONG_AGO) + timedelta(seconds=index))


def _stored_group(world: OktaWorld, name: str, kind: str, description: str) -> Group:
    created = _stamp(len(world.groups))
    profile = {"name": name, "description": description}
    group = Group(world.new_id("00g"), kind, profile, created, created, created)
    world.store_group(group)
    return group


def _group(world: OktaWorld, index: int) -> Group:
    name = _GROUPS[index] if index < len(_GROUPS) else f"Team {index + 1:04d}"
    group = _stored_group(world, name, "OKTA_GROUP", f"Everybody in {name}")
    if index % 2 == 0:
        world.store_app_group(AppGroup(group.id, index // 2, group.created))
    return group


def _person(world: OktaWorld, dice: random.Random, index: int, domain: str, taken: set[str]) -> User:
    first, last = dice.choice(_FIRST), dice.choice(_LAST)
    plain = unicodedata.normalize("NFKD", f"{first}.{last}".replace("ø", "o"))
    name = "".join(c for c in plain if c.isascii() and (c.isalnum() or c == "."))
    local = name if index % 50 == 7 else name.lower()
    if index % 40 == 9:
        local += "+split"
    if local.lower() in taken:
        local = f"{local}{index}"
    taken.add(local.lower())
    email = f"{local}@{domain}"
    created = _stamp(index)
    profile = {
        "firstName": first,
        "lastName": last,
        "email": email,
        "login": email,
        "displayName": f"{first} {last}",
    }
    user = User(world.new_id("00u"), dice.choice(_STATUSES), profile, created, created, created)
    world.store_user(user)
    return user


def _assign(world: OktaWorld, dice: random.Random, user: User) -> None:
    group = world.assigning_group(user)
    direct = dice.random() < (0.25 if group else 0.8) and user.status != "STAGED"
    if not direct and group is None:
        return
    world.store_app_user(
        AppUser(
            user.id,
            str(user.profile["email"]),
            world.app_profile(user),
            direct,
            "ACTIVE",
            user.created,
            user.last_updated,
            user.created,
            group_id=group,
        )
    )


def default_split(*, flavor: str = "split", clock: Callable[[], datetime] = utc_now) -> SplitWorld:
    """An organisation as it is before provisioning: one local administrator and two local groups.

    They are in Administrators and in `Release Managers`, a group to link to. At Harness they are an account admin,
    and in the group that the migration from Split makes, "All FME Admins" with the identifier `_fme_admins`.
    """
    world = SplitWorld(flavor=flavor, clock=clock)
    admin = world.create_local_user("admin@example.com", "Local", "Admin")
    if flavor == "harness":
        open_account(world)
        world.add_member(FME_ADMINS, admin)
        world.make_account_admin(admin)
    else:
        world.create_local_group("Administrators", members=[admin])
    world.create_local_group("Release Managers", members=[admin])
    return world
