"""Logs: structured events on stderr, as text for people or JSON lines, redacted at the very end of the chain.

One `Logs` serves a process. What third parties log through the standard library comes along from WARNING up, with
the same treatment; never from below, where SDKs print headers with tokens in them.
"""

from __future__ import annotations

import logging
import sys
import threading
import time
import traceback
from collections.abc import Callable, MutableMapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any, Literal, Self

import structlog

from syncd.observe.repeats import Entry, Repeats
from syncd.redact import Redactor, strip_controls

Format = Literal["text", "json"]
LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}
_EventDict = MutableMapping[str, Any]
_Write = Callable[[str], object]


def stderr_write(text: str) -> None:
    """Writes to whatever is stderr now: a progress bar may stand in front of the real one."""
    try:
        sys.stderr.write(text)
        sys.stderr.flush()
    except (OSError, ValueError):
        pass  # nobody listens any more; the work goes on


class Logs:
    """`level` is debug, info, warning or error; `tracebacks` False shows exceptions as one line. With `repeats` lines
    of one kind are said once a minute, with a count; `monotonic` is its clock, in seconds.

    Use as a context manager: while it is open the standard library's root logger writes here too.
    """

    def __init__(
        self,
        redactor: Redactor,
        *,
        level: str = "warning",
        form: Format = "text",
        tracebacks: bool = False,
        colour: bool = False,
        write: _Write = stderr_write,
        repeats: Repeats | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.foreign = redactor.foreign
        self._least = LEVELS[level]
        self._repeats = repeats
        self._monotonic = monotonic
        self._lock = threading.RLock()  # a signal handler may log too
        self._write = write
        self._exceptions = _exceptions(redactor, tracebacks=tracebacks)
        chain: list[Any] = [
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            self._exceptions,
            _harmless,
            structlog.processors.JSONRenderer(sort_keys=False, default=str)
            if form == "json"
            else structlog.dev.ConsoleRenderer(colors=colour, pad_event_to=0, sort_keys=False),
            lambda _logger, _method, rendered: redactor.text(rendered),
        ]
        self._chain = chain
        self._handler = _Handler(self)
        self._before: tuple[int, list[logging.Handler]] | None = None
        self._thread_hook = threading.excepthook

    def __enter__(self) -> Self:
        root = logging.getLogger()
        self._before = (root.level, list(root.handlers))
        root.handlers[:] = [self._handler]
        root.setLevel(logging.WARNING)
        logging.captureWarnings(capture=True)
        self._thread_hook = threading.excepthook
        threading.excepthook = self._on_thread
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.forget_repeated()
        root = logging.getLogger()
        if self._before is not None:
            root.setLevel(self._before[0])
            root.handlers[:] = self._before[1]
        logging.captureWarnings(capture=False)
        threading.excepthook = self._thread_hook

    def event(self, level: str, event: str, **fields: object) -> None:
        """One event. Never raises: a log line must not stop a write."""
        if LEVELS.get(level, 20) < self._least:
            return
        entry: _EventDict = {"level": level, "event": event, **fields}
        for each in (entry,) if self._repeats is None else self._said_now(self._repeats, entry):
            self._say(dict(each))

    def say_repeated(self) -> None:
        """Says what was left out and whose minute is over. For whoever looks at the clock now and then."""
        if self._repeats is not None:
            with self._lock:
                found = self._repeats.due(self._monotonic())
            for entry in found:
                self._say(dict(entry))

    def forget_repeated(self) -> None:
        """Says what was left out; then everything is said again, as to somebody who has just come to look."""
        if self._repeats is not None:
            with self._lock:
                found = self._repeats.begin_anew()
            for entry in found:
                self._say(dict(entry))

    def _said_now(self, repeats: Repeats, entry: _EventDict) -> Sequence[Entry]:
        with suppress(Exception):  # whatever a field's str does: then it is said as it is
            entry = self._exceptions(None, entry["level"], entry)  # not kept: frames hold files and sockets
            with self._lock:
                now = self._monotonic()
                return [*repeats.due(now), *([entry] if repeats.admits(entry, now) else [])]
        return [entry]

    def _say(self, entry: Any) -> None:
        level = entry["level"]
        try:
            for step in self._chain:
                entry = step(None, level, entry)
            text = str(entry)
        except Exception as problem:  # noqa: BLE001  (whatever a field's repr does)
            text = f"[{level}] a log event could not be written: {type(problem).__name__}"
        with self._lock:
            self._write(text + "\n")

    def _on_thread(self, args: threading.ExceptHookArgs) -> None:
        if args.exc_value is not None and not isinstance(args.exc_value, SystemExit):
            name = args.thread.name if args.thread else "a thread"
            self.event("error", "a background thread failed", thread=name, exc_info=args.exc_value)


class _Handler(logging.Handler):
    """The standard library's way in."""

    def __init__(self, logs: Logs) -> None:
        super().__init__(logging.WARNING)
        self._logs = logs

    def emit(self, record: logging.LogRecord) -> None:
        level = "error" if record.levelno >= logging.ERROR else "warning"
        try:
            message = record.getMessage()
        except Exception:  # noqa: BLE001  (a third party's format string)
            message = str(record.msg)
        message = self._logs.foreign(message)  # urllib3 logs headers that it cannot read
        fields: dict[str, object] = {"logger": record.name}
        if record.exc_info:
            fields["exc_info"] = record.exc_info[1]
        self._logs.event(level, message, **fields)


def _exceptions(redactor: Redactor, *, tracebacks: bool) -> Callable[[Any, str, _EventDict], _EventDict]:
    """Exceptions as text, redacted as foreign: `exception` whole, every other field as type and message; `exc_info` is
    the one or the other, by `tracebacks`.
    """

    def render(_logger: Any, _method: str, entry: _EventDict) -> _EventDict:
        error = entry.pop("exc_info", None)
        if isinstance(error, BaseException):
            entry["exception" if tracebacks else "error"] = error
        for key, value in entry.items():
            if isinstance(value, BaseException):
                whole = traceback.format_exception(value) if key == "exception" else None
                entry[key] = redactor.raised("".join(whole or f"{type(value).__name__}: {value}"))
        return entry

    return render


def _harmless(_logger: Any, _method: str, entry: _EventDict) -> _EventDict:
    """Hostile names cannot forge log lines or steer the terminal; a traceback keeps its own line breaks. Fields
    that are None are left out.
    """
    made: _EventDict = {}
    for key, value in entry.items():
        if key == "exception":
            made[key] = "\n".join(strip_controls(part) for part in str(value).splitlines())
        elif isinstance(value, bool | int | float):
            made[key] = value
        elif value is not None:
            made[key] = strip_controls(str(value))
    return made
