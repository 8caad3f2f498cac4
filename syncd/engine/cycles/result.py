"""What a run did, as a value: the contract's result document and its exit code."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from syncd.core.change import ChangeKind
from syncd.core.left_alone import LeftAlone
from syncd.core.plan import timestamp
from syncd.core.sickness import Quarantine
from syncd.engine.job import Job
from syncd.engine.planning.planned import Planned
from syncd.engine.writing.apply import Applying
from syncd.engine.writing.quarantine import current
from syncd.errors import PermanentError, SyncdError, status_after
from syncd.ports import Store

_WAITING = frozenset({"quarantined", "unsettled", "refused"})
"""Kinds of `Skipped` that are looked at again by themselves."""
_GRAVEST_FIRST = (78, 64, 1, 3, 4)
"""Exit codes, in the contract's order of precedence."""


@dataclass(frozen=True)
class RunResult:
    """The result of sync or apply (contract: syncd.run/1)."""

    run_id: str
    connection: str
    applied: Mapping[ChangeKind, int]
    failed: Mapping[ChangeKind, int]
    held: Mapping[ChangeKind, int]
    skipped: LeftAlone
    errors: Sequence[Mapping[str, Any]]
    requests: Mapping[str, Mapping[str, int]]
    problems: Sequence[SyncdError]
    holds: Sequence[Mapping[str, Any]]
    duration_seconds: float
    quarantine: Quarantine | None = None
    audit: tuple[int, str] | None = None
    """Length and head of the audit trail when the run had ended; None when it was made unreadable."""
    waiting: int = 0
    """Objects that failed earlier and wait for their next try."""
    latencies: Mapping[ChangeKind, Sequence[float]] = field(default_factory=dict)
    """Seconds from the event in Okta to the target's answer, where there was one."""
    deferred: Mapping[ChangeKind, int] = field(default_factory=dict)
    """Planned and not sent, or sent in vain for no fault of their own: still wanted, and in the next plan."""

    @property
    def exit_code(self) -> int:
        """The gravest of what came: of the problems, 3 when something is held, 4 when something failed or waits, else
        0.
        """
        codes = {problem.exit_code for problem in self.problems}
        codes |= {3} if self.held else set()
        codes |= {4} if self.failed or self.waiting or self.deferred else set()
        return next((code for code in _GRAVEST_FIRST if code in codes), 0)

    @property
    def status(self) -> str:
        """As the run is written down: its document has no word for a run that was stopped on request."""
        if self.problems and all(status_after(problem) == "interrupted" for problem in self.problems):
            return "interrupted"
        return self._documented

    @property
    def _documented(self) -> str:
        """Held: everything else was applied. Refused: nothing was."""
        held = "held" if any(self.applied.values()) and not self.problems else "refused"
        return {0: "succeeded", 3: held, 4: "partial"}.get(self.exit_code, "failed")

    def summary(self) -> dict[str, dict[str, int]]:
        deferred = _counts(self.deferred)
        return {
            "applied": _counts(self.applied),
            "failed": _counts(self.failed),
            "held": _counts(self.held),
            "skipped": dict(self.skipped.counts),
            **({"deferred": deferred} if deferred else {}),
        }

    def document(self) -> dict[str, Any]:
        return {
            "schema": "syncd.run/1",
            "run_id": self.run_id,
            "connection": self.connection,
            "status": self._documented,
            "summary": self.summary(),
            "requests": {side: dict(sorted(counts.items())) for side, counts in self.requests.items()},
            "errors": list(self.errors),
            "holds": list(self.holds),
            "skipped": self.skipped.documents,
            "quarantine": self.quarantine.document() if self.quarantine else None,
            "audit": {"length": self.audit[0], "head": self.audit[1]} if self.audit else None,
            "duration_seconds": round(self.duration_seconds, 3),
        }


def _counts(counts: Mapping[ChangeKind, int]) -> dict[str, int]:
    return {kind.value: counts[kind] for kind in ChangeKind if counts.get(kind)}


def held_counts(planned: Planned) -> Mapping[ChangeKind, int]:
    """How many changes of each kind are held, over all holds of the plan."""
    counts: dict[ChangeKind, int] = {}
    for hold in planned.header.holds:
        for kind, number in planned.stage.change_counts(hold_id=hold.id).items():
            counts[kind] = counts.get(kind, 0) + number
    return counts


def trail_head(store: Store) -> tuple[int, str] | None:
    """Number and hash of the trail's last row; None where the trail cannot be read."""
    try:
        return store.journal_head()
    except PermanentError:
        return None


def run_result(job: Job, planned: Planned, applying: Applying, started: float) -> RunResult:
    """`started` is a reading of the monotonic clock, in seconds."""
    problems = [*planned.problems, *([applying.problem] if applying.problem else [])]
    waiting = sum(planned.header.skipped.counts.get(kind, 0) for kind in _WAITING)
    return RunResult(
        run_id=applying.run_id,
        connection=job.settings.name,
        applied=applying.applied,
        failed=applying.failed,
        held=held_counts(planned),
        skipped=planned.header.skipped,
        errors=_errors(job, applying, problems),
        requests={"okta": job.source.requests(), "target": job.target.requests()},
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
        duration_seconds=time.monotonic() - started,
        quarantine=current(job.store),
        waiting=waiting,
        deferred=applying.deferred,
        latencies=applying.latencies,
    )


def broken_off(
    job: Job, run_id: str, applying: Applying | None, error: SyncdError, started: float
) -> RunResult:
    """The result of a run that `error` ended before its time; `applying` as far as it came, None before writing."""
    return RunResult(
        run_id=run_id,
        connection=job.settings.name,
        applied=applying.applied if applying else {},
        failed=applying.failed if applying else {},
        held={},
        skipped=LeftAlone(),
        errors=_errors(job, applying, [error]),
        requests={"okta": job.source.requests(), "target": job.target.requests()},
        problems=[error],
        holds=(),
        duration_seconds=time.monotonic() - started,
        quarantine=current(job.store),
    )


def _errors(
    job: Job, applying: Applying | None, problems: Sequence[SyncdError]
) -> Sequence[Mapping[str, Any]]:
    """Objects that failed, with their next try, then what befell the run as a whole."""
    retries = {failure.object_key: failure.next_attempt for failure in job.store.failures()}
    errors: list[Mapping[str, Any]] = [
        {
            "object": change.name if change.group is None else f"{change.user} in {change.group}",
            "okta_id": change.okta_id,
            "kind": change.kind.value,
            "message": error.message,
            "hint": error.hint,
            "next_attempt": timestamp(retries[change.object_key]) if change.object_key in retries else None,
        }
        for change, error in (applying.failures if applying else ())
    ]
    errors += [
        {
            "object": job.settings.name,
            "okta_id": None,
            "kind": "run",
            "message": problem.message,
            "hint": problem.hint,
            "next_attempt": None,
        }
        for problem in problems
    ]
    return errors
