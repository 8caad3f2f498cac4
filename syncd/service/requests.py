"""Carries out what people ask of one connection while the daemon has its store.

Two lanes, each one request at a time in the order in which they were put: one for what reads everything, which takes
the place of a full cycle, and one for all that is quicker, which runs beside full cycles as deltas do. There are
threads only while there is something to carry out.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from syncd.answers.requests import carry_out_once, error_outcome, request_in
from syncd.core.request import (
    DriftRequest,
    ErrorText,
    Request,
    RequestRecord,
    RequestResult,
    SyncRequest,
    read_request,
    reads_everything,
)
from syncd.engine.cycles.result import RunResult
from syncd.engine.job import Job
from syncd.engine.reading.selection import Selection
from syncd.errors import LockLost, RefusedError, SyncdError
from syncd.ports import Store
from syncd.redact import Redactor
from syncd.service.board import CycleReport
from syncd.service.current_state import CurrentState
from syncd.service.gate import Gate
from syncd.service.reports import Ending
from syncd.service.telling import Voice
from syncd.service.watch import Watch
from syncd.settings import ConnectionSettings

_LOOKED_EVERY = 0.5
"""Seconds: the row is the truth, and this is how soon it is seen."""
_TOLD_EVERY = 0.5
"""Seconds between two words about how far it has come."""
_OURS = "This is a fault of syncd; the log of `syncd run` has its traceback."
Cancelled = Callable[[], bool]
Attend = Callable[[Watch], Cancelled]
"""Hears of the watch of a run, and says whether somebody wants it to end early."""


def nobody(watch: Watch) -> Cancelled:
    """Who asks for nothing."""
    del watch
    return lambda: False


class Run(Protocol):
    """Runs one cycle of this kind as every cycle is run; never raises."""

    def __call__(
        self, kind: str, work: Callable[[Job], Ending], attend: Attend = ..., /
    ) -> tuple[CycleReport, Ending]: ...


class Afterwards(Protocol):
    """Once a request has ended: another full cycle may be due."""

    def __call__(self, *, well_again: bool) -> None: ...


@dataclass(frozen=True, slots=True)
class Acts:
    """What the connection lends: how it runs a cycle, how it syncs everything, what follows, and its settings now.
    `woken` is called when somebody may have written something into the store, a request or a decision.
    """

    run: Run
    sync_all: Callable[[Job, Selection, Mapping[str, int]], RunResult]
    afterwards: Afterwards
    settings: Callable[[], ConnectionSettings]
    woken: Callable[[], None]


class Around(Protocol):
    """What all connections share."""

    @property
    def stopping(self) -> threading.Event: ...
    @property
    def clock(self) -> Callable[[], datetime]: ...
    @property
    def redactor(self) -> Redactor: ...


class _Lane:
    """Calls `serve` in a thread of its own until it answers False, once for each wake or more."""

    def __init__(self, serve: Callable[[], bool]) -> None:
        self._serve = serve
        self._lock = threading.Lock()
        self._woken = False
        self._thread: threading.Thread | None = None

    def wake(self) -> None:
        with self._lock:
            self._woken = True
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="requests", daemon=True)
                self._thread.start()

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._woken:
                    self._thread = None
                    return
                self._woken = False
            while self._serve():
                continue


class RequestLanes:
    """`look` is called twice a second from one thread for all connections, and waits for nothing."""

    def __init__(self, current: CurrentState, gate: Gate, acts: Acts, around: Around, voice: Voice) -> None:
        self._current, self._gate, self._acts = current, gate, acts
        self._around, self._voice = around, voice
        self._lanes = (_Lane(lambda: self._serve(long=False)), _Lane(lambda: self._serve(long=True)))
        self._left = True
        """Something may wait that could not be taken when it was seen."""

    def look(self) -> None:
        """Whether somebody asked for something."""
        store = self._current.store
        if store is None or self._around.stopping.is_set():
            return
        try:
            if not (store.requests_moved() or self._left):
                return
        except SyncdError:
            return  # a cycle tells what is wrong with the store
        self._left = False
        for lane in self._lanes:
            lane.wake()

    def _serve(self, *, long: bool) -> bool:
        """Carries one out; False when there is none for this lane, or it cannot be done now."""
        try:
            if not long:
                self._acts.woken()
            store = self._current.store
            found = None if store is None else _next_of(store, long=long)
            if store is None or found is None:
                return False
            was_sick = bool(self._current.sick)
            with self._gate.place("full" if long else "request") as mine:
                if not mine:
                    self._left = True
                    return False
                self._current.verify_store()
                taken = store.take_request(found.id)
                if taken is not None:
                    self._carry_out(store, found, taken)
        except SyncdError as error:
            self._left = not isinstance(error, LockLost | RefusedError)
            self._voice.failed("a request could not be taken", "request", error)
            return False
        except Exception as error:  # noqa: BLE001  (nothing that somebody asks for ends the daemon)
            self._voice.failed("a request could not be carried out", "request", error)
            return False
        well_again = was_sick and not self._current.sick
        if long or well_again:
            self._acts.afterwards(well_again=well_again)
        return True

    def _carry_out(self, store: Store, found: RequestRecord, taken: RequestRecord) -> None:
        """`found` is what it was before it was taken."""
        self._voice.say(
            "info", "carries out a request", "request", request=taken.id, kind=taken.kind, by=taken.by
        )
        try:
            outcome = self._judged(store, found, taken)
        except SyncdError as error:
            outcome = error_outcome(error)
        except Exception as error:  # noqa: BLE001  (whoever waits for it must hear of it)
            self._voice.failed("a request could not be carried out", "request", error)
            outcome = error_outcome(
                SyncdError(f"something unexpected went wrong: {type(error).__name__}", hint=_OURS)
            )
        if outcome is None:
            store.put_back_request(taken.id)
            return
        self._end(store, taken.id, self._clean(outcome))
        errors = "; ".join(each.message for each in outcome.said)
        why = {"error": self._around.redactor.text(errors)} if errors else {}
        code = outcome.exit_code
        self._voice.say("info", "request carried out", "request", request=taken.id, exit_code=code, **why)

    def _end(self, store: Store, request_id: str, outcome: RequestResult) -> None:
        """Until it is written down: it was done, and somebody waits to hear of it."""
        while True:
            try:
                store.end_request(request_id, outcome)
            except LockLost:
                raise
            except SyncdError as error:  # a full disk, say
                self._voice.failed("what came of a request could not be stored", "request", error)
                if self._around.stopping.wait(1.0):
                    raise
            else:
                return

    def _judged(self, store: Store, found: RequestRecord, taken: RequestRecord) -> RequestResult | None:
        """None: the daemon ends before it is done, and the next one does it. Raises RefusedError for what nobody
        carries out.
        """
        request = request_in(store, taken, self._acts.settings(), self._around.clock())
        return self._done(store, found, request)

    def _done(self, store: Store, found: RequestRecord, request: Request) -> RequestResult | None:
        outcome: RequestResult | None = None

        def work(job: Job) -> Ending:
            nonlocal outcome
            try:
                outcome, result = carry_out_once(job, found, request, sync_all=self._acts.sync_all)
            except SyncdError as error:
                outcome = error_outcome(error)
                raise
            return Ending(result)

        with _telling(store, found.id, self._voice) as told:
            _, ending = self._acts.run(_kind_of_run(request, found.kind), work, told.attend)
        self._current.read_quarantine()
        if self._around.stopping.is_set() and ending.status == "interrupted":
            return None
        if outcome is None:  # it did not come to that: secrets, a crash
            error = ending.error
            outcome = error_outcome(error if isinstance(error, SyncdError) else SyncdError(ending.message))
        return (
            replace(outcome, exit_code=130) if told.stop_asked and ending.status == "interrupted" else outcome
        )

    def _clean(self, outcome: RequestResult) -> RequestResult:
        """What another process may show."""
        redactor = self._around.redactor
        said = [
            ErrorText(redactor.text(one.message), redactor.text(one.hint), one.exit_code)
            for one in outcome.said
        ]
        document = None if outcome.document is None else redactor.value(dict(outcome.document))
        return replace(outcome, document=document if isinstance(document, dict) else None, said=said)


class _Telling:
    """Writes into the row how far it has come, and reads there whether it shall end early."""

    def __init__(self, store: Store, request_id: str, voice: Voice) -> None:
        self.stop_asked = False
        self._store, self._request_id, self._voice = store, request_id, voice
        self._watch: Watch | None = None

    def attend(self, watch: Watch) -> Cancelled:
        self._watch = watch
        return lambda: self.stop_asked

    def tell(self) -> None:
        if self._watch is None:
            return
        now = self._watch.progress
        with suppress(SyncdError):  # who may not write is told so where it matters
            asked = self._store.tell_progress(
                self._request_id, phase=now.phase, total=now.total, done=now.done
            )
            if asked and not self.stop_asked:
                self.stop_asked = True
                self._voice.say("info", "a request is to end early", "request", request=self._request_id)


@contextmanager
def _telling(store: Store, request_id: str, voice: Voice) -> Iterator[_Telling]:
    telling, done = _Telling(store, request_id, voice), threading.Event()

    def work() -> None:
        while not done.wait(_TOLD_EVERY):
            telling.tell()

    thread = threading.Thread(target=work, name="request-progress", daemon=True)
    thread.start()
    try:
        yield telling
    finally:
        done.set()
        thread.join()


def _next_of(store: Store, *, long: bool) -> RequestRecord | None:
    """The oldest of this lane. What cannot be read is refused quickly."""
    for each in store.requests_to_take():
        try:
            request = read_request(each.version, each.kind, each.arguments)
        except RefusedError:
            is_long = False
        else:
            is_long = reads_everything(request)
        if is_long is long:
            return each
    return None


def _kind_of_run(request: Request, asked: str) -> str:
    """As the board calls it while it runs, `asked` being the kind of the request; once it has ended it is called what
    its run is.
    """
    if isinstance(request, DriftRequest):
        return "drift"
    return "full" if isinstance(request, SyncRequest) and reads_everything(request) else asked


def look_for_requests(
    everybody: Callable[[], Sequence[RequestLanes]],
    stopping: threading.Event,
    every: float = _LOOKED_EVERY,
) -> None:
    """Looks from now on, each `every` seconds, in a thread of its own, until it is stopping."""

    def work() -> None:
        while not stopping.wait(every):
            for one in everybody():
                one.look()

    threading.Thread(target=work, name="look-for-requests", daemon=True).start()
