"""Without a fleet nothing of one is loaded."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.e2e.rig import rig
from tests.interpreting import imported_by

_LOADED = """
import sys
from syncd.cli.app import run
code = run(sys.argv[1:])
found = [name for name in sys.modules if name.split(".")[0] == "psycopg" or name.startswith("syncd.store.postgres")]
sys.stderr.write(f"loaded: {found}\\n")
raise SystemExit(code)
"""


def test_psycopg_is_never_imported_without_a_fleet(tmp_path: Path) -> None:
    with rig(tmp_path, users=4) as made:
        for words in (["plan"], ["sync"], ["status"], ["pause"], ["resume"], ["audit", "verify"], ["check"]):
            done = subprocess.run(
                [sys.executable, "-c", _LOADED, *words, "-c", str(made.config)],
                capture_output=True,
                text=True,
                check=False,
            )
            assert "loaded: []" in done.stderr, (words, done.stderr)
            assert done.returncode == 0, (words, done.stderr)


def test_moving_a_store_without_a_fleet_is_refused_before_anything_of_one_is_loaded(tmp_path: Path) -> None:
    with rig(tmp_path, users=4) as made:
        words = ["store", "copy", "--from", str(made.store), "--to", "fleet", "-c", str(made.config)]
        done = subprocess.run(
            [sys.executable, "-c", _LOADED, *words], capture_output=True, text=True, check=False
        )
    assert done.returncode == 64
    assert "loaded: []" in done.stderr


def test_the_daemon_of_one_machine_imports_nothing_of_it() -> None:
    daemon = (
        "import syncd.cli.run, syncd.service.daemon, syncd.service.http, syncd.service.statuses, syncd.wiring"
    )
    assert imported_by(daemon, "psycopg", "psycopg_pool", "syncd.store.postgres", "syncd.fleets") == []
