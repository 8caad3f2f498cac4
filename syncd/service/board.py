"""What the running daemon knows about its connections, in one place that every thread may ask.

The scheduler writes it, the HTTP server and systemd's status line read it. Whatever must outlive the process is in the
store, not here.
"""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from syncd.core.latency import EventLatency
from syncd.core.lateness import StartLatency
from syncd.service.fleet.moment import FleetMoment

CYCLES_KEPT = 200
"""Finished cycles remembered for each connection, newest last (the status page's sparkline)."""


@dataclass(frozen=True, slots=True)
class RateHeadroom:
    """One rate-limit bucket as the last answer showed it. `resets_at` is None when the server did not say."""

    limit: int
    remaining: int
    resets_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class CycleReport:
    """One finished cycle. A quiet delta is one too; it has no run id.

    `kind` is delta, full or drift, or what the run of a request is called in the store. `status` is quiet, succeeded,
    partial, refused or failed. `changes` counts by (kind of change, outcome), the outcome being applied, failed, held,
    skipped or deferred. `requests` counts by (side, status): side okta or target, status "200", "timeout", ...
    `waited_seconds` is by side. `began` False: what somebody asked for was refused before a run began (a name that
    nobody knows).
    """

    kind: str
    started: datetime
    finished: datetime
    status: str
    run_id: str | None = None
    error: str = ""
    changes: Mapping[tuple[str, str], int] = field(default_factory=dict)
    requests: Mapping[tuple[str, str], int] = field(default_factory=dict)
    waited_seconds: Mapping[str, float] = field(default_factory=dict)
    headroom: Mapping[str, RateHeadroom] = field(default_factory=dict)
    latencies: Mapping[str, EventLatency] = field(default_factory=dict)
    """By kind of change, how long they took from the event in Okta to the target's answer."""
    began: bool = True


@dataclass(frozen=True, slots=True)
class Totals:
    """Counted since the process began: what Prometheus calls counters."""

    runs: Mapping[tuple[str, str], int]
    """By (kind, status); quiet deltas are not runs."""
    changes: Mapping[tuple[str, str], int]
    requests: Mapping[tuple[str, str], int]
    waited_seconds: Mapping[str, float]
    polls: int
    """Deltas, quiet ones included."""
    latencies: Mapping[str, EventLatency] = field(default_factory=dict)
    left_to_the_log: int = 0
    """Names of event hooks that nobody looked at on their word."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One connection now. `running` maps the kinds of cycle under way to when they began; `next_runs` the others."""

    name: str
    totals: Totals
    cycles: tuple[CycleReport, ...]
    last: Mapping[str, CycleReport]
    """The last finished cycle of each kind, quiet ones included: what failed once may be well since."""
    running: Mapping[str, datetime]
    next_runs: Mapping[str, datetime]
    headroom: Mapping[str, RateHeadroom]
    warnings: tuple[str, ...]
    """What is not as it should be though cycles run: no System Log, for example."""


