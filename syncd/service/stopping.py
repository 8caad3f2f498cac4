"""A stop is heard at once, whatever the main thread is in the middle of: a store that takes long to open, a file that
never answers.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

STOPS = (signal.SIGTERM, signal.SIGINT)
_OVER = b"\0"


@contextmanager
def stops_heard(on_stop: Callable[[], None], leave: Callable[[], None], *, within: float) -> Iterator[None]:
    """From the first SIGTERM or SIGINT on: `on_stop` at once, in a thread of its own, and `leave` after so many seconds
    unless the block has ended.

    For the main thread. Both signals need handlers of Python's: those run when the main thread comes to it, while the
    number of the signal is written to a pipe (signal.set_wakeup_fd) when it arrives.
    """
    over = threading.Event()
    read, write = os.pipe()
    os.set_blocking(write, False)

    def watch() -> None:
        while not (heard := set(os.read(read, 64))) & {*STOPS, *_OVER}:
            pass
        if heard & set(STOPS) and not over.is_set():
            on_stop()
            if not over.wait(within):
                leave()

    watching = threading.Thread(target=watch, name="syncd-stops", daemon=True)
    watching.start()
    before = signal.set_wakeup_fd(write, warn_on_full_buffer=False)
    try:
        yield
    finally:
        over.set()
        signal.set_wakeup_fd(before)
        os.write(write, _OVER)
        watching.join()
        os.close(read)
        os.close(write)
