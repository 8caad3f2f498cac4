"""sync, status and release, against both simulators over real sockets."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest

from syncd.cli import requesting
from syncd.settings import ConnectionSettings
from syncd.store.sqlite.opening import open_store
from tests.cli.invoking import OKTA_TOKEN, SPLIT_TOKEN, TODAY, write_config
from tests.cli.world import World, break_the_user_list
from tests.observe.receiving import receiver

# sync


def test_sync_applies_and_a_second_sync_writes_nothing(world: World) -> None:
    first = world.syncd("sync", "--json", *world.base)
    world.split.reset_requests()
    second = world.syncd("sync", *world.base)

    assert first.document["schema"] == "syncd.run/1"
    assert first.document["summary"]["applied"]["create_group"] == 1
    assert second.exit_code == 0
    assert "nothing to change" in second.stdout
    assert list(world.split.requests) == []


def test_what_a_limit_stops_is_held_with_its_numbers_and_allow_lets_it_pass(synced: World) -> None:
    for user in synced.people[:4]:
        synced.okta.world.unassign(user, everywhere=True)

    planned = synced.syncd("plan", *synced.base)
    held = synced.syncd("sync", *synced.base)
    allowed = synced.syncd(
        "sync", "--json", "--allow", "deactivations=4", "--allow", "member_removals=4",
        "--allow", "member_removals_per_group=4", *synced.base,
    )  # fmt: skip

    assert (planned.exit_code, held.exit_code) == (3, 3)
    for said in (planned, held):
        assert "Held h" in said.stdout
        assert "--allow deactivations=4" in said.stdout
    assert "DELETE" not in " ".join(synced.writes())
    assert allowed.document["summary"]["applied"].get("deactivate_user", 0) in (0, 4)


def test_what_is_held_is_told_once_by_one_shot_runs_too(
    synced: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    with synced.config.open("a", encoding="utf-8") as settings:
        settings.write('[notify]\nurls = [{ env = "NOTIFY_URL" }]\n')
    for user in synced.people[:4]:
        synced.okta.world.unassign(user, everywhere=True)

    with contextmanager(receiver)() as hook:
        monkeypatch.setenv("NOTIFY_URL", hook.url)
        codes = [synced.syncd("sync", *synced.base).exit_code for _ in range(2)]

    assert codes == [3, 3]
    assert len(hook.got) == 1
    assert "held" in hook.got[0]["title"]


def test_a_plan_that_cannot_be_made_unattended_is_told(
    synced: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    with synced.config.open("a", encoding="utf-8") as settings:
        settings.write('[notify]\nurls = [{ env = "NOTIFY_URL" }]\n')
    synced.okta.faults.add("status", status=500, path=r"/apps/[^/]+$", count=-1)

    with contextmanager(receiver)() as hook:
        monkeypatch.setenv("NOTIFY_URL", hook.url)
        codes = [synced.syncd("apply", "--yes", *synced.base).exit_code for _ in range(2)]

    assert codes == [1, 1]
    assert [title.removeprefix("syncd acme: ") for title in hook.titles()] == ["cycles fail"]


def test_an_object_that_fails_makes_the_run_partial_and_shows_in_status(synced: World) -> None:
    synced.okta.world.update_profile(synced.people[0], givenName="Changed")
    synced.split.faults.add("status", status=400, method="PATCH", count=-1)
    synced.split.faults.add("status", status=400, method="PUT", count=-1)

    said = synced.syncd("sync", "--json", *synced.base)
    status = synced.syncd("status", *synced.base)

    assert said.exit_code == 4
    assert said.document["status"] == "partial"
    assert said.document["errors"][0]["next_attempt"]
    assert "Failing (1)" in status.stdout


def test_okta_failing_is_exit_1_with_the_cause(synced: World) -> None:
    break_the_user_list(synced)

    said = synced.syncd("sync", "--json", *synced.base)

    assert said.exit_code == 1
    assert said.document["status"] == "failed"
    assert "incomplete read" in said.stderr
    assert synced.writes() == []


def test_the_wrong_token_is_said_without_the_token(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OKTA_API_TOKEN", "00wrong-token-value")

    said = world.syncd("-vv", "sync", "--json", *world.base)

    assert said.exit_code == 1
    assert said.document["errors"][0]["hint"]
    assert "00wrong-token-value" not in said.stdout + said.stderr


@pytest.mark.parametrize("command", ["plan", "sync", "drift"])
def test_where_an_error_came_from_is_shown_with_vv_and_only_then(world: World, command: str) -> None:
    break_the_user_list(world)

    for how, shown in (("-v", 0), ("-vv", 1)):
        said = world.syncd(how, command, *world.base)
        assert (said.exit_code, said.stderr.count("Traceback (most recent call last)")) == (1, shown)
        assert OKTA_TOKEN not in said.stderr


RUN_KEYS = {"schema", "run_id", "connection", "status", "summary", "requests", "errors", "duration_seconds"}


@pytest.mark.parametrize("command", [["sync"], ["apply", "--yes"]])
def test_a_run_that_fails_is_still_a_run_document(
    world: World, monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    monkeypatch.setenv("SPLIT_SCIM_TOKEN", "wrong-token-value")

    said = world.syncd(*command, "--json", *world.base)
    [run] = world.syncd("status", "--json", *world.base).document["runs"]

    assert said.exit_code == 1
    assert said.document.keys() >= RUN_KEYS
    assert said.document["schema"] == "syncd.run/1"
    assert (said.document["run_id"], said.document["status"]) == (run["run_id"], "failed")
    assert "401" in said.document["errors"][0]["message"]
    assert "401" in said.stderr
    assert world.writes() == []


@pytest.mark.parametrize("command", [["sync"], ["apply", "--yes"]])
def test_a_token_that_is_refused_quarantines_whatever_command_finds_it(
    world: World, monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    monkeypatch.setenv("OKTA_API_TOKEN", "00wrong-token-value")

    world.syncd(*command, *world.base)

    assert world.syncd("status", "--json", *world.base).document["quarantine"]["side"] == "okta"


@pytest.mark.parametrize("command", [["sync"], ["apply", "--yes"]])
def test_a_run_that_a_pause_refuses_is_a_run_document(synced: World, command: list[str]) -> None:
    synced.syncd("pause", *synced.base)

    said = synced.syncd(*command, "--json", *synced.base)
    newest = synced.syncd("status", "--json", *synced.base).document["runs"][0]

    assert said.exit_code == 3
    assert said.document["schema"] == "syncd.run/1"
    assert (said.document["run_id"], said.document["status"]) == (newest["run_id"], "refused")


@pytest.mark.parametrize("command", [["sync"], ["apply", "--yes"]])
def test_a_name_that_nobody_has_is_no_run(synced: World, command: list[str]) -> None:
    before = synced.syncd("status", "--json", *synced.base).document["runs"]

    said = synced.syncd(*command, "--user", "nobody@example.com", "--json", *synced.base)

    assert said.exit_code == 64
    assert synced.syncd("status", "--json", *synced.base).document["runs"] == before


def test_whatever_applies_says_with_a_detailed_code_that_something_was_to_do(world: World) -> None:
    plan = str(world.config.parent / "plan.json")
    world.syncd("plan", "-o", plan, *world.base)

    from_file = world.syncd("apply", plan, "--detailed-exitcode", *world.base)
    nothing = [
        world.syncd(*words, "--detailed-exitcode", *world.base) for words in (["sync"], ["apply", "--yes"])
    ]
    world.okta.world.update_profile(world.people[0], givenName="Changed")
    fresh = world.syncd("apply", "--yes", "--detailed-exitcode", *world.base)

    assert (from_file.exit_code, fresh.exit_code) == (2, 2)
    assert [said.exit_code for said in nothing] == [0, 0]


def test_a_run_that_is_refused_is_a_run_document_with_exit_3(world: World) -> None:
    world.okta.world.set_app(features=["PUSH_NEW_USERS"])

    synced = world.syncd("sync", "--json", *world.base)
    applied = world.syncd("apply", "--yes", "--json", *world.base)

    for said in (synced, applied):
        assert said.exit_code == 3
        assert said.document["schema"] == "syncd.run/1"
        assert said.document["status"] == "refused"
        assert "okta.coexist" in said.document["errors"][0]["hint"]
        assert "two writers" in said.stderr


def test_a_run_that_breaks_off_while_writing_says_what_it_had_done(world: World) -> None:
    world.config.write_text(world.config.read_text().replace("[split]", "[split]\nconcurrency = 1"))
    world.split.faults.add("status", status=401, method="POST", nth=4, count=-1)
    world.split.faults.add(
        "status", status=401, path=r"/Users\?.*count=1(&|$)", count=-1
    )  # the harmless read

    said = world.syncd("sync", "--json", *world.base)

    assert said.exit_code == 1
    assert said.document["status"] == "failed"
    assert said.document["summary"]["applied"] == {"create_user": 3}


def test_a_refused_token_is_said_once_when_quiet(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OKTA_API_TOKEN", "00wrong-token-value")

    said = world.syncd("-q", "sync", *world.base)

    assert said.exit_code == 1
    assert said.stderr.count("401") == 1


def test_one_connection_that_fails_does_not_hide_the_other(world: World) -> None:
    broken = write_config(world.syncd.directory / "broken.toml", created=TODAY, app_id="0oaother")
    broken.write_text(broken.read_text().replace('http://127.0.0.1:1"', f'{world.okta.url}"'))

    said = world.syncd("sync", "--json", "-c", broken, *world.base)

    assert said.exit_code == 1
    items = said.document["items"]
    assert [(item["connection"], item["schema"]) for item in items] == [
        ("acme", "syncd.run/1"),
        ("broken", "syncd.run/1"),
    ]
    assert [item["status"] for item in items] == ["succeeded", "failed"]
    assert world.writes()


def test_a_second_writer_waits_for_the_first_and_status_and_plan_still_work(
    synced: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def now() -> datetime:
        return datetime.now(UTC)

    waits = requesting._wait_for

    def let_go(settings: ConnectionSettings) -> None:
        store.unlock()
        waits(settings)

    monkeypatch.setattr(requesting, "_wait_for", let_go)

    store = open_store(synced.syncd.directory / "state" / "acme.db", connection="acme", clock=now)
    store.lock("another syncd", expires_in=timedelta(minutes=5))
    try:
        status = synced.syncd("status", "--json", *synced.base)
        plan = synced.syncd("plan", *synced.base)
        sync = synced.syncd("sync", *synced.base)
    finally:
        store.close()

    assert sync.exit_code == 0
    assert "waits: another syncd (process" in sync.stderr
    assert status.exit_code == 0
    assert plan.exit_code == 0


def test_ctrl_c_while_writing_ends_gently_and_the_next_sync_finishes(world: World) -> None:
    world.split.faults.add("delay", method="POST", count=-1, seconds=0.3)
    world.config.write_text(world.config.read_text().replace("[split]", "[split]\nconcurrency = 1"))
    process = subprocess.Popen(
        [sys.executable, "-m", "syncd", "sync", "--json", *world.base],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 30
    while not world.writes() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    world.split.faults.clear()
    rest = world.syncd("sync", "--json", *world.base)
    names = [user.user_name for user in world.split.world.users.values()]

    assert process.returncode == 130
    assert json.loads(out)["status"] == "failed"
    assert "writes in flight" in err
    assert "Traceback" not in err
    assert rest.exit_code == 0
    assert len(names) == len(set(names))


# status and release


def test_status_of_a_connection_that_never_ran(world: World) -> None:
    said = world.syncd("status", "--json", *world.base)

    assert said.exit_code == 0
    assert said.document["schema"] == "syncd.status/1"
    assert said.document["last_complete_read"] is None
    assert world.okta.requests == []
    assert not (world.syncd.directory / "state").exists()


def test_status_after_a_sync_asks_neither_side(synced: World) -> None:
    said = synced.syncd("status", *synced.base)

    assert said.exit_code == 0
    assert "1 group, 4 memberships" in said.stdout
    assert "full  succeeded" in said.stdout
    assert list(synced.okta.requests) == []
    assert list(synced.split.requests) == []


def test_status_of_a_store_that_is_none_is_a_configuration_error(world: World) -> None:
    state = world.syncd.directory / "state"
    state.mkdir()
    (state / "acme.db").write_bytes(b"no database at all " * 200)
    (state / "acme.db").chmod(0o600)

    said = world.syncd("status", *world.base)

    assert said.exit_code == 78
    assert "not a store" in said.stderr


def test_a_released_user_is_left_alone(synced: World) -> None:
    email = synced.email(synced.people[0])

    released = synced.syncd("release", email, "--json", *synced.base)
    synced.okta.world.update_profile(synced.people[0], givenName="Changed")
    synced.syncd("sync", *synced.base)

    assert released.exit_code == 0
    assert released.document["schema"] == "syncd.decision/1"
    assert released.document["items"][0]["name"] == email
    assert synced.writes() == []


def test_releasing_what_is_not_managed_is_a_usage_error(synced: World) -> None:
    said = synced.syncd("release", "nobody@nowhere.example", *synced.base)

    assert said.exit_code == 64


# secrets


def test_no_token_is_in_anything_said_or_stored(world: World) -> None:
    said = [
        world.syncd("-vv", "--log-format", form, *arguments, *world.base)
        for form in ("text", "json")
        for arguments in (["check"], ["plan", "--json"], ["sync", "--json"], ["status"])
    ]
    stored = [path.read_bytes() for path in world.syncd.directory.rglob("*") if path.is_file()]

    for token in (OKTA_TOKEN, SPLIT_TOKEN):
        assert not [one for one in said if token in one.stdout + one.stderr]
        assert not [data for data in stored if token.encode() in data]


def test_with_log_format_json_every_line_on_stderr_is_json(world: World) -> None:
    said = world.syncd("-vv", "--log-format", "json", "sync", *world.base)

    entries = [json.loads(line) for line in said.stderr.splitlines()]
    assert {"timestamp", "level", "event"} <= set(entries[0])
    assert "applied" in {entry["event"] for entry in entries}
