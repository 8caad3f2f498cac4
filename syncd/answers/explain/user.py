"""One person, step by step: from the assignment in Okta to what the next cycle would send."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from syncd.answers.explain import user_steps
from syncd.answers.explain.explanation import STATES_OF_SKIPS, Explanation, Step, summary_of
from syncd.answers.explain.look import (
    ObjectLook,
    left_behind,
    look_at,
    next_step,
    nothing_to_tell,
    pending_reason,
    shared_facts,
    shared_steps,
)
from syncd.answers.explain.memberships import memberships, with_rules
from syncd.answers.explain.user_steps import Found
from syncd.core.change import MEMBERSHIPS, Change
from syncd.core.flavors import exact_user_names
from syncd.core.mapping import wanted_user
from syncd.core.match import Conflict, MatchedUser, counting_marks, match_user, owner_by
from syncd.core.match_rules import wanted_values
from syncd.engine.job import Job
from syncd.errors import SyncdError
from syncd.model import Absent, AppUser, KnownUser, RemoteUser, Standing
from syncd.ports import Stage


def explain_user(job: Job, okta_id: str) -> tuple[Explanation, Sequence[SyncdError]]:
    """Everything about one person, and the problems of asking. Raises nothing that one side answers."""
    found = Found(job.store.user(okta_id))

    _ask_okta(job, okta_id, found)
    if found.record is None and found.known is not None:
        found.wanted = found.known.wanted
    look = look_at(job, okta_id, group=False, inspect=lambda stage: _find_rivals(job, stage, found))
    _ask_target(look, found)
    active = found.wanted is not None and found.wanted.standing is Standing.ACTIVE
    rows = with_rules(look, memberships(look, active=active))
    waiting = [row for row in rows if row["state"] == "waiting"]
    blocked_groups = {row["group_id"] for row in waiting}
    changes = [change for change in look.changes if change.group_id not in blocked_groups]
    behind = user_steps.changed_behind(found, job.target.habits())

    steps = [
        user_steps.in_okta(found, okta_id),
        user_steps.assigned(found, look),
        user_steps.active(found),
        user_steps.mapped(found),
        user_steps.name_is_free(look, found),
        user_steps.matched(found),
        user_steps.as_left(found, job.target.habits()),
        *shared_steps(look, kind="person"),
        *user_steps.in_groups(job, rows),
        next_step(look, changes, [row["group"] for row in waiting], behind=behind),
    ]
    state, reason = _state(found, look, changes, waiting, behind)
    known, wanted = found.known, found.wanted
    name = wanted.user_name if wanted and wanted.user_name else known.wanted.user_name if known else ""
    facts = {
        "assignment": _assignment(found),
        "attributes": _attributes(job, found),
        "match": found.document(_shown, managed=bool(found.known and found.known.pushed)),
        "memberships": rows,
        "protected": job.policy.protects_user(okta_id, name, _pushed_name(known)),
        **shared_facts(look, changes),
    }
    scim_id = known.pushed.scim_id if known and known.pushed else None
    called = name or (found.remote.user_name if found.remote else okta_id)
    summary = summary_of(state, reason)
    return Explanation("user", okta_id, scim_id, called, state, summary, steps, facts), look.problems


def explain_stranger(remote: RemoteUser) -> tuple[Explanation, Sequence[SyncdError]]:
    """An account that only the target knows."""
    found = Found(None, remote=remote, asked_target=True)
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
        "assignment": None,
        "attributes": [],
        "match": found.document(_shown, managed=bool(found.known and found.known.pushed)),
        "memberships": [],
        "protected": False,
        **nothing_to_tell(),
    }
    summary = summary_of("unmanaged", "")
    return Explanation("user", None, remote.scim_id, remote.user_name, "unmanaged", summary, steps, facts), []


# asking


def _ask_okta(job: Job, okta_id: str, found: Found) -> None:
    """When Okta cannot be asked the plan meets the same problem, and reports it."""
    with suppress(SyncdError):
        found.record = job.source.app_user(okta_id)
        if isinstance(found.record, AppUser):
            found.user_status = found.record.user_status
            found.wanted = wanted_user(found.record, job.mapping)
        else:
            found.user_status = job.source.user_status(okta_id)


def _find_rivals(job: Job, stage: Stage, found: Found) -> None:
    wanted = found.wanted
    if wanted is not None and wanted.standing is Standing.ACTIVE and wanted.user_name:
        found.rivals = stage.rivals(job.mapping.name_key(wanted.user_name), wanted.okta_id)


def _ask_target(look: ObjectLook, found: Found) -> None:
    target, known = look.job.target, found.known
    if known is not None and known.pushed is not None:
        scim_id = known.pushed.scim_id
        found.ask_by_id(look, lambda: target.user(scim_id), "the stored id")
        return
    name = found.wanted.user_name if found.wanted else known.wanted.user_name if known else ""
    by = look.job.settings.match_rules
    mapped = found.wanted.mapped if found.wanted else {}
    also = [(rule.attribute, value) for rule, value in wanted_values(by, mapped)]
    candidates = look.ask(lambda: target.find_users(okta_id=look.okta_id, user_name=name, also=also))
    if candidates is None:
        return
    found.asked_target = True
    owner = owner_by(look.job.store.user_by_scim_id)
    flavor = look.job.policy.flavor
    match = match_user(
        look.okta_id,
        name,
        candidates,
        owner,
        exact_names=exact_user_names(flavor),
        mark_counts=counting_marks(flavor, look.job.store.user),
        by=by,
        attributes=mapped,
    )
    if isinstance(match, MatchedUser):
        found.remote, found.how = match.remote, match.how
    elif isinstance(match, Conflict):
        found.conflict = match.reason


# the verdict


def _state(
    found: Found,
    look: ObjectLook,
    changes: Sequence[Change],
    waiting: Sequence[Mapping[str, Any]],
    behind: str,
) -> tuple[str, str]:
    """`behind`: what became of the account at the target behind syncd."""
    pushed = found.known.pushed if found.known else None
    if look.reading is None or (found.record is None and found.wanted is None):
        return "unknown", ""
    if look.release is not None:
        return "released", look.release.sentence
    if look.holds:
        return "held", f"held in {look.holds[0][0].id}: {look.holds[0][0].reason}"
    if look.blocked:
        return STATES_OF_SKIPS[look.blocked.kind], look.why_blocked(look.blocked)
    if found.wanted is not None and found.wanted.standing is Standing.FROZEN:
        return "frozen", found.wanted.reason
    if look.failures:
        failure = look.failures[0]
        return "quarantined", f"{failure.kind} failed: {failure.message}"
    if found.conflict and isinstance(found.record, AppUser):
        return "conflict", found.conflict
    if changes and look.stopped:
        return "left_alone", look.stopped[0]
    if any(change.kind not in MEMBERSHIPS for change in changes):
        return "pending", pending_reason(behind)
    if waiting:
        return (
            "waiting",
            f"the account is there, and waits for its group {waiting[0]['group']}: {waiting[0]['detail']}",
        )
    if changes:
        return "pending", pending_reason(behind)
    is_unwanted = found.wanted is None or found.wanted.standing is not Standing.ACTIVE
    if behind and not (is_unwanted and (found.remote is None or found.remote.active is False)):
        return "left_alone", left_behind(behind)
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


def _assignment(found: Found) -> dict[str, Any] | None:
    record = found.record
    if not isinstance(record, AppUser):
        return None
    return {
        "status": record.status,
        "user_status": record.user_status,
        "through": "group" if record.via_group else "direct",
        "group": {"okta_id": record.via_group[0], "name": record.via_group[1]} if record.via_group else None,
    }


def _attributes(job: Job, found: Found) -> list[dict[str, Any]]:
    """Each mapped attribute: what Okta has, how it is mapped, what comes of it, what was pushed and is shown."""
    wanted = found.wanted.mapped if found.wanted else {}
    pushed = found.known.pushed.attributes if found.known and found.known.pushed else {}
    remote = found.remote.attributes if found.remote else {}
    return [
        {
            "attribute": path,
            "input": mapping.input(found.record) if isinstance(found.record, AppUser) else {},
            "source": str(mapping),
            "sent_once": mapping.on_create,
            "wanted": wanted.get(path),
            "pushed": pushed.get(path),
            "target": remote.get(path),
        }
        for path, mapping in job.mapping.attributes
    ]


def _shown(remote: RemoteUser) -> dict[str, Any]:
    ids = {"scim_id": remote.scim_id, "name": remote.user_name, "external_id": remote.external_id}
    return {**ids, "active": remote.active}
