"""The parts of the daemon by themselves."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from syncd.service.board import Board, CycleReport
from syncd.service.gate import Gate
from syncd.service.reloading import reconciled
from syncd.service.reports import Ending
from syncd.service.scheduler import Timetable, _trigger
from syncd.service.systemd import Notify
from syncd.service.telling import Voice, status_line
from syncd.service.watch import SILENCE_AT_MOST, Activity, Watch
from syncd.settings import ConnectionSettings, Loaded, Problem, parse
from tests.connection_text import connection_text
from tests.service.supervisor import eventually

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def settings(path: Path, *, name: str = "", base_url: str = "") -> ConnectionSettings:
    text = connection_text(
        name or path.stem,
        okta=("http://127.0.0.1:1", "0oa1"),
        split=base_url or f"http://127.0.0.1:1/{path.stem}",
        tokens=("NONE", "NONE"),
    )
    return parse(text, file=path, environ={})


# the gate


def test_a_cycle_of_each_kind_runs_once_at_a_time_and_none_after_the_stop() -> None:
    stopping = threading.Event()
    gate = Gate(stopping)
    with gate.place("full") as full, gate.place("full") as again, gate.place("delta") as delta:
        assert (full, again, delta) == (True, False, True)
        assert gate.running == 2
    stopping.set()
    with gate.place("full") as late:
        assert not late


def test_new_settings_wait_for_the_cycle_that_runs_and_deltas_wait_for_them() -> None:
    gate, done = Gate(threading.Event()), []
    with gate.place("full") as full:
        assert full
        gate.change(lambda: done.append("old"))
        gate.change(lambda: done.append("new"))
        with gate.place("delta") as delta:
            assert not delta
        assert done == []
    with gate.place("delta") as delta:
        assert delta
    assert done == ["new"]


def test_a_connection_that_is_taken_out_is_closed_by_its_last_cycle() -> None:
    gate, closed = Gate(threading.Event()), []
    with gate.place("full"):
        gate.retire(lambda: closed.append("closed"))
        with gate.place("delta") as late:
            assert not late
        assert closed == []
    assert closed == ["closed"]
    assert gate.wait_until_idle(time.monotonic(), lambda: None)


# the timetable


@pytest.fixture
def timetable() -> Iterator[Timetable]:
    made = Timetable()
    made.start()
    yield made
    made.stop()


def test_a_slow_connection_delays_no_other(timetable: Timetable) -> None:
    release, ran = threading.Event(), threading.Event()
    timetable.schedule("slow", "full", timedelta(hours=1), lambda: assert_waited(release), first=0.0)
    timetable.schedule("quick", "full", timedelta(hours=1), ran.set, first=0.0)

    assert ran.wait(10)
    release.set()


def assert_waited(event: threading.Event) -> None:
    assert event.wait(10)


def test_turns_missed_while_the_machine_slept_become_one(timetable: Timetable) -> None:
    turns: list[int] = []
    timetable.schedule("acme", "delta", timedelta(hours=1), lambda: turns.append(1))
    # What a sleep does to a schedule: its next turn lies eight intervals and a half back.
    timetable._scheduler.modify_job("acme delta", next_run_time=datetime.now(UTC) - timedelta(hours=8.5))

    eventually(lambda: turns, "the turn")
    following = timetable.next_run("acme", "delta")
    assert following is not None
    assert following > datetime.now(UTC)
    assert turns == [1]


def test_turns_come_at_their_interval_on_the_whole_and_hardly_earlier_or_later_each() -> None:
    every, at = 30.0, NOON
    trigger, gaps = _trigger("delta", timedelta(seconds=every)), []
    for _ in range(2_000):
        following = trigger.get_next_fire_time(at, at)
        assert following is not None
        gaps.append((following - at).total_seconds())
        at = following

    assert every - 1 <= min(gaps) < every < max(gaps) <= every + 1
    assert abs(sum(gaps) / len(gaps) - every) < 0.1, "six times the standard error"


def test_a_turn_that_waited_for_a_thread_says_how_late_it_began() -> None:
    began: list[tuple[str, float]] = []
    made = Timetable({"long": 1, "short": 1}, began=lambda kind, late: began.append((kind, late)))
    busy, release, ran = threading.Event(), threading.Event(), threading.Event()

    def first() -> None:
        busy.set()
        assert release.wait(10)

    made.start()
    try:
        made.schedule("one", "delta", timedelta(hours=1), first, first=0.0)
        assert busy.wait(10)
        made.schedule("two", "delta", timedelta(hours=1), ran.set, first=0.0)
        was_due_by = datetime.now(UTC)
        eventually(lambda: (made.next_run("two", "delta") or NOON) > was_due_by, "it waits for the thread")
        released = datetime.now(UTC)
        release.set()
        assert ran.wait(10)
    finally:
        made.stop()

    assert [kind for kind, _ in began] == ["delta", "delta"]
    assert began[1][1] >= (released - was_due_by).total_seconds() > 0


def test_a_turn_brought_forward_while_the_one_before_ends_is_not_lost(timetable: Timetable) -> None:
    release, turns = threading.Event(), []

    def work() -> None:
        turns.append(1)
        assert release.wait(10)

    timetable.schedule("acme", "full", timedelta(hours=1), work, first=0.0)
    eventually(lambda: turns, "the first turn")
    timetable.bring_forward("acme", "full")
    eventually(lambda: (timetable.next_run("acme", "full") or NOON) > datetime.now(UTC), "it was skipped")
    release.set()

    eventually(lambda: len(turns) == 2, "the second turn")


def test_a_turn_is_only_ever_brought_forward(timetable: Timetable) -> None:
    timetable.schedule("acme", "full", timedelta(minutes=1), lambda: None)
    soon = timetable.next_run("acme", "full")
    timetable.bring_forward("acme", "full", 3600.0)
    assert timetable.next_run("acme", "full") == soon
    timetable.drop("acme")
    timetable.bring_forward("acme", "full")
    assert timetable.next_run("acme", "full") is None


def test_a_clock_that_was_set_back_does_not_put_deltas_off(timetable: Timetable) -> None:
    ran = threading.Event()
    timetable.schedule("acme", "delta", timedelta(seconds=30), ran.set)
    timetable._scheduler.modify_job("acme delta", next_run_time=datetime.now(UTC) + timedelta(hours=8))
    timetable.clock_was_set()

    assert ran.wait(10)


# systemd


def test_without_a_socket_nobody_is_told_and_a_dead_one_stops_nothing(tmp_path: Path) -> None:
    Notify().ready()
    Notify(str(tmp_path / "gone")).ready()


def test_the_status_is_one_line_and_said_once(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(tmp_path / "notify"))
        sock.settimeout(5)
        notify = Notify.of({"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "30000000"})
        notify.status("two\nlines\nREADY=1")
        notify.status("two\nlines\nREADY=1")
        notify.alive()
        notify.alive()
        notify.ready()
        heard = [sock.recv(1000).decode() for _ in range(3)]
    assert heard == ["STATUS=two lines READY=1", "WATCHDOG=1", "READY=1"]
    assert notify.watchdog == 30.0


@pytest.mark.parametrize("environ", [{}, {"WATCHDOG_USEC": "x"}, {"WATCHDOG_USEC": "5", "WATCHDOG_PID": "1"}])
def test_a_watchdog_meant_for_somebody_else_is_not_ours(environ: dict[str, str]) -> None:
    assert Notify.of(environ).watchdog is None


# whether anything moves


def test_a_cycle_is_stuck_after_five_silent_minutes_beyond_the_waits_it_announced() -> None:
    activity = Activity(patience=60.0)
    watch = Watch(lambda *_args, **_fields: None, activity)
    now = time.monotonic()
    assert not activity.is_stuck(now + SILENCE_AT_MOST)
    assert activity.is_stuck(now + SILENCE_AT_MOST + 61)

    watch.event("info", "waiting for Okta", seconds=900.0, reason="rate limit")
    assert not activity.is_stuck(now + 900 + SILENCE_AT_MOST)
    assert activity.is_stuck(now + 900 + SILENCE_AT_MOST + 62)
    watch.event("info", "waiting for Split", seconds=2.0, reason="its own limit")
    assert watch.waited == {"okta": 900.0, "target": 2.0}, "the two sides that the metrics name"


# what is said


def report(status: str = "succeeded", error: str = "", **changes: int) -> CycleReport:
    counts = {("create_user", outcome): count for outcome, count in changes.items()}
    return CycleReport("full", NOON, NOON + timedelta(seconds=5), status, error=error, changes=counts)


@pytest.mark.parametrize(
    ("status", "changes", "level"),
    [
        ("quiet", {}, "debug"),
        ("succeeded", {"skipped": 3}, "debug"),
        ("succeeded", {"applied": 3}, "info"),
        ("partial", {"failed": 1}, "warning"),
        ("held", {"applied": 3, "held": 1}, "warning"),
        ("refused", {"held": 1}, "warning"),
        ("failed", {}, "error"),
    ],
)
def test_a_cycle_is_as_loud_as_what_it_did(status: str, changes: dict[str, int], level: str) -> None:
    said: list[str] = []
    Voice(lambda level, *_args, **_fields: said.append(level), "acme").ended(
        report(status, "", **changes), Ending(), stopping=False
    )
    assert said == [level]


def test_the_same_failure_again_is_a_debug_line_and_its_end_is_said() -> None:
    said: list[str] = []
    voice = Voice(lambda level, event, **_fields: said.append(f"{level} {event}"), "acme")
    for cycle in (report("failed", "no"), report("failed", "no"), report(), report()):
        voice.ended(cycle, Ending(), stopping=False)
    assert said == ["error cycle failed", "debug cycle failed", "info cycle done", "debug cycle done"]


def test_the_status_line_says_how_every_connection_is() -> None:
    board = Board()
    acme, beta, sick = (board.connection(name) for name in ("acme", "beta", "sick"))
    acme.ended(report(applied=3))
    acme.will_run("delta", NOON + timedelta(seconds=30))
    acme.will_run("full", NOON + timedelta(hours=6))
    beta.began("full", NOON)

    line = status_line(
        [one.snapshot() for one in (acme, beta, sick)], {"sick": "token refused"}, {"bad": "is not TOML"}
    )

    assert line == (
        "bad: is not TOML | acme: last full 12:00:05Z succeeded, 3 applied; next delta 12:00:30Z"
        " | beta: no cycle yet; full since 12:00:00Z | sick: in quarantine: token refused"
    )


# a reload


def test_a_connection_whose_file_is_wrong_keeps_its_old_settings(tmp_path: Path) -> None:
    old = [settings(tmp_path / "a.toml"), settings(tmp_path / "b.toml")]
    new = settings(tmp_path / "b.toml", base_url="http://127.0.0.1:1/new")
    found = reconciled(old, Loaded((new,), (Problem(tmp_path / "a.toml", "is wrong"),), ()))

    assert list(found.wanted) == [old[0], new]
    assert list(found.broken) == ["a"]


def test_a_directory_that_cannot_be_read_ends_no_connection(tmp_path: Path) -> None:
    old = [settings(tmp_path / "a.toml")]
    found = reconciled(old, Loaded((), (Problem(tmp_path, "cannot be read"),), ()))
    assert list(found.wanted) == old


def test_a_file_that_is_gone_ends_its_connection(tmp_path: Path) -> None:
    old = [settings(tmp_path / "a.toml"), settings(tmp_path / "b.toml")]
    assert list(reconciled(old, Loaded((old[1],), (), ())).wanted) == [old[1]]


def test_nobody_takes_the_organisation_of_a_connection_that_keeps_its_old_settings(tmp_path: Path) -> None:
    a, b = settings(tmp_path / "a.toml"), settings(tmp_path / "b.toml")
    taking = settings(tmp_path / "b.toml", base_url=a.split.base_url)
    c = settings(tmp_path / "c.toml", base_url=b.split.base_url)

    found = reconciled([a, b], Loaded((taking, c), (Problem(tmp_path / "a.toml", "is wrong"),), ()))

    assert list(found.wanted) == [a, b]
    assert set(found.broken) == {"a", "b", "c"}
