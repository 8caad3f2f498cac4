"""One store, one writer: whatever namespaces, host names and clocks two processes have."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from syncd.store import file_lock
from tests.e2e.elsewhere import Held, Place, clock_ahead, clock_set_by, container, here, waits_for
from tests.e2e.rig import rig

HOUR = 3600
Both = Callable[[], tuple[Place, Place]]
ELSEWHERE: dict[str, Both] = {
    "two containers with one host name": lambda: (container("twin"), container("twin")),
    "two containers with a host name each": lambda: (container("one"), container("two")),
    "a container and its host": lambda: (container(), here()),
    "a host and a container of it": lambda: (here(), container()),
    "two hardened containers": lambda: (container(hardened=True), container(hardened=True)),
    "the clock of the second an hour ahead": lambda: (here(), clock_ahead(HOUR)),
    "the clock of the second an hour behind": lambda: (here(), clock_ahead(-HOUR)),
    "the clock of the first an hour ahead": lambda: (clock_ahead(HOUR), here()),
    "the clock of the first an hour behind": lambda: (clock_ahead(-HOUR), here()),
}


@pytest.mark.parametrize("where", ELSEWHERE)
def test_a_living_writer_is_never_taken_for_dead(tmp_path: Path, where: str) -> None:
    one, other = ELSEWHERE[where]()
    with rig(tmp_path, users=20) as made:
        held = Held(made)
        with one.begun(made, "sync", "--json") as first:
            held.wait(first)
            with other.begun(made, "sync", "--json") as second:
                waits_for(second, "has been writing with this store since")
                held.wait(first)

                held.let_go()
                _, stderr = first.communicate(timeout=60)
                out, said = second.communicate(timeout=60)

        assert first.returncode == 0, stderr
        assert second.returncode == 0, said
        assert json.loads(out)["summary"]["applied"] == {}
        held.assert_written_once()


def test_who_only_reads_is_not_held_up(tmp_path: Path) -> None:
    with rig(tmp_path, users=20) as made:
        held = Held(made)
        with here().begun(made, "sync") as first:
            held.wait(first)
            for command in ("status", "plan", "sync --dry-run", "held", "report", "audit verify", "drift"):
                made.run(*command.split())
            held.let_go()
            first.communicate(timeout=60)
        held.assert_written_once()


def test_a_clock_that_is_set_by_an_hour_each_way_makes_no_second_writer(tmp_path: Path) -> None:
    ahead = tmp_path / "ahead"
    ahead.write_text("+0")
    one = clock_set_by(ahead)
    with rig(tmp_path, users=20) as made:
        held = Held(made)
        with one.begun(made, "sync", "--json") as first:
            held.wait(first)
            with here().begun(made, "sync") as second, one.begun(made, "sync") as third:
                for other in (second, third):
                    waits_for(other, "has been writing with this store since")
                for step in (f"+{HOUR}", f"-{HOUR}", "+0"):
                    ahead.write_text(step)
                    made.split.latches.release("writes")
                    held.wait(first)
                    assert (second.poll(), third.poll()) == (None, None)

                held.let_go()
                _, stderr = first.communicate(timeout=60)
                for other in (second, third):
                    _, said = other.communicate(timeout=60)
                    assert other.returncode == 0, said

        assert first.returncode == 0, stderr
        held.assert_written_once()


@pytest.mark.parametrize("hardened", [False, True])
def test_a_container_that_was_killed_is_followed_at_once(tmp_path: Path, hardened: bool) -> None:
    """The kernel lets go of its file with it; there is nothing to wait for."""
    if hardened and not file_lock.kernel_is_alone(tmp_path):
        pytest.skip("who sees no boot id has to know that no other machine has this file system mounted")
    with rig(tmp_path, users=20) as made:
        held = Held(made)
        with container("one", hardened=hardened).begun(made, "sync") as first:
            held.wait(first)
            first.kill()
            first.wait()
            held.let_go()

            second = container("two", hardened=hardened).run(made, "sync")

        assert second.returncode == 0, second.stderr
        assert "watched" not in second.stderr
        made.assert_exact()
