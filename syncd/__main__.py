"""`python -m syncd` and the `syncd` executable."""

from __future__ import annotations

import os
import sys

# Whatever is imported here delays the moment from which signals are heard: the built-in half of `signal` is there at
# once, the other one brings enum, functools and collections.
TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from typing import NoReturn
else:
    try:
        import _signal as signal
    except ImportError:
        import signal

_STOPS = (signal.SIGTERM, signal.SIGINT)
_noted: list[int] = []
"""Signals that came while everything was still being imported, for the command to answer."""


def _note(number: int, _frame: object) -> None:
    _noted.append(number)


for _number in _STOPS:
    signal.signal(_number, _note)
_hangup = signal.signal(signal.SIGHUP, _note)
"""What a hangup does to a command that has no use for one: it ends it, or nothing (nohup)."""


def main() -> NoReturn:
    """Runs the command line of this process and ends it with its exit code.

    The interpreter is not taken down: it would wait for requests whose answers nobody wants any more, and a signal
    would kill it then.
    """
    try:
        from syncd.cli.app import run  # noqa: PLC0415  (nothing is imported before signals are heard)
        from syncd.cli.streams import own_streams  # noqa: PLC0415

        own_streams()
        code = run(sys.argv[1:], _noted, _hangup)
    except KeyboardInterrupt:
        code = 130  # Ctrl-C once more while the first one is answered
    for number in _STOPS:
        signal.signal(number, lambda _number, _frame: os._exit(code))
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except Exception:  # noqa: BLE001, S112  (whatever is wrong with it was said)
            continue
    os._exit(code)


if __name__ == "__main__":
    main()
