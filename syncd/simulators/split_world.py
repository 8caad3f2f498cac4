"""The state of a simulated Split organisation, and what its own administrators can do to it."""

import secrets
import threading
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from syncd.simulators.ids import WorldError, fixture_entries, fixture_entry, locked

Json = dict[str, Any]
SCHEMA = "syncd.simulators.split/1"
RESERVED = {"split": frozenset({"Administrators"}), "harness": frozenset({"_fme_admins"})}


@dataclass(slots=True)
class ScimUser:
    """A user: SCIM attributes other than `id`, `active`, `groups` and `meta`; `managed` means an IdP owns it."""

    id: str
    attributes: Json
    active: bool
    managed: bool
    created: str
    modified: str
    version: int = 1
    accepted: bool = True
    """Whether the invitation was accepted, where there are invitations."""

    @property
    def user_name(self) -> str:
        """The userName."""
        return str(self.attributes["userName"])

    @property
    def external_id(self) -> str | None:
        """externalId, if the client gave one."""
        return self.attributes.get("externalId")


@dataclass(slots=True)
class ScimGroup:
    """A group; `members` are user ids in the order in which they came."""

    id: str
    name: str
    external_id: str | None
    managed: bool
    created: str
    modified: str
    version: int = 1
    members: dict[str, None] = field(default_factory=dict)


class _Index:
    """Ids by a text, exactly and without regard to case."""

    def __init__(self) -> None:
        self._exact: dict[str, list[str]] = {}
        self._folded: dict[str, list[str]] = {}

    def add(self, text: str | None, identity: str) -> None:
        if text is not None:
            self._exact.setdefault(text, []).append(identity)
            self._folded.setdefault(text.casefold(), []).append(identity)

    def remove(self, text: str | None, identity: str) -> None:
        if text is not None:
            for table, key in ((self._exact, text), (self._folded, text.casefold())):
                table[key].remove(identity)
                if not table[key]:
                    del table[key]

    def find(self, text: str, *, exact: bool = True) -> list[str]:
        return list(self._exact.get(text, ()) if exact else self._folded.get(text.casefold(), ()))

    def lowered(self, text: str) -> list[str]:
        """Without regard to case, where ß is not ss."""
        names = [name for name in self._exact if name.lower() == text.lower()]
        return [identity for name in names for identity in self._exact[name]]