class ConnectionBoard:
    """One connection's part of the board."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._lock = threading.Lock()
        self._cycles: deque[CycleReport] = deque(maxlen=CYCLES_KEPT)
        self._last: dict[str, CycleReport] = {}
        self._running: dict[str, datetime] = {}
        self._next: dict[str, datetime] = {}
        self._headroom: dict[str, RateHeadroom] = {}
        self._warnings: dict[str, str] = {}
        self._runs: Counter[tuple[str, str]] = Counter()
        self._changes: Counter[tuple[str, str]] = Counter()
        self._requests: Counter[tuple[str, str]] = Counter()
        self._waited_seconds: dict[str, float] = {}
        self._polls = 0
        self._left_to_the_log = 0
        self._latencies: dict[str, EventLatency] = {}

    def began(self, kind: str, at: datetime) -> None:
        with self._lock:
            self._running[kind] = at

    def ended(self, report: CycleReport, running: str | None = None) -> None:
        """A finished cycle is counted, and remembered as the last of its kind. `running`: what it began as, where it
        turned out to be another kind.
        """
        with self._lock:
            self._running.pop(running or report.kind, None)
            if report.began:
                self._last[report.kind] = report
            self._polls += report.kind == "delta"
            self._requests.update(report.requests)
            for side, seconds in report.waited_seconds.items():
                self._waited_seconds[side] = self._waited_seconds.get(side, 0.0) + seconds
            self._headroom.update(report.headroom)
            for kind, latency in report.latencies.items():
                self._latencies[kind] = self._latencies.get(kind, EventLatency()).plus(latency)
            if report.status == "quiet" or not report.began:
                return
            self._cycles.append(report)
            self._runs[report.kind, report.status] += 1
            self._changes.update(report.changes)

    def will_run(self, kind: str, at: datetime | None) -> None:
        """None: not scheduled."""
        with self._lock:
            if at is None:
                self._next.pop(kind, None)
            else:
                self._next[kind] = at

    def left_to_the_log(self, names: int) -> None:
        """So many names of event hooks were, since the process began."""
        with self._lock:
            self._left_to_the_log = names

    def warn(self, topic: str, text: str) -> None:
        """Empty text: the warning about this topic is over."""
        with self._lock:
            if text:
                self._warnings[topic] = text
            else:
                self._warnings.pop(topic, None)

    def snapshot(self) -> Snapshot:
        """A copy that does not change any more."""
        with self._lock:
            return Snapshot(
                name=self.name,
                totals=Totals(
                    runs=dict(self._runs),
                    changes=dict(self._changes),
                    requests=dict(self._requests),
                    waited_seconds=dict(self._waited_seconds),
                    polls=self._polls,
                    latencies=dict(self._latencies),
                    left_to_the_log=self._left_to_the_log,
                ),
                cycles=tuple(self._cycles),
                last=dict(self._last),
                running=dict(self._running),
                next_runs=dict(self._next),
                headroom=dict(self._headroom),
                warnings=tuple(self._warnings[topic] for topic in sorted(self._warnings)),
            )


class Board:
    """Every connection of the process, by name."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._connections: dict[str, ConnectionBoard] = {}
        self.fleet_now: Callable[[], FleetMoment] | None = None
        self._broken: dict[str, str] = {}
        self._hook_answers: Counter[int] = Counter()
        self._lateness: dict[str, StartLatency] = {}

    def turn_began(self, kind: str, late: float) -> None:
        """A cycle of this kind begins, so many seconds after it was due."""
        with self._lock:
            self._lateness[kind] = self._lateness.get(kind, StartLatency()).plus(late)

    def lateness(self) -> Mapping[str, StartLatency]:
        """How late cycles began, by kind, since the process did."""
        with self._lock:
            return dict(self._lateness)

    def hook_answered(self, status: int) -> None:
        """The listener of event hooks has answered with this."""
        with self._lock:
            self._hook_answers[status] += 1

    def hook_answers(self) -> Mapping[int, int]:
        """How often the listener answered with which status."""
        with self._lock:
            return dict(self._hook_answers)

    def connection(self, name: str) -> ConnectionBoard:
        """Made when it is first asked for."""
        with self._lock:
            return self._connections.setdefault(name, ConnectionBoard(name))

    def forget(self, name: str) -> None:
        """The settings no longer have this connection."""
        with self._lock:
            self._connections.pop(name, None)

    def connections(self) -> tuple[ConnectionBoard, ...]:
        with self._lock:
            return tuple(self._connections[name] for name in sorted(self._connections))

    def set_broken(self, files: Mapping[str, str]) -> None:
        """Settings files that cannot be used, by their stem, with the first problem of each."""
        with self._lock:
            self._broken = dict(files)

    def fleet(self) -> FleetMoment | None:
        """What it is to a fleet; None for the daemon of one machine."""
        return None if self.fleet_now is None else self.fleet_now()

    def broken(self) -> Mapping[str, str]:
        """Settings files that cannot be used, by their name without .toml, and why."""
        with self._lock:
            return dict(self._broken)
