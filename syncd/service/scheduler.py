"""When which cycle of which connection runs. The only door to APScheduler.

Every connection has threads of its own: one that is slow or stuck delays no other. A cycle that is still running when
its next turn comes is not started twice, and turns missed while the machine slept become one.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from apscheduler.events import EVENT_JOB_MAX_INSTANCES
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.jobstores.base import JobLookupError
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.interval import IntervalTrigger

KINDS = ("delta", "full", "drift")
_JITTER = 0.1
"""Part of the interval by which a turn may come early or late, so that many daemons do not ask at once."""
_JITTER_AT_MOST = {"delta": 2.0, "full": 30.0, "drift": 30.0}
"""Seconds."""


@dataclass
class _Threads:
    executor: ThreadPoolExecutor
    intervals: dict[str, timedelta]


class Timetable:
    """`schedule` before or after `start`, from any thread. Times are aware UTC."""

    def __init__(self) -> None:
        # A turn that comes while the last one lasts is skipped, which is as it should be and no warning.
        logging.getLogger("apscheduler").setLevel(logging.ERROR)
        self._scheduler = BackgroundScheduler(
            timezone=UTC,
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        )
        self._connections: dict[str, _Threads] = {}
        self._hurried: set[str] = set()
        """Turns that were brought forward and have not been had."""
        self._scheduler.add_listener(self._on_skipped, EVENT_JOB_MAX_INSTANCES)

    def start(self) -> None:
        self._scheduler.start()

    def stop(self) -> None:
        """No new turns; what runs goes on."""
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)
        for threads in self._connections.values():
            threads.executor.shutdown(wait=False)

    @property
    def is_alive(self) -> bool:
        """Whether its thread lives."""
        thread = getattr(self._scheduler, "_thread", None)
        return bool(self._scheduler.running and thread is not None and thread.is_alive())

    def schedule(
        self,
        connection: str,
        kind: str,
        every: timedelta,
        work: Callable[[], None],
        *,
        first: float | None = None,
    ) -> None:
        """Runs `work` at this interval, `first` in so many seconds (None: one interval). Planned before: only moved."""
        threads = self._connections.get(connection)
        if threads is None:
            threads = _Threads(ThreadPoolExecutor(len(KINDS)), {})
            self._connections[connection] = threads
            self._scheduler.add_executor(threads.executor, alias=connection)
        trigger = IntervalTrigger(
            seconds=every.total_seconds(),
            timezone=UTC,
            jitter=min(every.total_seconds() * _JITTER, _JITTER_AT_MOST[kind]),
        )
        known = kind in threads.intervals
        threads.intervals[kind] = every
        if known:
            self._scheduler.reschedule_job(_id(connection, kind), trigger=trigger)
            return
        # A given next_run_time of None would pause the job.
        begin: dict[str, Any] = {}
        if first is not None:
            begin["next_run_time"] = datetime.now(UTC) + timedelta(seconds=first)
        self._scheduler.add_job(
            self._had(_id(connection, kind), work),
            trigger,
            id=_id(connection, kind),
            name=f"{connection} {kind}",
            executor=connection,
            **begin,
        )

    def interval(self, connection: str, kind: str) -> timedelta | None:
        """None when no such cycle is scheduled."""
        threads = self._connections.get(connection)
        return threads.intervals.get(kind) if threads else None

    def bring_forward(self, connection: str, kind: str, seconds: float = 0.0) -> None:
        """The next turn comes in so many seconds, unless it comes earlier anyway."""
        at = datetime.now(UTC) + timedelta(seconds=seconds)
        with suppress(JobLookupError):  # the connection was removed meanwhile
            job = self._scheduler.get_job(_id(connection, kind))
            if job is not None and (job.next_run_time is None or job.next_run_time > at):
                self._hurried.add(job.id)
                self._scheduler.modify_job(job.id, next_run_time=at)

    def _had(self, job_id: str, work: Callable[[], None]) -> Callable[[], None]:
        def turn() -> None:
            self._hurried.discard(job_id)
            work()

        return turn

    def _on_skipped(self, event: Any) -> None:
        """A hurried turn that met the last moment of the one before is not lost."""
        if event.job_id in self._hurried:
            connection, _, kind = event.job_id.rpartition(" ")
            self.bring_forward(connection, kind, 1.0)

    def drop(self, connection: str) -> None:
        """No more turns for this connection; a cycle that runs goes on."""
        threads = self._connections.pop(connection, None)
        if threads is None:
            return
        for kind in threads.intervals:
            with suppress(JobLookupError):
                self._scheduler.remove_job(_id(connection, kind))
        self._scheduler.remove_executor(connection, shutdown=False)
        threads.executor.shutdown(wait=False)

    def next_run(self, connection: str, kind: str) -> datetime | None:
        """Aware; None when no such cycle is scheduled."""
        job = self._scheduler.get_job(_id(connection, kind))
        found = getattr(job, "next_run_time", None)
        return found if isinstance(found, datetime) else None

    def clock_was_set(self) -> None:
        """The wall clock jumped: a turn further away than its interval would be waited for far too long."""
        now = datetime.now(UTC)
        for connection, threads in list(self._connections.items()):
            for kind, every in list(threads.intervals.items()):
                at = self.next_run(connection, kind)
                if at is not None and at > now + every * (1 + 2 * _JITTER):
                    self.bring_forward(connection, kind)


def _id(connection: str, kind: str) -> str:
    return f"{connection} {kind}"
