"""`python -m syncd` and the `syncd` executable."""

from __future__ import annotations

import sys


def main() -> int:
    """Runs the command line of this process; returns the exit code."""
    from syncd.cli.app import run  # noqa: PLC0415  (nothing is imported before it is needed)

    return run(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
