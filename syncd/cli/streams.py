"""The streams of this process, and what it means when one of them takes nothing any more.

stdout is the answer: that it is lost must be told, once, whoever was writing (also click's help, the demo, a
simulator). A reader that went away (`| head`) wants no more and is no fault.
"""

from __future__ import annotations

import errno
import io
import os
import sys
from typing import TYPE_CHECKING, TextIO

from syncd.errors import SyncdError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


class OutputLost(SyncdError):  # noqa: N818  (what befell the answer, not the work)
    """stdout cannot be written: the disk behind it is full, or it is closed. What was done is done all the same."""

    def __init__(self, error: OSError) -> None:
        cause = "it is closed" if error.errno == errno.EBADF else error.strerror or str(error)
        super().__init__(
            f"the answer cannot be written to stdout: {cause}",
            hint="Only the output is lost. Make room where it goes, or send it elsewhere.",
        )


class ReaderGone(Exception):  # noqa: N818  (no fault)
    """Nobody reads stdout any more; a broken connection to somebody else is never this."""


class _Stdout(io.FileIO):
    """stdout itself: after the first write that fails, the rest goes nowhere."""

    def write(self, data: ReadableBuffer, /) -> int:
        try:
            return super().write(data)
        except BrokenPipeError as error:
            drop(self.fileno())
            raise ReaderGone(*error.args) from None
        except BlockingIOError:
            raise
        except OSError as error:
            drop(self.fileno())
            raise OutputLost(error) from error


def own_streams() -> None:
    """For the process as a whole, once, before anything is opened or written.

    Without stdout or stderr (`>&-`) the next file that is opened would take the number 1 or 2, and whoever writes
    there would write into it: their places are taken first.
    """
    for number, mode in ((0, os.O_RDONLY), (1, os.O_RDONLY), (2, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            # The lowest free number is this one. stdout is taken read-only: a write to it fails as to a closed one.
            os.open(os.devnull, mode)
    if sys.stderr is None:
        sys.stderr = open(2, "w", encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115
    before: TextIO | None = sys.stdout
    sys.stdout = io.TextIOWrapper(
        io.BufferedWriter(_Stdout(1, "w", closefd=False)),
        encoding=before.encoding if before is not None else "utf-8",
        errors="backslashreplace",  # a name must not fail where the locale is narrow
        line_buffering=before is not None and before.isatty(),
    )


def drop(number: int) -> None:
    """What is still to come on this descriptor goes nowhere, also at interpreter exit."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, number)
    os.close(null)
