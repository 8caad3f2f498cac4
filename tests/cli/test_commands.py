"""plan, apply, sync, status and release, against both simulators over real sockets."""

from __future__ import annotations

import io
import json
import os
import pty
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from syncd.simulators.okta import OktaSimulator
from syncd.simulators.split import SplitSimulator
from syncd.simulators.world import default_split, generate_okta
from syncd.store.opening import open_store
from tests.cli.invoking import OKTA_TOKEN, SPLIT_TOKEN, Invoker, write_config


class World:
    """Both simulators and the command line with settings for them."""

    def __init__(self, syncd: Invoker, okta: OktaSimulator, split: SplitSimulator) -> None:
        self.syncd, self.okta, self.split = syncd, okta, split
        group = okta.world.create_group("Crew")
        self.people = sorted(row.id for row in okta.world.app_users.values())[:4]
        for user in self.people:
            okta.world.add_member(group, user)
        self.config = write_config(
            syncd.directory / "acme.toml",
            org_url=okta.url,
            app_id=okta.world.app.id,
            base_url=split.base_url,
            more='[[push_groups]]\nsource = { name = "Crew" }\n',
            created="2099-01-01",
        )
        self.base = ("-c", str(self.config))

    def writes(self) -> list[str]:
        return [f"{record.method} {record.path}" for record in self.split.requests if record.method != "GET"]

    def email(self, user: str) -> str:
        return str(self.okta.world.app_users[user].profile["email"])


@pytest.fixture
def world(syncd: Invoker) -> Iterator[World]:
    okta = OktaSimulator(generate_okta(users=14, groups=2, seed=3), token=OKTA_TOKEN)
    okta.world.set_app(features=[])
    with okta, SplitSimulator(default_split(), token=SPLIT_TOKEN) as split:
        yield World(syncd, okta, split)


@pytest.fixture
def synced(world: World) -> World:
    said = world.syncd("sync", "--json", *world.base)
    assert said.code == 0, said.err
    world.okta.reset_requests()
    world.split.reset_requests()
    return world


def break_the_user_list(world: World) -> None:
    """Page 2 would be on another origin: an incomplete read that no retry mends."""
    world.okta.faults.add("next_origin", path=r"/apps/[^/]+/users", count=-1, origin="http://127.0.0.1:9")


# plan


def test_plan_shows_what_and_why_and_changes_nothing(world: World) -> None:
    said = world.syncd("plan", *world.base)

    assert said.code == 0
    assert "Users to create" in said.out
    assert "Groups to create (1)\n  + Crew" in said.out
    assert "Members to add (4)" in said.out
    assert said.out.splitlines()[-1].startswith("Plan: ")
    assert world.writes() == []
    assert not (world.syncd.directory / "state").exists()


def test_the_plan_as_json_is_all_there_is_on_stdout(world: World) -> None:
    said = world.syncd("-v", "plan", "--json", *world.base)

    document = said.document
    assert document["schema"] == "syncd.plan/1"
    assert document["summary"]["add_member"] == 4
    assert document["changes"][0]["reason"]
    assert "reading assignments" in said.err


def test_two_plans_of_one_world_are_the_same_bytes_apart_from_the_time(world: World) -> None:
    first, second = (world.syncd("plan", "--json", *world.base).document for _ in range(2))

    assert {**first, "created_at": ""} == {**second, "created_at": ""}


def test_detailed_exitcode_is_2_for_changes_and_0_without(world: World) -> None:
    changes = world.syncd("plan", "--detailed-exitcode", *world.base)
    world.syncd("sync", *world.base)
    nothing = world.syncd("plan", "--detailed-exitcode", *world.base)

    assert (changes.code, nothing.code) == (2, 0)
    assert nothing.out.splitlines()[-1].startswith("Plan: nothing to change")


def test_a_dry_run_is_a_plan(world: World) -> None:
    said = world.syncd("sync", "--dry-run", "--json", *world.base)

    assert said.code == 0
    assert said.document["schema"] == "syncd.plan/1"
    assert world.writes() == []


