"""What happens in Harness outside SCIM: acts of the simulated world that only its harness mode has."""

from syncd.simulators.harness.identifier import is_identifier, plain
from syncd.simulators.ids import WorldError, locked
from syncd.simulators.split_entities import ScimUser
from syncd.simulators.split_store import SplitStore

HARNESS_ACTS = frozenset({
    "make_account_admin", "make_admin_group", "create_elsewhere", "join_elsewhere", "half_remove_user",
    "leave_invite", "withdraw_invite", "set_externally_managed", "link_to_sso", "deliver_events",
})  # fmt: skip


class HarnessActs(SplitStore):
    """What admins of a Harness account and the platform itself do. Users go by id or e-mail, groups by identifier
    or name. In a world of another flavor these acts change nothing that its server shows.
    """

    @locked
    def make_account_admin(self, user: str) -> None:
        """Gives somebody the role Account Admin."""
        self.account.admins.add(self.user(user).id)

    @locked
    def make_admin_group(self, group: str) -> None:
        """Gives a group the role Account Admin, and with it everybody in it."""
        self.account.admin_groups.add(self.group(group).id)

    @locked
    def create_elsewhere(
        self, email: str, given_name: str = "", family_name: str = "", *, external_id: str | None = None
    ) -> str:
        """Somebody whom only another Harness account knows; returns the id."""
        record = self.insert_user(
            {
                "userName": email,
                "displayName": f"{given_name} {family_name}".strip() or email,
                "name": {"givenName": given_name, "familyName": family_name},
                **({"externalId": external_id} if external_id else {}),
            },
            active=True,
            managed=external_id is not None,
        )
        self.drop_user(record)
        self.account.elsewhere[record.id] = record
        return record.id

    @locked
    def join_elsewhere(self, user: str) -> None:
        """Somebody of this account is in another one too."""
        person = self.user(user)
        self.account.elsewhere[person.id] = person

    @locked
    def half_remove_user(self, user: str) -> None:
        """A removal that broke: not in the account, and the directory still counts them to it."""
        person = self.user(user)
        self.drop_user(person)
        self.account.half_removed[person.id] = person

    @locked
    def leave_invite(self, email: str) -> None:
        """An approved invite is left over from an attempt that broke."""
        self.account.invites.add(email.lower())

    @locked
    def withdraw_invite(self, email: str) -> None:
        """Somebody revokes it."""
        self.account.invites.discard(email.lower())

    @locked
    def set_externally_managed(self, group: str, managed: bool = True) -> None:  # noqa: FBT001, FBT002 - what it sets
        """A group becomes one of SCIM, or an ordinary one."""
        self.group(group).managed = managed

    @locked
    def link_to_sso(self, group: str) -> None:
        """Links a group to one of the identity provider's, as JIT provisioning does; SCIM takes no notice."""
        self.account.sso_linked.add(self.group(group).id)

    @locked
    def deliver_events(self) -> None:
        """The events come: groups forget whom they were to forget, also who is back meanwhile."""
        forgetting, self.account.forgetting = self.account.forgetting, []
        for _moment, identity in forgetting:
            self.forget_member(identity)

    def copied_name(self, user: str) -> str:
        """The display name that the platform's pages show; SCIM shows the directory's."""
        person: ScimUser = self.user(user)
        return self.account.copied_names.get(person.id, str(person.attributes.get("displayName")))

    def refuse_twin(self, email: str) -> None:
        """There is one account to an e-mail at Harness. Raises WorldError."""
        if self.flavor == "harness" and self.by_name.find(email.lower()):
            raise WorldError(f"{email!r} is in the account already")

    def local_identifier(self, name: str, typed: str | None) -> str | None:
        """The id of a group made by hand; None for any, where the flavor derives none. Raises WorldError."""
        if self.flavor != "harness":
            return typed
        identifier = typed or plain(name)
        if not is_identifier(identifier) or identifier in self.groups:
            raise WorldError(f"the identifier {identifier!r} is taken, or none; type another: identifier=...")
        return identifier
