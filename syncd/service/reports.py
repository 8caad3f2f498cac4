"""What one cycle came to, as the board's value."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, runtime_checkable

from syncd.core.latency import latency_of
from syncd.engine.cycles.drift_report import DriftReport
from syncd.engine.cycles.result import RunResult
from syncd.engine.job import Job
from syncd.errors import SyncdError, WritingWaits, status_after
from syncd.ports import Bucket, RunRecord, Store
from syncd.redact import Redactor
from syncd.service.board import CycleReport, RateHeadroom


@dataclass(frozen=True)
class Ending:
    """How a cycle ended: with a result, with a report of drift (of a repair with both), with an error, or (none of
    them) with nothing to do.
    """

    result: RunResult | None = None
    drift: DriftReport | None = None
    error: BaseException | None = None

    @property
    def status(self) -> str:
        """As in the run's record; "quiet" when there was nothing to do."""
        if self.error is not None:
            return status_after(self.error)
        if self.result is not None:
            return self.result.status
        if self.drift is not None:
            return "failed" if self.drift.problems else "succeeded"
        return "quiet"

    @property
    def problems(self) -> Sequence[SyncdError]:
        """Of the run and of the comparison."""
        return self.result.problems if self.result else self.drift.problems if self.drift else ()

    @property
    def waits(self) -> bool:
        """Nothing went wrong but that a pause or a shut window kept it from writing."""
        problems = [*self.problems, *([self.error] if self.error else [])]
        return bool(problems) and all(isinstance(each, WritingWaits) for each in problems)

    @property
    def message(self) -> str:
        """Empty when nothing went wrong."""
        if isinstance(self.error, SyncdError):
            return self.error.message
        if self.error is not None:
            return f"{type(self.error).__name__}: {self.error}"
        return "; ".join(problem.message for problem in self.problems)

    def told(self, redactor: Redactor) -> str:
        """The message without secrets. What an error that is not of ours says may be a server's words."""
        crashed = self.error is not None and not isinstance(self.error, SyncdError)
        return redactor.raised(self.message) if crashed else redactor.text(self.message)

    @property
    def hint(self) -> str:
        """What to do about it; "" when nobody knows."""
        if isinstance(self.error, SyncdError):
            return self.error.hint
        return next((problem.hint for problem in self.problems if problem.hint), "")


@runtime_checkable
class Paced(Protocol):
    """A source that can tell of its limits: seconds waited so far, and the buckets as last seen."""

    def waited_seconds(self) -> float: ...
    def limits(self) -> Mapping[str, Bucket]: ...


def ended(work: Callable[[Job], Ending], job: Job) -> Ending:
    """How the work came out; it never raises."""
    try:
        return work(job)
    except Exception as error:  # noqa: BLE001  (a crash in a cycle is a failed cycle)
        return Ending(error=error)


def _run_written_for(
    store: Store | None, ending: Ending, kind: str | None, started: datetime
) -> RunRecord | None:
    """The run that was written down, also for a cycle which then crashed, or that has no result. `kind` None: of any
    kind that people ask for.
    """
    if store is None or not (ending.result or ending.error or ending.drift):
        return None
    try:
        if ending.result is not None:
            return store.run(ending.result.run_id)
        runs = [run for run in store.runs(limit=5) if run.started >= started]
    except SyncdError:
        return None
    return next((run for run in runs if run.kind == kind or (kind is None and run.kind != "delta")), None)


def cycle_report(
    kind: str,
    started: datetime,
    finished: datetime,
    ending: Ending,
    *,
    job: Job | None = None,
    waited: Mapping[str, float] | None = None,
    store: Store | None = None,
    error: str = "",
    asked: bool = False,
) -> CycleReport:
    """`job` is None when the cycle ended before anything could be asked; `waited` is what was announced, by side.
    `asked`: by a person, so that it is called what its run is, and is none where it was refused before one began.
    """
    run = _run_written_for(store, ending, None if asked else kind, started)
    run_id = ending.result.run_id if ending.result else run.run_id if run else None
    seconds = {"target" if side == "split" else side: total for side, total in (waited or {}).items()}
    headroom: dict[str, RateHeadroom] = {}
    if job is not None and isinstance(job.source, Paced):
        seconds["okta"] = job.source.waited_seconds()
        headroom = {
            name: RateHeadroom(bucket.limit, bucket.remaining, bucket.reset)
            for name, bucket in job.source.limits().items()
        }
    return CycleReport(
        kind=run.kind if asked and run is not None else kind,
        started=started,
        finished=finished,
        status=ending.status,
        run_id=run_id,
        error=error,
        changes=_changes(ending.result),
        requests=_requests(job),
        waited_seconds={side: total for side, total in seconds.items() if total},
        headroom=headroom,
        latencies={
            kind.value: latency_of(seconds)
            for kind, seconds in (ending.result.latencies if ending.result else {}).items()
        },
        began=not (asked and run_id is None and isinstance(ending.error, SyncdError)),
    )


def _changes(result: RunResult | None) -> Mapping[tuple[str, str], int]:
    if result is None:
        return {}
    return {
        (kind, outcome): count
        for outcome, counts in result.summary().items()
        for kind, count in counts.items()
        if count
    }


def _requests(job: Job | None) -> Mapping[tuple[str, str], int]:
    found: Counter[tuple[str, str]] = Counter()
    for side, asked in (("okta", job.source), ("target", job.target)) if job else ():
        for request, count in asked.requests().items():
            found[side, request.rpartition(" ")[2]] += count
    return found