def test_one_user_can_be_planned_alone(world: World) -> None:
    user = world.people[0]

    said = world.syncd("plan", "--json", "--user", world.email(user), *world.base)

    assert said.document["kind"] == "targeted"
    assert {change["okta_id"] for change in said.document["changes"] if change["kind"] == "create_user"} == {
        user
    }


def test_a_user_that_nobody_knows_is_a_usage_error(world: World) -> None:
    said = world.syncd("plan", "--user", "nobody@nowhere.example", *world.base)

    assert said.code == 64
    assert "nobody@nowhere.example" in said.err


def test_an_incomplete_read_is_exit_1_and_names_the_page(world: World) -> None:
    break_the_user_list(world)

    said = world.syncd("plan", "--json", *world.base)

    assert said.code == 1
    assert "page 2" in said.err
    assert json.loads(said.out)


# saved plans


def test_a_saved_plan_is_private_and_applied_exactly(world: World) -> None:
    path = world.syncd.directory / "plan.json"

    saved = world.syncd("plan", "-o", path, *world.base)
    mode = stat.S_IMODE(path.stat().st_mode)
    applied = world.syncd("apply", path, "--json", *world.base)

    assert saved.code == 0
    assert f"syncd apply {path}" in saved.err
    assert mode == 0o600
    assert [one.name for one in world.syncd.directory.glob(".plan*")] == []
    assert applied.code == 0, applied.err
    assert applied.document["status"] == "succeeded"
    assert applied.document["summary"]["applied"]["add_member"] == 4


def test_a_plan_that_was_edited_is_refused(world: World) -> None:
    path = world.syncd.directory / "plan.json"
    world.syncd("plan", "-o", path, *world.base)
    document = json.loads(path.read_text())
    document["changes"] = document["changes"][1:]
    path.write_text(json.dumps(document))

    said = world.syncd("apply", path, "--json", *world.base)

    assert said.code == 3
    assert "edited" in said.document["message"]
    assert world.writes() == []


def test_a_plan_whose_world_moved_is_refused_as_stale(world: World) -> None:
    path = world.syncd.directory / "plan.json"
    world.syncd("plan", "-o", path, *world.base)
    world.okta.world.update_profile(world.people[0], givenName="Someone", familyName="Else")

    said = world.syncd("apply", path, *world.base)

    assert said.code == 3
    assert "stale" in said.err
    assert world.writes() == []


def test_a_plan_of_another_connection_is_refused(world: World) -> None:
    path = world.syncd.directory / "plan.json"
    world.syncd("plan", "-o", path, *world.base)
    world.config.write_text(world.config.read_text().replace('name = "acme"', 'name = "other"'))

    said = world.syncd("apply", path, *world.base)

    assert said.code == 3
    assert "acme" in said.err


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff\xfe", b"[1]", b'{"schema": "syncd.plan/1"}'])
def test_what_is_no_plan_is_refused(world: World, content: bytes) -> None:
    path = world.syncd.directory / "plan.json"
    path.write_bytes(content)

    said = world.syncd("apply", path, *world.base)

    assert said.code in (3, 64)
    assert said.err.startswith("error: ")
    assert world.writes() == []


def test_a_plan_is_not_saved_through_a_link_nor_where_it_cannot_be(world: World) -> None:
    link = world.syncd.directory / "link.json"
    link.symlink_to(world.syncd.directory / "victim")

    through = world.syncd("plan", "-o", link, *world.base)
    nowhere = world.syncd("plan", "-o", world.syncd.directory / "missing" / "plan.json", *world.base)

    assert (through.code, nowhere.code) == (1, 1)
    assert not (world.syncd.directory / "victim").exists()
    assert world.okta.requests == []


# apply without a file


