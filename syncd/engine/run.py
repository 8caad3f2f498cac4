"""The cycles a person or a timer starts: plan, sync, apply. One engine; they differ in what they look at."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Any, Self

from syncd.core.change import Change, ChangeKind
from syncd.core.diff import Skipped
from syncd.core.plan import PlanHeader, SavedPlan, plan_document, timestamp
from syncd.engine.applying import Applying
from syncd.engine.holding import OTHER_SCOPE, SCOPE_KEY, hold_unsafe_changes
from syncd.engine.job import Job
from syncd.engine.naming import named_objects
from syncd.engine.planning import Planning, make_plan
from syncd.engine.reading import Reading, read_everything, read_selected
from syncd.engine.recovery import settle_open_intents
from syncd.engine.selection import Selection
from syncd.engine.staleness import refuse_if_stale, refuse_other_settings, touched
from syncd.errors import RefusedError, SyncdError
from syncd.model import Application
from syncd.ports import Stage, Store

COMPLETE_READ_KEY = "last_complete_read"


@dataclass
class Planned:
    """A plan with its changes on disk. Close it (or use it as a context manager) to remove them."""

    header: PlanHeader
    problems: Sequence[SyncdError]
    stage: Stage
    planning: Planning

    def changes(self) -> Iterator[Change]:
        return self.stage.changes()

    def held(self, hold_id: str) -> Iterator[Change]:
        return self.stage.changes(hold_id=hold_id)

    def document(self) -> dict[str, Any]:
        """The contract's plan document."""
        held = {hold.id: list(self.held(hold.id)) for hold in self.header.holds}
        return plan_document(self.header, self.changes(), held)

    @property
    def has_changes(self) -> bool:
        return any(self.header.summary.values()) or bool(self.header.holds)

    @property
    def exit_code(self) -> int:
        return 1 if self.problems else 3 if self.header.holds else 0

    def close(self) -> None:
        self.stage.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def plan(job: Job, selection: Selection, allow: Mapping[str, int] | None = None) -> Planned:
    """Reads Okta, diffs, matches and checks; writes nothing at either side or in the store."""
    return _planned(job, selection.kind, lambda stage: _read(job, stage, selection), allow or {})


def _read(job: Job, stage: Stage, selection: Selection) -> Reading:
    if selection.everything:
        return read_everything(job, stage, every_member_list=selection.full)
    users, groups = named_objects(job, selection)
    return read_selected(job, stage, users, groups)


def _planned(job: Job, kind: str, read: Callable[[Stage], Reading], allow: Mapping[str, int]) -> Planned:
    stage = job.store.stage()
    try:
        reading = read(stage)
        job.observer.phase("planning")
        planning = make_plan(job, stage, reading)
        holds = hold_unsafe_changes(planning, allow)
        header = PlanHeader(
            connection=job.settings.name,
            kind=kind,
            created_at=planning.policy.now,
            state_revision=job.store.revision(),
            scope=job.scope,
            target=job.target_fingerprint,
            summary=stage.change_counts(),
            holds=holds,
            skipped=sorted(
                planning.skipped, key=lambda skip: (skip.kind, skip.name, skip.okta_id, skip.reason)
            ),
        )
        return Planned(header, tuple(reading.problems), stage, planning)
    except BaseException:
        stage.close()
        raise


