"""One connection in the daemon: its store for as long as the process lives, its cycles one after the other.

Every cycle opens both sides afresh, so that a rotated token is used at once, on the one store whose writer's lock is
held throughout. Nothing that happens in a cycle ends the daemon. States and turns: the tables of `connection_state`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

from syncd.engine.cycles.delta import LogDenied, delta
from syncd.engine.cycles.result import RunResult
from syncd.engine.cycles.seen import Seen
from syncd.engine.cycles.sync import sync
from syncd.engine.job import Job
from syncd.engine.reading.selection import Selection
from syncd.engine.writing import quarantine
from syncd.engine.writing.permission import barred_for, barred_now
from syncd.errors import LockLost, RefusedError, SyncdError
from syncd.service.board import ConnectionBoard, CycleReport
from syncd.service.connection_hooks import ConnectionHooks
from syncd.service.connection_state import (
    FoundWell,
    Moment,
    NoStore,
    Quarantined,
    Retired,
    SystemLog,
    TurnStep,
    next_step,
)
from syncd.service.current_state import CurrentState
from syncd.service.drift_turns import drift_turn, due_in
from syncd.service.followed_log import FollowedLog
from syncd.service.full_turns import LONG_REST, REST, RETRY, FullTurns
from syncd.service.gate import Gate
from syncd.service.next_runs import NextRuns
from syncd.service.old_secrets import OldSecrets
from syncd.service.reports import Ending, cycle_report, ended
from syncd.service.requests import Acts, Attend, RequestLanes, nobody
from syncd.service.surroundings import Surroundings
from syncd.service.telling import Voice
from syncd.service.used_secrets import UsedSecrets
from syncd.service.watch import Activity, Watch, patience_of
from syncd.settings import ConnectionSettings, scope_fingerprint
from syncd.wiring import open_job

_GIVES_UP_WITHIN, _LOOKS_AGAIN = 0.3, 5.0
"""Seconds: for a store to be given back, and between two looks at a quarantine, where deltas come less often."""


class ServedConnection:
    """`delta`, `full` and `drift` are what the timetable runs; they never raise. The rest may be asked from any thread.
    `current` is the state it is in.
    """

    def __init__(self, settings: ConnectionSettings, board: ConnectionBoard, around: Surroundings) -> None:
        self.settings = settings
        self.board = board
        self.current = CurrentState(around.clock, around.redactor, around.stopping)
        self._around = around
        self._turn: AbstractContextManager[object] = threading.RLock()
        self._job_options: dict[str, Any] = {"writing": True}
        self._gate = Gate(around.stopping, self._turned_away)
        self.wait_until_idle = self._gate.wait_until_idle
        self._fulls = FullTurns()
        self._seen = Seen()
        self._probe_asked = False
        """By a start, a reload or another secret: the next probe of a quarantine does not wait for its time."""
        self._waits = False
        """A cycle left changes unwritten because of a pause or a shut window; the full cycle that follows sees them."""
        self._voice = Voice(around.event, settings.name)
        self._log = FollowedLog(board, self._voice, around.redactor)
        self._old_secrets, self._used_secrets = OldSecrets(), UsedSecrets()
        self._next_runs = NextRuns(partial(around.next_run, settings.name))
        self.activity = Activity(patience=patience_of(settings))
        acts = Acts(self._run, self._asked_for_all, self._after_asked, lambda: self.settings, self._woken)
        self.hooks = ConnectionHooks(self.current, board, around, self._voice, lambda: self.settings)
        self.requests = RequestLanes(self.current, self._gate, acts, around, self._voice)

    # life

    def open(self, *, patient: bool = False) -> None:
        """Opens the store and takes its lock. Raises SyncdError: LockWatched unless `patient`, and more."""
        self.current.open_store(self.settings, patient=patient)
        self._probe_asked = True

    @property
    def is_stuck(self) -> bool:
        """A cycle runs, and nothing has moved for too long."""
        return self._gate.running > 0 and self.activity.is_stuck(time.monotonic())

    def update(self, settings: ConnectionSettings) -> None:
        """These count from the next cycle on; one that runs ends as it began. Another scope is read in full at once."""
        moved = scope_fingerprint(settings) != scope_fingerprint(self.settings)
        asks_the_log = self._log.state is SystemLog.DENIED or settings.okta != self.settings.okta
        self._gate.change(lambda: self._adopt(settings))
        if moved:
            self.hurry_full()
        if isinstance(self.current.state, Quarantined) or asks_the_log:
            self._around.hurry(self.settings.name, "delta", 0.0)  # which probes, or asks the log again

    def _turned_away(self, kind: str) -> None:
        """A turn came while new settings waited for the end of what ran."""
        if kind in ("delta", "drift"):
            self._around.hurry(self.settings.name, kind, 0.0)

    def _adopt(self, settings: ConnectionSettings) -> None:
        if anew := settings.okta != self.settings.okta:  # what is pending is in the store
            self._seen = Seen()
        self._log.ask_again(anew=anew)
        self.hooks.adopt(settings)
        self.settings = settings
        self.activity.patience = patience_of(settings)
        self._probe_asked = True

    def hurry_full(self) -> None:
        """A full cycle now, or as soon as the one that runs is done."""
        self._fulls.again = True
        if not self._gate.runs("full"):
            self._around.hurry(self.settings.name, "full", 0.0)

    def retire(self) -> None:
        """No more cycles; the store is closed at once, or by the last cycle that still runs."""
        self._gate.retire(self._close)

    def give_up(self) -> None:
        """Gives the store back though a cycle hangs: it finds the store closed, and nothing begins a write any more."""
        thread = threading.Thread(target=self._release, daemon=True)
        thread.start()
        thread.join(_GIVES_UP_WITHIN)

    def _close(self) -> None:
        self._next_runs.over(self.current.store)
        self._release()
        self.current.happened(Retired())
        self._around.closed(self.settings.name)

    def _release(self) -> None:
        try:
            self.current.release_store()
        except SyncdError as error:
            self._voice.failed("the store could not be closed", "full", error)

    # what the timetable runs

    def delta(self) -> None:
        """The pulse of the connection: asks whether a sick one is well again, else what the System Log says."""
        with self._gate.place("delta") as mine, self._crash_proof("delta"):
            if mine:
                self._take_turn("delta")

    def full(self) -> None:
        again = True
        while again:
            with self._gate.place("full") as mine, self._crash_proof("full"):
                if not mine:  # what was asked for stays so: a person's sync of everything may have the place
                    return
                self._fulls.begins()
                self._reopen()
                self._take_turn("full")
            again = self._fulls.again
        self._full_once_more()

    def _full_once_more(self) -> None:
        if (wait := self._fulls.after_this()) is not None:
            self._around.hurry(self.settings.name, "full", wait)

    def drift(self) -> None:
        with self._gate.place("drift") as mine, self._crash_proof("drift"):
            if mine:
                self._take_turn("drift")

    def _take_turn(self, kind: str) -> None:
        self._look()
        if self._waits and not self._is_barred():
            self._waits = False
            self._voice.say("info", "writing goes on", kind)
            self.hurry_full()
        if isinstance(self.current.state, Quarantined) and self._used_secrets.are_others(self.settings):
            self._probe_asked = True
        moment = Moment(
            self._around.clock(),
            alone=self._gate.running == 1,
            full_runs=self._gate.runs("full"),
            probe_asked=self._probe_asked,
            hooked=self.hooks.hooked.waits() is not None,
        )
        match next_step(kind, self.current.state, self._log.state, moment):
            case TurnStep.PROBE:
                self._probe_asked = False
                self._run("delta", self._probe)
            case TurnStep.BEGIN_TO_FOLLOW:
                self._run("delta", self._begin_to_follow)
            case TurnStep.POLL | TurnStep.LOOK:
                report, _ = self._run("delta", self._delta)
                self.hooks.after_delta(failed=report.status == "failed")
            case TurnStep.FULL_CYCLE:
                self._full()
            case TurnStep.DRIFT_CYCLE:
                self._run("drift", self._drift)
                self.current.read_quarantine()
        self._woken()
        if isinstance(self.current.state, Quarantined):  # what a person does about it is seen soon
            self._around.hurry(self.settings.name, "delta", _LOOKS_AGAIN)

    def _woken(self) -> None:
        """What a pause kept waiting waits for its end, or for a person's word, and not for the next delta."""
        left = barred_for(self.current.store, self.settings, self._around.clock()) if self._waits else None
        if left is not None:
            self._around.hurry(self.settings.name, "delta", left)

    def _is_barred(self) -> bool:
        store = self.current.store
        return store is None or barred_now(store, self.settings, self._around.clock()) is not None

    def drift_due_in(self) -> float | None:
        """Seconds until the next drift cycle; None where its calendar says."""
        return due_in(self.current.store, self.settings.schedule.drift, self._around.clock())

    @contextmanager
    def _crash_proof(self, kind: str) -> Iterator[None]:
        """The last one who can keep a fault of ours from ending the schedule."""
        try:
            self._old_secrets.look(self.settings, self.board, self._voice, kind)
            yield
            self._next_runs.tell(self.current.store)
            self.current.rest()
        except Exception as error:  # noqa: BLE001
            self._voice.failed("a cycle could not be run", kind, error)

    def _reopen(self) -> None:
        """Tries again, where there is no store, with patience: nobody else waits for the full cycle's thread."""
        if not isinstance(self.current.state, NoStore):
            return
        try:
            self.open(patient=True)
        except SyncdError as error:
            if not self._around.stopping.is_set():
                self._voice.failed("the store cannot be used", "full", error)
                self._try_again(failed=True)
        else:
            self._voice.say("info", "the store can be used again", "full")

    def _look(self) -> None:
        """Whether the store is still ours and, if it is, whether the connection is in quarantine."""
        try:
            self.current.verify_store()
        except (LockLost, RefusedError) as error:
            if self._gate.running == 1:
                self._release()
                self._around.hurry(self.settings.name, "full", RETRY[0])
            self._voice.failed("the store was taken over", "full", error)
        else:
            self.current.read_quarantine()

    # cycles

    def _full(self) -> None:
        report, _ = self._run("full", lambda job: Ending(self._sync_all(job, Selection(), {}, may_wait=True)))
        sick = self.current.read_quarantine()
        failed = report.status == "failed" or (bool(self._seen.owed) and self._fulls.rest is None)
        self._try_again(failed=failed and not sick and not self._around.stopping.is_set())

    def _sync_all(
        self, job: Job, selection: Selection, allow: Mapping[str, int], *, may_wait: bool
    ) -> RunResult:
        self._fulls.for_log |= self._log.follow(job)
        self._fulls.reads()
        try:
            with (
                self._seen.full() as full,
                self.hooks.leavers_first(job, self._seen) as giving,
            ):
                result = sync(giving, selection, allow, may_wait=may_wait)
                full.whole = not result.problems
        finally:
            self._fulls.ended()
        return result

    def _asked_for_all(self, job: Job, selection: Selection, allow: Mapping[str, int]) -> RunResult:
        """A full cycle that a person asked for."""
        self._fulls.begins()
        return self._sync_all(job, selection, allow, may_wait=False)

    def _after_asked(self, *, well_again: bool) -> None:
        """What asked for another full cycle meanwhile gets it."""
        if well_again or self._fulls.again:
            self.hurry_full()
        else:
            self._full_once_more()

    def _try_again(self, *, failed: bool) -> None:
        if (wait := self._fulls.retry(failed=failed)) is not None:
            self._around.hurry(self.settings.name, "full", wait)

    def _begin_to_follow(self, job: Job) -> Ending:
        self._fulls.for_log |= self._log.follow(job)
        if self._log.is_followed:  # what happened before is not in it
            self.hurry_full()
            self._around.hurry(self.settings.name, "delta", 1.0)
        return Ending()

    def _delta(self, job: Job) -> Ending:
        try:
            found = delta(job, self._seen, self.hooks.of_delta(job), polls=self._log.is_followed)
            self.hooks.more = found.more
        except LogDenied as error:
            self._log.lost(error, job)
            if self._seen.pending:
                self._bring_forward("the System Log named what was not read yet", REST)
            return Ending()
        self._log.was_read()
        for reason, rest in ((found.everything, REST), (found.before_long, LONG_REST)):
            if reason:
                self._bring_forward(reason, rest)
        return Ending(found.result)

    def _bring_forward(self, reason: str, rest: float) -> None:
        self._voice.say("info", "a full cycle is brought forward", "delta", reason=reason)
        wait = self._fulls.ask(rest)
        if not self._gate.runs("full"):
            self._around.hurry(self.settings.name, "full", wait)

    def _drift(self, job: Job) -> Ending:
        ending = drift_turn(job, self._around.drift)
        if ending.drift is not None and ending.drift.differs:
            self._voice.say("warning", "drift found", "drift", **ending.drift.summary)
        return ending

    def _probe(self, job: Job) -> Ending:
        try:
            with self._turn:
                quarantine.probe(job)
        except SyncdError as error:
            sick = quarantine.current(job.store)
            at = f"{sick.next_probe:%Y-%m-%dT%H:%M:%SZ}" if sick else None
            self._voice.say("info", "still in quarantine", "delta", error=error.message, next_probe=at)
        else:
            self.current.happened(FoundWell())
            self.hurry_full()
        return Ending()

    def _run(
        self, kind: str, work: Callable[[Job], Ending], attend: Attend = nobody
    ) -> tuple[CycleReport, Ending]:
        """One cycle, told to the board, the log and whoever listens; `attend` hears of its watch first."""
        around, started = self._around, self._around.clock()
        self._used_secrets.use(self.settings)
        watch = Watch(around.event, self.activity, connection=self.settings.name)
        cancelled, asked = attend(watch), attend is not nobody
        self.board.began(kind, started)
        ending = Ending()
        report: CycleReport | None = None

        def told(job: Job | None) -> CycleReport:
            made = partial(cycle_report, kind, started, around.clock(), ending, job=job)
            error, store = ending.told(around.redactor), self.current.store
            return made(waited=watch.waited, store=store, error=error, asked=asked)

        try:
            with open_job(
                self.settings,
                observer=watch,
                redactor=around.redactor,
                clock=around.clock,
                cancelled=lambda: around.stopping.is_set() or cancelled(),
                is_turn_taken=lambda: kind == "delta" and self.hooks.is_giving_way,
                store=self.current.store,
                turn=self._turn,
                seat=around.seat(self.settings.name, self.hooks.delta_every(self.settings)),
                **self._job_options,
            ) as job:
                ending = ended(work, replace(job, nothing=self.hooks.hooked.nothing))
                report = told(job)
        except Exception as error:  # noqa: BLE001  (secrets, the store: a failed cycle like any other)
            ending = ending if report else Ending(error=error)
        report = report or told(None)
        self.board.ended(report, running=kind)
        if report.began:
            self._voice.ended(report, ending, stopping=around.stopping.is_set())
        self._waits |= ending.waits
        self._after(report)
        return report, ending

    def _after(self, report: CycleReport) -> None:
        store, on_cycle = self.current.store, self._around.on_cycle
        try:
            if store is not None and on_cycle is not None and report.began:
                on_cycle(self.settings, store, report)
            self.current.rest()
        except Exception as error:  # noqa: BLE001  (who is told about a cycle cannot stop the next one)
            self._voice.failed("nobody could be told about a cycle", report.kind, error)
