"""One journalled run: begun, carried out, finished whatever happens. Every cycle that writes is one."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace

from syncd.core.change import REMOVALS
from syncd.core.left_alone import LeftAlone
from syncd.core.plan import SavedPlan, timestamp
from syncd.engine.cycles.decided import forget_what_is_over, remember_holds
from syncd.engine.cycles.result import RunResult, broken_off, run_result, trail_head
from syncd.engine.cycles.waiting import failures_over, names_left, remember, remember_left
from syncd.engine.facts import ASSIGNMENTS, COMPLETE_READ, SCOPE
from syncd.engine.job import Job, scope_changed
from syncd.engine.planning.draft import Planning
from syncd.engine.planning.plan import planned_from
from syncd.engine.planning.planned import Planned
from syncd.engine.reading.learned import Reading
from syncd.engine.reading.staged import closing_on_error, staged
from syncd.engine.writing import quarantine
from syncd.engine.writing.apply import Applying
from syncd.engine.writing.recover import settle_open_intents
from syncd.errors import PermanentError, RefusedError, SyncdError, status_after, words_after
from syncd.model import Application
from syncd.ports import Stage


@dataclass
class CycleRun:
    """One journalled run: begun, carried out, finished whatever happens."""

    job: Job
    kind: str
    started: float = field(default_factory=time.monotonic)
    run_id: str = ""
    applying: Applying | None = None
    absorbed: bool = False
    """What was read is in the store: from here on the store knows what is still to be done."""

    def carry_out(
        self,
        read: Callable[[Stage], Reading],
        allow: Mapping[str, int],
        *,
        taken_over: Callable[[Reading], None] | None = None,
        more: Callable[[Planning], None] | None = None,
    ) -> RunResult:
        """The whole cycle as one run: what fails before the first write is remembered too.

        `taken_over` is called between reading and planning, `more` may add changes before the safety checks.
        """

        def cycle() -> RunResult:
            job = self.job
            with job.turn:
                quarantine.probe(job)
                unsettled = settle_open_intents(job)
            with self._reading(read) as (stage, reading):
                if taken_over is not None:
                    with closing_on_error(stage):
                        taken_over(reading)
                planned = planned_from(job, self.kind, stage, reading, allow, unsettled, more=more)
                with planned:
                    return self.write(planned, only=None)

        return self.begun(cycle)

    @contextmanager
    def _reading(self, read: Callable[[Stage], Reading]) -> Iterator[tuple[Stage, Reading]]:
        """What was read, with the turn. What shorter cycles store while a complete one reads is younger, and wins.

        After a complete one it is read once more, with the turn; so are answers by id about some objects, after any
        cycle that learned of these: nobody can tell which is younger.
        """
        stage, reading = staged(self.job, read)
        with self.job.turn:
            if stage.is_overtaken:
                stage.close()
                self.job.observer.event(
                    "info", "reads again", run=self.run_id, why="another cycle learned of the same"
                )
                stage, reading = staged(self.job, read)
            yield stage, reading

    def apply(
        self, planned: Planned, *, only: frozenset[str] | None = None, saved: SavedPlan | None = None
    ) -> RunResult:
        """A plan that is made already; `only` narrows it to these change ids. What `saved` holds stays held."""
        return self.begun(lambda: self.write(planned, only=only, saved=saved))

    def broke_off(self, error: SyncdError) -> RunResult:
        """A cycle that ended before there was a plan, written down as a failed run."""

        def fail() -> RunResult:
            raise error

        return self.begun(fail)

    def write(
        self, planned: Planned, *, only: frozenset[str] | None, saved: SavedPlan | None = None
    ) -> RunResult:
        refuse_second_writer(self.job, planned.planning.reading.app)
        whole = only is None and planned.header.kind == "full" and not planned.problems
        no_more_wanted = failures_over(planned, whole=whole)
        if only is not None:
            others = [change.id for change in planned.changes() if change.id not in only]
            planned.stage.hold_changes(others, "outside")
            # What else these objects need is not what this run is about.
            holds = [hold for hold, _ in saved.holds] if saved else []
            planned.header = replace(planned.header, holds=holds, skipped=LeftAlone())
        if SCOPE.of(self.job.store) is None and not self._manages_anything():
            SCOPE.remember(self.job.store, self.job.scope)
        if planned.planning.reading.looked_at:
            planned.planning.reading.freed |= names_left(planned.stage)
        self.job.store.absorb(planned.stage, confirmed_absent=planned.planning.left)
        self.absorbed = True
        remember(self.job, planned, whole=whole, failures_over=no_more_wanted)
        forget_what_is_over(self.job.store, planned)
        self.job.store.forget_unproven(planned.planning.over)
        if only is None:
            remember_holds(self.job.store, planned)
        order = planned.planning.order
        self.applying = applying = Applying(self.job, self.run_id, planned.header.allow.keys(), order)
        applying.run(planned.stage)
        remember_left(self.job, planned, (*applying.left, *applying.unsent.values()), whole=whole)
        if only is None:  # a saved plan reads its own objects, not everything
            self._remember(planned)
        for problem in (*planned.problems, applying.stopped):
            quarantine.note(self.job, problem)
        result = run_result(self.job, planned, applying, self.started)
        if saved is not None:
            result = replace(result, held=saved.held())
        message = "; ".join(problem.message for problem in result.problems) or None
        return self._ended(result, message)

    def _ended(self, result: RunResult, message: str | None) -> RunResult:
        self._finish(result.status, result.summary(), message)
        return replace(result, audit=trail_head(self.job.store))

    def _finish(self, status: str, summary: Mapping[str, Mapping[str, int]], error: str | None) -> None:
        self.job.store.finish_run(self.run_id, status=status, summary=summary, error=error)

    def begun(self, work: Callable[[], RunResult]) -> RunResult:
        """Whatever ends the run early is written down as its end, and an error is its result."""
        self.run_id = self.job.store.begin_run(self.kind)
        try:
            return work()
        except SyncdError as error:
            quarantine.note(self.job, error)
            result = broken_off(self.job, self.run_id, self.applying, error, self.started)
            with suppress(
                SyncdError
            ):  # where even its end cannot be written down, what ended it is still the result
                return self._ended(result, error.message)
            return result
        except BaseException as error:
            with suppress(SyncdError):
                self._finish(status_after(error), {}, words_after(error))
            raise

    def _remember(self, planned: Planned) -> None:
        store = self.job.store
        if self.kind == "full" and not planned.problems:
            proof = planned.planning.reading.users_proof
            facts = [
                COMPLETE_READ.entry(timestamp(planned.header.created_at)),
                ASSIGNMENTS.entry(proof.records if proof else None),
            ]
            if not self._scope_is_undecided(planned):
                facts.append(SCOPE.entry(self.job.scope))
            store.remember_all(dict(facts))
            self._prune()

    def _prune(self) -> None:
        """Old rows of the audit trail go. Tampering is said aloud and stops nobody's provisioning."""
        try:
            self.job.store.prune(self.job.settings.audit.keep)
        except PermanentError as error:
            self.job.observer.event("error", "audit trail not pruned", error=error.message, hint=error.hint)

    def _manages_anything(self) -> bool:
        population = self.job.store.population()
        return bool(population.users or population.groups)

    def _scope_is_undecided(self, planned: Planned) -> bool:
        """Removals are held, by whatever check, while the scope settings are not those that were decided on."""
        if not scope_changed(self.job):
            return False
        held = (
            kind for hold in planned.header.holds for kind in planned.stage.change_counts(hold_id=hold.id)
        )
        return any(kind in REMOVALS for kind in held) or any(
            kind == "unconfirmed" for kind in planned.header.skipped.counts
        )


def refuse_second_writer(job: Job, app: Application) -> None:
    """Okta's own provisioning of the same app would be a second writer (setting okta.coexist)."""
    if app.pushes_itself and not job.settings.okta.coexist:
        features = ", ".join(sorted(app.features))
        raise RefusedError(
            f"Okta provisions the app {app.label} itself (features: {features}): two writers would fight",
            hint="turn off Okta's provisioning of this app (Provisioning, To App), or set okta.coexist = true",
        )
