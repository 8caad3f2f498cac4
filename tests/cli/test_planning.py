"""plan and apply, against both simulators over real sockets."""

from __future__ import annotations

import io
import json
import os
import pty
import signal
import stat
import subprocess
import sys

import pytest

from tests.certificates import self_signed
from tests.cli.invoking import OKTA_TOKEN
from tests.cli.world import World, break_the_user_list

# plan


def test_plan_shows_what_and_why_and_changes_nothing(world: World) -> None:
    said = world.syncd("plan", *world.base)

    assert said.exit_code == 0
    assert "Users to create" in said.stdout
    assert "Groups to create (1)\n  + Crew" in said.stdout
    assert "Members to add (4)" in said.stdout
    assert said.stdout.splitlines()[-1].startswith("Plan: ")
    assert world.writes() == []
    assert not (world.syncd.directory / "state").exists()


def test_the_plan_as_json_is_all_there_is_on_stdout(world: World) -> None:
    said = world.syncd("-v", "plan", "--json", *world.base)

    document = said.document
    assert document["schema"] == "syncd.plan/1"
    assert document["summary"]["add_member"] == 4
    assert document["changes"][0]["reason"]
    assert "reading assignments" in said.stderr


def test_two_plans_of_one_world_are_the_same_bytes_apart_from_the_time(world: World) -> None:
    first, second = (world.syncd("plan", "--json", *world.base).document for _ in range(2))

    assert {**first, "created_at": ""} == {**second, "created_at": ""}


def test_detailed_exitcode_is_2_for_changes_and_0_without(world: World) -> None:
    changes = world.syncd("plan", "--detailed-exitcode", *world.base)
    world.syncd("sync", *world.base)
    nothing = world.syncd("plan", "--detailed-exitcode", *world.base)

    assert (changes.exit_code, nothing.exit_code) == (2, 0)
    assert nothing.stdout.splitlines()[-1].startswith("Plan: nothing to change")


def test_a_dry_run_is_a_plan(world: World) -> None:
    said = world.syncd("sync", "--dry-run", "--json", *world.base)

    assert said.exit_code == 0
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

    assert said.exit_code == 64
    assert "nobody@nowhere.example" in said.stderr


def test_an_incomplete_read_is_exit_1_and_names_the_page(world: World) -> None:
    break_the_user_list(world)

    said = world.syncd("plan", "--json", *world.base)

    assert said.exit_code == 1
    assert "page 2" in said.stderr
    assert json.loads(said.stdout)


# saved plans


def test_a_saved_plan_is_private_and_applied_exactly(world: World) -> None:
    path = world.syncd.directory / "plan.json"

    saved = world.syncd("plan", "-o", path, *world.base)
    mode = stat.S_IMODE(path.stat().st_mode)
    applied = world.syncd("apply", path, "--json", *world.base)

    assert saved.exit_code == 0
    assert f" apply {path}" in saved.stderr
    assert mode == 0o600
    assert [one.name for one in world.syncd.directory.glob(".plan*")] == []
    assert applied.exit_code == 0, applied.stderr
    assert applied.document["status"] == "succeeded"
    assert applied.document["summary"]["applied"]["add_member"] == 4


def test_a_plan_that_was_edited_is_refused(world: World) -> None:
    path = world.syncd.directory / "plan.json"
    world.syncd("plan", "-o", path, *world.base)
    document = json.loads(path.read_text())
    document["changes"] = document["changes"][1:]
    path.write_text(json.dumps(document))

    said = world.syncd("apply", path, "--json", *world.base)

    assert said.exit_code == 3
    assert "edited" in said.document["message"]
    assert str(path) in said.document["message"]
    assert world.writes() == []


def test_a_plan_whose_world_moved_is_refused_as_stale(world: World) -> None:
    path = world.syncd.directory / "plan.json"
    world.syncd("plan", "-o", path, *world.base)
    world.okta.world.update_profile(world.people[0], givenName="Someone", familyName="Else")

    said = world.syncd("apply", path, *world.base)

    assert said.exit_code == 3
    assert "stale" in said.stderr
    assert world.writes() == []


