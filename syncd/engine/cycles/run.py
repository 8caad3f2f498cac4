"""The cycles a person or a timer starts: plan, sync, apply. One engine; they differ in what they look at."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace

from syncd.core.change import REMOVALS, Change, ChangeKind
from syncd.core.diff import Skipped
from syncd.core.left_alone import LeftAlone
from syncd.core.plan import PlanHeader, SavedPlan, timestamp
from syncd.engine.cycles.decided import forget_what_is_over, remember_holds
from syncd.engine.cycles.result import RunResult, broken_off, run_result, trail_head
from syncd.engine.cycles.waiting import failures_over, names_left, remember, remember_left
from syncd.engine.job import SCOPE_KEY, Job, scope_changed
from syncd.engine.planning.decide import make_plan
from syncd.engine.planning.draft import Planning
from syncd.engine.planning.hold import hold_unsafe_changes
from syncd.engine.planning.order import order_plan
from syncd.engine.planning.planned import Planned
from syncd.engine.planning.stale import refuse_if_stale, refuse_other_settings, touched
from syncd.engine.reading.lookup import named_objects
from syncd.engine.reading.named import ASSIGNMENTS_KEY, Reading, read_everything, read_selected
from syncd.engine.reading.selection import Selection
from syncd.engine.writing import quarantine
from syncd.engine.writing.apply import Applying
from syncd.engine.writing.recover import settle_open_intents
from syncd.errors import PermanentError, RefusedError, SyncdError, status_after
from syncd.model import Application
from syncd.ports import Stage

COMPLETE_READ_KEY = "last_complete_read"


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
    stage, reading = _staged(job, read)
    return planned_from(job, kind, stage, reading, allow, unsettled)


def _staged(job: Job, read: Callable[[Stage], Reading]) -> tuple[Stage, Reading]:
    stage = job.store.stage()
    with _closing_on_error(stage):
        return stage, read(stage)


@contextmanager
def _closing_on_error(stage: Stage) -> Iterator[None]:
    try:
        yield
    except BaseException:
        stage.close()
        raise


def planned_from(
    job: Job,
    kind: str,
    stage: Stage,
    reading: Reading,
    allow: Mapping[str, int],
    unsettled: AbstractSet[str] = frozenset(),
    *,
    more: Callable[[Planning], None] | None = None,
) -> Planned:
    """The plan for what was read into the stage, which is closed when it cannot be made."""
    with _closing_on_error(stage):
        job.observer.phase("planning")
        planning = make_plan(job, stage, reading, unsettled)
        if more is not None:
            more(planning)
        holds = hold_unsafe_changes(planning, allow)
        _let_go(planning)
        order_plan(planning)
        planning.skip(*_unread(job, reading))
        header = PlanHeader(
            connection=job.settings.name,
            kind=kind,
            created_at=planning.policy.now,
            state_revision=job.store.revision(),
            scope=job.scope,
            target=job.target_fingerprint,
            summary=stage.change_counts(),
            holds=holds,
            skipped=LeftAlone(stage.skipped()),
            allow=dict(sorted(allow.items())),
        )
        return Planned(header, tuple(reading.problems), stage, planning)


def _let_go(planning: Planning) -> None:
    """Whoever is taken out counts as asked by id, also on the word of two lists: no list alone that shows them again
    within its lag lets them in. Not so while that is held: they are where they were.
    """
    going = [okta_id for _, okta_id in planning.stage.change_keys(ChangeKind.DEACTIVATE_USER)]
    if gone := [okta_id for okta_id in going if okta_id in planning.left]:
        planning.stage.put_absent(gone)


def _unread(job: Job, reading: Reading) -> Iterator[Skipped]:
    """What could not be read while the rest could, by the names that the store has for it."""
    for (about, okta_id), error in reading.unread.items():
        user, group = (
            (None, job.store.group(okta_id)) if about == "group" else (job.store.user(okta_id), None)
        )
        name = user.wanted.user_name if user else group.wanted.name if group else okta_id
        said = (okta_id, name, error.message, about)
        is_refused = (about, okta_id) in reading.refused
        yield Skipped("refused", *said) if is_refused else Skipped("unread", *said)


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
                    with _closing_on_error(stage):
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
        stage, reading = _staged(self.job, read)
        with self.job.turn:
            if stage.is_overtaken:
                stage.close()
                self.job.observer.event(
                    "info", "reads again", run=self.run_id, why="another cycle learned of the same"
                )
                stage, reading = _staged(self.job, read)
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
        if self.job.store.recall(SCOPE_KEY) is None and not self._manages_anything():
            self.job.store.remember(SCOPE_KEY, self.job.scope)
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
                self._finish(status_after(error), {}, str(error) or type(error).__name__)
            raise

    def _remember(self, planned: Planned) -> None:
        store = self.job.store
        if self.kind == "full" and not planned.problems:
            proof = planned.planning.reading.users_proof
            facts = {
                COMPLETE_READ_KEY: timestamp(planned.header.created_at),
                ASSIGNMENTS_KEY: str(proof.records) if proof else None,
            }
            if not self._scope_is_undecided(planned):
                facts[SCOPE_KEY] = self.job.scope
            store.remember_all(facts)
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
