"""The store of a simulated Split organisation: what is there and how it is found. No rules here."""

import threading
import uuid
from collections.abc import Callable, Iterable
from datetime import UTC, datetime

from syncd.simulators.harness.account import EVERYONE, HarnessAccount
from syncd.simulators.ids import WorldError, locked
from syncd.simulators.split_entities import Json, ScimGroup, ScimUser, TextIndex

RESERVED = {"split": frozenset({"Administrators"})}
FLAVORS = ("split", "harness", "scim")


class SplitStore:
    """Users and groups by id with their indexes, the SCIM switch and the access token.

    `flavor` is `split`, `harness` (the server of the Harness platform, syncd/simulators/harness/) or `scim` (no
    rules beyond the RFC). `account` is what Harness knows besides. Take `lock` to read several things at once.
    """

    def __init__(
        self,
        *,
        flavor: str = "split",
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        if flavor not in FLAVORS:
            raise WorldError(f"unknown flavor {flavor!r}: split, harness or scim")
        self.lock = threading.RLock()
        self.clock = clock
        self.flavor = flavor
        self.users: dict[str, ScimUser] = {}
        self.groups: dict[str, ScimGroup] = {}
        self.scim_enabled = True
        self.token = ""
        self.token_expires: datetime | None = None
        self.by_name = TextIndex()
        self.by_external = TextIndex()
        self.groups_by_name = TextIndex()
        self.groups_by_external = TextIndex()
        self.account = HarnessAccount()
        self._memberships: dict[str, set[str]] = {}

    @property
    def reserved(self) -> frozenset[str]:
        """Names of groups that exist from the start and can neither be renamed nor deleted."""
        return RESERVED.get(self.flavor, frozenset())

    def now(self) -> str:
        """The stamp of this moment: UTC, milliseconds, `Z`."""
        return self.clock().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"

    # --- look-ups -----------------------------------------------------------------------------------

    @locked
    def user(self, reference: str) -> ScimUser:
        """A user by id or exact userName, at Harness in any letter case. Raises WorldError for nobody and for twins."""
        name = reference.lower() if self.flavor == "harness" else reference
        named = [reference] if reference in self.users else self.by_name.find(name)
        if len(named) != 1:
            raise WorldError(f"{len(named)} users are called {reference!r}")
        return self.users[named[0]]

    @locked
    def group(self, reference: str) -> ScimGroup:
        """A group by id or name. Raises WorldError if there is none, or several."""
        named = [reference] if reference in self.groups else self.groups_by_name.find(reference)
        if len(named) != 1:
            raise WorldError(f"{len(named)} groups are called {reference!r}")
        return self.groups[named[0]]

    def groups_of(self, user: str) -> list[ScimGroup]:
        """The groups a user is in, by name."""
        return sorted((self.groups[g] for g in self._memberships.get(user, ())), key=lambda g: (g.name, g.id))

    @locked
    def members(self, group: str) -> list[str]:
        """The userNames of a group's members, sorted; what tests compare."""
        return sorted(self.users[m].user_name for m in self.group(group).members if m in self.users)

    # --- storage: no rules here ---------------------------------------------------------------------

    def insert_user(
        self, attributes: Json, *, active: bool, managed: bool, identity: str | None = None
    ) -> ScimUser:
        """Stores a new user."""
        now = self.now()
        user = ScimUser(identity or str(uuid.uuid4()), self.stored(attributes), active, managed, now, now)
        self.users[user.id] = user
        if self.flavor == "harness" and EVERYONE in self.groups:
            self.groups[EVERYONE].members[user.id] = None
            self._memberships.setdefault(user.id, set()).add(EVERYONE)
        self.by_name.add(user.user_name, user.id)
        self.by_external.add(user.external_id, user.id)
        return user

    def stored(self, attributes: Json) -> Json:
        """The attributes as the organisation keeps them: Harness's e-mails are in small letters, and there is one."""
        name = str(attributes["userName"]).lower()
        if self.flavor != "harness":
            return attributes
        return {**attributes, "userName": name, "emails": [{"value": name, "primary": True}]}

    def replace_user(self, user: ScimUser, attributes: Json, *, active: bool) -> bool:
        """Gives a user other attributes; False, and no new version, if nothing differs."""
        attributes = self.stored(attributes)
        if attributes == user.attributes and active == user.active:
            return False
        self.by_name.remove(user.user_name, user.id)
        self.by_external.remove(user.external_id, user.id)
        user.attributes, user.active = attributes, active
        self.by_name.add(user.user_name, user.id)
        self.by_external.add(user.external_id, user.id)
        user.version += 1
        user.modified = self.now()
        return True

    def drop_user(self, user: ScimUser, *, keep_memberships: bool = False) -> None:
        """Removes a user, and their memberships unless told otherwise."""
        if not keep_memberships:
            for group in self.groups_of(user.id):
                self.set_members(group, [m for m in group.members if m != user.id])
        self.by_name.remove(user.user_name, user.id)
        self.by_external.remove(user.external_id, user.id)
        del self.users[user.id]

    def insert_group(
        self, name: str, *, external_id: str | None, managed: bool, identity: str | None = None
    ) -> ScimGroup:
        """Stores a new, empty group."""
        now = self.now()
        group = ScimGroup(identity or str(uuid.uuid4()), name, external_id, managed, now, now)
        self.groups[group.id] = group
        self.groups_by_name.add(name, group.id)
        self.groups_by_external.add(external_id, group.id)
        return group

    def replace_group(self, group: ScimGroup, *, name: str, external_id: str | None) -> bool:
        """Gives a group another name or externalId; False if neither differs."""
        if (name, external_id) == (group.name, group.external_id):
            return False
        self.groups_by_name.remove(group.name, group.id)
        self.groups_by_external.remove(group.external_id, group.id)
        group.name, group.external_id = name, external_id
        self.groups_by_name.add(name, group.id)
        self.groups_by_external.add(external_id, group.id)
        group.version += 1
        group.modified = self.now()
        return True

    def set_members(self, group: ScimGroup, members: Iterable[str]) -> bool:
        """Gives a group these members; False if they are the same people as before."""
        wanted = dict.fromkeys(members)
        if wanted.keys() == group.members.keys():
            return False
        for user in group.members.keys() - wanted.keys():
            self._memberships.get(user, set()).discard(group.id)
        for user in wanted.keys() - group.members.keys():
            self._memberships.setdefault(user, set()).add(group.id)
        group.members = wanted
        group.version += 1
        group.modified = self.now()
        return True

    def forget_member(self, user: str) -> None:
        """Takes an id out of every group, whether there is somebody behind it or not."""
        for group in self.groups_of(user):
            if group.id != EVERYONE or user not in self.users:
                self.set_members(group, [member for member in group.members if member != user])

    def drop_group(self, group: ScimGroup) -> None:
        """Removes a group and everybody's membership of it."""
        self.set_members(group, ())
        self.groups_by_name.remove(group.name, group.id)
        self.groups_by_external.remove(group.external_id, group.id)
        del self.groups[group.id]
