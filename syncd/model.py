"""The values that every floor speaks. Frozen, no behaviour beyond what they are.

Identity is Okta's: `okta_id` is an Okta user id (00u...) or group id (00g...); `scim_id` is the id that the
target gave. Times are aware UTC datetimes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Literal, Self

Scalar = str | int | float | bool
Attributes = Mapping[str, Scalar]
"""SCIM attribute path as configured ("name.givenName", "emails[work].value") to value. Absent means not set."""
NO_ATTRIBUTES: Attributes = MappingProxyType({})


class Standing(StrEnum):
    """What Okta says about one assignment (Okta API: application user status, user status)."""

    ACTIVE = "active"
    INACTIVE = "inactive"
    FROZEN = "frozen"
    """What Okta says cannot be trusted or understood: the object is left exactly as it is."""
    ABSENT = "absent"
    """Not in a complete list; only a confirmed absence is ever stored."""


@dataclass(frozen=True, slots=True)
class WantedUser:
    """One assignment as Okta has it, already mapped. `reason` is for people ("assigned through group Eng")."""

    okta_id: str
    standing: Standing
    user_name: str
    attributes: Attributes
    reason: str
    digest: bytes
    """16 bytes over everything above: equal digests mean nothing changed."""
    deprovisioned: bool = False
    """The Okta user itself is DEPROVISIONED: no grace period applies."""
    name_key: str = ""
    """The form of userName under which two users are the same person at this target (letter case aside, or exact)."""
    initial: Attributes = field(default_factory=lambda: NO_ATTRIBUTES)
    """What an account is given when it is made or first adopted, and what is never looked at again."""

    @property
    def reason_now(self) -> str:
        """Why they stand as they do: who left keeps the reason of the last assignment."""
        return "not assigned to the app any more" if self.standing is Standing.ABSENT else self.reason

    @property
    def mapped(self) -> Attributes:
        """All that is mapped."""
        return {**self.attributes, **self.initial} if self.initial else self.attributes


@dataclass(frozen=True, slots=True)
class PushedUser:
    """What was last written to (or adopted from) the target."""

    scim_id: str
    attributes: Attributes
    active: bool
    invited: bool = False
    """Made by us and never seen active since: the target may be waiting for the person to accept an invitation, so that
    an inactive account says nothing about what was written."""


@dataclass(frozen=True, slots=True)
class KnownUser:
    """One row of the store: the last wish and the last write."""

    okta_id: str
    wanted: WantedUser
    pushed: PushedUser | None
    released: bool = False
    left_at: datetime | None = None
    """When a confirmed departure was first seen; None while assigned."""


@dataclass(frozen=True, slots=True)
class UserCase:
    """One user to decide: what the store knows and what Okta says now.

    `wanted` None means: not in a complete list (nominated for removal).
    """

    okta_id: str
    known: KnownUser | None
    wanted: WantedUser | None
    shares_name: bool = False
    """Somebody else may want the same userName, or one that is alike; False is certain (`Stage.rivals` says who)."""


class GroupState(StrEnum):
    """What is wanted of a group."""

    PUSHED = "pushed"
    """In scope: exists at the target with these members."""
    FROZEN = "frozen"
    """In scope but nothing may change now (mapping INACTIVE or ERROR, list incomplete, conflict)."""
    GONE = "gone"
    """Its rule, its mapping or the Okta group itself is gone: `on_removal` decides."""


@dataclass(frozen=True, slots=True)
class WantedGroup:
    """One push group as rules and Okta have it."""

    okta_id: str
    state: GroupState
    name: str
    """displayName in Okta."""
    target_name: str
    """displayName wanted at the target."""
    action: str
    """"create", "link", or "either" (an Okta mapping: link when the name exists, else create)."""
    rename: bool
    on_removal: str
    """"keep" or "delete"."""
    rule: str
    """The rule's label for people, e.g. 'name = "Engineering"'."""
    reason: str
    stamp: str | None = None
    """Okta's lastMembershipUpdated as sent."""


@dataclass(frozen=True, slots=True)
class PushedGroup:
    """A group as it was last written or linked."""

    scim_id: str
    name: str


@dataclass(frozen=True, slots=True)
class Asked:
    """What a person asked for about one group, whatever its rules say; it counts until it is done or taken back.

    "link": tied to this group at the target, and managed also without a rule. "unlink": to be left at the target as
    it is. "delete": to be deleted at the target. `scim_id` and `name` are those of the group at the target.
    """

    what: Literal["link", "unlink", "delete"]
    by: str
    scim_id: str
    name: str
    before: Self | None = None
    """The link by hand that stands again when an unlink is rejected."""


@dataclass(frozen=True, slots=True)
class KnownGroup:
    """One row of the store: the last wish and the last write."""

    okta_id: str
    wanted: WantedGroup
    pushed: PushedGroup | None
    released: bool = False
    """Released or unlinked by hand: left alone until a person links it again."""
    members_stamp: str | None = None
    """lastMembershipUpdated at the last complete member read that may be trusted; None: read again."""
    asked: Asked | None = None


