"""A simulated Split organisation, and what its own administrators can do to it."""

import secrets
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from syncd.simulators.harness.acts import HARNESS_ACTS, HarnessActs
from syncd.simulators.ids import check_fixture, fixture_entries, fixture_entry, locked
from syncd.simulators.split_entities import Json

SCHEMA = "syncd.simulators.split/1"


class SplitWorld(HarnessActs):
    """A store, and what its own administrators do to it: the acts in ACTS, which make drift."""

    ACTS = frozenset({
        "create_local_user", "create_local_group", "edit_user", "set_active", "delete_user",
        "accept_invitation", "rename_group", "delete_group", "add_member", "remove_member",
        "disable_scim", "enable_scim", "regenerate_token", "expire_token",
        *HARNESS_ACTS,
    })  # fmt: skip

    # --- what administrators do in Split itself ---------------------------------------------------------

    @locked
    def create_local_user(
        self, email: str, given_name: str = "", family_name: str = "", *, active: bool = True
    ) -> str:
        """A user nobody provisioned; returns the id."""
        self.refuse_twin(email)
        attributes: Json = {
            "userName": email,
            "name": {"givenName": given_name, "familyName": family_name},
            "displayName": f"{given_name} {family_name}".strip() or email,
            "emails": [{"value": email, "type": "work", "primary": True}],
        }
        return self.insert_user(attributes, active=active, managed=False).id

    @locked
    def create_local_group(
        self, name: str, *, members: Iterable[str] = (), identifier: str | None = None
    ) -> str:
        """A group nobody pushed; returns the id. At Harness that derives from the name, unless somebody types one."""
        identity = self.local_identifier(name, identifier)
        group = self.insert_group(name, external_id=None, managed=False, identity=identity)
        self.set_members(group, [self.user(member).id for member in members])
        return group.id

    @locked
    def edit_user(self, user: str, **attributes: Any) -> None:
        """Changes SCIM attributes of a user behind the client's back; None takes one away."""
        entity = self.user(user)
        merged = {**entity.attributes, **attributes}
        kept = {key: value for key, value in merged.items() if value is not None}
        self.replace_user(entity, kept, active=entity.active)
        self.account.copied_names.pop(entity.id, None)

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
        """Issues a token for one year, at Harness without an end, and forgets the old one."""
        self.token = token or secrets.token_urlsafe(24)
        self.token_expires = None if self.flavor == "harness" else self.clock() + timedelta(days=365)
        return self.token

    @locked
    def expire_token(self) -> None:
        """The token's time is over."""
        self.token_expires = self.clock() - timedelta(seconds=1)

    # --- fixtures -----------------------------------------------------------------------------------

    @classmethod
    def from_fixture(
        cls, document: Json, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> Self:
        """The organisation a fixture describes (docs/simulators.md). Raises WorldError naming what is wrong."""
        check_fixture(document, "a Split", SCHEMA, {"schema", "flavor", "scim", "users", "groups", "harness"})
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
        with fixture_entry("harness"):
            world.account.fill(document.get("harness", {}), world.users, world.now())
        return world

    @locked
    def to_fixture(self) -> Json:
        """The organisation as a fixture, ids included, the token not."""
        behind = {"harness": self.account.to_fixture()} if self.flavor == "harness" else {}
        return {
            "schema": SCHEMA,
            "flavor": self.flavor,
            **behind,
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
                    "members": [member for member in g.members if member in self.users],
                }
                for g in self.groups.values()
            ],
        }
