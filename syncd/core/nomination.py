"""What the events of the System Log make worth a look. Pure: events in, names out; nothing an event says is believed.

events                                                  what is looked at again
-------------------------------------------------------------------------------------------------------------
application.user_membership.*, .provision.user.*        the user, when the event is about our app; everything when
                                                        a membership event of our app names no user
application.lifecycle.*, group.application_assignment.* everything, when the event is about our app
application.provision.group_push.*, .grouppush.*        the source group; everything when no group is named
group.user_membership.add, .remove                      the user, when the group or the user concerns us
group.profile.update, group.lifecycle.*                 the group, when it is known or a rule may name it
user.lifecycle.*, user.account.update_profile           the user, when we know them

(event types: Okta, Event types; lists and targets: System Log query.)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from syncd.model import LogEvent

_APP, _USER, _GROUP = "AppInstance", "User", "UserGroup"


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
    """Okta ids of users and groups to look at. `everything` says why a full cycle is needed; empty when it is not."""

    users: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()
    everything: str = ""
    left: frozenset[tuple[str, str]] = frozenset()
    """(group id, user id) of people who left a group, says the log: one witness of two."""

    def __bool__(self) -> bool:
        return bool(self.users or self.groups or self.everything)


def nominate(events: Iterable[LogEvent], known: Known) -> Nominations:
    users: set[str] = set()
    groups: set[str] = set()
    left: set[tuple[str, str]] = set()
    everything = ""
    for event in events:
        found = _of(event, known)
        users |= found.users
        groups |= found.groups
        left |= found.left
        everything = everything or found.everything
    return Nominations(frozenset(users), frozenset(groups), everything, frozenset(left))


def _of(event: LogEvent, known: Known) -> Nominations:
    kind = event.kind
    users = _targets(event, _USER)
    groups = _targets(event, _GROUP)
    ours = known.app_id in _targets(event, _APP)
    if kind.startswith(("application.lifecycle.", "group.application_assignment.")):
        return Nominations(everything=kind) if ours else Nominations()
    if "group_push" in kind or "grouppush" in kind:
        if not ours and not any(map(known.group, groups)):
            return Nominations()
        return Nominations(groups=groups) if groups else Nominations(everything=kind)
    if kind.startswith("application."):
        if not ours:
            return Nominations()
        nameless = not users and kind.startswith("application.user_membership.")
        return Nominations(users=users, everything=kind if nameless else "")
    if kind.startswith("group.user_membership."):
        concerned = users if any(map(known.group, groups)) else frozenset(filter(known.user, users))
        parted = kind == "group.user_membership.remove"
        left = frozenset((group, user) for group in groups for user in concerned) if parted else frozenset()
        return Nominations(users=concerned, left=left)
    if kind.startswith("group."):
        return Nominations(
            groups=frozenset(group for group in groups if known.any_group or known.group(group))
        )
    if kind.startswith("user."):
        return Nominations(users=frozenset(filter(known.user, users)))
    return Nominations()


def _targets(event: LogEvent, kind: str) -> frozenset[str]:
    return frozenset(target for of_kind, target in event.targets if of_kind == kind)
