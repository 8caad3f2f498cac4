"""What the daemon says: one log event for each cycle that did something, and one line for systemd."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import syncd
from syncd.core.cron import Cron
from syncd.errors import ConfigurationError, SyncdError
from syncd.redact import clip
from syncd.report.text import duration
from syncd.service.board import ConnectionBoard, CycleReport, Snapshot
from syncd.service.reports import Ending
from syncd.settings import ConnectionSettings
from syncd.settings.schema import ScheduleSettings

Event = Callable[..., None]
_LEVELS = {
    "quiet": "debug",
    "succeeded": "debug",
    "partial": "warning",
    "held": "warning",
    "refused": "warning",
    "interrupted": "info",
    "failed": "error",
}


class Voice:
    """The log of one connection. What was said last time is only worth a debug line."""

    def __init__(self, event: Event, connection: str) -> None:
        self._event = event
        self._connection = connection
        self._last: dict[str, str] = {}

    def say(self, level: str, event: str, cycle: str, **fields: object) -> None:
        """An event with the connection and the cycle; empty fields are left out."""
        told = {key: value for key, value in fields.items() if value not in (None, "")}
        self._event(level, event, connection=self._connection, cycle=cycle, **told)

    def once(self, topic: str, level: str, event: str, cycle: str, **fields: object) -> None:
        """What was said last of this topic goes to debug when it is said again."""
        said = f"{event} {fields.get('error')}"
        self.say("debug" if self._last.get(topic) == said else level, event, cycle, **fields)
        self._last[topic] = said

    def over(self, topic: str) -> bool:
        """Whether this was said and is over now."""
        return self._last.pop(topic, None) is not None

    def failed(self, event: str, cycle: str, error: Exception) -> None:
        """An error; where it comes from too when it is a fault of ours."""
        if isinstance(error, SyncdError):
            self.once(event, "error", event, cycle, error=error.message, hint=error.hint)
        else:
            self.once(event, "error", event, cycle, error=error, exception=error)

    def ended(self, report: CycleReport, ending: Ending, *, stopping: bool) -> None:
        """The end of a cycle: a debug line when it changed nothing, else one for people."""
        fields: dict[str, object] = {
            "run": report.run_id,
            **_counts(report),
            "lasted": round((report.finished - report.started).total_seconds(), 1),
        }
        if stopping and report.status in ("failed", "interrupted"):
            self.say("info", "cycle stopped on request", report.kind, **fields)
            return
        if ending.waits:
            self.once(report.kind, "info", "not written yet", report.kind, **fields, error=report.error)
            return
        if report.status == "failed" and ending.error and not isinstance(ending.error, SyncdError):
            fields["exception"] = ending.error
            self.say("error", "cycle crashed", report.kind, **fields, error=report.error)
            return
        level, event = _LEVELS[report.status], "cycle done" if report.status == "succeeded" else "cycle"
        if level == "debug":
            changed = any(outcome != "skipped" for _, outcome in report.changes)
            better = report.status != "quiet" and self.over(report.kind)
            self.say("info" if changed or better else "debug", "cycle done", report.kind, **fields)
        else:
            event = {"failed": "cycle failed"}.get(report.status, f"cycle {report.status}")
            self.once(report.kind, level, event, report.kind, **fields, error=report.error, hint=ending.hint)


def log_lost(board: ConnectionBoard, voice: Voice, why: str, hint: str | None, *, hooks: bool) -> None:
    """The System Log cannot be read. `hooks`: event hooks are listened for."""
    others = "only full cycles and event hooks see changes" if hooks else "only full cycles see changes"
    board.warn("system_log", f"the System Log cannot be read, {others}: {why}")
    event = f"the System Log cannot be read: {'what no hook names waits' if hooks else 'no deltas'}"
    voice.once("system_log", "warning", event, "delta", error=why, hint=hint)


def log_read(board: ConnectionBoard, voice: Voice) -> None:
    """It is."""
    board.warn("system_log", "")
    voice.over("system_log")


def _counts(report: CycleReport) -> Mapping[str, int]:
    found: dict[str, int] = {}
    for (_, outcome), count in report.changes.items():
        found[outcome] = found.get(outcome, 0) + count
    return found


def running_fields(
    connections: Sequence[ConnectionSettings], address: tuple[str, int] | None
) -> dict[str, object]:
    """What the line of the start says: version, connections, their schedule, where the page is. Schedules that differ
    are named one by one.
    """
    schedules = {one.name: in_words(one.schedule) for one in connections}
    shared = set(schedules.values())
    differ = "; ".join(f"{name}: {schedule}" for name, schedule in schedules.items())
    found: dict[str, object] = {
        "version": syncd.__version__,
        "connections": ", ".join(schedules),
        "schedule": shared.pop() if len(shared) == 1 else differ,
    }
    if address is not None:
        host, port = address
        found["page"] = f"http://{f'[{host}]' if ':' in host else host}:{port}/"
    return found


def in_words(schedule: ScheduleSettings) -> str:
    """How often what runs, and inside which windows."""
    said = ", ".join(f"{kind} {_turns(getattr(schedule, kind))}" for kind in ("delta", "full", "drift"))
    repairing = " with repair" if schedule.drift_repair else ""
    windows = f", writing {', '.join(map(str, schedule.windows))}" if schedule.windows else ""
    return f"{said}{repairing}{windows}"


def _turns(every: timedelta | Cron) -> str:
    return str(every) if isinstance(every, Cron) else f"every {duration(every.total_seconds())}"


def said_of(error: Exception) -> dict[str, Any]:
    """What an event says of it: `error` and `hint`; of a fault of ours where it comes from."""
    if isinstance(error, SyncdError):
        return {"error": error.message, "hint": error.hint}
    return {"error": f"{type(error).__name__}: {error}", "exception": error}


def in_a_line(error: SyncdError) -> str:
    """Why something cannot be used, for the board."""
    text = error.problems[0] if isinstance(error, ConfigurationError) and error.problems else error.message
    return text.splitlines()[0] if text else type(error).__name__


def status_line(connections: Sequence[Snapshot], sick: Mapping[str, str], broken: Mapping[str, str]) -> str:
    """What systemctl shows. `sick` and `broken` say why, by connection (broken also by settings file)."""
    parts = [f"{name}: {clip(why, 80)}" for name, why in sorted(broken.items())]
    for one in connections:
        if one.name in broken:
            continue
        why = sick.get(one.name, "")
        parts.append(f"{one.name}: {f'in quarantine: {clip(why, 80)}' if why else _healthy(one)}")
    return " | ".join(parts)


def _healthy(one: Snapshot) -> str:
    last = one.cycles[-1] if one.cycles else None
    said = ["no cycle yet" if last is None else f"last {last.kind} {_time(last.finished)} {last.status}"]
    if last is not None and (applied := _counts(last).get("applied", 0)):
        said[0] += f", {applied} applied"
    if one.running:
        said += [
            f"{kind} since {_time(began)}" for kind, began in sorted(one.running.items()) if kind != "delta"
        ]
    elif one.next_runs:
        kind, at = min(one.next_runs.items(), key=lambda item: item[1])
        said.append(f"next {kind} {_time(at)}")
    return "; ".join(said)


def _time(at: datetime) -> str:
    return f"{at:%H:%M:%S}Z"
