"""The cycles a person or a timer starts: plan, sync, apply. One engine; they differ in what they look at."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet

from syncd.core.change import Change
from syncd.core.plan import SavedPlan
from syncd.engine.cycles.result import RunResult
from syncd.engine.cycles.run import CycleRun
from syncd.engine.job import Job
from syncd.engine.planning.plan import planned_from
from syncd.engine.planning.planned import Planned
from syncd.engine.planning.stale import refuse_if_stale, refuse_other_settings, touched
from syncd.engine.reading.full import read_everything
from syncd.engine.reading.learned import Reading
from syncd.engine.reading.lookup import named_objects
from syncd.engine.reading.named import read_selected
from syncd.engine.reading.selection import Selection
from syncd.engine.reading.staged import staged
from syncd.engine.writing import quarantine
from syncd.engine.writing.recover import settle_open_intents
from syncd.ports import Stage


def plan(job: Job, selection: Selection, allow: Mapping[str, int] | None = None) -> Planned:
    """Reads Okta, diffs, matches and checks; writes nothing at either side or in the store."""
    return _plan(job, selection, allow, frozenset())


def _plan(
    job: Job, selection: Selection, allow: Mapping[str, int] | None, unsettled: AbstractSet[str]
) -> Planned:
    return _planned(job, selection.kind, lambda stage: _read(job, stage, selection), allow or {}, unsettled)


def _read(job: Job, stage: Stage, selection: Selection) -> Reading:
    if selection.everything:
        return read_everything(job, stage, every_member_list=selection.full)
    users, groups = named_objects(job, selection)
    return read_selected(job, stage, users, groups)


def _planned(
    job: Job,
    kind: str,
    read: Callable[[Stage], Reading],
    allow: Mapping[str, int],
    unsettled: AbstractSet[str] = frozenset(),
) -> Planned:
    stage, reading = staged(job, read)
    return planned_from(job, kind, stage, reading, allow, unsettled)


def sync(job: Job, selection: Selection, allow: Mapping[str, int] | None = None) -> RunResult:
    """Plan, safety check, apply. The caller holds the store's lock."""
    run = CycleRun(job, selection.kind)
    return run.carry_out(lambda stage: _read(job, stage, selection), allow or {})


def plan_to_apply(job: Job, selection: Selection, allow: Mapping[str, int] | None = None) -> Planned:
    """A plan under the writer's lock, with interrupted writes settled first; give it to `apply_planned`."""
    quarantine.probe(job)
    return _plan(job, selection, allow, settle_open_intents(job))


def apply_planned(job: Job, planned: Planned) -> RunResult:
    """Applies a plan made by `plan_to_apply` just now, under the same lock."""
    return CycleRun(job, planned.header.kind).apply(planned)


def apply_approved(job: Job, changes: Sequence[Change]) -> RunResult:
    """Applies approved changes at once: those of them that are still wanted and unchanged, and nothing else."""
    quarantine.probe(job)
    unsettled = settle_open_intents(job)
    users, groups = touched(changes)

    def read(stage: Stage) -> Reading:
        return read_selected(job, stage, users, groups)

    with _planned(job, "targeted", read, {}, unsettled) as planned:
        return CycleRun(job, "targeted").apply(planned, only=frozenset(change.id for change in changes))


def apply_saved(job: Job, saved: SavedPlan) -> RunResult:
    """Applies exactly a saved plan; refused as stale before the first write when the settings, or any object of the
    plan at either side, are no longer what the plan saw. The refusal is a run too.
    """
    run = CycleRun(job, saved.kind)
    users, groups = touched(saved.changes)

    def read(stage: Stage) -> Reading:
        reading = read_selected(job, stage, users, groups)
        for problem in reading.unread.values():  # a plan is applied exactly, or not at all
            raise problem
        return reading

    def cycle() -> RunResult:
        refuse_other_settings(job, saved)
        quarantine.probe(job)
        unsettled = settle_open_intents(job)
        with _planned(job, saved.kind, read, saved.allow, unsettled) as planned:
            held = {change.id for hold in planned.header.holds for change in planned.held(hold.id)}
            refuse_if_stale(job, saved, wanted={change.id for change in planned.changes()}, held=held)
            return run.write(planned, only=frozenset(change.id for change in saved.changes), saved=saved)

    return run.begun(cycle)
