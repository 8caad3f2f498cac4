"""The daemon inside this process: its clock and its hooks are the test's, everything else is real."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from syncd import wiring
from syncd.engine.cycles.drift_report import DriftReport
from syncd.engine.job import Job
from syncd.errors import ConfigurationError, RefusedError, SyncdError
from syncd.ports import Store
from syncd.redact import Redactor
from syncd.service import full_turns
from syncd.service.board import Board, CycleReport
from syncd.service.daemon import Daemon, Hooks
from syncd.settings import ConnectionSettings, load
from syncd.store import SqliteStore, open_store
from syncd.wiring import open_for_writing
from tests.e2e.rig import SPLIT_TOKEN, Rig
from tests.service.connecting import listen_on, schedule, second_connection, token_in_a_file
from tests.service.supervisor import eventually, in_a_thread
from tests.serving import free_port
from tests.store.locking import without_file_locks


@dataclass
class Inside:
    """A daemon in a thread; `ahead` is how far its clock is before ours."""

    configs: Sequence[Path]
    hooks: Hooks = field(default_factory=Hooks)
    ahead: timedelta = timedelta()
    log: list[dict[str, Any]] = field(default_factory=list)
    error: SyncdError | None = None

    def __post_init__(self) -> None:
        self.daemon = Daemon(
            lambda: load(self.configs, environ=os.environ),
            event=lambda level, event, **fields: self.log.append({"level": level, "event": event, **fields}),
            redactor=Redactor(),
            hooks=self.hooks,
            clock=lambda: datetime.now(UTC) + self.ahead,
        )

    def run(self) -> None:
        try:
            self.daemon.run()
        except SyncdError as error:
            self.error = error

    def events(self, event: str, **fields: object) -> list[dict[str, Any]]:
        return [one for one in list(self.log) if one["event"] == event and fields.items() <= one.items()]

    def logs(self, event: str, times: int = 1, **fields: object) -> None:
        eventually(
            lambda: len(self.events(event, **fields)) >= times, f"{event} {fields}; {self.log} {self.error}"
        )

    def warnings(self) -> tuple[str, ...]:
        return self.daemon.board.connection("acme").snapshot().warnings


@contextmanager
def inside(inside: Inside) -> Iterator[Inside]:
    with in_a_thread(inside.run, inside.daemon.stop):
        yield inside


def test_a_revoked_token_costs_one_request_a_probe_and_heals_without_anybody(world: Rig) -> None:
    with inside(Inside([world.config])) as made:
        made.logs("cycle done", cycle="full")
        before = world.actual_people()
        world.split.world.regenerate_token("another-token")
        world.okta.world.add_user("new@example.com", "New", "Hire", assign=True)
        made.logs("connection quarantined")
        eventually(lambda: not made.daemon.board.connection("acme").snapshot().running, "the delta is over")
        world.forget()
        polls = made.daemon.board.connection("acme").snapshot().totals.polls

        made.ahead = timedelta(minutes=6)
        made.logs("still in quarantine")
        assert [request.method for request in world.split.requests] == ["GET"]
        assert world.okta.requests == []
        assert world.actual_people() == before

        world.split.world.regenerate_token(SPLIT_TOKEN)
        made.ahead = timedelta(hours=2)
        made.logs("connection well again")
        made.logs("applied", object="new@example.com")
        assert made.daemon.board.connection("acme").snapshot().totals.polls >= polls
    world.assert_exact()


def test_a_rotated_token_is_used_by_the_next_cycle(world: Rig) -> None:
    secret = token_in_a_file(world)
    with inside(Inside([world.config])) as made:
        made.logs("cycle done", cycle="full")
        world.split.world.regenerate_token("the-token-of-the-next-year")
        secret.write_text("the-token-of-the-next-year")
        world.okta.world.add_user("new@example.com", "New", "Hire", assign=True)
        made.logs("applied", object="new@example.com")
        assert not made.events("connection quarantined")
    secret.unlink()


def test_a_crash_in_a_cycle_is_logged_with_its_traceback_and_ends_nothing(world: Rig) -> None:
    schedule(world, 'delta = "1s"\nfull = "1h"\ndrift = "1s"')
    crashed: list[int] = []

    def drift(job: Job) -> DriftReport:
        job.store.begin_run("drift")
        crashed.append(1)
        raise ZeroDivisionError("a fault of ours")

    with inside(Inside([world.config], Hooks(drift=drift))) as made:
        made.logs("cycle crashed", cycle="drift", level="error")
        (entry, *_) = made.events("cycle crashed")
        assert repr(entry["exception"]) == "ZeroDivisionError('a fault of ours')"
        assert entry["run"]
        eventually(lambda: len(crashed) >= 2, "drift runs again")
        world.okta.world.add_user("new@example.com", "New", "Hire", assign=True)
        made.logs("applied", object="new@example.com")
        runs = made.daemon.board.connection("acme").snapshot().totals.runs
        assert runs["drift", "failed"] >= 1
        made.logs("cycle done", cycle="full")
    world.assert_exact()


def test_drift_is_looked_for_on_schedule_and_a_restart_does_not_put_it_off(world: Rig) -> None:
    schedule(world, 'delta = "1s"\nfull = "1h"\ndrift = "2s"')
    with inside(Inside([world.config])) as made:
        made.logs("cycle done", cycle="full")
        name = next(iter(world.actual_people()))
        account = next(one for one in world.split.world.users.values() if one.user_name == name)
        account.attributes["name"] = {"givenName": "By", "familyName": "Hand"}
        made.logs("drift found", level="warning", changed_user=1)
        eventually(
            lambda: any(
                one.kind == "drift" for one in made.daemon.board.connection("acme").snapshot().cycles
            ),
            "the cycle is on the board",
        )
    schedule(world, 'delta = "1s"\nfull = "1h"\ndrift = "24h"')
    again = Inside([world.config], ahead=timedelta(hours=23, minutes=30))
    with inside(again):
        again.logs("running")
        at = again.daemon._timetable.next_run("acme", "drift")
        assert at is not None
        assert at < datetime.now(UTC) + timedelta(hours=1)


def test_who_is_told_about_cycles_hears_all_and_breaks_none(world: Rig) -> None:
    told: list[tuple[str, str, str]] = []

    def on_cycle(settings: ConnectionSettings, store: Store, report: CycleReport) -> None:
        assert store.revision() >= 0
        told.append((settings.name, report.kind, report.status))
        raise RuntimeError("the mail server is down")

    with inside(Inside([world.config], Hooks(on_cycle=on_cycle))) as made:
        eventually(lambda: ("acme", "delta", "quiet") in told, "a quiet delta")
        made.logs("nobody could be told about a cycle")
    assert ("acme", "full", "succeeded") in told
    world.assert_exact()


def test_the_board_counts_what_a_cycle_asked_and_changed(world: Rig) -> None:
    with inside(Inside([world.config])) as made:
        made.logs("cycle done", cycle="full")
        board = made.daemon.board.connection("acme")
        eventually(lambda: board.snapshot().cycles, "the cycle is on the board")
        found = board.snapshot()
        eventually(lambda: set(board.snapshot().next_runs) == {"delta", "drift", "full"}, "the next runs")
    assert found.totals.runs["full", "succeeded"] == 1
    assert found.totals.changes["create_user", "applied"] == len(world.actual_people())
    assert found.totals.requests["okta", "200"] > 3
    assert found.totals.requests["target", "201"] >= len(world.actual_people())
    assert all(0 <= one.remaining <= one.limit for one in found.headroom.values())


def test_a_comparison_whose_turn_comes_while_new_settings_wait_is_made_once_they_count(world: Rig) -> None:
    world.split.set_knobs(latency_seconds=0.3)
    world.tables = {**world.tables, "split": "concurrency = 1"}
    schedule(world)
    with inside(Inside([world.config])) as made:
        made.logs("applied")
        schedule(world, 'delta = "2s"\nfull = "1h"\ndrift = "24h"')
        made.daemon.reload()
        made.logs("settings reloaded")
        made.daemon._served["acme"].drift()  # its turn, while the first sync writes
        assert not made.events("cycle done", cycle="full")
        board = made.daemon.board.connection("acme")
        eventually(lambda: "drift" in board.snapshot().last, "it was compared")


def test_a_reload_asks_a_log_again_that_okta_refused(world: Rig) -> None:
    schedule(world, 'delta = "1h"\nfull = "12h"\ndrift = "24h"')
    world.okta.faults.add("status", path="/api/v1/logs", count=-1, status=403)
    with inside(Inside([world.config])) as made:
        made.logs("cycle done", cycle="full")
        eventually(lambda: made.warnings() != (), "a warning")
        world.okta.faults.clear()
        made.daemon.reload()
        eventually(lambda: made.warnings() == (), "the warning is over")


def test_what_a_pause_kept_waiting_is_written_when_somebody_resumes_and_not_with_the_next_delta(
    world: Rig,
) -> None:
    schedule(world, 'delta = "1h"\nfull = "12h"\ndrift = "24h"')
    with inside(Inside([world.config])) as made:
        made.logs("cycle done", cycle="full")
        world.run("pause", "--reason", "a release")
        world.okta.world.add_user("new@example.com", "New", "Hire", assign=True)
        made.daemon._served["acme"].hurry_full()
        made.logs("not written yet")
        world.run("resume", "--reason", "it is done")
        eventually(lambda: "new@example.com" in world.actual_people(), "what waited is written")


def test_without_the_system_log_full_cycles_go_on_and_the_board_says_so(world: Rig) -> None:
    world.okta.faults.add("status", path="/api/v1/logs", count=-1, status=403)
    with inside(Inside([world.config])) as made:
        made.logs("cycle done", cycle="full")
        eventually(lambda: any("System Log" in text for text in made.warnings()), "a warning")
        assert len(made.events("the System Log cannot be read: no deltas", level="warning")) == 1
        assert not made.events("connection quarantined")
        world.okta.faults.clear()
        made.daemon.board.connection("acme")
        made.daemon._served["acme"].hurry_full()  # its next turn
        eventually(lambda: made.warnings() == (), "the warning is over")
        world.okta.world.add_user("new@example.com", "New", "Hire", assign=True)
        made.logs("applied", object="new@example.com")


def test_okta_out_of_order_at_the_start_is_made_up_for_as_soon_as_it_answers(world: Rig) -> None:
    world.okta.faults.add("status", count=-1, status=400)
    with inside(Inside([world.config])) as made:
        made.logs("cycle failed", cycle="full")

        def soon() -> bool:  # planned a moment after it was logged
            again = made.daemon._timetable.next_run("acme", "full")
            return again is not None and again < datetime.now(UTC) + timedelta(minutes=2)

        eventually(soon, "the next try is soon")
        world.okta.faults.clear()
        made.daemon._timetable.bring_forward("acme", "full")
        made.logs("cycle done", cycle="full")
    world.assert_exact()


def test_a_store_in_other_hands_hides_no_connection_and_is_tried_again(world: Rig) -> None:
    text = world.config.read_text()
    beta = world.folder / "beta.toml"
    with second_connection(world, beta, text):
        (settings,) = load([beta], environ=os.environ).connections
        with open_for_writing(settings, owner="somebody"):
            made = Inside([world.config, beta])
            with inside(made):
                made.logs("cycle done", cycle="full", connection="acme")
                made.logs("the store cannot be used", connection="beta")
                assert "somebody" in made.daemon.board.broken()["beta"]
        # tried again at its full interval, when the store is free
        made = Inside([world.config, beta])
        with open_for_writing(settings, owner="somebody") as store, inside(made):
            made.logs("the store cannot be used", connection="beta")
            store.unlock()
            made.daemon._timetable.bring_forward("beta", "full")
            made.logs("cycle done", connection="beta", cycle="full")
            eventually(lambda: not made.daemon.board.broken(), "nothing is broken")


@contextmanager
def silent_writer(
    world: Rig, monkeypatch: pytest.MonkeyPatch, lasts: timedelta = timedelta(seconds=2)
) -> Iterator[SqliteStore]:
    """It has the lock, no file locked, and may be gone; locks last so long."""
    without_file_locks(monkeypatch)
    monkeypatch.setattr(wiring, "LOCK_LASTS", lasts)
    (settings,) = load([world.config], environ=os.environ).connections
    with open_store(settings.store_path, connection=settings.name, clock=wiring.utc_now) as store:
        store.lock("somebody", expires_in=lasts)
        yield store


def test_a_writer_that_may_be_gone_is_watched_without_keeping_the_daemon_from_beginning(
    world: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    with silent_writer(world, monkeypatch), inside(Inside([world.config])) as made:
        made.logs("the store's lock is watched", level="warning", connection="acme")
        made.logs("running")
        eventually(lambda: "somebody" in str(made.daemon.board.broken()), "the board says so")
        made.logs("the store can be used again")
        made.logs("cycle done", cycle="full")
    world.assert_exact()


def test_a_watched_writer_that_lives_keeps_its_store_and_the_daemon_comes_back_to_it(
    world: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(full_turns, "RETRY", (0.5,))
    with silent_writer(world, monkeypatch) as store, inside(Inside([world.config])) as made:
        made.logs("the store's lock is watched")

        def seen_to_live() -> bool:
            store.renew_lock()
            return bool(made.events("the store cannot be used"))

        eventually(seen_to_live, "it was seen to live")
        assert not made.events("cycle done")
        store.unlock()
        made.logs("cycle done", cycle="full")


def test_it_stops_while_it_watches(world: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    with silent_writer(world, monkeypatch, timedelta(hours=1)):
        with inside(Inside([world.config])) as made:
            made.logs("running")
        assert made.error is None
        assert not made.events("the store cannot be used")


def test_a_store_that_is_replaced_under_the_daemon_is_let_go(world: Rig) -> None:
    """The lock is in the file: whoever opens the new one would write beside the daemon."""
    [settings] = load([world.config], environ=os.environ).connections
    with inside(Inside([world.config])) as made:
        made.logs("cycle done", cycle="full")
        settings.store_path.rename(settings.store_path.with_suffix(".old"))
        made.logs("the store was taken over")
        eventually(lambda: "replaced" in str(made.daemon.board.broken()), "the board says so")
        world.forget()
        world.okta.world.add_user("late@example.com", "La", "Te", assign=True)

        world.sync()

    assert len([each for each in world.split.requests if each.method == "POST"]) == 1
    assert len(made.events("the store was taken over")) == 1


def test_when_no_connection_can_begin_neither_does_the_daemon(world: Rig, tmp_path: Path) -> None:
    (settings,) = load([world.config], environ=os.environ).connections
    with open_for_writing(settings, owner="somebody"):
        made = Inside([world.config])
        made.run()
        assert isinstance(made.error, RefusedError)
        assert "somebody" in made.error.message
    made = Inside([tmp_path / "none.toml"])
    made.run()
    assert isinstance(made.error, ConfigurationError)


@contextmanager
def listening(
    address: tuple[str, int], board: Board, settings: Callable[[], Sequence[ConnectionSettings]]
) -> Iterator[None]:
    """The smallest server there is."""
    with socket.create_server(address):
        assert [one.name for one in settings()] == ["acme"]
        yield


def answers(port: int) -> bool:
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0


def test_a_port_in_use_names_the_setting_and_gives_the_store_back(world: Rig) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        listen_on(world, taken.getsockname()[1])
        made = Inside([world.config], Hooks(http=listening))
        made.run()
    assert made.error is not None
    assert made.error.exit_code == 1
    assert f'server.listen = "127.0.0.1:{taken_port(world)}"' in made.error.message
    world.sync()


def taken_port(world: Rig) -> str:
    return world.config.read_text().rpartition("listen = ")[2].split(":")[1].split('"')[0]


def test_a_reload_moves_the_server_or_leaves_it_where_it_was(world: Rig) -> None:
    first, second = free_port(), free_port()
    listen_on(world, first)
    with inside(Inside([world.config], Hooks(http=listening))) as made:
        eventually(lambda: answers(first), "the server")
        with socket.create_server(("127.0.0.1", second)):
            listen_on(world, second)
            made.daemon.reload()
            made.logs("listen not changed", level="error")
            assert answers(first)
        made.daemon.reload()
        made.logs("settings reloaded")
        assert len(made.events("settings reloaded")) == 1, "the first one was not"
        assert answers(second)
        assert not answers(first)


def test_a_reload_with_one_broken_file_keeps_what_it_had_and_shows_it(
    world: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = world.config.read_text()
    with inside(Inside([world.config])) as made:
        made.logs("running")
        world.config.write_text("not TOML at all")
        made.daemon.reload()
        made.logs("settings not used")
        eventually(lambda: "acme" in made.daemon.board.broken(), "it is shown")
        assert [one.name for one in made.daemon.settings()] == ["acme"]
        world.config.write_text(good)
        made.daemon.reload()
        eventually(lambda: not made.daemon.board.broken(), "it is whole again")


def test_who_was_named_and_not_read_when_the_log_is_forbidden_is_seen_to_by_a_full_cycle(world: Rig) -> None:
    """No delta comes any more that could try again, and the next full cycle would be an hour away."""
    group = min(world.pushed)
    with inside(Inside([world.config])) as made:
        made.logs("cycle done", cycle="full")
        login = min(
            set(world.actual_people())
            - {world.okta.world.users[each].login for each in world.okta.world.group(group).members}
        )
        joiner = world.okta.world.user(login).id
        seen = made.daemon._served["acme"]._seen
        # What a delta asks and a full cycle does not: it reads the group's list.
        world.okta.faults.add("status", path=f"/users/{joiner}/groups", count=-1, status=400)
        world.okta.world.add_member(group, login)
        eventually(lambda: seen.pending.get(("user", joiner)), "they were tried")

        world.okta.faults.add("status", path="/api/v1/logs", count=-1, status=403)

        made.logs("a full cycle is brought forward", reason="the System Log named what was not read yet")
        eventually(lambda: login in world.actual_groups()[group], "they are a member")