@dataclass(frozen=True, slots=True)
class GroupCase:
    """One group to decide. `wanted` None: known, and no rule or mapping names it any more in a complete read."""

    okta_id: str
    known: KnownGroup | None
    wanted: WantedGroup | None
    asked: Asked | None = None
    """What a person asks for now, or asked for before."""


@dataclass(frozen=True, slots=True)
class MemberCase:
    """One membership where wish and target differ.

    `wanted` is True for an addition, False for a removal. `listed` tells whether Okta's member list has the
    user: a removal of a listed member comes from the user's own standing (left the app), not from the group.
    `standing` is the user's effective standing, ABSENT also when nominated; `user_name` the effective (else the
    pushed) userName; `user_scim_id` the id at the target, None while there is none.
    """

    group_id: str
    user_id: str
    wanted: bool
    listed: bool
    standing: Standing
    user_name: str
    user_scim_id: str | None


@dataclass(frozen=True, slots=True)
class RemoteUser:
    """A user as the target shows it. `attributes` holds the mapped paths that it shows; `active` None: hidden."""

    scim_id: str
    external_id: str | None
    user_name: str
    active: bool | None
    attributes: Attributes = field(default_factory=dict)
    created: datetime | None = None
    """`meta.created` and `meta.lastModified` (RFC 7643 section 3.1), when they say in which time zone."""
    modified: datetime | None = None
    emails: tuple[str, ...] = ()
    """All of them, whatever their type; kept only where people are matched by e-mail."""


@dataclass(frozen=True, slots=True)
class RemoteGroup:
    """A group as the target shows it. `members` (SCIM ids) is None when nothing is known of them: not shown, or shown
    as none by a server that was never seen to show any.
    """

    scim_id: str
    external_id: str | None
    name: str
    members: frozenset[str] | None = None
    whole: bool = True
    """False: the server cuts lists of members short, so who is not among `members` may be one all the same."""

    created: datetime | None = None
    modified: datetime | None = None

    def lacks(self, member: str) -> bool:
        """Whether the target shows that this SCIM id is no member: not seen is no proof of that."""
        return self.members is not None and self.whole and member not in self.members


@dataclass(frozen=True, slots=True)
class Application:
    """The Okta app (GET /api/v1/apps/{id})."""

    app_id: str
    label: str
    status: str
    features: frozenset[str]

    @property
    def pushes_itself(self) -> bool:
        """Okta's own provisioning is on: two writers (features PUSH_* or GROUP_PUSH)."""
        return any(feature.startswith("PUSH_") or feature == "GROUP_PUSH" for feature in self.features)


@dataclass(frozen=True, slots=True)
class AppUser:
    """One record of GET /api/v1/apps/{id}/users?expand=user, unmapped.

    `user_status` is None when Okta did not embed the user. `via_group` is the id and name of the assigning
    group, None when assigned directly. `user_profile` is the user's own; None when it was not embedded, or not kept,
    for nothing is mapped from it.
    """

    okta_id: str
    status: str
    user_status: str | None
    user_name: str
    profile: Mapping[str, object]
    via_group: tuple[str, str] | None
    user_profile: Mapping[str, object] | None = None
    updated: datetime | None = None
    """lastUpdated of the assignment, where it was asked for by id."""


@dataclass(frozen=True, slots=True)
class BadRecord:
    """A record of a list that could not be understood; it costs only itself. `okta_id` None: not even an id."""

    okta_id: str | None
    problem: str


@dataclass(frozen=True, slots=True)
class OktaGroup:
    """GET /api/v1/groups/{id}."""

    okta_id: str
    name: str
    description: str
    type: str
    stamp: str | None
    """lastMembershipUpdated as sent."""


@dataclass(frozen=True, slots=True)
class GroupRule:
    """An Okta group rule: it assigns whom its expression fits to these groups, without whom it excludes (Okta ids)."""

    okta_id: str
    name: str
    active: bool
    group_ids: frozenset[str]
    excluded: frozenset[str]


@dataclass(frozen=True, slots=True)
class PushMapping:
    """GET /api/v1/apps/{id}/group-push/mappings. `target_name` is the name of the linked app group, if known."""

    source_group_id: str
    target_group_id: str | None
    target_name: str | None
    status: str


@dataclass(frozen=True, slots=True)
class Absent:
    """A by-id answer that proves absence: a 404 whose summary names the object itself and not its container."""

    resource: str
    """e.g. "app user 00u1" or "group 00g1"."""
    summary: str


@dataclass(frozen=True, slots=True)
class ReadProof:
    """A list that arrived complete."""

    what: str
    pages: int
    records: int
    at: datetime


@dataclass(frozen=True, slots=True)
class LogEvent:
    """One event of the System Log, as far as it may name something to look at again.

    `targets` are (type, id) pairs in arrival order ("User", "00u1"), ("AppInstance", "0oa1"), ("UserGroup", "00g1").
    """

    uuid: str
    kind: str
    targets: Sequence[tuple[str, str]]
    published: datetime | None = None
    """When it happened, by Okta's clock; None where it does not say."""
