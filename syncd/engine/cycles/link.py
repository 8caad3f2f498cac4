"""Groups tied and untied by a person: planned, checked, journalled and applied like everything else.

A link by hand makes a group managed whatever its rules say, and stands through every later cycle. A group that was
unlinked by hand is like a released one: no rule links or creates it again until a person does.
"""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches

from syncd.core.change import ChangeKind
from syncd.core.diff import Decision
from syncd.core.diff_groups import decide_group
from syncd.engine.cycles.result import RunResult
from syncd.engine.cycles.run import CycleRun, settle_interrupted
from syncd.engine.job import Job
from syncd.engine.planning.plan import planned_from
from syncd.engine.planning.planned import Planned
from syncd.engine.reading.learned import Reading
from syncd.engine.reading.lists import read_application
from syncd.engine.reading.lookup import group_id
from syncd.engine.reading.named import read_selected
from syncd.errors import NotFound, RefusedError, SyncdError, UsageError
from syncd.model import Asked, GroupCase, KnownGroup, RemoteGroup

KIND = "link"
"""The kind of plan and of run (contract: JSON documents, plan)."""


def plan_link(
    job: Job, group: str, target: str, by: str, allow: Mapping[str, int], *, writing: bool = True
) -> Planned:
    """What tying this Okta group to that group at the target would change, its memberships included.

    Writes nothing, but with `writing` what interrupted runs left to settle. Raises UsageError for a name that nobody
    knows, RefusedError when the two cannot be tied.
    """
    unsettled = _begin(job, writing=writing)
    okta_id = group_id(job, group)
    remote = remote_group(job, target)
    known = job.store.group(okta_id)
    if known is not None and known.pushed is not None and known.pushed.scim_id != remote.scim_id:
        raise RefusedError(
            f"{known.wanted.name} is linked to {known.pushed.name} ({known.pushed.scim_id}) already",
            hint=f"unlink it first: syncd unlink {known.okta_id} --keep",
        )
    if writing:
        job.store.retry_now(f"group:{okta_id}")
    stage = job.store.stage()
    try:
        stage.ask_group(okta_id, Asked("link", by, remote.scim_id, remote.name))
        reading = read_selected(job, stage, [], [okta_id])
    except BaseException:
        stage.close()
        raise
    planned = planned_from(job, KIND, stage, reading, allow, unsettled)
    try:
        if known is None or known.pushed is None:
            _refuse_without_a_link(planned, okta_id)
    except BaseException:
        planned.close()
        raise
    return planned


def plan_unlink(
    job: Job, group: str, by: str, allow: Mapping[str, int], *, delete: bool, writing: bool = True
) -> Planned:
    """What untying this group would change; `writing` as of a link. Raises UsageError when it is not linked,
    RefusedError when it is protected and shall be deleted.
    """
    unsettled = _begin(job, writing=writing)
    known = _linked_group(job, group)
    assert known.pushed is not None  # noqa: S101  (only linked groups are found)
    if delete and job.policy.protects_group(known.pushed):
        raise RefusedError(
            f'"{known.pushed.name}" is protected (safety.protected_groups) and is never deleted',
            hint="unlink it with --keep",
        )
    before = known.asked if known.asked is None or known.asked.what == "link" else known.asked.before
    asked = Asked("delete" if delete else "unlink", by, known.pushed.scim_id, known.pushed.name, before)
    if writing:
        _ask_again(job, known, asked)
    stage = job.store.stage()
    try:
        stage.ask_group(known.okta_id, asked)
        reading = Reading(read_application(job))
        stage.limit_to(users=(), groups=[known.okta_id])
    except BaseException:
        stage.close()
        raise
    return planned_from(job, KIND, stage, reading, allow, unsettled)


def apply_link(job: Job, planned: Planned, reason: str | None = None) -> RunResult:
    """Remembers what was asked for, then applies the plan of `plan_link` or `plan_unlink` under the same lock.

    What a safety check holds stays asked for: once it is approved, the next cycle does it.
    """
    store = job.store
    asked = [(case.okta_id, case.asked) for case in planned.stage.group_cases() if case.asked is not None]
    for okta_id, what in asked:
        decision = "link" if what.what == "link" else "unlink"
        note = {"decision": decision, "by": what.by, "okta_id": okta_id, "scim_id": what.scim_id}
        store.note({**note, "name": what.name, "delete": what.what == "delete"}, reason=reason)
    with CycleRun(job, KIND) as run:
        run.write(planned)
    return run.result


def remote_group(job: Job, text: str) -> RemoteGroup:
    """The group at the target with this id or name. Raises UsageError when there is none, or several."""
    listing = job.target.list_groups()
    groups = {group.scim_id: group for page in listing for group in page}
    found = [group for group in groups.values() if group.scim_id == text]
    found = found or [group for group in groups.values() if group.name == text]
    if not found and not listing.complete:
        found = [group for group in job.target.find_groups(okta_id="", name=text) if group.name == text]
    if not found:
        found = _by_id(job, text) if not listing.complete else []
    if len(found) == 1:
        return found[0]
    if found:
        ids = ", ".join(sorted(group.scim_id for group in found))
        raise UsageError(f"several groups at the target are called {text}: {ids}", hint="give the SCIM id")
    near = get_close_matches(text, sorted({group.name for group in groups.values()}))
    hint = f"did you mean {' or '.join(near)}?" if near else "`syncd groups` lists the target's groups"
    raise UsageError(f"the target has no group {text}", hint=hint)


def _by_id(job: Job, text: str) -> list[RemoteGroup]:
    try:
        return [job.target.group(text)]
    except NotFound:
        return []


def _begin(job: Job, *, writing: bool) -> frozenset[str]:
    if not job.settings.provisioning.push_groups:
        raise RefusedError(
            "provisioning.push_groups is off: no group is managed", hint="turn it on in the settings first"
        )
    return settle_interrupted(job) if writing else frozenset()


def _linked_group(job: Job, text: str) -> KnownGroup:
    found = [known for known in job.store.find_groups(text) if known.pushed is not None]
    if len(found) == 1:
        return found[0]
    if found:
        ids = ", ".join(known.okta_id for known in found)
        raise UsageError(f"{text} means several groups: {ids}", hint="give the Okta id")
    raise UsageError(f"{text} is no group that syncd manages", hint="`syncd groups` lists those that it does")


def _refuse_without_a_link(planned: Planned, okta_id: str) -> None:
    """The person asked for a link: that there is none must not look like success."""
    if planned.stage.change_counts().get(ChangeKind.LINK_GROUP):
        return
    raise why_none(planned, okta_id, "the group cannot be linked", "Okta does not show it")


def why_none(planned: Planned, okta_id: str, what: str, unsaid: str) -> SyncdError:
    """Why a plan has not what a person asked for: its first problem, or what was skipped of this object; `unsaid` where
    neither tells.
    """
    for problem in planned.problems:
        return problem
    reasons = [skip.reason for skip in planned.header.skipped if skip.okta_id == okta_id]
    return RefusedError(f"{what}: {'; '.join(reasons) or unsaid}", hint="nothing was changed at either side")


def _ask_again(job: Job, known: KnownGroup, asked: Asked) -> None:
    """What failed or was rejected before and is asked for by name now is a new question."""
    job.store.retry_now(f"group:{known.okta_id}")
    decision = decide_group(GroupCase(known.okta_id, known, known.wanted, asked), job.policy, None)
    if isinstance(decision, Decision):
        rejected = job.store.decided().rejected
        job.store.forget_decisions([change.id for change in decision.changes if change.id in rejected])
