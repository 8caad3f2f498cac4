"""What the daemon's server may say about its connections, and whether it may say "ready". Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from syncd.core.lateness import StartLatency
from syncd.redact import clip, strip_controls
from syncd.report.text import duration
from syncd.service.board import Snapshot
from syncd.service.fleet.moment import FleetMoment

OVERDUE_AFTER = 2
"""Full intervals without a complete read until a connection is no longer ready (the public contract)."""
_LONGEST_REASON = 300


@dataclass(frozen=True, slots=True)
class View:
    """One moment of the process. Every answer is made from one view, so that no two lines contradict each other.

    `documents` are `syncd.status/1` documents and `boards` snapshots, both by connection; `broken` is the first problem
    of each settings file that cannot be used, by its stem; `full_intervals` are seconds; `unreadable` says why there
    are no documents, and is empty when there are.
    """

    now: datetime
    documents: Mapping[str, Mapping[str, Any]]
    boards: Mapping[str, Snapshot]
    broken: Mapping[str, str]
    full_intervals: Mapping[str, float]
    unreadable: str = ""
    hook_answers: Mapping[int, int] = field(default_factory=dict)
    """Of the listener of event hooks, by status."""
    lateness: Mapping[str, StartLatency] = field(default_factory=dict)
    """How late cycles began, by kind."""
    fleet: FleetMoment | None = None
    """What a worker of a fleet says of itself; None: it is none."""

    @property
    def names(self) -> list[str]:
        """Every connection that anybody knows of."""
        return sorted({*self.documents, *self.boards, *self.full_intervals})


def not_ready(view: View) -> tuple[str, ...]:
    """Why not, a line each; empty when ready."""
    return tuple(clip(strip_controls(reason), _LONGEST_REASON) for reason in _reasons(view))


def overdue(document: Mapping[str, Any], full_interval: float | None) -> bool:
    """The last complete full read is too old. Without one, that is for others to say."""
    age = document["last_complete_read_age_seconds"]
    return age is not None and full_interval is not None and age >= OVERDUE_AFTER * full_interval


def _reasons(view: View) -> Iterator[str]:
    if view.fleet is not None:
        if view.fleet.not_ready:
            yield view.fleet.not_ready
        return
    for stem, problem in sorted(view.broken.items()):
        yield f"{stem}: the settings cannot be used: {problem}"
    if view.unreadable:
        yield view.unreadable
        return
    for name in view.names:
        document = view.documents.get(name)
        if document is None:
            yield f"{name}: its status is not known"
            continue
        if sick := document["quarantine"]:
            yield f"{name}: quarantined since {sick['since']}: {sick['reason']}"
        interval = view.full_intervals.get(name)
        if document["last_complete_read_age_seconds"] is None:
            yield f"{name}: Okta was never read completely"
        elif interval is not None and overdue(document, interval):
            age = document["last_complete_read_age_seconds"]
            limit = duration(OVERDUE_AFTER * interval)
            yield f"{name}: the last complete read is {duration(age)} old, more than {limit}"
