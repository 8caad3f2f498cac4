"""One person, step by step: from the assignment in Okta to what the next cycle would send."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from syncd.core.change import MEMBERSHIPS, Change
from syncd.core.diff import differing
from syncd.core.explanation import STATES_OF_SKIPS, Explanation, Reply, Step, summary_of
from syncd.core.mapping import wanted_user
from syncd.core.match import Conflict, MatchedUser, match_user
from syncd.engine.explain_memberships import memberships
from syncd.engine.explaining import (
    Look,
    look_at,
    next_step,
    problem_documents,
    shared_facts,
    shared_steps,
    stopped_altogether,
)
from syncd.engine.job import Job
from syncd.engine.run import COMPLETE_READ_KEY
from syncd.errors import NotFound, SyncdError
from syncd.model import Absent, AppUser, BadRecord, KnownUser, RemoteUser, Standing, WantedUser
from syncd.ports import Stage


@dataclass
class _Found:
    """What each side says of one person. None where it does not know them, or could not be asked."""

    known: KnownUser | None
    record: AppUser | BadRecord | Absent | None = None
    user_status: str | Absent | None = None
    wanted: WantedUser | None = None
    remote: RemoteUser | None = None
    gone: bool = False
    """The target has nobody under the stored id any more."""
    how: str = ""
    conflict: str = ""
    asked_target: bool = False
    rivals: Sequence[str] = ()


def explain_user(job: Job, okta_id: str) -> tuple[Explanation, Sequence[SyncdError]]:
    """Everything about one person, and the problems of asking. Raises nothing that one side answers."""
    found = _Found(job.store.user(okta_id))

    _ask_okta(job, okta_id, found)
    look = look_at(job, okta_id, group=False, inspect=lambda stage: _find_rivals(job, stage, found))
    _ask_target(look, found)
    rows = memberships(look, active=found.wanted is not None and found.wanted.standing is Standing.ACTIVE)
    waiting = [row for row in rows if row["state"] == "waiting"]
    blocked_groups = {row["group_id"] for row in waiting}
    changes = [change for change in look.changes if change.group_id not in blocked_groups]

    steps = [
        _in_okta(found, okta_id),
        _assigned(found, look),
        _active(found),
        _mapped(found),
        _name_is_free(look, found),
        _matched(found),
        _as_left(found),
        *shared_steps(look, kind="person"),
        *_in_groups(job, rows),
        next_step(look, changes),
    ]
    state, reason = _state(found, look, changes, waiting)
    known, wanted = found.known, found.wanted
    name = wanted.user_name if wanted and wanted.user_name else known.wanted.user_name if known else ""
    facts = {
        "assignment": _assignment(found),
        "attributes": _attributes(job, found),
        "match": _match_document(found),
        "memberships": rows,
        "protected": job.policy.protects_user(okta_id, name, _pushed_name(known)),
        **shared_facts(look, changes),
    }
    explanation = Explanation(
        "user",
        okta_id,
        known.pushed.scim_id if known and known.pushed else None,
        name or (found.remote.user_name if found.remote else okta_id),
        state,
        summary_of(state, reason),
        steps,
        facts,
    )
    return explanation, look.problems


def explain_stranger(remote: RemoteUser) -> tuple[Explanation, Sequence[SyncdError]]:
    """An account that only the target knows."""
    found = _Found(None, remote=remote, asked_target=True)
    steps = [
        Step(
            "in_okta",
            "Known in Okta?",
            "no",
            "the account carries no Okta id, and no login in Okta is like its name",
        ),
        Step(
            "matched",
            "Known at the target?",
            "yes",
            f"{remote.user_name} ({remote.scim_id}), not managed by syncd",
        ),
        Step(
            "may_change",
            "May syncd change it?",
            "no",
            "syncd changes nothing that it did not create or adopt",
        ),
    ]
    facts = {
        "match": _match_document(found),
        "memberships": [],
        "next": [],
        "problems": problem_documents([]),
    }
    summary = summary_of("unmanaged", "")
    return Explanation("user", None, remote.scim_id, remote.user_name, "unmanaged", summary, steps, facts), []


# asking


def _ask_okta(job: Job, okta_id: str, found: _Found) -> None:
    """When Okta cannot be asked the plan meets the same problem, and reports it."""
    with suppress(SyncdError):
        found.record = job.source.app_user(okta_id)
        if isinstance(found.record, AppUser):
            found.user_status = found.record.user_status
            found.wanted = wanted_user(found.record, job.mapping)
        else:
            found.user_status = job.source.user_status(okta_id)


def _find_rivals(job: Job, stage: Stage, found: _Found) -> None:
    wanted = found.wanted
    if wanted is not None and wanted.standing is Standing.ACTIVE and wanted.user_name:
        found.rivals = stage.rivals(job.mapping.name_key(wanted.user_name), wanted.okta_id)


def _ask_target(look: Look, found: _Found) -> None:
    target, known = look.job.target, found.known
    if known is not None and known.pushed is not None:
        scim_id = known.pushed.scim_id

        def by_id() -> RemoteUser | None:
            try:
                return target.user(scim_id)
            except NotFound:
                found.gone = True
                return None

        found.remote = look.ask(by_id)
        found.how, found.asked_target = "the stored id", found.remote is not None or found.gone
        return
    name = found.wanted.user_name if found.wanted else known.wanted.user_name if known else ""
    candidates = look.ask(lambda: target.find_users(okta_id=look.okta_id, user_name=name))
    if candidates is None:
        return
    found.asked_target = True

    def owner(scim_id: str) -> str | None:
        other = look.job.store.user_by_scim_id(scim_id)
        return other.okta_id if other else None

    exact = look.job.policy.flavor == "split"
    match = match_user(look.okta_id, name, candidates, owner, exact_names=exact)
    if isinstance(match, MatchedUser):
        found.remote, found.how = match.remote, match.how
    elif isinstance(match, Conflict):
        found.conflict = match.reason


# steps


def _in_okta(found: _Found, okta_id: str) -> Step:
    question = "Known in Okta?"
    if isinstance(found.user_status, Absent):
        return Step("in_okta", question, "no", f"Okta has no user {okta_id}")
    if found.record is None:
        return Step("in_okta", question, "unknown", "Okta could not be asked")
    status = (
        f"the user is {found.user_status}" if found.user_status else "Okta does not show the user's status"
    )
    return Step("in_okta", question, "yes", f"{okta_id}, {status}")


def _assigned(found: _Found, look: Look) -> Step:
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
            return Step("assigned", question, "unknown", "Okta could not be asked")


def _active(found: _Found) -> Step:
    question = "Wanted as an active account?"
    wanted = found.wanted
    if wanted is None:
        if isinstance(found.record, Absent):
            return Step("active", question, "no", "not assigned")
        return Step("active", question, "unknown", "the assignment could not be read")
    if wanted.standing is Standing.ACTIVE:
        return Step("active", question, "yes", wanted.reason)
    answer: Reply = "no" if wanted.standing is Standing.INACTIVE else "unknown"
    return Step("active", question, answer, wanted.reason)


def _mapped(found: _Found) -> Step:
    question = "Mapped to an account?"
    wanted = found.wanted
    if wanted is None:
        return Step("mapped", question, "unknown", "there is no assignment to map")
    if not wanted.user_name:
        return Step("mapped", question, "no", "the attribute mapped to userName is empty")
    count = len(wanted.attributes)
    return Step("mapped", question, "yes", f"userName {wanted.user_name}, {count} attributes")


def _name_is_free(look: Look, found: _Found) -> Step:
    question = "Nobody else with this userName?"
    wanted = found.wanted
    if wanted is None or not wanted.user_name:
        return Step("name_free", question, "unknown", "there is no userName")
    if found.rivals:
        others = ", ".join(sorted(found.rivals))
        return Step(
            "name_free", question, "no", f"{wanted.user_name} is also the userName of {others} in Okta"
        )
    if look.job.store.recall(COMPLETE_READ_KEY) is None:
        return Step("name_free", question, "unknown", "no full cycle has read everybody yet; syncd plan does")
    return Step("name_free", question, "yes", "no other assignment maps to it")


def _matched(found: _Found) -> Step:
    question = "Known at the target?"
    if found.conflict:
        return Step("matched", question, "no", found.conflict)
    if found.gone:
        pushed = found.known.pushed if found.known else None
        return Step(
            "matched", question, "no", f"the account {pushed.scim_id if pushed else ''} is gone there"
        )
    remote = found.remote
    if remote is None:
        if not found.asked_target:
            return Step("matched", question, "unknown", "the target could not be asked")
        return Step("matched", question, "no", "no account there has this externalId or userName")
    managed = "managed by syncd" if found.known and found.known.pushed else "not managed by syncd"
    awake = {True: "active", False: "inactive", None: "not shown whether active"}[remote.active]
    return Step(
        "matched",
        question,
        "yes",
        f"{remote.scim_id}, {remote.user_name}, by {found.how}; {awake}, {managed}",
    )


def _as_left(found: _Found) -> Step:
    question = "As syncd left it?"
    pushed, remote = found.known.pushed if found.known else None, found.remote
    if pushed is None:
        return Step("as_left", question, "unknown", "syncd never wrote to it")
    if remote is None:
        return Step("as_left", question, "no" if found.gone else "unknown", "the target does not show it")
    changed = _changed_at_target(pushed.attributes, remote)
    if remote.active is not None and remote.active != pushed.active:
        changed.append("active")
    if changed:
        return Step(
            "as_left", question, "no", f"changed at the target: {', '.join(changed)} (see syncd drift)"
        )
    return Step("as_left", question, "yes", "the target shows what was last written")


def _changed_at_target(pushed: Mapping[str, Any], remote: RemoteUser) -> list[str]:
    """Only what the target shows at all can be compared."""
    shown = {path: value for path, value in pushed.items() if path in remote.attributes}
    return sorted(differing(shown, {path: remote.attributes[path] for path in shown})[0])


def _in_groups(job: Job, rows: Sequence[Mapping[str, Any]]) -> list[Step]:
    if not job.settings.provisioning.push_groups:
        return []
    question = "In all its groups?"
    off = [row for row in rows if row["state"] not in ("in", "released")]
    if off:
        parts = [f"{row['group']}: {row['state'].replace('_', ' ')}, {row['detail']}" for row in off]
        return [Step("in_groups", question, "no", "; ".join(parts))]
    names = ", ".join(row["group"] for row in rows if row["state"] == "in")
    return [Step("in_groups", question, "yes", names or "in no pushed group")]


# the verdict


def _state(
    found: _Found, look: Look, changes: Sequence[Change], waiting: Sequence[Mapping[str, Any]]
) -> tuple[str, str]:
    pushed = found.known.pushed if found.known else None
    if look.reading is None or (found.record is None and found.wanted is None):
        return "unknown", ""
    if look.holds:
        return "held", f"held in {look.holds[0][0].id}: {look.holds[0][0].reason}"
    if look.blocked:
        return STATES_OF_SKIPS[look.blocked.kind], look.blocked.reason
    if found.wanted is not None and found.wanted.standing is Standing.FROZEN:
        return "frozen", found.wanted.reason
    if look.failures:
        failure = look.failures[0]
        return "quarantined", f"{failure.kind} failed: {failure.message}"
    if found.conflict and isinstance(found.record, AppUser):
        return "conflict", found.conflict
    stopped = stopped_altogether(look)
    if changes and stopped:
        return "left_alone", stopped[0]
    if any(change.kind not in MEMBERSHIPS for change in changes):
        return "pending", ""
    if waiting:
        return (
            "waiting",
            f"the account is there, and waits for its group {waiting[0]['group']}: {waiting[0]['detail']}",
        )
    if changes:
        return "pending", ""
    if isinstance(found.record, Absent) and (pushed is None or not pushed.active):
        return "not_assigned", ""
    if found.wanted is not None and found.wanted.standing is Standing.INACTIVE:
        return "inactive", ""
    if look.problems:
        return "unknown", ""
    return "synced", ""


# facts


def _pushed_name(known: KnownUser | None) -> str | None:
    return str(known.pushed.attributes.get("userName", "")) if known and known.pushed else None


def _assignment(found: _Found) -> dict[str, Any] | None:
    record = found.record
    if not isinstance(record, AppUser):
        return None
    return {
        "status": record.status,
        "user_status": record.user_status,
        "through": "group" if record.via_group else "direct",
        "group": {"okta_id": record.via_group[0], "name": record.via_group[1]} if record.via_group else None,
    }


def _attributes(job: Job, found: _Found) -> list[dict[str, Any]]:
    """Each mapped attribute: where it comes from, what is wanted, what was pushed, what the target shows."""
    wanted = found.wanted.attributes if found.wanted else {}
    pushed = found.known.pushed.attributes if found.known and found.known.pushed else {}
    remote = found.remote.attributes if found.remote else {}
    return [
        {
            "attribute": path,
            "source": template.text,
            "wanted": wanted.get(path),
            "pushed": pushed.get(path),
            "target": remote.get(path),
        }
        for path, template in job.mapping.attributes
    ]


def _match_document(found: _Found) -> dict[str, Any] | None:
    remote = found.remote
    if remote is None:
        return None
    return {
        "scim_id": remote.scim_id,
        "name": remote.user_name,
        "external_id": remote.external_id,
        "active": remote.active,
        "how": found.how or None,
        "managed": bool(found.known and found.known.pushed),
    }
