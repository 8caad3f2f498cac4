"""One journalled run: begun, ended whatever happens. Every cycle that writes is one."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC
from functools import partial
from types import TracebackType
from typing import Self, TypeVar

from syncd.core.change import ChangeKind
from syncd.core.latency import EventLatency, latency_of
from syncd.core.left_alone import LeftAlone
from syncd.core.plan import Hold, timestamp
from syncd.engine.cycles.decided import forget_what_is_over, hold_after_canary, remember_holds
from syncd.engine.cycles.result import RunResult, broken_off, run_result, trail_head
from syncd.engine.cycles.waiting import failures_over, names_left, remember, remember_left
from syncd.engine.facts import (
    ASSIGNMENTS,
    COMPLETE_READ,
    EVENT_LATENCIES,
    SCOPE,
    TIES,
    UNDONE,
    AskedTie,
)
from syncd.engine.job import Job, scope_as_decided
from syncd.engine.planning.hold import still_undone
from syncd.engine.planning.making import begun, ended, is_exempt, manages_anything
from syncd.engine.planning.planned import Planned
from syncd.engine.planning.rewriting import seen_now
from syncd.engine.planning.scope import decided_scope
from syncd.engine.reading.learned import NamedReading
from syncd.engine.reading.staged import staged
from syncd.engine.writing import quarantine
from syncd.engine.writing.apply import Applying
from syncd.engine.writing.done_before import nothing_earlier_is_left
from syncd.engine.writing.other_target import refuse_other_target, target_to_remember
from syncd.engine.writing.permission import refuse_while_barred
from syncd.engine.writing.recover import settle_open_intents
from syncd.errors import PermanentError, RefusedError, SyncdError, WritingWaits, status_after, words_after
from syncd.model import Application
from syncd.ports import Stage

T = TypeVar("T")


@dataclass
class CycleRun:
    """One journalled run, a context manager: it begins with the block and has a `result` after it. A SyncdError that
    ends the block is that result; every other exception is written down as the run's end, and goes on.
    """

    job: Job
    kind: str
    started: float = field(default_factory=time.monotonic)
    run_id: str = ""
    applying: Applying | None = None
    absorbed: bool = False
    """What was read is in the store: from here on the store knows what is still to be done."""
    ended_early: bool = False
    """It was stopped or failed on the way: of what the store knows by it something may be unwritten, and nobody looks
    at that again unasked. What a pause keeps waiting the next full cycle sees.
    """
    result: RunResult = field(init=False)

    def __enter__(self) -> Self:
        self.run_id = self.job.store.begin_run(self.kind)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if isinstance(error, SyncdError):
            self.ended_early = True
            quarantine.note(self.job, error)
            self.result = broken_off(self.job, self.run_id, self.applying, error, self.started)
            # Where even its end cannot be written down, what ended it is still the result.
            with suppress(SyncdError):
                self._end(self.result)
            return True
        if error is not None:
            with suppress(SyncdError):
                self._finish(status_after(error), {}, words_after(error))
        return False

    @contextmanager
    def reading(self, read: Callable[[Stage], T]) -> Iterator[tuple[Stage, T]]:
        """What was read, with the turn. What shorter cycles store while a complete one reads is younger, and wins.

        After a complete one it is read once more, with the turn; so are answers by id about some objects, after any
        cycle that learned of these: nobody can tell which is younger. The stage is closed with the block.
        """
        stage, found = staged(self.job, read)
        with self.job.turn:
            if stage.is_overtaken:
                stage.close()
                self.job.observer.event(
                    "info", "reads again", run=self.run_id, why="another cycle learned of the same"
                )
                stage, found = staged(self.job, read)
            try:
                yield stage, found
            finally:
                stage.close()

    def write(self, planned: Planned) -> None:
        """Carries the plan out, but for what it holds, and ends the run."""
        refuse_second_writer(self.job, planned.planning.reading.app)
        whole = planned.header.kind == "full" and not planned.problems
        self._store_what_was_read(planned, whole=whole)
        remember_holds(self.job.store, planned)
        applying = self._apply(planned, whole=whole)
        self._remember(planned, applying, whole=whole)
        self._end(self._result(planned, applying))

    def write_only(
        self,
        planned: Planned,
        changes: AbstractSet[str],
        *,
        holds: Sequence[Hold] = (),
        held: Mapping[ChangeKind, int] | None = None,
    ) -> None:
        """Carries out these changes of the plan (by id) and ends the run. What else their objects need is not what it
        is about: the result tells of `holds` instead, with so many changes `held`, and of nothing that was skipped.
        """
        refuse_second_writer(self.job, planned.planning.reading.app)
        self._store_what_was_read(planned, whole=False)
        others = [change.id for change in planned.changes() if change.id not in changes]
        planned.stage.hold_changes(others, "outside")
        planned.header = replace(planned.header, holds=holds, skipped=LeftAlone())
        applying = self._apply(planned, whole=False)
        self._remember(planned, applying, whole=False)
        counts = Counter(held or {})
        counts.update({kind: len(ids) for kind, ids in applying.canary.held.items()})
        self._end(replace(self._result(planned, applying), held=counts))

    def _store_what_was_read(self, planned: Planned, *, whole: bool) -> None:
        job, reading = self.job, planned.planning.reading
        facts = {**begun(planned.planning), **seen_now(planned.planning), **target_to_remember(job)}
        if SCOPE.of(job.store) is None and not manages_anything(job.store):
            facts |= [SCOPE.entry(scope_as_decided(job))]
        job.store.remember_all(facts)
        if isinstance(reading, NamedReading):
            reading.freed |= names_left(planned.stage)
        job.store.absorb(planned.stage, confirmed_absent=planned.planning.left)
        self.absorbed = True
        remember_what_was_seen(job, planned, whole=whole)

    def _apply(self, planned: Planned, *, whole: bool) -> Applying:
        limits_raised = planned.header.allow.keys() | planned.planning.expected.keys()
        planning = planned.planning
        exempt = partial(is_exempt, planning)
        self.applying = applying = Applying(
            self.job, self.run_id, limits_raised, exempt, planning.spared, planning.order
        )
        applying.run(planned.stage)
        self.ended_early = not isinstance(applying.stopped, WritingWaits | None)
        if hold_after_canary(planned, applying.canary):
            remember_holds(self.job.store, planned)
        remember_left(self.job, planned, (*applying.left, *applying.unsent.values()), whole=whole)
        return applying

    def _remember(self, planned: Planned, applying: Applying, *, whole: bool) -> None:
        """Once, which seals it once. `whole`: everything was read."""
        at_end = not (planned.problems or applying.was_cut_short)
        facts = dict(
            ended(
                planned.planning,
                planned.header.holds,
                whole=planned.header.kind == "full",
                came_to_its_end=at_end,
            )
        )
        if whole:
            facts |= self._complete_read(planned)
        if whole and at_end and not (planned.header.holds or applying.failures):
            facts |= nothing_earlier_is_left(self.job.store)
        if planned.planning.ties or planned.planning.ties_over:
            facts |= [still_asked(self.job, planned.planning.ties_over)]
        undone = UNDONE.of(self.job.store)
        if whole and at_end and undone is not None:
            failed = {change.id for change, _ in applying.failures}
            facts |= [UNDONE.entry(replace(undone, wishes=still_undone(planned, undone.wishes, failed)))]
        if applying.latencies:
            facts |= [self._latencies(applying.latencies)]
        self.job.store.remember_all(facts)
        if whole:
            self._prune()

    def _latencies(self, found: Mapping[ChangeKind, Sequence[float]]) -> tuple[str, str | None]:
        days = dict(EVENT_LATENCIES.of(self.job.store, {}))
        today = f"{self.job.clock().astimezone(UTC):%Y-%m-%d}"
        kinds = dict(days.get(today, {}))
        for kind, seconds in found.items():
            kinds[kind.value] = kinds.get(kind.value, EventLatency()).plus(latency_of(seconds))
        return EVENT_LATENCIES.entry({**days, today: kinds})

    def _complete_read(self, planned: Planned) -> Iterator[tuple[str, str | None]]:
        proof = planned.planning.reading.users.proof
        yield COMPLETE_READ.entry(timestamp(planned.header.created_at))
        yield ASSIGNMENTS.entry(proof.records if proof else None)
        if scope := decided_scope(planned):
            yield SCOPE.entry(scope)

    def _result(self, planned: Planned, applying: Applying) -> RunResult:
        for problem in (*planned.problems, applying.stopped):
            quarantine.note(self.job, problem)
        return run_result(self.job, planned, applying, self.started)

    def _end(self, result: RunResult) -> None:
        message = "; ".join(problem.message for problem in result.problems) or None
        self._finish(result.status, result.summary(), message)
        self.result = replace(result, audit=trail_head(self.job.store))

    def _finish(self, status: str, summary: Mapping[str, Mapping[str, int]], error: str | None) -> None:
        self.job.store.finish_run(self.run_id, status=status, summary=summary, error=error)

    def _prune(self) -> None:
        """Old rows of the audit trail go. Tampering is said aloud and stops nobody's provisioning."""
        try:
            self.job.store.prune(self.job.settings.audit.keep)
        except PermanentError as error:
            self.job.observer.event("error", "audit trail not pruned", error=error.message, hint=error.hint)


