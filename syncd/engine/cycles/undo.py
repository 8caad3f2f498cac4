"""Gives back what one run changed at the target, as far as nobody changed it since: planned, checked, journalled and
applied like everything else.

The wishes of Okta stay what they are, so ordinary cycles would do it all again: what was given back is held (`undone`)
until a person approves it, or the wish changes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from syncd.core.change import GROUP_KINDS, Change, change_from_document, revised
from syncd.core.diff import Skipped
from syncd.core.flavors import deactivation_note
from syncd.core.plan import SavedPlan
from syncd.core.undo import Irreversible, Reversal, reverse
from syncd.engine.cycles.result import RunResult
from syncd.engine.cycles.run import CycleRun, settle_interrupted
from syncd.engine.facts import UNDONE, Undone
from syncd.engine.job import Job
from syncd.engine.planning.decide import begin
from syncd.engine.planning.draft import Planning
from syncd.engine.planning.plan import checked
from syncd.engine.planning.planned import Planned
from syncd.engine.planning.stale import moved_since, refuse_other_settings
from syncd.engine.reading.learned import Reading
from syncd.engine.reading.lists import read_application
from syncd.engine.reading.staged import closing_on_error
from syncd.errors import RefusedError, StaleError, UsageError

KIND = "undo"
"""The kind of plan and of run (contract: JSON documents, plan)."""
NOT_GIVEN_BACK = "not_given_back"
"""The kind of what was changed since, or what nothing gives back."""


def plan_undo(job: Job, run_id: str, by: str, allow: Mapping[str, int], *, writing: bool = True) -> Planned:
    """What gives this run back. Writes nothing, but with `writing` what interrupted runs left to settle.

    Raises UsageError for a run that nobody knows, RefusedError for one that is still going on, was undone already, or
    whose rows the trail has no more.
    """
    unsettled = settle_interrupted(job) if writing else frozenset()
    done = _done_by(job, run_id)
    stage = job.store.stage()
    with closing_on_error(stage):
        reading = Reading(read_application(job))
        stage.limit_to(users=(), groups=())
        planning = begin(job, stage, reading, unsettled)
        planning.gives_back = True
        _give_back(planning, done, f"undo of run {run_id}, asked for by {by}")
        planned = checked(planning, KIND, allow)
    again = f"; then syncd undo {run_id} again"  # no other cycle wants it
    holds = [replace(hold, way_out=f"{hold.way_out}{again}") for hold in planned.header.holds]
    planned.header = replace(planned.header, undoes=run_id, holds=holds)
    return planned


def apply_undo(job: Job, planned: Planned, by: str, reason: str | None = None) -> RunResult:
    """Applies the plan of `plan_undo` under the same lock."""
    with CycleRun(job, KIND) as run:
        _carry_out(job, run, planned, by, reason)
    return run.result


def apply_saved_undo(job: Job, saved: SavedPlan, by: str) -> RunResult:
    """Exactly what was saved: raises StaleError before the first write when any of it was changed since."""
    with CycleRun(job, KIND) as run:
        refuse_other_settings(job, saved)
        with plan_undo(job, saved.undoes, by, saved.allow) as planned:
            now = {change.id for change in planned.changes()}
            gone = [change.name for change in saved.changes if change.id not in now]
            if gone or len(now) != len(saved.changes):
                raise StaleError(
                    f"the plan is stale: what gives run {saved.undoes} back is not the same any more",
                    hint="look at the world again: make a new plan with `syncd undo RUN -o FILE`",
                )
            _carry_out(job, run, planned, by)
    return run.result


def _carry_out(job: Job, run: CycleRun, planned: Planned, by: str, reason: str | None = None) -> None:
    """What would make it all again is remembered first: a run that dies in the middle is not taken back by the next."""
    undoes = planned.header.undoes
    job.store.note({"decision": "undo", "by": by, "run": undoes}, run_id=run.run_id, reason=reason)
    again = dict(_again(job, undoes, by))
    planned_ids = [change.id for change in planned.changes()]
    undone = UNDONE.of(job.store, Undone()).with_wishes(again.get(each, ()) for each in planned_ids)
    UNDONE.remember(job.store, undone)
    run.write(planned)
    # What failed stays remembered too: it may have been done without an answer. The next complete cycle knows.
    applied = {change.id for change in _applied(job, run.run_id)}
    if planned_ids and applied.issuperset(planned_ids) and not planned.header.holds:
        UNDONE.remember(job.store, undone.with_run(undoes, run.run_id))


def _done_by(job: Job, run_id: str) -> list[Change]:
    """What the run applied, the youngest first."""
    run = job.store.run(run_id)
    if run is None:
        raise UsageError(f"there is no run {run_id}", hint="`syncd report` and `syncd status` list the runs")
    if run.finished is None:
        raise RefusedError(
            f"the run {run_id} has not ended", hint="wait until it has, or settle it with syncd sync"
        )
    if (by := UNDONE.of(job.store, Undone()).runs.get(run_id)) is not None:
        raise RefusedError(f"the run {run_id} was undone already, by run {by}")
    done = list(_applied(job, run_id))
    if not done and any(run.summary.get("applied", {}).values()):
        raise RefusedError(
            f"the audit trail has the rows of run {run_id} no more",
            hint="see audit.keep in docs/configuration.md",
        )
    return done[::-1]


def _applied(job: Job, run_id: str) -> Iterator[Change]:
    for entry in job.store.journal_entries(run_id=run_id):
        if (
            entry.entry == "outcome"
            and entry.applied
            and not entry.body.get("step")
            and entry.asked is not None
        ):
            yield change_from_document(entry.asked)


def _reversals(job: Job, done: Sequence[Change], by: str) -> Iterator[tuple[Change, Reversal | Irreversible]]:
    removes = bool(deactivation_note(job.policy.flavor))
    for change in done:
        yield change, reverse(change, _scim_id(job, change), by, removes=removes)


def _again(job: Job, run_id: str, by: str) -> Iterator[tuple[str, frozenset[str]]]:
    """The id of each change that gives something back, with the wishes that would make that again."""
    by = f"undo of run {run_id}, asked for by {by}"
    for _, found in _reversals(job, list(_applied(job, run_id)), by):
        if isinstance(found, Reversal):
            yield from ((change.id, found.again) for change in found.changes)


def _scim_id(job: Job, change: Change) -> str | None:
    if change.kind in GROUP_KINDS:
        group = job.store.group(change.okta_id)
        return group.pushed.scim_id if group and group.pushed else None
    user = job.store.user(change.okta_id)
    return user.pushed.scim_id if user and user.pushed else None


def _give_back(planning: Planning, done: Sequence[Change], by: str) -> None:
    job = planning.job
    back: list[Change] = []
    for change, found in _reversals(job, done, by):
        if isinstance(found, Irreversible):
            planning.skip(_left(change, found.reason))
            continue
        back += [
            revised(each, note="; ".join(filter(None, (each.note, found.note)))) for each in found.changes
        ]
    moved = moved_since(job, back)
    for change in back:
        if (why := moved.get(change.id)) is not None:
            planning.skip(_left(change, f"{why} since"))
        elif _is_as_remembered(job, change):
            _name(planning, change)
            planning.add_change(change)
        else:
            planning.skip(_left(change, "a later run changed it"))


def _is_as_remembered(job: Job, change: Change) -> bool:
    """Whether what was last written is what the change begins with: servers may not show it."""
    if change.group_id is not None:
        there = change.okta_id in set(job.store.pushed_members(change.group_id))
        return there is change.before["member"]
    user = job.store.user(change.okta_id)
    if change.kind in GROUP_KINDS or user is None or user.pushed is None:
        return True
    values = {"active": user.pushed.active, **user.pushed.attributes}
    initial = job.settings.initial  # not remembered: the target alone tells
    return all(values.get(path) == value for path, value in change.before.items() if path not in initial)


def _name(planning: Planning, change: Change) -> None:
    """The checks speak of groups by their names."""
    if change.group_id is not None and change.group:
        planning.group_names[change.group_id] = change.group


def _left(change: Change, reason: str) -> Skipped:
    about = "group" if change.kind in GROUP_KINDS else "user"
    said = f"{change.kind} is not given back: {reason}"
    return Skipped(NOT_GIVEN_BACK, change.okta_id, change.name, said, about, group_id=change.group_id)
