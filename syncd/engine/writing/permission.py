"""Whether anything may be written now, by a person's pause and by the windows of the schedule.

Asked before a run by hand begins, and again while it writes: a pause stops the very run that is writing.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import datetime

from syncd.core.pausing import Pause, Shut, barred, ends_at, said_of, way_out_of
from syncd.engine.facts import PAUSE, readable
from syncd.engine.job import Job
from syncd.errors import WritingWaits
from syncd.ports import Store
from syncd.settings.schema import ConnectionSettings

_ASKED_EVERY = 0.2
"""Seconds; a look at the store costs less than a write, but not nothing."""


def paused(store: Store, now: datetime) -> Pause | None:
    """The pause that is in force. Raises PermanentError when what is kept of it cannot be read."""
    with readable("the pause of the connection"):
        found = PAUSE.of(store)
    return found if found is not None and found.in_force(now) else None


def barred_now(store: Store, settings: ConnectionSettings, now: datetime) -> Pause | Shut | None:
    """Why nothing may be written now; None when it may."""
    return barred(paused(store, now), settings.schedule.windows, now)


def barred_for(store: Store | None, settings: ConnectionSettings, now: datetime) -> float | None:
    """Seconds, 0 where nothing bars it; None where nobody knows: until somebody resumes, or without a store."""
    if store is None:
        return None
    bar = barred_now(store, settings, now)
    ends = now if bar is None else ends_at(bar)
    return None if ends is None else (ends - now).total_seconds()


def refuse_while_barred(job: Job) -> None:
    """Raises WritingWaits."""
    bar = barred_now(job.store, job.settings, job.clock())
    if bar is not None:
        raise refusal(bar)


def refusal(bar: Pause | Shut) -> WritingWaits:
    """What to raise where a pause or a closed window bars all writes, with the way out."""
    return WritingWaits(f"nothing is written: {said_of(bar)}", hint=way_out_of(bar))


@dataclass
class Permission:
    """To write on, in the middle of a run. Of use to one thread."""

    job: Job
    _looked: float = field(default=float("-inf"), init=False)

    def withdrawn(self) -> WritingWaits | None:
        """Why nothing more is to be sent, as far as it was looked for lately."""
        now = time.monotonic()
        if now - self._looked < _ASKED_EVERY:
            return None
        self._looked = now
        bar = barred_now(self.job.store, self.job.settings, self.job.clock())
        return None if bar is None else refusal(bar)