@dataclass(frozen=True)
class RunResult:
    """The result of sync or apply (contract: syncd.run/1)."""

    run_id: str
    connection: str
    applied: Mapping[ChangeKind, int]
    failed: Mapping[ChangeKind, int]
    held: Mapping[ChangeKind, int]
    skipped: Sequence[Skipped]
    errors: Sequence[Mapping[str, Any]]
    requests: Mapping[str, Mapping[str, int]]
    problems: Sequence[SyncdError]
    holds: Sequence[Mapping[str, Any]]
    duration_seconds: float
    waiting: int = 0
    """Objects that failed earlier and wait for their next try, or memberships that wait for those."""

    @property
    def exit_code(self) -> int:
        if self.problems:
            return 1
        if self.held:
            return 3
        return 4 if self.failed or self.waiting else 0

    @property
    def status(self) -> str:
        return {0: "succeeded", 1: "failed", 3: "refused", 4: "partial"}[self.exit_code]

    def summary(self) -> dict[str, dict[str, int]]:
        skipped: dict[str, int] = {}
        for skip in self.skipped:
            skipped[skip.kind] = skipped.get(skip.kind, 0) + 1
        return {
            "applied": _counts(self.applied),
            "failed": _counts(self.failed),
            "held": _counts(self.held),
            "skipped": dict(sorted(skipped.items())),
        }

    def document(self) -> dict[str, Any]:
        return {
            "schema": "syncd.run/1",
            "run_id": self.run_id,
            "connection": self.connection,
            "status": self.status,
            "summary": self.summary(),
            "requests": {side: dict(sorted(counts.items())) for side, counts in self.requests.items()},
            "errors": list(self.errors),
            "holds": list(self.holds),
            "skipped": [
                {"kind": skip.kind, "okta_id": skip.okta_id, "name": skip.name, "reason": skip.reason}
                for skip in self.skipped
            ],
            "duration_seconds": round(self.duration_seconds, 3),
        }


def _counts(counts: Mapping[ChangeKind, int]) -> dict[str, int]:
    return {kind.value: counts[kind] for kind in ChangeKind if counts.get(kind)}


def _held_counts(planned: Planned) -> Mapping[ChangeKind, int]:
    counts: dict[ChangeKind, int] = {}
    for hold in planned.header.holds:
        for change in planned.held(hold.id):
            counts[change.kind] = counts.get(change.kind, 0) + 1
    return counts


def remember_holds(store: Store, planned: Planned) -> None:
    """Raises the plan's holds, and ends decisions about wishes that a complete cycle no longer has."""
    whole = planned.header.kind == "full" and not planned.problems
    if whole:
        decided = store.decided()
        gone = [
            each for each in sorted(decided.approved | decided.rejected) if not planned.stage.has_change(each)
        ]
        if gone:
            store.forget_decisions(gone)
    store.raise_holds([(hold, planned.held(hold.id)) for hold in planned.header.holds], whole=whole)


@dataclass
class _Run:
    """One journalled run: begun, carried out, finished whatever happens."""

    job: Job
    kind: str
    started: float = field(default_factory=time.monotonic)
    run_id: str = ""

    def carry_out(self, read: Callable[[Stage], Reading], allow: Mapping[str, int]) -> RunResult:
        settle_open_intents(self.job)
        with _planned(self.job, self.kind, read, allow) as planned:
            return self.apply(planned)

    def apply(self, planned: Planned, *, only: frozenset[str] | None = None) -> RunResult:
        refuse_second_writer(self.job, planned.planning.reading.app)
        self.run_id = self.job.store.begin_run(self.kind)
        try:
            if only is not None:
                others = [change.id for change in planned.changes() if change.id not in only]
                planned.stage.hold_changes(others, "outside")
                planned.header = replace(planned.header, holds=(), skipped=())  # not what this run is about
            self.job.store.absorb(planned.stage, confirmed_absent=planned.planning.left)
            if only is None:
                remember_holds(self.job.store, planned)
            applying = Applying(self.job, self.run_id)
            applying.run(planned.stage)
            self._remember(planned)
            result = self._result(planned, applying)
        except BaseException as error:
            self.job.store.finish_run(self.run_id, status="failed", summary={}, error=str(error))
            raise
        message = "; ".join(problem.message for problem in result.problems) or None
        self.job.store.finish_run(self.run_id, status=result.status, summary=result.summary(), error=message)
        return result

    def _remember(self, planned: Planned) -> None:
        store = self.job.store
        if self.kind == "full" and not planned.problems:
            store.remember(COMPLETE_READ_KEY, timestamp(planned.header.created_at))
            if not any(hold.check == OTHER_SCOPE for hold in planned.header.holds):
                store.remember(SCOPE_KEY, self.job.scope)

    def _result(self, planned: Planned, applying: Applying) -> RunResult:
        retries = {failure.object_key: failure.next_attempt for failure in self.job.store.failures()}
        errors = [
            {
                "object": change.name if change.group is None else f"{change.user} in {change.group}",
                "okta_id": change.okta_id,
                "kind": change.kind.value,
                "message": error.message,
                "next_attempt": timestamp(retries[change.object_key])
                if change.object_key in retries
                else None,
            }
            for change, error in applying.failures
        ]
        problems = [*planned.problems, *([applying.stopped] if applying.stopped else [])]
        errors += [
            {
                "object": self.job.settings.name,
                "okta_id": None,
                "kind": "run",
                "message": problem.message,
                "next_attempt": None,
            }
            for problem in problems
        ]
        quarantined = sum(skip.kind == "quarantined" for skip in planned.header.skipped)
        return RunResult(
            run_id=self.run_id,
            connection=self.job.settings.name,
            applied=applying.applied,
            failed=applying.failed,
            held=_held_counts(planned),
            skipped=planned.header.skipped,
            errors=errors,
            requests={"okta": self.job.source.requests(), "target": self.job.target.requests()},
            problems=problems,
            holds=[
                {
                    "id": hold.id,
                    "check": hold.check,
                    "reason": hold.reason,
                    "way_out": hold.way_out,
                    "numbers": dict(hold.numbers),
                    "changes": hold.changes,
                }
                for hold in planned.header.holds
            ],
            duration_seconds=time.monotonic() - self.started,
            waiting=quarantined + sum(applying.deferred.values()),
        )


