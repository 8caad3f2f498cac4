"""Hard bounds around one example: seconds of CPU, and memory in proportion to the input.

Generous, so that no slow or busy machine makes a finding: what breaks them is of another order.
"""

from __future__ import annotations

import faulthandler
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

CPU_SECONDS = 10.0
"""Of this process's own time, and as many for each megabyte of input: some are asked for dozens of times."""
WALL_SECONDS = 170.0
"""A wait without end takes no CPU: then the process ends with the stacks of all threads."""
TIMES = 64
"""So many bytes for each byte of input: a list of empty lists in JSON takes 24 of each."""
_PAGE = resource.getpagesize()


class TooSlow(BaseException):
    """No ordinary handler swallows it."""


class TooMuchMemory(BaseException):
    """Likewise."""


@contextmanager
def bounded(size: int, room: int) -> Iterator[None]:
    """`room` is bytes beside those for the input. Raises TooSlow or TooMuchMemory. In the main thread."""

    def late(_signal: int, _frame: FrameType | None) -> None:
        raise TooSlow(f"more than {CPU_SECONDS:.0f} s of CPU")

    before = signal.signal(signal.SIGPROF, late)
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (_in_use() + room + TIMES * size, hard))
    faulthandler.dump_traceback_later(WALL_SECONDS, exit=True)
    signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS * (1 + size / 1_000_000))
    try:
        yield
    except MemoryError as error:
        raise TooMuchMemory(f"more than {room >> 20} MiB and {TIMES} times the input") from error
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        faulthandler.cancel_dump_traceback_later()
        resource.setrlimit(resource.RLIMIT_AS, (hard, hard))
        signal.signal(signal.SIGPROF, before)


def _in_use() -> int:
    """Bytes of address space."""
    return int(Path("/proc/self/statm").read_bytes().split()[0]) * _PAGE