def test_apply_without_a_terminal_needs_yes(world: World) -> None:
    said = world.syncd("apply", *world.base)

    assert said.code == 64
    assert "--yes" in said.err
    assert world.okta.requests == []


def test_apply_yes_shows_the_plan_and_applies_it(world: World) -> None:
    said = world.syncd("apply", "--yes", *world.base)

    assert said.code == 0
    assert said.out.index("Plan: ") < said.out.index("Sync succeeded")
    assert world.writes()


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("answer", "code"), [("y", 0), ("n", 3), ("", 3)])
def test_on_a_terminal_apply_shows_the_plan_and_asks(
    world: World, monkeypatch: pytest.MonkeyPatch, answer: str, code: int
) -> None:
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setattr(sys, "stdin", Terminal(f"{answer}\n"))
    monkeypatch.setattr(sys, "stderr", Terminal())

    said = world.syncd("apply", *world.base)

    assert said.code == code
    assert "Users to create" in said.out
    assert bool(world.writes()) is (answer == "y")


def _interrupted(process: subprocess.Popen[bytes]) -> bytes:
    """What it said. Ctrl-C between the prompt and the read that waits for the answer is pressed again."""
    for _ in range(60):
        process.send_signal(signal.SIGINT)
        try:
            return process.communicate(timeout=1)[0]
        except subprocess.TimeoutExpired:
            continue
    raise AssertionError("Ctrl-C does not end the question")


def test_a_real_terminal_is_asked_before_anything_is_written(world: World) -> None:
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "syncd", "apply", *world.base],
        stdin=follower,
        stdout=subprocess.PIPE,
        stderr=follower,
        env={**os.environ, "TERM": "xterm"},
    )
    os.close(follower)
    heard = b""
    while b"Apply this plan?" not in heard:
        heard += os.read(leader, 4096)
    written_before = world.writes()
    out = _interrupted(process)
    os.close(leader)

    assert written_before == []
    assert process.returncode == 130
    assert b"Plan: " in out
    assert world.writes() == []


# sync


def test_sync_applies_and_a_second_sync_writes_nothing(world: World) -> None:
    first = world.syncd("sync", "--json", *world.base)
    world.split.reset_requests()
    second = world.syncd("sync", *world.base)

    assert first.document["schema"] == "syncd.run/1"
    assert first.document["summary"]["applied"]["create_group"] == 1
    assert second.code == 0
    assert "nothing to change" in second.out
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

    assert (planned.code, held.code) == (3, 3)
    for said in (planned, held):
        assert "Held h" in said.out
        assert "--allow deactivations=4" in said.out
    assert "DELETE" not in " ".join(synced.writes())
    assert allowed.document["summary"]["applied"].get("deactivate_user", 0) in (0, 4)


def test_an_object_that_fails_makes_the_run_partial_and_shows_in_status(synced: World) -> None:
    synced.okta.world.update_profile(synced.people[0], givenName="Changed")
    synced.split.faults.add("status", status=400, method="PATCH", count=-1)
    synced.split.faults.add("status", status=400, method="PUT", count=-1)

    said = synced.syncd("sync", "--json", *synced.base)
    status = synced.syncd("status", *synced.base)

    assert said.code == 4
    assert said.document["status"] == "partial"
    assert said.document["errors"][0]["next_attempt"]
    assert "Failing (1)" in status.out


def test_okta_failing_is_exit_1_with_the_cause(synced: World) -> None:
    break_the_user_list(synced)

    said = synced.syncd("sync", "--json", *synced.base)

    assert said.code == 1
    assert said.document["status"] == "failed"
    assert "incomplete read" in said.err
    assert synced.writes() == []