def refuse_second_writer(job: Job, app: Application) -> None:
    """Okta's own provisioning of the same app would be a second writer (setting okta.coexist)."""
    if app.pushes_itself and not job.settings.okta.coexist:
        features = ", ".join(sorted(app.features))
        raise RefusedError(
            f"Okta provisions the app {app.label} itself (features: {features}): two writers would fight",
            hint="turn off Okta's provisioning of this app (Provisioning, To App), or set okta.coexist = true",
        )


def sync(job: Job, selection: Selection, allow: Mapping[str, int] | None = None) -> RunResult:
    """Plan, safety check, apply. The caller holds the store's lock."""
    refuse_second_writer(job, job.source.application())
    run = _Run(job, selection.kind)
    return run.carry_out(lambda stage: _read(job, stage, selection), allow or {})


def plan_to_apply(job: Job, selection: Selection, allow: Mapping[str, int] | None = None) -> Planned:
    """A plan under the writer's lock, with interrupted writes settled first; give it to `apply_planned`."""
    settle_open_intents(job)
    return plan(job, selection, allow)


def apply_planned(job: Job, planned: Planned) -> RunResult:
    """Applies a plan made by `plan_to_apply` just now, under the same lock."""
    return _Run(job, planned.header.kind).apply(planned)


def apply_approved(job: Job, changes: Sequence[Change]) -> RunResult:
    """Applies approved changes at once: those of them that are still wanted and unchanged, and nothing else."""
    settle_open_intents(job)
    users, groups = touched(changes)
    with _planned(job, "targeted", lambda stage: read_selected(job, stage, users, groups), {}) as planned:
        return _Run(job, "targeted").apply(planned, only=frozenset(change.id for change in changes))


def apply_saved(job: Job, saved: SavedPlan) -> RunResult:
    """Applies exactly a saved plan. Raises StaleError or RefusedError before the first write when the settings, or
    any object of the plan at either side, are no longer what the plan saw.
    """
    refuse_other_settings(job, saved)
    settle_open_intents(job)
    run = _Run(job, saved.kind)
    users, groups = touched(saved.changes)
    with _planned(job, saved.kind, lambda stage: read_selected(job, stage, users, groups), {}) as planned:
        held = {change.id for hold in planned.header.holds for change in planned.held(hold.id)}
        refuse_if_stale(job, saved, wanted={change.id for change in planned.changes()}, held=held)
        return run.apply(planned, only=frozenset(change.id for change in saved.changes))
