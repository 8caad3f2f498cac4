"""What all connections of the daemon share."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

from syncd.engine.cycles.drift import drift_cycle
from syncd.engine.cycles.drift_report import DriftReport
from syncd.engine.cycles.strangers import StrangerBudgets
from syncd.engine.job import Job
from syncd.okta.orgs import Orgs, Seat
from syncd.ports import Store
from syncd.redact import Redactor
from syncd.service.board import CycleReport
from syncd.service.telling import Event
from syncd.settings import ConnectionSettings
from syncd.wiring import utc_now

OnCycle = Callable[[ConnectionSettings, Store, CycleReport], None]
Hurry = Callable[[str, str, float], None]
"""Brings a turn forward: connection, kind of cycle, in how many seconds."""
_FRESH = 0.8
"""Part of the time between two deltas."""


@dataclass(frozen=True)
class Surroundings:
    """What all connections of the daemon share. `on_closed` is called when a connection that was retired is closed."""

    event: Event
    redactor: Redactor
    hurry: Hurry
    on_closed: Callable[[], None]
    on_cycle: OnCycle | None = None
    drift: Callable[[Job], DriftReport] = drift_cycle
    clock: Callable[[], datetime] = utc_now
    next_run: Callable[[str, str], datetime | None] = lambda _connection, _kind: None
    """When the next turn of a connection comes, by kind of cycle; None when none is planned."""
    stopping: threading.Event = field(default_factory=threading.Event)
    orgs: Orgs = field(default_factory=Orgs)
    strangers: StrangerBudgets = field(default_factory=StrangerBudgets)

    def seat(self, connection: str, every: timedelta) -> Seat:
        """Its place in what connections of one org share. `every`: from one delta to the next; for most of that time
        what another one was told of the System Log counts as fresh.
        """
        wake = partial(self.hurry, connection, "delta", 0.0)
        return self.orgs.seat(connection, every.total_seconds() * _FRESH, wake)

    def closed(self, connection: str) -> None:
        """A connection that was retired is closed."""
        self.orgs.leave(connection)
        self.on_closed()
