"""Commands beside somebody else who has the store's writer's lock: `syncd run` is asked to do it and followed to its
end, any other command is waited for.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import click

from syncd.cli import exits
from syncd.cli.asking import can_ask
from syncd.cli.choices import F, planning_options
from syncd.cli.deciding import decider
from syncd.cli.interrupts import Interrupted, Stop
from syncd.cli.session import Answer, Session
from syncd.core.request import (
    EndedState,
    ErrorText,
    Request,
    RequestRecord,
    RequestResult,
    TakenState,
    WithdrawnState,
    arguments_of,
    kind_of,
)
from syncd.errors import ConfigurationError, LockHeld, RefusedError, SyncdError, UsageError
from syncd.report.lines import line, strong

if TYPE_CHECKING:
    from syncd.cli.progress import Watcher
    from syncd.ports import Store
    from syncd.settings import ConnectionSettings
    from syncd.settings.place import FleetPlace

ORPHANED_AFTER = 60.0
"""Seconds without a sign of anybody who carries requests out, until the command does it itself."""
FOLLOWED_WITHIN = 15.0
"""The same after one that ended by itself, as in a restart."""
_LOOK_EVERY = 0.25
_SILENT_AFTER = 30.0
"""Seconds without a renewal of a lock after which it is tried to take it: that judges whether its holder lives."""
_BUSY_AFTER = 3.0
"""Seconds of waiting from which a person wants to know what it waits for."""
_ERRORS: dict[int, type[SyncdError]] = {
    error.exit_code: error for error in (SyncdError, RefusedError, UsageError, ConfigurationError)
}

Alone = Callable[[], Answer]
Shown = Callable[[RequestResult], Answer]


def no_wait_option(command: F) -> F:
    """--no-wait: given to the command as `no_wait`."""
    return click.option(
        "--no-wait", is_flag=True, help="Only ask syncd run to do it; prints the request and returns."
    )(command)


def changing_options(command: F) -> F:
    """--no-wait, and what whatever makes a plan takes."""
    return no_wait_option(planning_options(command))


def carried_out(
    session: Session,
    settings: ConnectionSettings,
    stop: Stop,
    request: Callable[[], Request],
    alone: Alone,
    shown: Shown,
    *,
    no_wait: bool = False,
    reason: str | None = None,
) -> Answer:
    """Does it `alone` when nobody has the store; has it done by `syncd run`, and shows what came of it, when that has;
    waits for anybody else. `request` is what is asked for: only made, which may ask a person, where it is.
    """
    said = ""
    while True:
        if no_wait or _served(settings):
            made = request()
            with _asked(session, settings, made, reason) as (store, record):
                if no_wait:
                    return _told(session, settings, store, record)
                return shown(_followed(session, settings, stop, store, record))
        try:
            return alone()
        except LockHeld as held:
            if held.stands_still:
                raise
            if said != held.message:
                session.note(f"waits: {held.message}; {held.hint}")
            said = held.message
            _wait_for(settings)


def shown_answer(session: Session, settings: ConnectionSettings, outcome: RequestResult) -> Answer:
    """What came of it, without lines; errors are said here. Raises the one that it ended with."""
    if outcome.document is None:
        raise _error(outcome.said[-1])
    for said in outcome.said:
        session.fail(_error(said), connection=settings.name if session.several else "")
    return Answer(outcome.document, outcome.exit_code)


def _error(said: ErrorText) -> SyncdError:
    return _ERRORS.get(said.exit_code, SyncdError)(said.message, hint=said.hint)


def _served(settings: ConnectionSettings) -> bool:
    """Whether somebody has the lock who carries requests out. In a fleet whoever owns the connection does, sometime."""
    if settings.fleet is not None:
        return True
    from syncd.custody import store_place  # noqa: PLC0415  (sqlite-utils)
    from syncd.wiring import open_for_status, utc_now  # noqa: PLC0415

    try:
        store_place(
            settings, utc_now
        )  # reading touches the directory, which whoever may not write leaves alone
        if not settings.store_path.exists():
            return False
        with open_for_status(settings) as store:
            writer = store.writer()
    except (SyncdError, OSError):
        return False  # whoever opens it to write says better what is wrong with it
    return writer is not None and writer.serves and not writer.ended


def _wait_for(settings: ConnectionSettings) -> None:
    """Until the lock is free, or somebody has it who can be asked, or its holder gave no sign for long."""
    from syncd.wiring import open_for_status  # noqa: PLC0415  (sqlite-utils)

    mark: object = None
    seen, pause = time.monotonic(), threading.Event()
    with open_for_status(settings) as store:
        while time.monotonic() - seen < _SILENT_AFTER:
            pause.wait(_LOOK_EVERY)
            writer = store.writer()
            if writer is None or writer.ended or writer.serves:
                return
            if writer.mark != mark:
                mark, seen = writer.mark, time.monotonic()


@contextmanager
def _asked(
    session: Session, settings: ConnectionSettings, request: Request, reason: str | None
) -> Iterator[tuple[Store, RequestRecord]]:
    """The request that this command puts, and the store that it is in."""
    from syncd.settings import scope_fingerprint  # noqa: PLC0415
    from syncd.wiring import open_for_deciding  # noqa: PLC0415

    with open_for_deciding(settings, redactor=session.redactor) as store:
        scope, by = scope_fingerprint(settings), decider()
        why = reason or ""
        record = store.ask(kind_of(request), arguments_of(request), settings=scope, by=by, reason=why)
        if settings.fleet is not None:
            from syncd.fleets import wake_owner  # noqa: PLC0415  (psycopg)

            wake_owner(settings.fleet)
        yield store, record


def _told(session: Session, settings: ConnectionSettings, store: Store, record: RequestRecord) -> Answer:
    """With --no-wait."""
    from syncd.answers.request_document import request_document  # noqa: PLC0415  (the engine)

    writer = store.writer()
    if writer is None or writer.ended or not writer.serves:
        nobody = "no `syncd run` has this store now: the next one that begins"
        if settings.fleet is not None:
            nobody = f"{_unserved(settings.name, settings.fleet)}: the next one that does"
        session.note(f"{nobody} carries it out", "warn")
    said = line("Asked for: ", strong(record.id), f" ({record.kind}). syncd status shows what comes of it.")
    return Answer(request_document(record, settings.name), exits.DONE, [said])


def _followed(
    session: Session, settings: ConnectionSettings, stop: Stop, store: Store, record: RequestRecord
) -> RequestResult:
    writer = store.writer()
    if writer is not None:
        session.note(f"{writer.named} has the store, and was asked to do it (request {record.id})")
    elif settings.fleet is not None:
        session.note(
            f"{_unserved(settings.name, settings.fleet)}: request {record.id} waits until one does (syncd fleet status"
            " shows the workers; Ctrl-C withdraws the request)",
            "warn",
        )
    with session.watcher(settings) as watcher:
        stop.during(watcher)
        outcome = _Following(session, settings, stop, store, record, watcher).outcome()
    _tell_quarantine(session, store)
    return outcome


def _unserved(name: str, place: FleetPlace) -> str:
    why = f", for it is paused (syncd fleet pause {name} --off)" if place.paused else ""
    return f"no worker serves {name} now{why}"


@dataclass
class _Following:
    """One record, watched until it has ended."""

    session: Session
    settings: ConnectionSettings
    stop: Stop
    store: Store
    record: RequestRecord
    watcher: Watcher
    progress: TakenState | None = None
    """As it is shown."""
    mark: object = None
    seen: float = field(default_factory=time.monotonic)
    """When somebody who carries requests out last gave a sign."""
    ended: float | None = None
    """When it was seen that nobody does any more, after one that ended by itself."""
    pause: threading.Event = field(default_factory=threading.Event)
    busy_at: float | None = field(default_factory=lambda: time.monotonic() + _BUSY_AFTER)

    def outcome(self) -> RequestResult:
        """Raises Interrupted when it is left, or withdrawn."""
        while True:
            try:
                if (outcome := self._look()) is not None:
                    return outcome
                self.pause.wait(_LOOK_EVERY)
            except KeyboardInterrupt:
                self._leave()

    def _look(self) -> RequestResult | None:
        found = self.store.request(self.record.id)
        if found is None:
            raise RefusedError("the request is gone from the store", hint="put it again")
        match found.state:
            case EndedState():
                return self.store.request_result(found.id)
            case WithdrawnState():
                raise Interrupted("the request was withdrawn before anybody took it: nothing was done")
            case TakenState():
                self._show(found.state)
            case _ if self.busy_at is not None and time.monotonic() > self.busy_at:
                self.busy_at = None
                self._tell_busy()
        return self._here(found) if self._is_orphaned() else None

    def _show(self, now: TakenState) -> None:
        self.busy_at = None
        shown, self.progress = self.progress, now
        if now.phase and (shown is None or shown.phase != now.phase):
            self.watcher.phase(now.phase, now.total)
            self.watcher.advance(now.done)
        elif shown is not None and now.done > shown.done:
            self.watcher.advance(now.done - shown.done)

    def _tell_busy(self) -> None:
        under_way = [run for run in self.store.runs(limit=5) if run.finished is None]
        doing = " and ".join(f"a {run.kind} run since {run.started:%H:%M:%S}Z" for run in under_way)
        self.session.note(f"not taken yet; under way: {doing or 'nothing'}")

    def _is_orphaned(self) -> bool:
        """Nobody who carries requests out has given a sign for too long. In a fleet somebody always comes."""
        if self.settings.fleet is not None:
            return False
        now, writer = time.monotonic(), self.store.writer()
        if writer is None or writer.ended:
            if self.ended is None:
                self.ended = now
                self.session.note(
                    f"who was asked has ended; the next one is waited for, {FOLLOWED_WITHIN:.0f} s"
                )
            return now - self.ended > FOLLOWED_WITHIN
        if writer.serves and writer.mark != self.mark:
            self.mark, self.seen, self.ended = writer.mark, now, None
        return now - self.seen > ORPHANED_AFTER

    def _here(self, found: RequestRecord) -> RequestResult | None:
        """Carries it out itself; None when somebody else has it after all."""
        from syncd.answers.requests import carry_out_once, error_outcome, request_in  # noqa: PLC0415

        self.session.note("nobody carries it out any more: this command does it itself", "warn")
        self.seen, self.ended = time.monotonic(), None
        try:
            with self.session.writing(self.settings, self.stop) as (job, _):
                taken = job.store.take_request(found.id)
                if taken is None:
                    return None
                try:
                    request = request_in(job.store, taken, self.settings, job.clock())
                    outcome, _ = carry_out_once(job, found, request)
                except SyncdError as error:
                    outcome = error_outcome(error)
                job.store.end_request(found.id, outcome)
                return outcome
        except LockHeld as held:
            if held.stands_still:
                self.store.withdraw_request(found.id, stop=False)
                raise
            self.session.note(f"waits: {held.message}; {held.hint}")
            return None

    def _leave(self) -> None:
        """Ctrl-C, or SIGTERM. Returns when it goes on being followed."""
        self.watcher.rest()
        asked = can_ask()
        if asked and not _confirmed(self.session, "Withdraw the request?"):
            raise Interrupted("left: the request goes on", hint="`syncd status` shows what comes of it")
        if self.store.withdraw_request(self.record.id, stop=asked):
            raise Interrupted("the request was withdrawn before anybody took it: nothing was done")
        if not asked:
            raise Interrupted(
                "left: the request is being carried out, and goes on",
                hint="`syncd status` shows what comes of it",
            )
        self.session.note("it is being carried out, and was asked to end early")


def _confirmed(session: Session, question: str) -> bool:
    try:
        return session.confirm(question)
    except (click.Abort, KeyboardInterrupt):
        return False


def _tell_quarantine(session: Session, store: Store) -> None:
    """What is done about it meanwhile."""
    from syncd.engine.writing.quarantine import RELINK, current  # noqa: PLC0415

    sick = current(store)
    if sick is not None and sick.side != RELINK:
        session.note(
            f"the connection is in quarantine; it is asked again at {sick.next_probe:%Y-%m-%dT%H:%M:%SZ}"
        )