class SplitWorld:
    """Users and groups by id with their indexes, the SCIM switch and the access token.

    `flavor` is `split`, `harness` (a deactivated user is removed, group ids derive from names) or `scim`
    (no rules beyond the RFC). Take `lock` to read several things at once. The acts in ACTS are those of
    Split's own administrators; they make drift.
    """

    ACTS = frozenset({
        "create_local_user", "create_local_group", "edit_user", "set_active", "delete_user",
        "accept_invitation", "rename_group", "delete_group", "add_member", "remove_member",
        "disable_scim", "enable_scim", "regenerate_token", "expire_token",
    })  # fmt: skip

    def __init__(
        self,
        *,
        flavor: str = "split",
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        if flavor not in ("split", "harness", "scim"):
            raise WorldError(f"unknown flavor {flavor!r}: split, harness or scim")
        self.lock = threading.RLock()
        self.clock = clock
        self.flavor = flavor
        self.users: dict[str, ScimUser] = {}
        self.groups: dict[str, ScimGroup] = {}
        self.scim_enabled = True
        self.token = ""
        self.token_expires: datetime | None = None
        self.by_name = _Index()
        self.by_external = _Index()
        self.groups_by_name = _Index()
        self.groups_by_external = _Index()
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
        """A user by id or exact userName. Raises WorldError if there is none, or twins."""
        named = [reference] if reference in self.users else self.by_name.find(reference)
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
        user = ScimUser(identity or str(uuid.uuid4()), attributes, active, managed, now, now)
        self.users[user.id] = user
        self.by_name.add(user.user_name, user.id)
        self.by_external.add(user.external_id, user.id)
        return user

    def replace_user(self, user: ScimUser, attributes: Json, *, active: bool) -> bool:
        """Gives a user other attributes; False, and no new version, if nothing differs."""
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

    def drop_group(self, group: ScimGroup) -> None:
        """Removes a group and everybody's membership of it."""
        self.set_members(group, ())
        self.groups_by_name.remove(group.name, group.id)
        self.groups_by_external.remove(group.external_id, group.id)
        del self.groups[group.id]

    # --- what administrators do in Split itself ---------------------------------------------------------

    @locked
    def create_local_user(
        self, email: str, given_name: str = "", family_name: str = "", *, active: bool = True
    ) -> str:
        """A user nobody provisioned; returns the id."""
        attributes: Json = {
            "userName": email,
            "name": {"givenName": given_name, "familyName": family_name},
            "displayName": f"{given_name} {family_name}".strip() or email,
            "emails": [{"value": email, "type": "work", "primary": True}],
        }
        return self.insert_user(attributes, active=active, managed=False).id

    @locked
    def create_local_group(self, name: str, *, members: Iterable[str] = ()) -> str:
        """A group nobody pushed; returns the id."""
        group = self.insert_group(name, external_id=None, managed=False)
        self.set_members(group, [self.user(member).id for member in members])
        return group.id

    @locked
    def edit_user(self, user: str, **attributes: Any) -> None:
        """Changes SCIM attributes of a user behind the client's back; None takes one away."""
        entity = self.user(user)
        merged = {**entity.attributes, **attributes}
        kept = {key: value for key, value in merged.items() if value is not None}
        self.replace_user(entity, kept, active=entity.active)

    @locked
    def set_active(self, user: str, active: bool) -> None:  # noqa: FBT001 - the name says what it sets
        """Activates or deactivates a user behind the client's back."""
        entity = self.user(user)
        self.replace_user(entity, entity.attributes, active=active)

    @locked
    def accept_invitation(self, user: str) -> None:
        """The person signs in for the first time: from now on `active` is what was written."""
        self.user(user).accepted = True

    @locked
    def delete_user(self, user: str) -> None:
        """Deletes a user with their memberships."""
        self.drop_user(self.user(user))

    @locked
    def rename_group(self, group: str, name: str) -> None:
        """Renames a group; its id stays."""
        entity = self.group(group)
        self.replace_group(entity, name=name, external_id=entity.external_id)

    @locked
    def delete_group(self, group: str) -> None:
        """Deletes a group."""
        self.drop_group(self.group(group))

    @locked
    def add_member(self, group: str, user: str) -> None:
        """Puts a user into a group."""
        entity = self.group(group)
        self.set_members(entity, [*entity.members, self.user(user).id])

    @locked
    def remove_member(self, group: str, user: str) -> None:
        """Takes a user out of a group."""
        entity, gone = self.group(group), self.user(user).id
        self.set_members(entity, [member for member in entity.members if member != gone])

    @locked
    def disable_scim(self) -> None:
        """Turns SCIM off: every user and group becomes an ordinary one and its externalId is forgotten."""
        self.scim_enabled = False
        self.token = ""
        for user in self.users.values():
            kept = {key: value for key, value in user.attributes.items() if key != "externalId"}
            self.replace_user(user, kept, active=user.active)
            user.managed = False
        for group in self.groups.values():
            self.replace_group(group, name=group.name, external_id=None)
            group.managed = False

    @locked
    def enable_scim(self, token: str | None = None) -> str:
        """Turns SCIM on again, with a new access token, which is returned."""
        self.scim_enabled = True
        return self.regenerate_token(token)

    @locked
    def regenerate_token(self, token: str | None = None) -> str:
        """Issues a token for one year and forgets the old one."""
        self.token = token or secrets.token_urlsafe(24)
        self.token_expires = self.clock() + timedelta(days=365)
        return self.token

    @locked
    def expire_token(self) -> None:
        """The year is over."""
        self.token_expires = self.clock() - timedelta(seconds=1)

    # --- fixtures -----------------------------------------------------------------------------------

    @classmethod
    def from_fixture(
        cls, document: Json, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> Self:
        """The organisation a fixture describes (docs/simulators.md). Raises WorldError naming what is wrong."""
        sections = {"schema", "flavor", "scim", "users", "groups"}
        if document.get("schema", SCHEMA) != SCHEMA or set(document) - sections:
            surplus = ", ".join(sorted(set(document) - sections)) or "another schema"
            raise WorldError(
                f"not a Split fixture: it has {surplus}; one has the schema {SCHEMA!r} and {sorted(sections)}"
            )
        with fixture_entry("flavor"):
            world = cls(flavor=document.get("flavor", "split"), clock=clock)
        world.scim_enabled = document.get("scim", True)
        for place, entry in fixture_entries(document, "users"):
            with fixture_entry(place):
                attributes = {k: v for k, v in entry.items() if k not in ("id", "active", "managed")}
                world.insert_user(
                    attributes,
                    active=entry.get("active", True),
                    managed=entry.get("managed", "externalId" in entry),
                    identity=entry.get("id"),
                )
        for place, entry in fixture_entries(document, "groups"):
            with fixture_entry(place):
                group = world.insert_group(
                    entry["displayName"],
                    external_id=entry.get("externalId"),
                    managed=entry.get("managed", "externalId" in entry),
                    identity=entry.get("id"),
                )
                world.set_members(group, [world.user(member).id for member in entry.get("members", [])])
        return world

    @locked
    def to_fixture(self) -> Json:
        """The organisation as a fixture, ids included, the token not."""
        return {
            "schema": SCHEMA,
            "flavor": self.flavor,
            "scim": self.scim_enabled,
            "users": [
                {"id": u.id, **u.attributes, "active": u.active, "managed": u.managed}
                for u in self.users.values()
            ],
            "groups": [
                {
                    "id": g.id,
                    "displayName": g.name,
                    **({"externalId": g.external_id} if g.external_id else {}),
                    "managed": g.managed,
                    "members": list(g.members),
                }
                for g in self.groups.values()
            ],
        }
