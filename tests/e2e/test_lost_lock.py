"""A process that stood still, and goes on while another one wants to write, or does."""

from __future__ import annotations

import re
import signal
from pathlib import Path

import pytest

from tests.connection_text import FREE_TO_CHANGE
from tests.e2e.elsewhere import Held, altered, freeze, waits_for
from tests.e2e.rig import rig
from tests.service.supervisor import eventually


def test_frozen_it_lives_and_nobody_takes_its_place(tmp_path: Path) -> None:
    """The kernel says so, however long it lasts: it might be just about to send."""
    one, other = altered(lasts=0.2), altered(lasts=0.2)
    with rig(tmp_path, users=20) as made:
        held = Held(made)
        with one.begun(made, "sync", "--json") as first:
            held.wait(first)
            freeze(first, made.store)
            for _ in range(3):
                second = other.run(made, "sync")
                assert second.returncode == 3, second.stderr
                assert f"it is stopped: let it go on (kill -CONT {first.pid})" in second.stderr
            held.let_go()
            first.send_signal(signal.SIGCONT)
            _, stderr = first.communicate(timeout=60)

        assert first.returncode == 0, stderr
        held.assert_written_once()


@pytest.mark.parametrize("workers", [1, 4])
def test_frozen_and_continued_it_sends_nothing_after_its_successor_has_begun(
    tmp_path: Path, workers: int
) -> None:
    """Where no file can be locked only its silence tells, and it may have been frozen."""
    one, other = altered(file_locks=False), altered(file_locks=False)
    with rig(tmp_path, users=40) as made:
        made.write_config(split=f"concurrency = {workers}", safety=FREE_TO_CHANGE)
        made.sync()
        world = made.okta.world
        *renamed, leaver = sorted(made.wanted_people())[:25]
        for name in renamed:
            world.update_profile(name, lastName="Renamed")
        world.unassign(leaver, everywhere=True)
        made.forget()
        made.split.faults.add("delay", method="PATCH", path="/Users", count=-1, seconds=2.0)
        with one.begun(made, "sync", "--json") as first:
            # Every worker waits for an answer: none of them is just about to send.
            eventually(lambda: made.split._running >= workers or first.poll() is not None, "writes in flight")
            freeze(first, made.store)
            eventually(lambda: made.split._running == 0, "the writes in flight are answered")
            made.split.reset_faults()
            world.assign(leaver)
            second = other.run(made, "sync")
            assert second.returncode == 0, second.stderr
            assert "has no file locks (No locks available)" in second.stderr
            made.forget()

            first.send_signal(signal.SIGCONT)
            _, stderr = first.communicate(timeout=30)

        assert made.writes() == [], "written by who had lost the lock"
        made.assert_exact()
        assert first.returncode == 1
        because = (
            r"another process took it over at 20\d\d-\S+Z, because no renewal of it had been seen for \d+ s"
        )
        assert re.search(because, " ".join(stderr.split())), stderr
        made.sync()
        assert made.writes() == []


def test_without_file_locks_a_living_writer_is_watched_and_keeps_its_place(tmp_path: Path) -> None:
    one, other = altered(lasts=3.0, file_locks=False), altered(lasts=3.0, file_locks=False)
    with rig(tmp_path, users=20) as made:
        held = Held(made)
        with one.begun(made, "sync", "--json") as first:
            held.wait(first)
            with other.begun(made, "sync") as second:
                waits_for(second, "the store's lock is watched")
                waits_for(second, "has been writing with this store since")

                held.let_go()
                _, stderr = first.communicate(timeout=60)
                _, said = second.communicate(timeout=60)

        assert first.returncode == 0, stderr
        assert second.returncode == 0, said
        held.assert_written_once()
