"""A connection that this worker owns for now: it goes on where the owner before it stopped.

A takeover begins with a delta from the stored place in the System Log, and the next full cycle is due by the time of
the last one: hundreds of connections that lost their worker are not read in full at once.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from syncd.core.cron import Cron
from syncd.core.lease import DELIVERED_WITHIN
from syncd.core.nomination import ASKED
from syncd.core.plan import timestamp
from syncd.engine.cycles.rolled_back import comes_in, follow_history
from syncd.engine.cycles.second_look import also_look_at, is_due, look_again, take_over
from syncd.engine.facts import COMPLETE_READ, CURSOR, LOG_ASKED
from syncd.engine.job import Job
from syncd.errors import SyncdError
from syncd.ports import Store
from syncd.ports.fleet import Ownership
from syncd.service.board import ConnectionBoard
from syncd.service.connection import ServedConnection
from syncd.service.connection_state import NoStore, SystemLog, Well
from syncd.service.fleet.quiet import QuietTurn
from syncd.service.held_store import Held
from syncd.service.reports import Ending
from syncd.service.surroundings import Surroundings
from syncd.settings import ConnectionSettings

_RUNS_LOOKED_AT = 1_000
_OTHER = (
    "what was written last may be lost; if it was put back from a backup, stop the workers and run"
    " syncd fleet restored"
)
Opening = Callable[[ConnectionSettings, Callable[[], bool]], Held]
"""Opens the store of a connection; the other argument says whether no cycle of it runs. Raises SyncdError."""


class OwnedConnection(ServedConnection):
    """`ownership` is what it serves by; with another one it is another connection."""

    def __init__(
        self,
        settings: ConnectionSettings,
        board: ConnectionBoard,
        around: Surroundings,
        ownership: Ownership,
        opens: Opening,
    ) -> None:
        super().__init__(settings, board, around)
        self.ownership = ownership
        self.is_begun = False
        """It had its first turn, or that is none that a takeover waits for."""
        self.asked_at = 0.0
        """When its last delta had its answers, by the monotonic clock; 0 before the first."""
        self.current.opens = lambda settings, _wait: opens(settings, lambda: self.is_idle)
        self._opening = threading.Lock()
        self._has_gone_on = False
        """What is done once with a store that was opened is done."""
        self._turn = self._quiet = QuietTurn(ownership.quiet, around.stopping)
        self._job_options = {"writing": True, "delivered_within": DELIVERED_WITHIN}
        # In the quiet time a delta only reads what is new, which stays pending: one that waited for the end of that
        # time would keep a thread from the deltas of all others.
        self.hooks.is_put_off = self._is_put_off

    @property
    def is_idle(self) -> bool:
        """No cycle of it runs."""
        return self._gate.running == 0

    def open(self, *, patient: bool = False) -> None:
        """As `ServedConnection.open`; what is under way at the target is noted, and the System Log followed on."""
        with self._opening:
            if not isinstance(self.current.state, NoStore):
                return  # another turn was quicker
            self._has_gone_on = False
            super().open(patient=patient)
            self._go_on()

    def _take_turn(self, kind: str) -> None:
        with self._opening:
            if not self._has_gone_on:  # the database was away just after the store was opened
                self._go_on()
        super()._take_turn(kind)

    def _go_on(self) -> None:
        store = self.current.store
        if store is None:
            return
        self._follow_history(store)
        self.hooks.restore(store)
        if _was_followed(store):
            self._log.state = SystemLog.FOLLOWED
        if found := take_over(store, self._around.clock()):
            self._seen.name(found)
            opened = {"users": len(found.users), "groups": len(found.groups)}
            self._voice.say("info", "takes over what was under way", "delta", **opened)
        self._has_gone_on = True

    def _follow_history(self, store: Store) -> None:
        seen, now = self.ownership.seen, self._around.clock()
        comes = comes_in(self.settings.name, seen.connections)
        if found := follow_history(store, seen.history, now, comes, is_first=self.ownership.is_first):
            before, due = found
            said = {"before": before, "now": seen.history, "compared_at": timestamp(due.at), "hint": _OTHER}
            self._voice.say("warning", "its database failed over, or was put back", "delta", **said)
            self._seen.heard = set()

    def _delta(self, job: Job) -> Ending:
        """What happened since the place in the System Log that the store has may have been done, and forgotten."""
        ending = super()._delta(job)
        self.asked_at = time.monotonic()
        if self._seen.heard is not None:
            also_look_at(job.store, self._seen.heard, job.clock())
            self._seen.heard = None
        return ending

    def full_due_in(self) -> float | None:
        """Seconds until the next full cycle, by the last one; None where its calendar says. 0 when there never was one,
        its time is over, or something was left unsent.
        """
        store, every = self.current.store, self.settings.schedule.full
        last = None if store is None else _complete_read(store)
        now = self._around.clock()
        if last is None or (store is not None and _left_unsent(store)):
            return 0.0
        if isinstance(every, Cron):
            return 0.0 if now - last > every.longest_gap(now.date()) else None
        return max(0.0, (last + every - now) / timedelta(seconds=1))

    def look_for_requests(self) -> None:
        """For what was asked for while nobody served it, of which no word comes any more; not before it may be done."""
        if not self.ownership.only_watches and self._quiet.left <= 0:
            self.requests.look()

    def delta(self) -> None:
        """A second look, too, once it is due. A store that was lost with the lease is opened again when that lives."""
        if isinstance(self.current.state, NoStore):
            with suppress(SyncdError):  # the full cycle that tries too says why
                self.open()
        super().delta()
        if not self.is_begun:
            self.is_begun = True
            self.look_for_requests()
        with self._gate.place("second look") as mine, self._crash_proof("delta"):
            if mine:
                self._look_again()

    def _probe(self, job: Job) -> Ending:
        if self._is_put_off():
            self._probe_asked = True
            return Ending()
        return super()._probe(job)

    def _is_put_off(self) -> bool:
        """Whether the target has to be left alone for now; there is a delta as soon as that is over."""
        left = self._quiet.left
        if left > 0:
            self._around.hurry(self.settings.name, "delta", left)
        return left > 0

    def _look_again(self) -> None:
        store = self.current.store
        if store is None or not isinstance(self.current.state, Well) or self._is_barred():
            return
        if is_due(store, self._around.clock()):
            self._run("targeted", self._second_look)

    def _second_look(self, job: Job) -> Ending:
        result = look_again(job)
        self._voice.say("info", "looked a second time at what was under way", "targeted")
        return Ending(result)


def _was_followed(store: Store) -> bool:
    """With these kinds of events, and everything before was read."""
    asked = LOG_ASKED.of(store) == " ".join(ASKED)
    return asked and CURSOR.of(store) is not None and COMPLETE_READ.of(store) is not None


def _left_unsent(store: Store) -> bool:
    """Whether a run since the last full cycle that came to its end was paused, stopped, or died, before all was written
    that the store knows of by it. What a delta had not written when it ended is still pending.
    """
    for run in store.runs(limit=_RUNS_LOOKED_AT):
        ended_early = run.status in (None, "interrupted") and run.kind != "delta"
        if ended_early or run.summary.get("deferred"):
            return True
        if run.kind == "full" and run.status not in (None, "failed"):
            return False
    return False


def _complete_read(store: Store) -> datetime | None:
    said = COMPLETE_READ.of(store)
    try:
        found = None if said is None else datetime.fromisoformat(said)
    except ValueError:
        return None
    return found if found is None or found.tzinfo is not None else found.replace(tzinfo=UTC)