def test_the_wrong_token_is_said_without_the_token(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OKTA_API_TOKEN", "00wrong-token-value")

    said = world.syncd("-vv", "sync", "--json", *world.base)

    assert said.code == 1
    assert said.document["schema"] == "syncd.error/1"
    assert said.document["hint"]
    assert "00wrong-token-value" not in said.out + said.err


def test_one_connection_that_fails_does_not_hide_the_other(world: World) -> None:
    broken = write_config(world.syncd.directory / "broken.toml", created="2099-01-01", app_id="0oaother")
    broken.write_text(broken.read_text().replace('http://127.0.0.1:1"', f'{world.okta.url}"'))

    said = world.syncd("sync", "--json", "-c", broken, *world.base)

    assert said.code == 1
    items = said.document["items"]
    assert [(item["connection"], item["schema"]) for item in items] == [
        ("acme", "syncd.run/1"),
        ("broken", "syncd.error/1"),
    ]
    assert world.writes()


def test_a_second_writer_is_refused_and_status_and_plan_still_work(synced: World) -> None:
    def now() -> datetime:
        return datetime.now(UTC)

    store = open_store(synced.syncd.directory / "state" / "acme.db", connection="acme", clock=now)
    store.lock("another syncd", expires_in=timedelta(minutes=5))
    try:
        sync = synced.syncd("sync", *synced.base)
        status = synced.syncd("status", "--json", *synced.base)
        plan = synced.syncd("plan", *synced.base)
    finally:
        store.unlock()
        store.close()

    assert sync.code == 3
    assert "another syncd" in sync.err
    assert status.code == 0
    assert plan.code == 0


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
    assert rest.code == 0
    assert len(names) == len(set(names))


# status and release


def test_status_of_a_connection_that_never_ran(world: World) -> None:
    said = world.syncd("status", "--json", *world.base)

    assert said.code == 0
    assert said.document["schema"] == "syncd.status/1"
    assert said.document["last_complete_read"] is None
    assert world.okta.requests == []
    assert not (world.syncd.directory / "state").exists()


def test_status_after_a_sync_asks_neither_side(synced: World) -> None:
    said = synced.syncd("status", *synced.base)

    assert said.code == 0
    assert "1 group, 4 memberships" in said.out
    assert "full  succeeded" in said.out
    assert list(synced.okta.requests) == []
    assert list(synced.split.requests) == []


def test_status_of_a_store_that_is_none_is_a_configuration_error(world: World) -> None:
    state = world.syncd.directory / "state"
    state.mkdir()
    (state / "acme.db").write_bytes(b"no database at all " * 200)

    said = world.syncd("status", *world.base)

    assert said.code == 78
    assert "not a store" in said.err


def test_a_released_user_is_left_alone(synced: World) -> None:
    email = synced.email(synced.people[0])

    released = synced.syncd("release", email, "--json", *synced.base)
    synced.okta.world.update_profile(synced.people[0], givenName="Changed")
    synced.syncd("sync", *synced.base)

    assert released.code == 0
    assert released.document["schema"] == "syncd.decision/1"
    assert released.document["items"][0]["name"] == email
    assert synced.writes() == []


def test_releasing_what_is_not_managed_is_a_usage_error(synced: World) -> None:
    said = synced.syncd("release", "nobody@nowhere.example", *synced.base)

    assert said.code == 64


# secrets


def test_no_token_is_in_anything_said_or_stored(world: World) -> None:
    said = [
        world.syncd("-vv", "--log-format", form, *arguments, *world.base)
        for form in ("text", "json")
        for arguments in (["check"], ["plan", "--json"], ["sync", "--json"], ["status"])
    ]
    stored = [path.read_bytes() for path in world.syncd.directory.rglob("*") if path.is_file()]

    for token in (OKTA_TOKEN, SPLIT_TOKEN):
        assert not [one for one in said if token in one.out + one.err]
        assert not [data for data in stored if token.encode() in data]


def test_with_log_format_json_every_line_on_stderr_is_json(world: World) -> None:
    said = world.syncd("-vv", "--log-format", "json", "sync", *world.base)

    entries = [json.loads(line) for line in said.err.splitlines()]
    assert {"timestamp", "level", "event"} <= set(entries[0])
    assert "applied" in {entry["event"] for entry in entries}