def test_a_plan_of_another_connection_is_refused(world: World) -> None:
    path = world.syncd.directory / "plan.json"
    world.syncd("plan", "-o", path, *world.base)
    world.config.write_text(world.config.read_text().replace('name = "acme"', 'name = "other"'))

    said = world.syncd("apply", path, *world.base)

    assert said.exit_code == 3
    assert "acme" in said.stderr


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", 64),
        (b"{}", 64),
        (b"\xff\xfe", 64),
        (b"[1]", 64),
        (b'{"schema": "syncd.run/1"}', 64),
        (b'{"schema": "syncd.plan/1"}', 3),
        (b'{"schema": "syncd.plan/2"}', 3),
    ],
)
def test_what_is_no_plan_is_a_usage_error_that_names_the_file(
    world: World, content: bytes, code: int
) -> None:
    path = world.syncd.directory / "plan.json"
    path.write_bytes(content)

    said = world.syncd("apply", path, *world.base)

    assert said.exit_code == code
    assert said.stderr.startswith("error: ")
    assert str(path) in said.stderr
    assert world.writes() == []


def test_a_plan_is_not_saved_through_a_link_nor_where_it_cannot_be(world: World) -> None:
    link = world.syncd.directory / "link.json"
    link.symlink_to(world.syncd.directory / "victim")

    through = world.syncd("plan", "-o", link, *world.base)
    nowhere = world.syncd("plan", "-o", world.syncd.directory / "missing" / "plan.json", *world.base)

    assert (through.exit_code, nowhere.exit_code) == (1, 1)
    assert not (world.syncd.directory / "victim").exists()
    assert world.okta.requests == []


@pytest.mark.parametrize("command", [("plan",), ("audit", "export"), ("report", "--format", "json")])
def test_no_output_replaces_a_file_of_syncds_own(world: World, command: tuple[str, ...]) -> None:
    home = world.syncd.directory
    secret, bundle = home / "token", home / "ca.pem"
    secret.write_text(OKTA_TOKEN)
    secret.chmod(0o600)
    self_signed(home)[0].rename(bundle)
    text = world.config.read_text().replace('{ env = "OKTA_API_TOKEN" }', f'{{ file = "{secret}" }}')
    world.config.write_text(text.replace("[split]", f'[split]\nca_file = "{bundle}"'))
    assert world.syncd("sync", *world.base).exit_code == 0
    other = home / "another-name-of-the-store"
    other.hardlink_to(home / "state" / "acme.db")
    (home / "elsewhere").symlink_to(home / "state")
    own = [world.config, secret, bundle, other, home / "elsewhere" / "acme.db"]
    own += [home / "state" / name for name in ("acme.db", "acme.db.lock", "acme.db-wal", "beta.db")]
    before = {path: path.read_bytes() if path.exists() else None for path in own}

    for path in own:
        said = world.syncd(*command, "-o", path, *world.base)
        assert said.exit_code == 1, path
        assert "of syncd's own" in said.stderr
        assert "another file" in said.stderr
    assert {path: path.read_bytes() if path.exists() else None for path in own} == before
    assert world.syncd(*command, "-o", home / "out.json", *world.base).exit_code == 0


# apply without a file


def test_apply_without_a_terminal_needs_yes(world: World) -> None:
    said = world.syncd("apply", *world.base)

    assert said.exit_code == 64
    assert "--yes" in said.stderr
    assert world.okta.requests == []


def test_apply_yes_shows_the_plan_and_applies_it(world: World) -> None:
    said = world.syncd("apply", "--yes", *world.base)

    assert said.exit_code == 0
    assert said.stdout.index("Plan: ") < said.stdout.index("Sync succeeded")
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

    assert said.exit_code == code
    assert "Users to create" in said.stdout
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
