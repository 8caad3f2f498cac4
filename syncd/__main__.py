"""`python -m syncd` and the `syncd` executable."""

from __future__ import annotations

import signal
import sys


def main() -> int:
    """Runs the command line of this process; returns the exit code."""
    try:
        from syncd.cli.app import run  # noqa: PLC0415  (nothing is imported before it is needed)
        from syncd.cli.streams import own_streams  # noqa: PLC0415

        own_streams()
        return run(sys.argv[1:])
    except KeyboardInterrupt:
        return 130  # Ctrl-C before anything was begun, or once more while the first one is answered
    finally:
        # All is closed and said: one more Ctrl-C ends the rest of the process without a word.
        signal.signal(signal.SIGINT, signal.SIG_DFL)


if __name__ == "__main__":
    sys.exit(main())
