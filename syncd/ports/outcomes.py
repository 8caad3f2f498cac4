"""What is journalled before a write, and what is stored after it. Structs, which are made much faster than dataclasses,
where a first sync makes hundreds of thousands.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec

from syncd.core.change import Change
from syncd.model import PushedGroup, PushedUser


@dataclass(frozen=True, slots=True)
class Intent:
    """A journalled intention without an outcome: the process ended in between."""

    sequence: int
    run_id: str
    change: Change
    at: datetime


class UserPushed(msgspec.Struct, frozen=True):
    """Effect: the target now holds this user like this."""

    okta_id: str
    pushed: PushedUser


@dataclass(frozen=True, slots=True)
class UserForgotten:
    """Effect: the target no longer has this user; the id and the pushed memberships are forgotten."""

    okta_id: str


@dataclass(frozen=True, slots=True)
class GroupPushed:
    """Effect: the target now holds this group under this id and name."""

    okta_id: str
    pushed: PushedGroup
    members: Sequence[str] | None = None
    """Okta ids of managed users that are members at the target; replaces the pushed memberships when given."""


@dataclass(frozen=True, slots=True)
class GroupForgotten:
    """Effect: the group is deleted or no longer managed; its pushed memberships are forgotten."""

    okta_id: str


class MemberPushed(msgspec.Struct, frozen=True):
    """Effect: this user (both by Okta id) is, or is no longer, a member at the target."""

    group_id: str
    user_id: str
    present: bool


@dataclass(frozen=True, slots=True)
class CreationUnproven:
    """Effect: a create of this user or group (`kind`) did not end with a link, and may have left something at the
    target: the object `scim_id`, None when nobody knows one. A link of it settles the doubt.

    `stranger`: the object is somebody else's, and is never matched again but by a person.
    """

    kind: str
    okta_id: str
    name: str
    reason: str
    scim_id: str | None = None
    stranger: bool = False


Effect = UserPushed | UserForgotten | GroupPushed | GroupForgotten | MemberPushed | CreationUnproven


@dataclass(frozen=True, slots=True)
class Unproven:
    """A remembered `CreationUnproven`: `name` is the object's when it was seen, `since` the time of the intent."""

    kind: str
    okta_id: str
    scim_id: str | None
    name: str
    reason: str
    stranger: bool
    since: datetime


class Settled(msgspec.Struct, frozen=True):
    """The outcome of one intent. `error` None: applied, with its effects; else failed (kept for retry)."""

    sequence: int
    change: Change
    effects: Sequence[Effect] = ()
    status: int | None = None
    note: str = ""
    error: str | None = None
    deferred: bool = False
    """True: not tried or not failed by itself (waits for its user, the run was stopped): no failure is counted."""
    unanswered: bool = False
    """With `error`: nobody knows whether it took effect. The failure counts, and the intent stays open until the target
    was asked."""
    step: bool = False
    """Of a detour or its way back: it neither ends the failure of its object's wish nor counts as one."""
    request: str = ""
    """What was sent, for the audit trail: "PATCH /Users/2819c223"; "" when nothing was, or when an interrupted write
    was settled by asking the target."""
