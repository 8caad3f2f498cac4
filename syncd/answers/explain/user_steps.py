"""The questions that `explain` answers about one person, in the order in which a cycle asks them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from syncd.answers.explain.explanation import Reply, Step
from syncd.answers.explain.look import AtTarget, ObjectLook, as_left_step, matched_step
from syncd.core.comparison import ServerHabits, Verdict, compare
from syncd.core.names import rivalry
from syncd.engine.facts import COMPLETE_READ
from syncd.engine.job import Job
from syncd.model import Absent, AppUser, BadRecord, KnownUser, RemoteUser, Standing, WantedUser


@dataclass
class Found(AtTarget[RemoteUser]):
    """What each side says of one person. None where it does not know them, or could not be asked."""

    known: KnownUser | None
    record: AppUser | BadRecord | Absent | None = None
    user_status: str | Absent | None = None
    wanted: WantedUser | None = None
    rivals: Mapping[str, str] = field(default_factory=dict)


def in_okta(found: Found, okta_id: str) -> Step:
    """Whether Okta has the user, and in which status."""
    question = "Known in Okta?"
    if isinstance(found.user_status, Absent):
        return Step("in_okta", question, "no", f"Okta has no user {okta_id}")
    if found.record is None:
        return Step("in_okta", question, "unknown", "Okta could not be asked")
    status = (
        f"the user is {found.user_status}" if found.user_status else "Okta does not show the user's status"
    )
    return Step("in_okta", question, "yes", f"{okta_id}, {status}")


def assigned(found: Found, look: ObjectLook) -> Step:
    """Whether the app is assigned to them; "unknown" where their record cannot be read."""
    question = "Assigned to the app?"
    app = look.reading.app.label if look.reading else look.job.settings.okta.app_id
    match found.record:
        case AppUser():
            how = found.record.via_group
            detail = f"through group {how[1] or how[0]}" if how else "directly"
            return Step("assigned", question, "yes", f"{detail}; the assignment is {found.record.status}")
        case Absent():
            return Step("assigned", question, "no", f"the app {app} has no such assignment")
        case BadRecord():
            return Step("assigned", question, "unknown", found.record.problem)
        case None:
            last = (
                f"; when last read: {found.wanted.reason_now or found.wanted.standing}"
                if found.wanted
                else ""
            )
            return Step("assigned", question, "unknown", f"Okta could not be asked{last}")


def active(found: Found) -> Step:
    """Whether Okta's status and the settings want an active account."""
    question = "Wanted as an active account?"
    wanted = found.wanted
    if wanted is None:
        if isinstance(found.record, Absent):
            return Step("active", question, "no", "not assigned")
        return Step("active", question, "unknown", "the assignment could not be read")
    if found.record is None:
        return Step("active", question, "unknown", f"when last read it was {wanted.standing.value}")
    if wanted.standing is Standing.ACTIVE:
        return Step("active", question, "yes", wanted.reason)
    answer: Reply = "no" if wanted.standing is Standing.INACTIVE else "unknown"
    return Step("active", question, answer, wanted.reason)


def mapped(found: Found) -> Step:
    """Whether the settings make an account of the record, and with which attributes."""
    question = "Mapped to an account?"
    wanted = found.wanted
    if wanted is None:
        return Step("mapped", question, "unknown", "there is no assignment to map")
    if not wanted.user_name:
        return Step("mapped", question, "no", "the attribute mapped to userName is empty")
    count = len(wanted.mapped)
    return Step("mapped", question, "yes", f"userName {wanted.user_name}, {count} attributes")


def name_is_free(look: ObjectLook, found: Found) -> Step:
    question = "Nobody else with this userName?"
    wanted = found.wanted
    if wanted is None or not wanted.user_name:
        return Step("name_free", question, "unknown", "there is no userName")
    if found.rivals:
        return Step("name_free", question, "no", f"{rivalry(wanted.user_name, found.rivals)} in Okta")
    if look.blocked is not None and look.blocked.kind == "conflict":
        return Step("name_free", question, "no", look.blocked.reason)
    if COMPLETE_READ.of(look.job.store) is None:
        return Step("name_free", question, "unknown", "no full cycle has read everybody yet; syncd plan does")
    return Step("name_free", question, "yes", "no other assignment maps to it")


def matched(found: Found) -> Step:
    """Which account at the target is theirs, and whether syncd manages it."""
    pushed, remote, shown = found.known.pushed if found.known else None, found.remote, ""
    if remote is not None:
        managed = "managed by syncd" if pushed else "not managed by syncd"
        awake = {True: "active", False: "inactive", None: "not shown whether active"}[remote.active]
        shown = f"{remote.scim_id}, {remote.user_name}, by {found.how}; {awake}, {managed}"
        ours = found.known.okta_id if found.known else None
        if pushed is not None and remote.external_id not in (None, "", ours):
            shown += f"; its externalId is {remote.external_id}, not ours: it is known by its id alone"
    return matched_step(
        found,
        gone=f"the account {pushed.scim_id if pushed else ''} is gone there",
        nobody="no account there has this externalId or userName",
        shown=shown,
    )


def as_left(found: Found, habits: ServerHabits) -> Step:
    """Whether the account is as syncd wrote it."""
    written = bool(found.known and found.known.pushed)
    return as_left_step(found, changed_behind(found, habits), written=written)


def changed_behind(found: Found, habits: ServerHabits) -> str:
    """What became of the account at the target behind syncd, in words; "" when nothing is known of it."""
    pushed, remote = found.known.pushed if found.known else None, found.remote
    if found.gone:
        return "the account is gone at the target"
    if pushed is None or remote is None:
        return ""
    changed = _changed_at_target(pushed.attributes, remote, habits)
    awaited = pushed.invited and pushed.active  # shown inactive until the person accepts
    if remote.active is not None and remote.active != pushed.active and not awaited:
        changed.append("active")
    return f"changed at the target: {', '.join(changed)}" if changed else ""


def _changed_at_target(pushed: Mapping[str, Any], remote: RemoteUser, habits: ServerHabits) -> list[str]:
    """Only what the target shows at all can be compared."""
    return sorted(
        path
        for path, value in pushed.items()
        if compare(value, remote.attributes.get(path), habits.of(path)) is Verdict.DIFFERENT
    )


def in_groups(job: Job, rows: Sequence[Mapping[str, Any]]) -> list[Step]:
    """One step over all of their groups; none where groups are not pushed."""
    if not job.settings.provisioning.push_groups:
        return []
    question = "In all its groups?"
    off = [row for row in rows if row["state"] not in ("in", "released")]
    if off:
        parts = [f"{row['group']}: {row['state'].replace('_', ' ')}, {row['detail']}" for row in off]
        answer: Reply = "unknown" if all(row["state"] == "unknown" for row in off) else "no"
        return [Step("in_groups", question, answer, "; ".join(parts))]
    names = ", ".join(row["group"] for row in rows if row["state"] == "in")
    return [Step("in_groups", question, "yes", names or "in no pushed group")]
