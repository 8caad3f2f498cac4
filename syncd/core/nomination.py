"""What the events of the System Log make worth a look. Pure: events in, names out; nothing an event says is believed.

KINDS goes through Okta's published event types (Okta, "Event types"), kind by kind; docs/okta.md shows it with the
reasons. A kind that is not there, and a target that is not named, cost nothing but the time until the next full cycle.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from types import MappingProxyType

from syncd.model import LogEvent

_APP, _USER, _GROUP = "AppInstance", "User", "Group"
"""A group comes as UserGroup, or under another name that ends so where a directory or an app owns it."""


class Reads(StrEnum):
    """What is read again for an event; the value is what docs/okta.md calls it."""

    ASSIGNMENT = "the person, if it is our app; everything if it names nobody"
    PERSON_OF_APP = "the person, if it is our app"
    PERSON = "the person, if known"
    MEMBER = "the person, if they or the group are known; everything if it names only a known group"
    CONCERNED = "the person, if they or the group are known"
    GROUP = "the group, if known or a rule goes by names"
    MAPPING = "the group, if known or it is our app; everything if our app and no group"
    APP = "everything, if it is our app"
    PROFILES = "everything before long, if it is our app or names none"
    IMPORT = "everything before long"
    NOTHING = "nothing"


KINDS: Mapping[str, Reads] = MappingProxyType(
    {
        # assignments
        "application.user_membership.*": Reads.ASSIGNMENT,
        "application.user_membership.change_password": Reads.NOTHING,
        "application.user_membership.restore_password": Reads.NOTHING,
        "application.user_membership.show_password": Reads.NOTHING,
        "master_application.user_membership.*": Reads.PERSON,
        "application.provision.user.*": Reads.PERSON_OF_APP,
        "application.provision.user.password": Reads.NOTHING,
        "application.provision.user.push_okta_password": Reads.NOTHING,
        "application.provision.user.push_password": Reads.NOTHING,
        "app.user_management.push_new_user_success": Reads.PERSON_OF_APP,
        # people
        "user.lifecycle.*": Reads.PERSON,
        "user.lifecycle.jit.error.read_only": Reads.NOTHING,
        "user.lifecycle.password_mass_expiry": Reads.NOTHING,
        "user.account.update_profile": Reads.PERSON,
        "user.account.update_primary_email": Reads.PERSON,
        "user.account.update_secondary_email": Reads.PERSON,
        "user.account.update_user_type": Reads.PERSON,
        "user.account.*": Reads.NOTHING,
        "scheduled_action.user_suspension.*": Reads.PERSON,
        # members of groups
        "group.user_membership.*": Reads.MEMBER,
        "group.user_membership.rule.*": Reads.CONCERNED,
        "app.user_management": Reads.MEMBER,
        "app.user_management.app_group_member_import.*": Reads.MEMBER,
        "app.user_management.app_group_group_member_import.*": Reads.MEMBER,
        # groups
        "group.lifecycle.*": Reads.GROUP,
        "group.profile.*": Reads.GROUP,
        "group.privilege.*": Reads.NOTHING,
        "app.user_management.user_group_import.*": Reads.GROUP,
        # what is pushed, and the app
        "application.provision.group_push.*": Reads.MAPPING,
        "app.user_management.grouppush.*": Reads.MAPPING,
        "group.application_assignment.*": Reads.APP,
        "application.lifecycle.*": Reads.APP,
        "application.*": Reads.NOTHING,
        "app.user_management.*": Reads.NOTHING,
        # imports from directories and other sources
        "system.import.user.*": Reads.PERSON,
        "system.import.user.start": Reads.NOTHING,
        "system.import.user.complete": Reads.NOTHING,
        "system.import.import_profile": Reads.PERSON,
        "app.realtimesync.import.details.*": Reads.PERSON,
        "system.agent.*": Reads.NOTHING,
        "system.import.group.*": Reads.GROUP,
        "system.import.group.start": Reads.NOTHING,
        "system.import.group.complete": Reads.NOTHING,
        "system.import.complete": Reads.IMPORT,
        "system.import.complete_batch": Reads.IMPORT,
        "system.import.user_csv.complete": Reads.IMPORT,
        "system.import.*": Reads.NOTHING,
        # profiles and how one follows from another
        "directory.mapping.update": Reads.PROFILES,
        "directory.app_user_profile.*": Reads.PROFILES,
        "directory.user_profile.*": Reads.PROFILES,
        "directory.*": Reads.NOTHING,
    }
)
"""Event types, or beginnings of them (`.*`), and what is read again; the longest that fits counts."""

ASKED = (
    "application.",
    "group.",
    "user.lifecycle.",
    "user.account.update_",
    "scheduled_action.user_suspension.",
    "app.user_management",
    "app.realtimesync.import.",
    "master_application.user_membership.",
    "system.import.",
    "directory.",
)
"""With what the event types begin that Okta is asked for: whatever nominates, in a filter of a length that it takes.
`app.user_management` is an event type itself and therefore has no dot at its end.
"""


LEAVING = (
    "application.user_membership.remove",
    "application.user_membership.revoke",
    "application.user_membership.deprovision",
    "application.provision.user.deactivate",
    "application.provision.user.deprovision",
    "user.lifecycle.deactivate",
    "user.lifecycle.suspend",
    "user.lifecycle.delete.initiated",
    "user.lifecycle.delete.completed",
    "scheduled_action.user_suspension.completed",
    "group.user_membership.remove",
    "system.import.user.delete",
    "system.import.user.suspend",
    "app.realtimesync.import.details.delete_user",
)
"""Event types that say that somebody left or was deactivated: whom they name is looked at before all others."""


def is_leaving(kind: str) -> bool:
    """Whether such an event says that somebody lost access."""
    return kind in LEAVING


@dataclass(frozen=True, slots=True)
class Known:
    """What concerns us: questions about Okta ids."""

    app_id: str
    user: Callable[[str], bool]
    group: Callable[[str], bool]
    any_group: bool
    """A push rule goes by names: any group may begin to match it."""


@dataclass(frozen=True, slots=True)
class Nominations:
    """Okta ids of users and groups to look at. `everything` says why a full cycle is needed at once, `before_long` why
    one is needed that can wait; empty when it is not.
    """

    users: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()
    everything: str = ""
    left: frozenset[tuple[str, str]] = frozenset()
    """(group id, user id) of people who left a group, says the log: one witness of two."""
    before_long: str = ""

    def __bool__(self) -> bool:
        return bool(self.users or self.groups or self.everything or self.before_long)


def nominate(events: Iterable[LogEvent], known: Known) -> Nominations:
    """Who and what these events name; a full read where an event names too much."""
    users: set[str] = set()
    groups: set[str] = set()
    left: set[tuple[str, str]] = set()
    everything = before_long = ""
    for event in events:
        found = _of(event, known)
        users |= found.users
        groups |= found.groups
        left |= found.left
        everything = everything or found.everything
        before_long = before_long or found.before_long
    return Nominations(frozenset(users), frozenset(groups), everything, frozenset(left), before_long)


@lru_cache(maxsize=1024)
def reads(kind: str) -> Reads | None:
    """What is read again for this event type; None for one that KINDS does not speak of."""
    if kind in KINDS:
        return KINDS[kind]
    parts = kind.split(".")
    beginnings = (".".join(parts[:length]) + ".*" for length in range(len(parts) - 1, 0, -1))
    return next((KINDS[each] for each in beginnings if each in KINDS), None)


def _of(event: LogEvent, known: Known) -> Nominations:
    kind, reading = event.kind, reads(event.kind)
    users, groups = _targets(event, _USER), _targets(event, _GROUP)
    apps = _targets(event, _APP)
    ours = known.app_id in apps
    match reading:
        case Reads.PERSON:
            return Nominations(users=frozenset(filter(known.user, users)))
        case Reads.PERSON_OF_APP:
            return Nominations(users=users if ours else frozenset())
        case Reads.ASSIGNMENT if ours:
            return Nominations(users=users, everything="" if users else kind)
        case Reads.MEMBER | Reads.CONCERNED:
            return _of_members(event, known, users, groups)
        case Reads.GROUP:
            return Nominations(
                groups=frozenset(each for each in groups if known.any_group or known.group(each))
            )
        case Reads.MAPPING if ours or any(map(known.group, groups)):
            return Nominations(groups=groups, everything="" if groups else kind)
        case Reads.APP if ours:
            return Nominations(everything=kind)
        case Reads.PROFILES if ours or not apps:
            return Nominations(before_long=kind)
        case Reads.IMPORT:
            return Nominations(before_long=kind)
    return Nominations()


def _of_members(event: LogEvent, known: Known, users: frozenset[str], groups: frozenset[str]) -> Nominations:
    pushed = any(map(known.group, groups))
    concerned = users if pushed else frozenset(filter(known.user, users))
    if not users and pushed and reads(event.kind) is Reads.MEMBER:
        return Nominations(everything=event.kind)
    parted = event.kind == "group.user_membership.remove"
    left = frozenset((group, user) for group in groups for user in concerned) if parted else frozenset()
    return Nominations(users=concerned, left=left)


def _targets(event: LogEvent, kind: str) -> frozenset[str]:
    return frozenset(
        target for of_kind, target in event.targets if of_kind.endswith(kind) and of_kind != "AppUser"
    )
