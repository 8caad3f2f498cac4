"""Event hooks from end to end: Okta posts, the daemon reads again what was named, Split has it."""

from __future__ import annotations

import socket
from datetime import timedelta
from pathlib import Path

import pytest

from syncd.core.hooks import TICKED
from tests.e2e.rig import Rig
from tests.hooks.hooked_daemon import (
    BEFORE,
    RARELY,
    SECRET,
    active_at_split,
    arrives,
    hearing,
    hook_url,
    hooks_table,
    leaves,
)
from tests.service.connecting import FAST, schedule, served
from tests.service.supervisor import eventually
from tests.service.test_daemon import Inside, inside
from tests.serving import free_port


def somebody_comes_and_goes(made: Rig) -> None:
    made.okta.world.add_user("new@example.com", "New", "Hire", assign=True)
    arrives(made, "new@example.com")
    made.okta.world.set_user_status("new@example.com", "DEPROVISIONED")
    leaves(made, "new@example.com")


def test_a_change_that_a_hook_names_is_written_long_before_the_next_poll(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with hearing(tmp_path, monkeypatch) as (made, daemon, hook):
        somebody_comes_and_goes(made)

        assert set(hook.statuses) == {204}
        answers = daemon.daemon.board.hook_answers()
        assert answers == {200: 1, 204: len(hook.statuses)}


def logs_asked(made: Rig) -> int:
    return sum(request.path.startswith("/api/v1/logs") for request in list(made.okta.requests))


def test_where_okta_refuses_its_log_hooks_bring_what_they_name_and_full_cycles_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with hearing(tmp_path, monkeypatch) as (made, daemon, hook):
        made.okta.faults.add("status", path="/api/v1/logs", count=-1, status=403)
        before = logs_asked(made)

        somebody_comes_and_goes(made)
        assert logs_asked(made) == before + 1, "only the next full cycle asks again"
        assert set(hook.statuses) == {204}
        [warning] = daemon.warnings()
        assert "only full cycles and event hooks see changes" in warning

        made.okta.hooks.hooks.clear()
        made.okta.world.add_user("unheard@example.com", "Un", "Heard", assign=True)
        daemon.daemon._served["acme"].hurry_full()
        arrives(made, "unheard@example.com")


def test_a_log_that_may_be_read_again_is_followed_from_the_next_full_cycle_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with hearing(tmp_path, monkeypatch) as (made, daemon, _):
        made.okta.faults.add("status", path="/api/v1/logs", count=-1, status=403)
        somebody_comes_and_goes(made)
        assert daemon.warnings() != ()
        made.okta.faults.clear()
        daemon.daemon._served["acme"].hurry_full()
        daemon.logs("cycle done", cycle="full", times=2)
        made.okta.world.add_user("again@example.com", "Ag", "Ain", assign=True)
        arrives(made, "again@example.com")
        eventually(lambda: daemon.warnings() == (), "the log is followed")


def test_a_hook_whose_event_the_log_does_not_show_yet_is_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with hearing(tmp_path, monkeypatch) as (made, _, _):
        made.okta.set_knobs(log_delay_seconds=3600.0)
        made.okta.world.add_user("new@example.com", "New", "Hire", assign=True)
        arrives(made, "new@example.com")


def test_what_an_answer_by_id_does_not_show_yet_is_looked_at_once_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("syncd.engine.cycles.hooked.AGAIN_AFTER", 2.5)
    with hearing(tmp_path, monkeypatch) as (made, _, _):
        made.okta.set_knobs(
            log_delay_seconds=3600.0, object_lag_seconds=1.5, list_lag={"own_groups": 1.5, "*": 1.5}
        )
        made.okta.world.add_user("new@example.com", "New", "Hire", assign=True)
        arrives(made, "new@example.com")


def test_members_of_groups_follow_hooks_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with hearing(tmp_path, monkeypatch) as (made, _, _):
        okta, split = made.okta.world, made.split.world
        name = made.pushed[0]
        user = next(row for row in okta.app_users.values() if row.id not in okta.group(name).members)
        email = str(user.profile["email"])
        okta.add_member(name, email)
        eventually(lambda: email in split.members(name), f"{email} is in {name}")
        assert active_at_split(made, email)


def test_how_long_changes_take_from_their_event_is_measured_by_kind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with hearing(tmp_path, monkeypatch) as (made, daemon, _):
        somebody_comes_and_goes(made)

        def measured() -> dict[str, int]:
            totals = daemon.daemon.board.connection("acme").snapshot().totals
            return {kind: latency.changes for kind, latency in totals.latencies.items()}

        eventually(lambda: measured() == {"create_user": 1, "deactivate_user": 1}, "both are measured")
        rows = made.run("report", "--json", "--since", "1d").document["event_to_write"]
        said = made.run("report", "--since", "1d").stdout

    assert [(row["kind"], row["changes"]) for row in rows] == [
        ("create_user", 1),
        ("deactivate_user", 1),
        (None, 2),
    ]
    assert all(0 <= row["p50_seconds"] <= row["p99_seconds"] < 60 for row in rows)
    assert "event to write" in said


def test_a_change_that_the_log_tells_of_is_measured_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with hearing(tmp_path, monkeypatch, every=FAST, events=()) as (made, daemon, _):
        made.okta.world.add_user("new@example.com", "New", "Hire", assign=True)
        arrives(made, "new@example.com")
        totals = daemon.daemon.board.connection("acme")
        eventually(lambda: totals.snapshot().totals.latencies, "it is measured")
        assert totals.snapshot().totals.latencies["create_user"].changes == 1


def test_a_reload_begins_to_listen_and_ends_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("E2E_HOOK", SECRET)
    monkeypatch.setenv("E2E_HOOK_BEFORE", BEFORE)
    with served(tmp_path) as made:
        schedule(made, RARELY)
        port = free_port()
        with inside(Inside([made.config])) as daemon:
            daemon.logs("cycle done", cycle="full")
            hook = made.okta.hooks.register(hook_url(made, port), secret=SECRET, events=TICKED)
            assert not made.okta.hooks.verify(hook)

            schedule(made, RARELY, hooks_table(port))
            daemon.daemon.reload()
            eventually(lambda: made.okta.hooks.verify(hook), "it listens")
            made.okta.world.add_user("new@example.com", "New", "Hire", assign=True)
            arrives(made, "new@example.com")
            interval = daemon.daemon._timetable.interval
            eventually(lambda: interval("acme", "delta") == timedelta(hours=2), "the log is asked less often")

            schedule(made, RARELY)
            daemon.daemon.reload()
            eventually(lambda: not made.okta.hooks.verify(hook), "it listens no more")
            eventually(lambda: interval("acme", "delta") == timedelta(hours=1), "the log is asked as before")


def test_a_reload_in_the_middle_of_a_cycle_counts_from_its_end_and_not_from_the_next_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("E2E_HOOK", SECRET)
    monkeypatch.setenv("E2E_HOOK_BEFORE", BEFORE)
    with served(tmp_path) as made:
        made.split.set_knobs(latency_seconds=0.3)
        made.tables = {**made.tables, "split": "concurrency = 1"}
        schedule(made, RARELY)
        port = free_port()
        with inside(Inside([made.config])) as daemon:
            daemon.logs("applied")
            schedule(made, RARELY, hooks_table(port))
            daemon.daemon.reload()
            daemon.logs("settings reloaded")
            assert not daemon.events("cycle done")
            daemon.logs("cycle done", cycle="full")
            hook = made.okta.hooks.register(hook_url(made, port), secret=SECRET, events=TICKED)
            eventually(lambda: made.okta.hooks.verify(hook), "it listens", patience=10.0)


def test_a_port_that_somebody_else_has_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("E2E_HOOK", SECRET)
    monkeypatch.setenv("E2E_HOOK_BEFORE", BEFORE)
    with served(tmp_path) as made, socket.create_server(("127.0.0.1", 0)) as taken:
        schedule(made, RARELY, hooks_table(taken.getsockname()[1]))
        daemon = Inside([made.config])
        daemon.run()

    assert daemon.error is not None
    assert "hooks.listen" in daemon.error.message
