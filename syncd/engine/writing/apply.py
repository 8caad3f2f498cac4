"""Carries a plan out, in order: intent to the journal, write to the target, outcome to the journal and the store.

The main thread owns the store; worker threads only talk to the target. Each success is stored as it happens, one
failing object never stops the others, and a sick connection stops everything before it makes more damage.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import chain, islice

from syncd.core.change import GROUP_KINDS, PHASES, Change, ChangeKind
from syncd.core.diff import Skipped
from syncd.core.order import NO_ORDER, Order
from syncd.engine.job import Job
from syncd.engine.planning.hold import CANARY
from syncd.engine.planning.keepers import LastMembers
from syncd.engine.writing.batches import batches, units
from syncd.engine.writing.breaking import Breaker, told
from syncd.engine.writing.canary import Canary
from syncd.engine.writing.crew import Crew
from syncd.engine.writing.done_before import EarlierOutcomes
from syncd.engine.writing.flight import Flight
from syncd.engine.writing.in_order import NOT_LEFT, InOrder, name_not_left
from syncd.engine.writing.measuring import measure
from syncd.engine.writing.permission import Permission
from syncd.engine.writing.quarantine import RELINK, RELINK_HINT
from syncd.engine.writing.recover import settle
from syncd.engine.writing.ties import Ties
from syncd.engine.writing.unit import Outcome, Unit, execute, is_unanswered
from syncd.engine.writing.vanishing import Vanishing
from syncd.engine.writing.writers import writers
from syncd.errors import (
    ConnectionSick,
    LockLost,
    RefusedError,
    Stopped,
    SyncdError,
    TemporaryError,
    WritingWaits,
    concerns_the_connection,
)
from syncd.ports import Settled, Stage

IN_FLIGHT_LASTS = 8.0
"""Seconds for which writes in flight are waited for once a stop was asked for."""
_LOOKS_UP_EVERY = 0.5

VANISHED_AT_MOST = 5
NOT_SENT_KEPT = 1_000
"""So many changes that were not sent, because too many of their kind failed, are remembered one by one."""


def _never(_change: Change) -> bool:
    return False


@dataclass
class Applying:
    """The tally of one run. `stopped` holds why writing ended early."""

    job: Job
    run_id: str
    allow: AbstractSet[str] = frozenset()
    """Names of the limits that were raised for this run."""
    exempt: Callable[[Change], bool] = _never
    """Whether no limit counts this change."""
    spared: Mapping[str, AbstractSet[str]] = field(default_factory=dict)
    """By limit, the changes that it alone does not count."""
    order: Order = NO_ORDER
    applied: dict[ChangeKind, int] = field(default_factory=dict)
    failed: dict[ChangeKind, int] = field(default_factory=dict)
    deferred: dict[ChangeKind, int] = field(default_factory=dict)
    failures: list[tuple[Change, SyncdError]] = field(default_factory=list)
    latencies: dict[ChangeKind, list[float]] = field(default_factory=dict)
    """Seconds from the event to the answer, of what was applied because of one."""
    left: list[Skipped] = field(default_factory=list)
    """What turned out to have to wait."""
    unsent: dict[str, Skipped] = field(default_factory=dict)
    """By change id, what was not sent because too much of its kind failed."""
    stopped: SyncdError | None = None
    stopping: float | None = None
    """When the request to stop was noticed, by the monotonic clock."""
    abandoned: int = 0
    """Changes in flight whose answer was not waited for: their intents stay open, and the next run asks the target."""
    outdated: set[str] = field(default_factory=set)
    """Okta ids of people whom another cycle looked at and wrote in the middle of this one."""
    vanished: int = 0
    """Known accounts that had another id, or none, and were found or made again."""
    vanishing: Vanishing = field(init=False)
    stage: Stage = field(init=False)
    sequence: InOrder = field(init=False)
    breaker: Breaker = field(default_factory=Breaker)
    canary: Canary = field(init=False)
    permission: Permission = field(init=False)
    done_before: EarlierOutcomes = field(init=False)

    def __post_init__(self) -> None:
        self.permission = Permission(self.job)
        self.vanishing = Vanishing(self.job)
        self.sequence = InOrder(self.order)
        self.canary = Canary(self.job, {}, frozenset())
        self.done_before = EarlierOutcomes(self.job, self.vanishing)

    def run(self, stage: Stage) -> None:
        """Applies every change of the stage that is not held."""
        self.stage = stage
        counts = stage.change_counts()
        if self.job.settings.safety.canary:
            approved = stage.decided_changes("approve", self.job.clock(), about=CANARY)
            self.canary = Canary(self.job, counts, approved, self.sequence.whose)
        self.sequence.refuse_twice_adopted(stage)
        self.job.observer.phase("writing", sum(counts.values()))
        threads = ExitStack()
        allowed = self.job.settings.split.concurrency
        crew = Crew(threads.enter_context(writers(allowed)), self._execute)
        try:
            for turn in range(self.sequence.turns if self._may_write() else 0):
                for kinds in PHASES:
                    if any(counts.get(kind) for kind in kinds) and not self.abandoned:
                        self._steps(crew, stage, turn, kinds)
            self._into_free_seats(crew, stage)
            self._count_what_waits(stage)
        finally:
            crew.dismiss(wait=not self.abandoned)
            threads.close()
            for cause in told(self.failures):
                self.job.observer.event("warning", "not applied", **cause, run=self.run_id)

    def _steps(self, crew: Crew, stage: Stage, turn: int, kinds: Sequence[ChangeKind]) -> None:
        """One phase of one turn. What waits for nobody goes first, and together; then whoever waited for that."""
        if turn == 0 and self.order.detours:
            detours = self.sequence.detours(stage.detours(kinds))
            for portion in self.canary.portions(kinds, detours, extra=True):
                self._phase(crew, self._batches(portion))
                self.canary.judge(self.breaker.stopped.keys())
        for step in range(self.sequence.steps(turn, kinds)):
            if self.abandoned:
                return
            changes = self._keeping_last_members(kinds, stage.changes_at(turn, step, kinds))
            for portion in self.canary.portions(kinds, changes):
                self._phase(crew, self._batches(self._going_on(self._whose_turn_it_is(portion))))
                self.canary.judge(self.breaker.stopped.keys())
                if self.abandoned:
                    return
            self.canary.hold_back(stage)
        for back, undone in self.sequence.ways_back(stage, kinds):
            self._phase(crew, iter([[back]]))
            if undone is not None:
                self.left.append(name_not_left(undone))
                self.applied[undone.kind] -= 1
                self.deferred[undone.kind] = self.deferred.get(undone.kind, 0) + 1

    def _whose_turn_it_is(self, changes: Iterable[Change]) -> Iterator[Change]:
        """Without those whose name was not left, because what they wait for was not applied."""
        for change in changes:
            if self.sequence.may_go(change):
                yield change
                continue
            self.deferred[change.kind] = self.deferred.get(change.kind, 0) + 1
            self.left.append(name_not_left(change))
            self.job.observer.advance()
            said = {"kind": change.kind.value, "object": change.name, "run": self.run_id}
            self.job.observer.event("warning", "not applied", **said, error=NOT_LEFT)

    def _going_on(self, changes: Iterable[Change]) -> Iterator[Change]:
        """Without those of a kind that fails too often: they are still wanted, and everything else goes on."""
        for change in changes:
            if change.kind not in self.breaker.stopped:
                yield change
                continue
            self.deferred[change.kind] = self.deferred.get(change.kind, 0) + 1
            self.job.observer.advance()
            self.breaker.keep(change)
            self._not_sent(change)

    def _not_sent(self, change: Change) -> None:
        """Deltas look at it again. Of very many most are for the next full cycle."""
        if len(self.unsent) < NOT_SENT_KEPT:
            self.unsent[change.id] = Skipped(
                "not_sent",
                change.okta_id,
                change.name,
                self.breaker.stopped[change.kind],
                "group" if change.kind in GROUP_KINDS else "user",
                group_id=change.group_id,
            )

    def _into_free_seats(self, crew: Crew, stage: Stage) -> None:
        """A licence may have been full until people left: who was refused gets one more try, and then the groups."""
        if self.abandoned or not self._may_write():
            return
        again = self.breaker.seats()
        self._try_again(crew, again)
        seated = {change.okta_id for change in again if change.id not in self._failing()}
        if seated:
            memberships = stage.changes(kinds=(ChangeKind.ADD_MEMBER,))
            self._try_again(crew, [each for each in memberships if each.okta_id in seated])

    def _try_again(self, crew: Crew, changes: Sequence[Change]) -> None:
        """Of these it counts what they come to now."""
        for change in changes:
            tally = self.failed if change.id in self._failing() else self.deferred
            tally[change.kind] -= 1
            self.unsent.pop(change.id, None)
        again = {change.id for change in changes}
        self.failures = [each for each in self.failures if each[0].id not in again]
        self._phase(crew, self._batches(changes))

    def _failing(self) -> AbstractSet[str]:
        return {change.id for change, _ in self.failures}

    def _keeping_last_members(
        self, kinds: Sequence[ChangeKind], changes: Iterable[Change]
    ) -> Iterator[Change]:
        """What would leave a protected group without an active member stays undone, and is still wanted."""
        if not {ChangeKind.REMOVE_MEMBER, ChangeKind.DEACTIVATE_USER} & set(kinds):
            yield from changes
            return
        guard = LastMembers(self.job.store, self.job.policy.protected_groups)
        for change in changes:
            group = guard.refuse(change)
            if group is None:
                yield change
                continue
            self.deferred[change.kind] = self.deferred.get(change.kind, 0) + 1
            reason = f"{group} is protected and would be left without an active member"
            hint = "add another member in Okta first; no approval empties a protected group"
            self.failures.append((change, RefusedError(reason, hint=hint)))
            self.left.append(
                Skipped("last_member", change.okta_id, change.name, reason, group_id=change.group_id)
            )

    def _batches(self, changes: Iterable[Change]) -> Iterator[list[Change]]:
        return batches(changes, self.job.settings.split.member_batch, self.outdated)

    def _phase(self, crew: Crew, batches: Iterator[list[Change]]) -> None:
        """Keeps every worker busy and some batches ahead; journals intents and outcomes in shared transactions."""
        flight = Flight(crew, self.job.settings.split.concurrency, patience=_LOOKS_UP_EVERY)
        running: set[Unit] = set()
        more = True
        while more or running:
            more = more and self._may_write()
            if more and (room := flight.room()):
                ahead = list(islice(batches, room))
                more = bool(ahead)
                for unit in self._journalled(ahead):
                    running.add(unit)
                    flight.take_off(unit)
            if not running:  # what was ahead was done already, or nothing was
                continue
            finished = flight.finished()
            running.difference_update(unit for unit, _ in finished)
            self._settle([each for unit, came in finished for each in zip(unit.sequences, came, strict=True)])
            self._give_way(running)
            flight.adjust(well=not self.failed)
            if self._is_over():
                self.abandoned = sum(len(unit.changes) for unit in running)
                return

    def _give_way(self, running: Iterable[Unit]) -> None:
        """Who lost access goes first, unless they are being written just now."""
        if self._may_write():
            busy = {change.okta_id for unit in running for change in unit.changes}
            self.outdated |= self.job.give_way(self.job, busy)

    def _execute(self, unit: Unit) -> Sequence[Outcome]:
        """In a worker. What was journalled and not begun when writing ended is not begun any more."""
        if refused := self.sequence.refused.get(unit.changes[0].id):
            return [Outcome(unit.changes[0], error=refused, status=refused.status)]
        if self.stopped is None and not self.job.cancelled() and unit.change.kind not in self.breaker.stopped:
            outcomes = execute(self.job, unit)
            for outcome in outcomes:  # at once, for all workers: one is enough
                error = outcome.error
                if isinstance(error, LockLost) or concerns_the_connection(error):
                    self.stopped = self.stopped or error
            return outcomes
        error = TemporaryError("writing ended before this was sent; it is still wanted")
        return [Outcome(change, error=error, deferred=True) for change in unit.changes]

    def _is_over(self) -> bool:
        """Stopped on request, and the answers to the writes in flight have been waited for long enough."""
        if not self.job.cancelled():
            return False
        self.stopping = self.stopping or time.monotonic()
        return time.monotonic() - self.stopping >= IN_FLIGHT_LASTS

    def _may_write(self) -> bool:
        if self.stopped is None and self.job.cancelled():
            self.stopped = Stopped("stopped on request; what was not written is still wanted")
        self.stopped = self.stopped or self.permission.withdrawn()
        return self.stopped is None

    def _count_what_waits(self, stage: Stage) -> None:
        """What a pause or a shut window kept from being sent."""
        if isinstance(self.stopped, WritingWaits):
            for kind, planned in stage.change_counts().items():
                sent = self.applied.get(kind, 0) + self.failed.get(kind, 0)
                self.deferred[kind] = max(planned - sent, 0)

    def _journalled(self, batches: Sequence[list[Change]]) -> Iterator[Unit]:
        """Without what is done already, which is settled."""
        if not batches:
            return
        store = self.job.store
        changes = list(chain.from_iterable(batches))
        exempt = frozenset(change.id for change in changes if self.exempt(change))
        sequences = store.intend(self.run_id, changes, allow=self.allow, exempt=exempt, spared=self.spared)
        for unit in units(store, batches, sequences, vanishing=self.vanishing, stage=self.stage):
            left, done = self.done_before.apart(unit)
            if done:
                self._settle(done)
            yield from left

    def _settle(self, outcomes: Sequence[tuple[int, Outcome]]) -> None:
        ties = Ties(self.job.store, [outcome for _, outcome in outcomes])
        settled = [self._tallied(sequence, ties.judged(outcome)) for sequence, outcome in outcomes]
        settle(self.job, settled)
        if planned := sum(not each.step for each in settled):
            self.job.observer.advance(planned)

    def _tallied(self, sequence: int, outcome: Outcome) -> Settled:
        change, error = outcome.change, outcome.error
        # What stopped the connection is no object's own failure; a refusal of one object is that object's.
        deferred = outcome.deferred or (
            error is not None and (isinstance(error, LockLost) or concerns_the_connection(error))
        )
        tally = self.applied if error is None else self.deferred if deferred else self.failed
        planned = self.sequence.ended(change, error, deferred=deferred)
        if planned:
            tally[change.kind] = tally.get(change.kind, 0) + 1
        self._tell(outcome)
        if error is None:
            self.vanished += outcome.vanished
            measure(self.job, change, self.latencies)
        elif not deferred:
            self.failures.append((change, error))
        if not deferred:
            self.canary.note(change, failed=error is not None)
            self.breaker.note(change, error)
        elif outcome.deferred and change.kind in self.breaker.stopped:
            self._not_sent(change)
        self._judge_numbers()
        return Settled(
            sequence=sequence,
            change=change,
            effects=outcome.effects,
            status=outcome.status,
            note=outcome.note,
            error=None if error is None else error.message,
            deferred=deferred,
            step=not planned,
            unanswered=error is not None and not deferred and is_unanswered(error),
            request=outcome.request,
        )

    def _tell(self, outcome: Outcome) -> None:
        """The causes of the failures are said at the end, a line each."""
        change, error = outcome.change, outcome.error
        fields = {"kind": change.kind.value, "object": change.name, "group": change.group, "run": self.run_id}
        if error is None:
            why = change.reason or None
            self.job.observer.event("info", "applied", **fields, reason=why, note=outcome.note or None)
        else:
            self.job.observer.event("debug", "not applied", **fields, error=error.message)

    def _judge_numbers(self) -> None:
        """Is the connection still well enough to go on writing?"""
        if self.stopped is not None:
            return
        if self.vanished > VANISHED_AT_MOST:
            self.stopped = ConnectionSick(
                f"{self.vanished} known accounts are gone at the target",
                side=RELINK,
                hint=RELINK_HINT,
            )
        sick, kinds = self.breaker.judge()
        self.stopped = self.stopped or sick
        for kind in kinds:
            said = {"kind": kind.value, "run": self.run_id, "error": self.breaker.stopped[kind]}
            self.job.observer.event("warning", "not tried any more", **said)

    @property
    def was_cut_short(self) -> bool:
        """Something was put off that is no object's own failure."""
        return self.stopped is not None or any(self.deferred.values())

    @property
    def problem(self) -> SyncdError | None:
        """Why the run as a whole has failed, if it has."""
        return self.stopped or self.breaker.failure()
