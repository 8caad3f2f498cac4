"""The cycles a person or a timer starts: plan, sync, apply. One engine; they differ in what they look at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet

from syncd.core.change import Change
from syncd.core.plan import SavedPlan
from syncd.engine.cycles.result import RunResult
from syncd.engine.cycles.run import CycleRun, settle_interrupted
from syncd.engine.job import Job
from syncd.engine.planning.plan import planned_from
from syncd.engine.planning.planned import Planned
from syncd.engine.planning.stale import refuse_if_stale, refuse_other_settings, touched
from syncd.engine.reading.full import read_everything
from syncd.engine.reading.learned import Reading
from syncd.engine.reading.lookup import found, named_objects
from syncd.engine.reading.named import read_selected
from syncd.engine.reading.selection import Selection
from syncd.engine.reading.staged import staged
from syncd.engine.writing.other_target import refuse_other_target
from syncd.errors import SyncdError
from syncd.ports import Stage


def plan(job: Job, selection: Selection, allow: Mapping[str, int] | None = None) -> Planned:
    """Reads Okta, diffs, matches and checks; writes nothing at either side or in the store."""
    refuse_other_target(job)
    return _plan(job, selection, allow, frozenset())


def _plan(
    job: Job, selection: Selection, allow: Mapping[str, int] | None, unsettled: AbstractSet[str]
) -> Planned:
    stage, reading = staged(job, lambda stage: _read(job, stage, selection))
    return planned_from(job, selection.kind, stage, reading, allow or {}, unsettled)


def _read(job: Job, stage: Stage, selection: Selection) -> Reading:
    if selection.everything:
        return read_everything(job, stage, every_member_list=selection.full)
    users, groups = named_objects(job, selection)
    return read_selected(job, stage, users, groups)


def sync(
    job: Job, selection: Selection, allow: Mapping[str, int] | None = None, *, may_wait: bool = False
) -> RunResult:
    """Plan, safety check, apply. The caller holds the store's lock. While nothing may be written (a pause, a shut
    window) it is refused; `may_wait`, for whoever comes again by a schedule: it reads and plans, and writes nothing.
    Raises UsageError for a name that nobody has: that is no failed run.
    """
    selection = found(job, selection)
    with CycleRun(job, selection.kind) as run:
        unsettled = settle_interrupted(job, may_wait=may_wait)
        with run.reading(lambda stage: _read(job, stage, selection)) as (stage, reading):
            run.write(planned_from(job, selection.kind, stage, reading, allow or {}, unsettled))
    return run.result


def plan_to_apply(job: Job, selection: Selection, allow: Mapping[str, int] | None = None) -> Planned:
    """A plan under the writer's lock, with interrupted writes settled first; give it to `apply_planned`."""
    return _plan(job, selection, allow, settle_interrupted(job))


def not_planned(job: Job, kind: str, error: SyncdError) -> RunResult:
    """The run of this kind that came to no plan, ended by the error that `plan_to_apply` raised."""
    with CycleRun(job, kind) as run:
        raise error
    return run.result


def apply_planned(job: Job, planned: Planned) -> RunResult:
    """Applies a plan made by `plan_to_apply` just now, under the same lock."""
    with CycleRun(job, planned.header.kind) as run:
        run.write(planned)
    return run.result


def apply_approved(job: Job, changes: Sequence[Change]) -> RunResult:
    """Applies approved changes at once: those of them that are still wanted and unchanged, and nothing else."""
    unsettled = settle_interrupted(job)
    users, groups = touched(changes)
    stage, reading = staged(job, lambda stage: read_selected(job, stage, users, groups))
    with (
        planned_from(job, "targeted", stage, reading, {}, unsettled) as planned,
        CycleRun(job, "targeted") as run,
    ):
        run.write_only(planned, {change.id for change in changes})
    return run.result


def apply_saved(job: Job, saved: SavedPlan) -> RunResult:
    """Applies exactly a saved plan; refused as stale before the first write when the settings, or any object of the
    plan at either side, are no longer what the plan saw. The refusal is a run too.
    """
    with CycleRun(job, saved.kind) as run:
        refuse_other_settings(job, saved)
        unsettled = settle_interrupted(job)
        stage, reading = staged(job, lambda stage: _read_all_of(job, stage, saved))
        with planned_from(job, saved.kind, stage, reading, saved.allow, unsettled) as planned:
            wanted = {change.id for change in planned.changes()}
            held = {change.id for hold in planned.header.holds for change in planned.held(hold.id)}
            refuse_if_stale(job, saved, wanted=wanted, held=held)
            holds = [hold for hold, _ in saved.holds]
            run.write_only(planned, {change.id for change in saved.changes}, holds=holds, held=saved.held())
    return run.result


def _read_all_of(job: Job, stage: Stage, saved: SavedPlan) -> Reading:
    """A plan is applied exactly, or not at all: raises the problem of whatever cannot be read."""
    users, groups = touched(saved.changes)
    reading = read_selected(job, stage, users, groups)
    for problem in reading.unread.values():
        raise problem
    return reading
