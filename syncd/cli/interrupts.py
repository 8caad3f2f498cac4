"""Ctrl-C and SIGTERM while something may be written: the first lets writes in flight end, the second does not."""

from __future__ import annotations

import inspect
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from types import FrameType, TracebackType
from typing import Any, Self

from syncd.cli.exits import INTERRUPTED
from syncd.cli.progress import Watcher
from syncd.errors import SyncdError

WRITING = "writing"
"""The phase in which the engine writes (engine/writing/apply.py): it looks at `asked` before each new write."""


class Interrupted(SyncdError):  # noqa: N818  (what befell the command, not a fault)
    """A person or a signal stopped the command; what was not begun is not lost."""

    exit_code = INTERRUPTED


class Stoppable:
    """Until a command knows better, Ctrl-C and SIGTERM end it alike: with a sentence and everything closed.

    `noted` has those that came before, and grows until this is entered. `stopped` stays true where the interrupt itself
    got lost on its way: compiled libraries make other errors of it.
    """

    def __init__(self, noted: Sequence[int] | None = None) -> None:
        self.stopped = False
        self._noted = noted
        self._held = True
        self._before: dict[int, Any] = {}
        self._put_off = False

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._on_signal)
            self._unraisable, sys.unraisablehook = sys.unraisablehook, self._on_unraisable
        self.stopped |= any(number != signal.SIGHUP for number in self._noted or ())
        return self

    def release(self) -> None:
        """It is known which command this is, and so how a stop is answered: now it interrupts, also one from before."""
        self._held = False
        if self.stopped:
            raise KeyboardInterrupt

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._put_off:
            sys.settrace(None)
        if self._before and not (self.stopped and self._noted is not None):
            sys.unraisablehook = self._unraisable
        for number, handler in self._before.items():
            # Whoever noted signals has done so; what comes now ends what is still being said.
            signal.signal(number, handler if self._noted is None else signal.default_int_handler)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        del number
        self.stopped = True
        if self._held:
            return
        importer = _importer(frame)
        if importer is None or self._put_off:  # or it is meant: this import does not end
            raise KeyboardInterrupt
        self._once_more(importer)

    def _once_more(self, frame: FrameType) -> None:
        """As soon as this frame goes on, before its next line or with its end."""

        def goes_on(frame: FrameType, event: str, argument: Any) -> None:
            del event, argument
            sys.settrace(None)
            frame.f_trace = None
            self._put_off = False
            signal.raise_signal(signal.SIGINT)

        self._put_off = True
        frame.f_trace = goes_on
        sys.settrace(lambda *_: None)

    def _on_unraisable(self, lost: sys.UnraisableHookArgs) -> None:
        """In a callback an interrupt is only printed: once more, where it was called. What one left half made fails
        when it is thrown away, and is no news.
        """
        here = inspect.currentframe()
        caller = here.f_back if here is not None else None
        if issubclass(lost.exc_type, KeyboardInterrupt) and caller is not None:
            self._once_more(_importer(caller) or caller)
        elif not self.stopped:
            self._unraisable(lost)


def _importer(frame: FrameType | None) -> FrameType | None:
    """Who waits for the import that goes on here, if one does. Left half imported, a module makes errors of its own of
    the interrupt, or swallows it.
    """
    importer = None
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            importer = frame.f_back
        frame = frame.f_back
    return importer


class Hangups:
    """SIGHUP before it is known which command this is. `noted` has what came, and grows until somebody else answers."""

    def __init__(self, noted: Sequence[int] | None, before: Any) -> None:
        self._noted = noted
        self._before = signal.SIG_DFL if before is None else before

    def came(self) -> bool:
        return signal.SIGHUP in (self._noted or ())

    def let_go(self) -> None:
        """From now on, and from the beginning, it does what it did before somebody noted it."""
        if self._noted is not None:
            signal.signal(signal.SIGHUP, self._before)
            if self.came():
                signal.raise_signal(signal.SIGHUP)


class Stop:
    """`asked()` is what a Job takes as `cancelled`. Outside the writing phase a signal interrupts at once."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._asked = threading.Event()
        self._watcher: Watcher | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def asked(self) -> bool:
        """Whether somebody asked to stop."""
        return self._asked.is_set()

    def during(self, watcher: Watcher) -> None:
        """Whose phase decides between stopping gently and at once."""
        self._watcher = watcher

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        writing = self._watcher is not None and self._watcher.current == WRITING
        if self._asked.is_set() or not writing:
            before = self._before.get(number)
            interrupt = before if callable(before) else signal.default_int_handler
            try:
                interrupt(number, frame)
            except KeyboardInterrupt:
                self._asked.set()
                raise
            return  # put off for a moment
        self._asked.set()
        self._say("stopping: waiting for the writes in flight (once more stops at once)")
