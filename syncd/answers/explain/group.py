"""One group, step by step: from the push rule to what the next cycle would send."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from syncd.answers.explain.explanation import STATES_OF_SKIPS, Explanation, Step, summary_of
from syncd.answers.explain.look import (
    AtTarget,
    ObjectLook,
    as_left_step,
    left_behind,
    look_at,
    matched_step,
    next_step,
    nothing_to_tell,
    pending_reason,
    shared_facts,
    shared_steps,
)
from syncd.core.change import Change
from syncd.core.comparison import GROUP_NAME, Verdict, compare
from syncd.core.counting import counted
from syncd.core.flavors import group_identifiers, group_name_problem, is_taken_over
from syncd.core.match import Conflict, MatchedGroup, NoMatch, match_group, owner_by
from syncd.engine.facts import COMPLETE_READ
from syncd.engine.job import Job
from syncd.errors import SyncdError
from syncd.model import Absent, GroupState, KnownGroup, KnownUser, OktaGroup, RemoteGroup, WantedGroup
from syncd.ports import Stage


@dataclass
class _Found(AtTarget[RemoteGroup]):
    """What each side says of one group. None where it does not know it, or could not be asked."""

    known: KnownGroup | None
    group: OktaGroup | Absent | None = None
    wanted: WantedGroup | None = None
    """What the rules make of it now, or a link by hand; None: nothing names it."""
    in_okta: int | None = None
    """Members of the group in Okta, whether or not they are assigned to the app."""
    wanted_members: int | None = None
    strangers: int = 0
    """Members at the target whom syncd does not manage."""
    behind: str = ""
    """What became of it at the target behind syncd, in words; "" when nothing is known of it."""


def explain_group(job: Job, okta_id: str) -> tuple[Explanation, Sequence[SyncdError]]:
    """Everything about one group, and the problems of asking. Raises nothing that one side answers."""
    found = _Found(job.store.group(okta_id))
    look = look_at(job, okta_id, group=True, inspect=lambda stage: _learn(stage, okta_id, found))
    found.group = look.ask(lambda: job.source.group(okta_id))
    proof = look.reading.member_proofs.get(okta_id) if look.reading else None
    found.in_okta = proof.records if proof else None
    if look.reading is None and found.known is not None:
        found.wanted = found.known.wanted  # as it was last read
    _ask_target(look, found)
    _compare(look, found)

    changes = look.changes
    steps = [
        _in_okta(found, okta_id),
        _in_scope(job, found, look),
        _usable(found),
        _name_allowed(job, found),
        _matched(found),
        as_left_step(found, found.behind, written=bool(found.known and found.known.pushed)),
        _members(found, look),
        *shared_steps(look, kind="group"),
        next_step(look, changes, behind=found.behind),
    ]
    state, reason = _state(found, look, changes)
    known, wanted = found.known, found.wanted or (found.known.wanted if found.known else None)
    okta_name = found.group.name if isinstance(found.group, OktaGroup) else wanted.name if wanted else okta_id
    facts = {
        "rule": wanted.rule if wanted else None,
        "link": known.asked.what if known and known.asked else None,
        "target_name": known.pushed.name
        if known and known.pushed
        else wanted.target_name
        if wanted
        else None,
        "match": found.document(_shown, managed=bool(found.known and found.known.pushed)),
        "members": {
            "okta": found.in_okta,
            "wanted": found.wanted_members,
            "pushed": len(job.store.pushed_members(okta_id)),
            "target": _count(found.remote),
        },
        **shared_facts(look, changes),
    }
    scim_id = known.pushed.scim_id if known and known.pushed else None
    summary = summary_of(state, reason)
    return Explanation("group", okta_id, scim_id, okta_name, state, summary, steps, facts), look.problems


def explain_foreign_group(remote: RemoteGroup) -> tuple[Explanation, Sequence[SyncdError]]:
    """A group that only the target knows."""
    hint = "not managed by syncd; tie it to an Okta group with syncd link"
    steps = [
        Step(
            "in_okta",
            "Known in Okta?",
            "no",
            "the group carries no Okta id, and no group in Okta has its name",
        ),
        Step("matched", "Known at the target?", "yes", f"{remote.name} ({remote.scim_id}), {hint}"),
        Step(
            "may_change", "May syncd change it?", "no", "syncd changes nothing that it did not create or link"
        ),
    ]
    facts = {
        "rule": None,
        "link": None,
        "target_name": remote.name,
        "match": _Found(None, remote=remote).document(_shown, managed=False),
        "members": {"okta": None, "wanted": None, "pushed": None, "target": _count(remote)},
        **nothing_to_tell(),
    }
    summary = summary_of("unmanaged", "")
    return Explanation("group", None, remote.scim_id, remote.name, "unmanaged", summary, steps, facts), []


# asking


def _learn(stage: Stage, okta_id: str, found: _Found) -> None:
    """What was staged of the group, as the plan sees it."""
    for case in stage.group_cases():
        if case.okta_id == okta_id:
            found.wanted = case.wanted
    if found.wanted is not None:
        found.wanted_members = stage.wanted_count(okta_id)


def _ask_target(look: ObjectLook, found: _Found) -> None:
    target, known = look.job.target, found.known
    if known is not None and known.pushed is not None:
        scim_id = known.pushed.scim_id
        by_hand = known.asked is not None and known.asked.what == "link"
        how = "the stored id, linked by hand" if by_hand else "the stored id"
        found.ask_by_id(look, lambda: target.group(scim_id), how)
        return
    wanted = found.wanted or (known.wanted if known else None)
    name = wanted.target_name if wanted else found.group.name if isinstance(found.group, OktaGroup) else ""
    candidates = look.ask(lambda: target.find_groups(okta_id=look.okta_id, name=name))
    if candidates is None:
        return
    found.asked_target = True
    owner = owner_by(look.job.store.group_by_scim_id)
    action = wanted.action if wanted else "either"
    if is_taken_over(look.job.policy.flavor, name):
        action = "link"
    identifiers = group_identifiers(look.job.policy.flavor, name)
    match match_group(look.okta_id, name, action, candidates, owner, identifiers=identifiers):
        case MatchedGroup(remote, how):
            found.how = how
            found.remote = look.ask(lambda: target.group(remote.scim_id)) or remote
        case Conflict(reason):
            found.conflict = reason
        case NoMatch():
            pass


def _compare(look: ObjectLook, found: _Found) -> None:
    """What the target shows of a linked group, against what was last written."""
    pushed, remote, job = found.known.pushed if found.known else None, found.remote, look.job
    if found.gone:
        found.behind = "the group is gone at the target"
    if pushed is None or remote is None:
        return
    parts = []
    if compare(pushed.name, remote.name, job.target.habits().of(GROUP_NAME)) is Verdict.DIFFERENT:
        parts.append(f'renamed to "{remote.name}" at the target')
    written = {known.pushed.scim_id for known in _members_written(job, look.okta_id) if known.pushed}
    owners = [job.store.user_by_scim_id(each) for each in (remote.members or frozenset()) - written]
    found.strangers = sum(owner is None for owner in owners)
    if missing := sum(remote.lacks(each) for each in written):
        parts.append(f"{counted(missing, 'member')} removed at the target")
    if added := len(owners) - found.strangers:
        parts.append(f"{counted(added, 'member')} added at the target")
    found.behind = "; ".join(parts)


def _members_written(job: Job, group_id: str) -> Iterator[KnownUser]:
    found = map(job.store.user, job.store.pushed_members(group_id))
    return (known for known in found if known is not None)


# steps


def _in_okta(found: _Found, okta_id: str) -> Step:
    question = "Known in Okta?"
    match found.group:
        case OktaGroup():
            return Step("in_okta", question, "yes", f"{okta_id}, {found.group.name}, {found.group.type}")
        case Absent():
            return Step("in_okta", question, "no", f"Okta has no group {okta_id}")
        case None:
            return Step("in_okta", question, "unknown", "Okta could not be asked")


def _in_scope(job: Job, found: _Found, look: ObjectLook) -> Step:
    question = "Named by a push rule?"
    if not job.settings.provisioning.push_groups:
        return Step("in_scope", question, "no", "provisioning.push_groups is off")
    wanted = found.wanted
    if look.release is not None:
        return Step("in_scope", question, "no", look.release.sentence)
    if wanted is None:
        if found.group is None:
            return Step("in_scope", question, "unknown", "Okta could not be asked")
        return Step("in_scope", question, "no", "no push rule names it, and nobody linked it by hand")
    if wanted.state is GroupState.GONE:
        return Step("in_scope", question, "no", wanted.reason)
    return Step("in_scope", question, "yes", f"{wanted.rule}, action {wanted.action}")


def _usable(found: _Found) -> Step:
    question = "Free to follow Okta?"
    wanted = found.wanted
    if wanted is None or wanted.state is GroupState.GONE:
        return Step("usable", question, "unknown", "not in scope")
    if wanted.state is GroupState.FROZEN:
        return Step("usable", question, "no", f"frozen: {wanted.reason}")
    return Step("usable", question, "yes", "its list of members is followed")


def _name_allowed(job: Job, found: _Found) -> Step:
    question = "Name allowed at the target?"
    wanted, policy = found.wanted, job.policy
    if wanted is None:
        return Step("name_allowed", question, "unknown", "not in scope")
    if found.known is not None and found.known.pushed is not None:
        return Step("name_allowed", question, "yes", f"it is there as {found.known.pushed.name}")
    if wanted.action == "link" or found.how == "displayName":
        return Step("name_allowed", question, "yes", f"linked to {wanted.target_name}, not created")
    problem = group_name_problem(policy.flavor, wanted.target_name, policy.protected_groups)
    return Step("name_allowed", question, "no" if problem else "yes", problem or wanted.target_name)


def _matched(found: _Found) -> Step:
    remote = found.remote
    managed = "managed by syncd" if found.known and found.known.pushed else "not managed by syncd"
    return matched_step(
        found,
        gone="the group is gone there",
        nobody="no group there has this externalId or name",
        shown=f"{remote.scim_id}, {remote.name}, by {found.how}; {managed}" if remote else "",
    )


def _members(found: _Found, look: ObjectLook) -> Step:
    question = "The same members?"
    pushed = len(look.job.store.pushed_members(look.okta_id))
    if found.in_okta is None:
        return Step(
            "members",
            question,
            "unknown",
            f"{counted(pushed, 'member')} pushed; the list in Okta was not read",
        )
    count = _count(found.remote)
    there = "?" if count is None else f"{count:,}"
    numbers = f"{found.in_okta:,} in Okta, {pushed:,} pushed, {there} at the target"
    if found.wanted is None or COMPLETE_READ.of(look.job.store) is None:
        return Step("members", question, "unknown", f"{numbers}; no full cycle has read everybody yet")
    if found.wanted_members is not None and found.wanted_members != found.in_okta:
        numbers += f"; {found.wanted_members:,} of those in Okta are active in the app"
    if found.strangers:
        numbers += f"; {counted(found.strangers, 'member')} there not managed by syncd"
    same = found.wanted_members == pushed and (count is None or count - found.strangers == pushed)
    return Step("members", question, "yes" if same else "no", numbers)


# the verdict


def _state(found: _Found, look: ObjectLook, changes: Sequence[Change]) -> tuple[str, str]:
    if look.reading is None or found.group is None:
        return "unknown", ""
    if look.release is not None:
        return "released", look.release.sentence
    own_holds = [hold for hold, _ in look.holds]
    if own_holds:
        return "held", f"held in {own_holds[0].id}: {own_holds[0].reason}"
    if look.blocked:
        return STATES_OF_SKIPS[look.blocked.kind], look.why_blocked(look.blocked)
    if look.failures:
        failure = look.failures[0]
        return "quarantined", f"{failure.kind} failed: {failure.message}"
    if found.wanted is None:
        return "not_in_scope", ""
    if changes and look.stopped:
        return "left_alone", look.stopped[0]
    if changes:
        return "pending", pending_reason(found.behind)
    if found.behind and found.wanted.state is not GroupState.GONE:
        return "left_alone", left_behind(found.behind)
    return ("unknown", "") if look.problems else ("synced", "")


def _count(remote: RemoteGroup | None) -> int | None:
    return None if remote is None or remote.members is None else len(remote.members)


def _shown(remote: RemoteGroup) -> dict[str, Any]:
    return {"scim_id": remote.scim_id, "name": remote.name, "external_id": remote.external_id or None}
