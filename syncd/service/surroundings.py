"""What all connections of the daemon share."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from syncd.engine.cycles.drift import drift_cycle
from syncd.engine.cycles.drift_report import DriftReport
from syncd.engine.job import Job
from syncd.ports import Store
from syncd.redact import Redactor
from syncd.service.board import CycleReport
from syncd.service.telling import Event
from syncd.settings import ConnectionSettings
from syncd.wiring import utc_now

OnCycle = Callable[[ConnectionSettings, Store, CycleReport], None]
Hurry = Callable[[str, str, float], None]
"""Brings a turn forward: connection, kind of cycle, in how many seconds."""


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
