"""The drift cycle of a connection in the daemon: when it is due, and what it does."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from syncd.core.cron import Cron
from syncd.engine.cycles.drift import repair
from syncd.engine.cycles.drift_report import DriftReport
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
    off.
    """
    if isinstance(every, Cron):
        return None
    seconds = every.total_seconds()
    try:
        last = {} if store is None else LAST_DRIFT.of(store, {})
        ago = (now - datetime.fromisoformat(last["created_at"])).total_seconds()
    except (ValueError, KeyError, TypeError, SyncdError):  # one that cannot be asked now ends no daemon
        return seconds
    return min(max(seconds - ago, _FIRST), seconds)


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
