"""A Python of its own, for what is true of a process only at its beginning."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def imported_by(code: str, *packages: str) -> list[str]:
    """Modules of these packages that a new Python has loaded once it ran the code."""
    done = interpreted(f"import sys\n{code}\nprint('\\n'.join(sys.modules))")
    loaded = done.stdout.splitlines()
    return [name for name in loaded if any(f"{name}.".startswith(f"{each}.") for each in packages)]


def interpreted(code: str, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    """What it printed; raises CalledProcessError when it did not exit with 0."""
    return subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=True
    )
