"""When which cycle of which connection runs. The only door to APScheduler.

All connections share two lanes of threads: one for what is long (full and drift cycles), one for deltas, so that the
first syncs of many connections put off no delta. A cycle that is still running when its next turn comes is not started
twice, and turns missed while the machine slept become one.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from apscheduler.events import EVENT_JOB_MAX_INSTANCES
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.jobstores.base import JobLookupError
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.interval import IntervalTrigger

from syncd.core.cron import Cron

KINDS = ("delta", "full", "drift")
LANES = {"long": 10, "short": 8}
"""Threads of each; a cycle may have one more for its stage."""
_LANE_OF = {"delta": "short", "full": "long", "drift": "long"}
_JITTER = 0.05
"""Part of the interval by which a turn may come early or late, so that many daemons do not ask at once."""
_JITTER_AT_MOST = {"delta": 1.0, "full": 15.0, "drift": 15.0}
"""Seconds."""


def longest_of(every: timedelta | Cron) -> timedelta:
    """How long the next turn may lie away."""
    return every.longest_gap(datetime.now(UTC).date()) if isinstance(every, Cron) else every


class _Lane(ThreadPoolExecutor):  # type: ignore[misc]  # APScheduler has no types
    """Notes in `due` when each turn was due, before a thread has it."""

    def __init__(self, threads: int, due: dict[str, datetime]) -> None:
        super().__init__(threads)
        self._due = due

    def _do_submit_job(self, job: Any, run_times: Sequence[datetime]) -> None:
        self._due[job.id] = run_times[-1]
        super()._do_submit_job(job, run_times)


def _nobody(_kind: str, _late: float) -> None:
    """Nobody is told how late a turn begins."""


class Timetable:
    """`schedule` before or after `start`, from any thread. Times are aware UTC."""

    def __init__(
        self, lanes: Mapping[str, int] = LANES, *, began: Callable[[str, float], None] = _nobody
    ) -> None:
        """`lanes`: threads of each. `began` is called when a turn begins, with the kind of cycle and how many seconds
        after it was due. Turns that were missed count as one that was due with the last of them.
        """
        # A turn that comes while the last one lasts is skipped, which is as it should be and no warning.
        logging.getLogger("apscheduler").setLevel(logging.ERROR)
        self._due: dict[str, datetime] = {}
        """By turn, until it begins."""
        self._began = began
        self._lanes = {name: _Lane(threads, self._due) for name, threads in lanes.items()}
        self._scheduler = BackgroundScheduler(
            timezone=UTC,
            executors=self._lanes,
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        )
        self._connections: dict[str, dict[str, timedelta | Cron]] = {}
        """By connection and kind of cycle."""
        self._hurried: set[str] = set()
        """Turns that were brought forward and have not been had."""
        self._scheduler.add_listener(self._on_skipped, EVENT_JOB_MAX_INSTANCES)

    def start(self) -> None:
        self._scheduler.start()

    def stop(self) -> None:
        """No new turns; what runs goes on."""
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)
        for lane in self._lanes.values():
            lane.shutdown(wait=False)

    @property
    def is_alive(self) -> bool:
        """Whether its thread lives."""
        thread = getattr(self._scheduler, "_thread", None)
        return bool(self._scheduler.running and thread is not None and thread.is_alive())

    def schedule(
        self,
        connection: str,
        kind: str,
        every: timedelta | Cron,
        work: Callable[[], None],
        *,
        first: float | None = None,
    ) -> None:
        """Runs `work` at this interval or by this calendar, `first` in so many seconds (None: at its own time). Planned
        before: only moved.
        """
        turns = self._connections.setdefault(connection, {})
        trigger = _trigger(kind, every)
        known = kind in turns
        turns[kind] = every
        if known:
            hurried = self.next_run(connection, kind) if _id(connection, kind) in self._hurried else None
            self._scheduler.reschedule_job(_id(connection, kind), trigger=trigger)
            if hurried is not None:  # that it was brought forward still counts
                self.bring_forward(connection, kind, (hurried - datetime.now(UTC)).total_seconds())
            return
        # A given next_run_time of None would pause the job.
        begin: dict[str, Any] = {}
        if first is not None:
            begin["next_run_time"] = datetime.now(UTC) + timedelta(seconds=first)
        self._scheduler.add_job(
            self._had(_id(connection, kind), kind, work),
            trigger,
            id=_id(connection, kind),
            name=f"{connection} {kind}",
            executor=_LANE_OF[kind],
            **begin,
        )

    def interval(self, connection: str, kind: str) -> timedelta | Cron | None:
        """None when no such cycle is scheduled."""
        return self._connections.get(connection, {}).get(kind)

    def bring_forward(self, connection: str, kind: str, seconds: float = 0.0) -> None:
        """The next turn comes in so many seconds, unless it comes earlier anyway."""
        at = datetime.now(UTC) + timedelta(seconds=seconds)
        with suppress(JobLookupError):  # the connection was removed meanwhile
            job = self._scheduler.get_job(_id(connection, kind))
            if job is not None and (job.next_run_time is None or job.next_run_time > at):
                self._hurried.add(job.id)
                self._scheduler.modify_job(job.id, next_run_time=at)

    def _had(self, job_id: str, kind: str, work: Callable[[], None]) -> Callable[[], None]:
        def turn() -> None:
            self._hurried.discard(job_id)
            if (due := self._due.pop(job_id, None)) is not None:
                self._began(kind, (datetime.now(UTC) - due).total_seconds())
            work()

        return turn

    def _on_skipped(self, event: Any) -> None:
        """A hurried turn that met the last moment of the one before is not lost."""
        if event.job_id in self._hurried:
            connection, _, kind = event.job_id.rpartition(" ")
            self.bring_forward(connection, kind, 1.0)

    def drop(self, connection: str) -> None:
        """No more turns for this connection; a cycle that runs goes on."""
        for kind in self._connections.pop(connection, {}):
            with suppress(JobLookupError):
                self._scheduler.remove_job(_id(connection, kind))

    def next_run(self, connection: str, kind: str) -> datetime | None:
        """Aware; None when no such cycle is scheduled."""
        job = self._scheduler.get_job(_id(connection, kind))
        found = getattr(job, "next_run_time", None)
        return found if isinstance(found, datetime) else None

    def clock_was_set(self) -> None:
        """The wall clock jumped: a turn further away than its interval would be waited for far too long."""
        now = datetime.now(UTC)
        for connection, turns in list(self._connections.items()):
            for kind, every in list(turns.items()):
                at = self.next_run(connection, kind)
                if at is not None and at > now + longest_of(every) * (1 + 2 * _JITTER):
                    self.bring_forward(connection, kind)


def _trigger(kind: str, every: timedelta | Cron) -> IntervalTrigger | CronTrigger:
    if isinstance(every, Cron):
        return CronTrigger(
            month=_listed(every.months),
            day=_listed(every.days),
            day_of_week=_listed(every.weekdays),
            hour=_listed(every.hours),
            minute=_listed(every.minutes),
            timezone=every.zone,
        )
    seconds = every.total_seconds()
    jitter = min(seconds * _JITTER, _JITTER_AT_MOST[kind])
    # Of the jitter of this trigger every turn is late, and the one after it counts from there.
    return IntervalTrigger(seconds=seconds - jitter, timezone=UTC, jitter=2 * jitter)


def _listed(numbers: frozenset[int]) -> str:
    return ",".join(map(str, sorted(numbers)))


def _id(connection: str, kind: str) -> str:
    return f"{connection} {kind}"
