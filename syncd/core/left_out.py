"""Who and what is left out, why, since when, and the command that settles it.

kind                     what settles it
-----------------------------------------------------------------------------------------------------------------------
conflict (a person)      syncd link --user: shows both sides, asks, and ties the two together
conflict (a group)       syncd link GROUP TARGET
released                 the same two: a person took it out of syncd's hands, and a person gives it back
rejected                 syncd approve, of the change that was rejected
conflict or failed, of   syncd unlink --user takes the tie back; syncd link --user names another account
a tie by hand
failed, refused, unread  syncd retry: it is tried or read again at once
the others               what the advice names, in Okta, at the target or in the settings; then syncd sync of it
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from syncd.core.change import MEMBERSHIPS, REMOVALS, ChangeKind
from syncd.core.waiting import LEFT_BY_SETTING, REMEMBERED, LookRecord

REJECTED = "rejected"
RELEASED = "released"
FAILED = "failed"
KINDS = tuple(sorted({*REMEMBERED, REJECTED, RELEASED, FAILED}))
"""All there are."""
CHOSEN = LEFT_BY_SETTING | {REJECTED, RELEASED}
"""Kinds that a person decided on, or the settings: nobody has to do anything about them."""


@dataclass(frozen=True, slots=True)
class LeftOut(LookRecord):
    """One as people see it. `group`: of a membership, by name. `change_id`: of what was rejected. `target`: under which
    name a group is at the target.
    """

    group: str | None = None
    change_id: str | None = None
    target: str | None = None
    by_id: bool = False
    """Somebody else has the same name."""
    tied_to: str | None = None
    """The account that a person chose for this one, by name and id."""

    @property
    def type(self) -> str:
        """user, group or membership."""
        what = self.object_key.partition(":")[0]
        return "membership" if what == "member" else what

    @property
    def group_id(self) -> str | None:
        """Of a membership: the Okta id of its group."""
        return self.object_key.split(":")[1] if self.type == "membership" else None

    @property
    def called(self) -> str:
        """What a command finds it by: its name, or the Okta id where that says nothing."""
        says = not self.by_id and self.name.strip() and self.name.isprintable()
        return self.name if says and not self.name.startswith("-") else self.okta_id


def rejected_reason(kind: str, group: str | None, by: str, at: datetime) -> str:
    """Status, page, report and explain say the same. `at` is in UTC, `group` the name of a membership's group."""
    decided = f"rejected by {by} on {at:%Y-%m-%d %H:%M} UTC"
    where = f" to {group}" if kind in MEMBERSHIPS and group else ""
    if kind == ChangeKind.DEACTIVATE_USER:
        return f"has access although Okta does not want it: the deactivation was {decided}"
    if kind == ChangeKind.REMOVE_MEMBER:
        return f"has access{where} although Okta does not want it: the removal was {decided}"
    if kind in REMOVALS:
        return f"stays as it is although Okta does not want it: {kind} was {decided}"
    return f"Okta wants {kind}{where}, and it was {decided}"


def command(named: Sequence[str], *words: str) -> str:
    """A whole command line, to be copied into a shell. `named`: the options that say the connection."""
    return shlex.join(["syncd", *named, *words])


def way_out(left: LeftOut, named: Sequence[str]) -> str:
    """The command that settles it, once what `advice` says is done."""
    if left.tied_to is not None:
        return command(named, "unlink", "--user", left.called)
    return command(named, *_WAYS.get(left.kind, _look_again)(left))


def advice(left: LeftOut) -> str:
    """What has to be done before, "" where the command is all."""
    if left.tied_to is not None:
        return (
            f"take back the tie to {left.tied_to}, or name another account: syncd link --user {left.called} ACCOUNT;"
            " else mend the cause, and it is tried again at its time"
        )
    return _ADVICE.get(left.kind, "")


def _link(left: LeftOut) -> list[str]:
    if left.type == "group":
        return ["link", left.called, left.target or left.name or left.okta_id]
    return ["link", "--user", left.called]


def _approve(left: LeftOut) -> list[str]:
    return ["approve", left.change_id or left.called]


def _retry(left: LeftOut) -> list[str]:
    return ["retry", left.called if left.type != "membership" else left.object_key]


def _look_again(left: LeftOut) -> list[str]:
    return ["sync", "--group" if left.type == "group" else "--user", left.called]


_WAYS: Mapping[str, Callable[[LeftOut], list[str]]] = {
    "conflict": _link,
    RELEASED: _link,
    REJECTED: _approve,
    FAILED: _retry,
    "refused": _retry,
    "unread": _retry,
}
_ADVICE: Mapping[str, str] = {
    "refused_name": "change the name in Okta; the next cycle sees that",
    "frozen": "mend what the reason names in Okta; the next cycle sees that",
    "protected": "take the person out of safety.protected_users if they shall lose access",
    "deactivate_off": "set provisioning.deactivate_users = true if they shall lose access",
    "last_member": "add another active member to the group first",
    "failed": "mend the cause first; it is tried again at its time too",
    "refused": "let Okta or the target show it first",
    "rejected": "approve what was rejected, or have Okta want it again",
}
