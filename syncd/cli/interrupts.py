"""Ctrl-C and SIGTERM while something may be written: the first lets writes in flight end, the second does not."""

from __future__ import annotations

import signal
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
        del number, frame
        writing = self._watcher is not None and self._watcher.current == WRITING
        if self._asked.is_set() or not writing:
            self._asked.set()
            raise KeyboardInterrupt
        self._asked.set()
        self._say("stopping: waiting for the writes in flight (once more stops at once)")