def still_asked(job: Job, over: Mapping[str, AskedTie]) -> tuple[str, str | None]:
    """The ties that people asked for, but for those that are `over`, or whose user is linked by now."""
    ties = TIES.of(job.store, {})
    known = job.store.users(sorted(ties))
    left = {
        okta_id: tie
        for okta_id, tie in ties.items()
        if over.get(okta_id) != tie and (okta_id not in known or known[okta_id].pushed is None)
    }
    return TIES.entry(left or None)


def settle_interrupted(job: Job, *, may_wait: bool = False) -> frozenset[str]:
    """Before anything new is planned: what interrupted runs left open is settled. Returns the keys of objects of which
    nobody knows yet how it ended; raises what a connection answers that is still sick, and WritingWaits while nothing
    may be written, unless the run `may_wait`: it reads and plans all the same, and the next one writes.
    """
    if not may_wait:
        refuse_while_barred(job)
    with job.turn:
        quarantine.probe(job)
        refuse_other_target(job)
        return settle_open_intents(job)


def remember_what_was_seen(job: Job, planned: Planned, *, whole: bool) -> None:
    """About what the store had waiting and this plan looked at: what was left alone, failed, decided, in doubt since a
    create. `whole`: everything was looked at.
    """
    over = failures_over(planned, whole=whole)
    remember(job, planned, whole=whole, failures_over=over)
    forget_what_is_over(job.store, planned)
    job.store.forget_unproven(planned.planning.over)


def refuse_second_writer(job: Job, app: Application) -> None:
    """Okta's own provisioning of the same app would be a second writer (setting okta.coexist)."""
    if app.pushes_itself and not job.settings.okta.coexist:
        features = ", ".join(sorted(app.features))
        raise RefusedError(
            f"Okta provisions the app {app.label} itself (features: {features}): two writers would fight",
            hint="turn off Okta's provisioning of this app (Provisioning, To App), or set okta.coexist = true",
        )
