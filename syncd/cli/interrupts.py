"""Ctrl-C and SIGTERM while something may be written: the first lets writes in flight end, the second does not."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any, Self

from syncd.cli.exits import INTERRUPTED
from syncd.cli.progress import Watcher
from syncd.errors import SyncdError

WRITING = "writing"
"""The phase in which the engine writes (engine/applying.py): it looks at `asked` before each new write."""


class Interrupted(SyncdError):  # noqa: N818  (what befell the command, not a fault)
    """A person or a signal stopped the command; what was not begun is not lost."""

    exit_code = INTERRUPTED


class Stoppable:
    """Until a command knows better, Ctrl-C and SIGTERM end it alike: with a sentence and everything closed.

    `stopped` stays true where the interrupt itself got lost on its way: compiled libraries make other errors of it.
    """

    def __init__(self) -> None:
        self.stopped = False
        self._before: dict[int, Any] = {}
        self._again: threading.Timer | None = None

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._on_signal)
            self._unraisable, sys.unraisablehook = sys.unraisablehook, self._on_unraisable
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._again is not None:
            self._again.cancel()
        if self._before:
            sys.unraisablehook = self._unraisable
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self.stopped = True
        raise KeyboardInterrupt

    def _on_unraisable(self, lost: sys.UnraisableHookArgs) -> None:
        """In a callback (the import machinery has some) an interrupt is only printed: once more, a little later."""
        if issubclass(lost.exc_type, KeyboardInterrupt):
            main = threading.main_thread().ident or 0
            self._again = threading.Timer(0.05, signal.pthread_kill, (main, signal.SIGINT))
            self._again.daemon = True
            self._again.start()
        else:
            self._unraisable(lost)


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
        return self._asked.is_set()

    def during(self, watcher: Watcher) -> None:
        """Whose phase decides between stopping gently and at once."""
        self._watcher = watcher

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        writing = self._watcher is not None and self._watcher.current == WRITING
        if self._asked.is_set() or not writing:
            self._asked.set()
            if callable(before := self._before.get(number)):
                before(number, frame)
            raise KeyboardInterrupt
        self._asked.set()
        self._say("stopping: waiting for the writes in flight (once more stops at once)")
