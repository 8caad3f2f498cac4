"""The drift cycle of a connection in the daemon: when it is due, and what it does."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta

from syncd.core.cron import Cron
from syncd.engine.cycles.drift import repair
from syncd.engine.cycles.drift_report import DriftReport
from syncd.engine.cycles.rolled_back import COMPARISON_DUE
from syncd.engine.facts import LAST_DRIFT
from syncd.engine.job import Job
from syncd.engine.reading.selection import Selection
from syncd.engine.writing import quarantine
from syncd.engine.writing.permission import barred_now
from syncd.errors import SyncdError
from syncd.ports import Store
from syncd.service.reports import Ending

_FIRST = 600.0
"""Seconds after the start before which no drift cycle runs: the full cycle comes first."""


def due_in(store: Store | None, every: timedelta | Cron, now: datetime) -> float | None:
    """Seconds until the next one: what restarts put off would never come. None by a calendar, which no restart puts
    off. One that is due whatever the schedule says comes at its own time.
    """
    last = _last(store)
    asked = _asked_in(store, last, now)
    if isinstance(every, Cron):
        return asked
    seconds = every.total_seconds()
    ago = seconds if last is None else (now - last).total_seconds()
    planned = seconds if last is None else min(max(seconds - ago, _FIRST), seconds)
    return planned if asked is None else min(planned, asked)


def _last(store: Store | None) -> datetime | None:
    """When everything was compared last; None where nobody knows, for one that cannot be asked now ends no daemon."""
    with suppress(ValueError, KeyError, TypeError, SyncdError):
        last = {} if store is None else LAST_DRIFT.of(store, {})
        found = datetime.fromisoformat(last["created_at"])
        return found if found.tzinfo is not None else None
    return None


def _asked_in(store: Store | None, last: datetime | None, now: datetime) -> float | None:
    """Seconds until a comparison that was asked for is due; None when none is."""
    with suppress(TypeError, SyncdError):
        asked = None if store is None else COMPARISON_DUE.of(store)
        if asked is not None and (last is None or last < asked.since):
            return max(0.0, (asked.at - now).total_seconds())
    return None


def first_turn(kind: str, full: float | None, drift: Callable[[], float | None]) -> float | None:
    """Seconds until the first cycle of this kind, None at its own time. Only for a drift cycle the store is asked."""
    return drift() if kind == "drift" else full if kind == "full" else None


def drift_turn(job: Job, look: Callable[[Job], DriftReport]) -> Ending:
    """Compares, and with `schedule.drift_repair` repairs what is found, under all limits; while nothing may be written
    it only looks. Raises what ends a comparison.
    """
    if job.settings.schedule.drift_repair and barred_now(job.store, job.settings, job.clock()) is None:
        report, result = repair(job, Selection(full=True))
        return Ending(result, drift=report)
    try:
        return Ending(drift=look(job))
    except SyncdError as error:
        quarantine.note(job, error)
        raise
