"""Whether a daemon runs is told by who has the store, not by what a daemon wrote down before it was killed."""

from __future__ import annotations

from tests.e2e.rig import Rig
from tests.requests.asking import at_rest
from tests.service.supervisor import supervised


def test_after_a_daemon_was_killed_status_says_that_none_runs(made: Rig) -> None:
    with supervised(made.folder, made.config) as daemon:
        at_rest(made, daemon)
        served = made.run("status", "--json").document
        daemon.process.kill()
        daemon.process.wait()

    killed = made.run("status", "--json").document

    assert served["served_by"]["named"].startswith(f"syncd run (process {daemon.process.pid} on ")
    assert served["served_by"]["silent"] is False
    assert killed["served_by"] is None
    assert "by nobody: no daemon runs with this store" in made.run("status").stdout


def test_a_sync_by_hand_is_no_daemon(made: Rig) -> None:
    made.sync()
    assert made.run("status", "--json").document["served_by"] is None
