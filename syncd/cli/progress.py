"""Who watches a cycle from the command line: a bar on a terminal, plain lines elsewhere, logs in both."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from syncd.closing import Closing
from syncd.redact import strip_controls

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

_EVERY = 5.0
"""Seconds between two plain lines about one phase."""

Event = Callable[..., None]


class Watcher(Closing):
    """An Observer (`ports.Observer`) without any display: events go to `event`, phases to the debug log."""

    def __init__(self, event: Event, *, connection: str = "") -> None:
        self._event = event
        self._lock = threading.Lock()
        self.current = ""
        """The phase that is under way."""
        self._fields: dict[str, object] = {"connection": connection} if connection else {}

    def phase(self, name: str, total: int | None = None) -> None:
        self.current = name
        self.event("debug", "phase", phase=name, total=total)

    def advance(self, count: int = 1) -> None:
        del count

    def event(self, level: str, event: str, **fields: object) -> None:
        self._event(level, event, **{**self._fields, **fields})

    def rest(self) -> None:
        """Takes the display down until the next phase: something else is shown or asked."""

    def close(self) -> None:
        """Takes the display down for good."""


class Lines(Watcher):
    """A line when a phase begins and, while it lasts, one every five seconds."""

    def __init__(self, event: Event, say: Callable[[str], None], *, connection: str = "") -> None:
        super().__init__(event, connection=connection)
        self._say = say
        self._prefix = f"{connection}: " if connection else ""
        self._name = ""
        self._total: int | None = None
        self._done = 0
        self._began = self._told = 0.0

    def phase(self, name: str, total: int | None = None) -> None:
        self.current = name
        with self._lock:
            self._name, self._total, self._done = name, total, 0
            self._began = self._told = time.monotonic()
        amount = f" ({total:,})" if total else ""
        self._say(f"{self._prefix}{strip_controls(name)}{amount}")

    def advance(self, count: int = 1) -> None:
        with self._lock:
            self._done += count
            if time.monotonic() - self._told < _EVERY:
                return
            self._told = time.monotonic()
            text = f"{self._done:,}" + (f" of {self._total:,}" if self._total else "")
            text += estimate(self._done, self._total, self._told - self._began)
        self._say(f"{self._prefix}{strip_controls(self._name)}: {text}")


class Bar(Watcher):
    """A progress bar on stderr; log lines appear above it. One bar for each phase of the cycle."""

    def __init__(self, event: Event, *, connection: str = "", colour: bool = True) -> None:
        super().__init__(event, connection=connection)
        self._prefix = f"{connection}: " if connection else ""
        self._colour = colour
        self._progress: Progress | None = None
        self._task: TaskID | None = None
        self._closed = False

    def phase(self, name: str, total: int | None = None) -> None:
        self.current = name
        with self._lock:
            if self._closed:
                return
            if self._progress is None:
                self._progress = self._made()
                self._progress.start()
            elif self._task is not None:
                self._finish(self._progress, self._task)
            # The label is ours and the connection's name is checked, but markup would still be read into it.
            label = strip_controls(f"{self._prefix}{name}").replace("[", "\\[")
            self._task = self._progress.add_task(label, total=total)

    def advance(self, count: int = 1) -> None:
        with self._lock:
            if self._progress is not None and self._task is not None:
                self._progress.advance(self._task, count)

    def rest(self) -> None:
        with self._lock:
            if self._progress is not None:
                if self._task is not None:
                    self._finish(self._progress, self._task)
                self._progress.stop()
                self._progress = self._task = None

    def close(self) -> None:
        self._closed = True
        self.rest()

    @staticmethod
    def _finish(progress: Progress, task_id: TaskID) -> None:
        task = progress.tasks[-1]
        if task.total is None:
            progress.update(task_id, total=task.completed or 1, completed=task.completed or 1)
        progress.stop_task(task_id)

    def _made(self) -> Progress:
        from rich.console import Console  # noqa: PLC0415  (rich only when something is drawn)
        from rich.progress import (  # noqa: PLC0415
            BarColumn,
            MofNCompleteColumn,
            Progress,
            SpinnerColumn,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        return Progress(
            SpinnerColumn(finished_text="✓"),
            TextColumn("{task.description}"),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=Console(stderr=True, no_color=not self._colour),
            transient=True,
            redirect_stdout=False,
            redirect_stderr=True,
        )


def estimate(done: int, total: int | None, seconds: float) -> str:
    """About how long it still takes, at the pace so far; "" when there is nothing to go by."""
    if not total or not 0 < done < total:
        return ""
    left = seconds * (total - done) / done
    return f", about {left:.0f} s left" if left < 120 else f", about {left / 60:.0f} min left"


def on_terminal() -> bool:
    """Whether stderr is a terminal that a bar may be drawn on."""
    try:
        return sys.stderr.isatty()
    except ValueError:
        return False
