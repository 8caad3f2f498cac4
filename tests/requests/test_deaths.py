"""Whoever dies in the middle of a request: it is carried out once, and what came of it is to be seen."""

from __future__ import annotations

import json
import signal
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import pytest

from syncd.cli import requesting
from syncd.core.request import SyncRequest, arguments_of
from tests.cli.invoking import Answer
from tests.e2e.elsewhere import here
from tests.e2e.rig import Rig
from tests.requests.asking import at_rest, running
from tests.service.supervisor import Supervised, eventually, supervised


def held_create(made: Rig) -> None:
    """Somebody new, whose create waits for its answer until `let_go`."""
    made.okta.world.add_user("ada@example.com", "Ada", "Byron", assign=True)
    made.split.faults.add("hold", method="POST", path="/Users", count=-1, latch="create")


def let_go(made: Rig) -> None:
    made.split.reset_faults()
    made.split.latches.release("create")


def _dies(made: Rig, daemon: Supervised) -> None:
    """Killed before the answer to its create comes."""
    daemon.process.kill()
    daemon.process.wait()
    let_go(made)


def _synced_while(happens: Callable[[], None], made: Rig, *, code: int = 0) -> Answer:
    """What a sync of the new person says while something happens beside it."""
    beside = threading.Thread(target=happens)
    beside.start()
    answer = made.run("sync", "--user", "ada@example.com", "--json", code=code)
    beside.join()
    return answer


@contextmanager
def nobody_comes(made: Rig, monkeypatch: pytest.MonkeyPatch) -> Iterator[Supervised]:
    """A daemon whose next create is held; a command that it leaves behind soon goes on alone."""
    with supervised(made.folder, made.config) as daemon:
        at_rest(made, daemon)
        held_create(made)
        monkeypatch.setattr(requesting, "ORPHANED_AFTER", 1.0)
        yield daemon


def asked(made: Rig) -> list[dict[str, object]]:
    found: list[dict[str, object]] = made.run("status", "--json").document["requests"]
    return found


def assert_carried_out_once(made: Rig) -> None:
    assert [each["exit_code"] for each in asked(made)] == [0]
    made.assert_exact()


def creates(made: Rig) -> int:
    return len([each for each in made.writes() if each.startswith("POST ") and each.endswith("/Users")])


def test_a_daemon_that_is_killed_leaves_the_request_to_the_next_one(made: Rig) -> None:
    with supervised(made.folder, made.config) as first:
        at_rest(made, first)
        held_create(made)
        with here().begun(made, "sync", "--user", "ada@example.com", "--json") as command:
            made.split.latches.wait_for("create", seconds=30)
            _dies(made, first)
            with running(made) as second:
                out, err = command.communicate(timeout=60)
                second.logs("request carried out", exit_code=0)

    assert command.returncode == 0, err
    assert json.loads(out)["status"] == "succeeded"
    assert_carried_out_once(made)


def test_a_daemon_that_is_stopped_puts_the_request_back_for_the_next_one(made: Rig) -> None:
    with supervised(made.folder, made.config) as first:
        at_rest(made, first)
        made.okta.world.add_user("ada@example.com", "Ada", "Byron", assign=True)
        made.okta.faults.add("hold", path="/api/v1/apps", count=-1, latch="reading")
        with here().begun(made, "sync", "--user", "ada@example.com", "--json") as command:
            made.okta.latches.wait_for("reading", seconds=30)
            assert first.stop() == 0
            made.okta.reset_faults()
            made.okta.latches.release("reading")
            with running(made):
                out, err = command.communicate(timeout=60)

    assert command.returncode == 0, err
    assert json.loads(out)["schema"] == "syncd.run/1"
    assert_carried_out_once(made)


def test_when_nobody_comes_the_command_carries_it_out_itself(
    made: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    with nobody_comes(made, monkeypatch) as daemon:

        def kill() -> None:
            made.split.latches.wait_for("create", seconds=30)
            _dies(made, daemon)

        answer = _synced_while(kill, made)

    assert answer.document["status"] == "succeeded"
    assert "does it itself" in answer.stderr
    assert [(each["state"], each["exit_code"]) for each in asked(made)] == [("ended", 0)]
    made.assert_exact()


def test_after_a_daemon_that_ended_by_itself_the_next_one_is_waited_for_shortly(
    made: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(requesting, "FOLLOWED_WITHIN", 1.0)
    with supervised(made.folder, made.config) as daemon:
        at_rest(made, daemon)
        made.okta.world.add_user("ada@example.com", "Ada", "Byron", assign=True)
        made.okta.faults.add("hold", path="/api/v1/apps", count=-1, latch="reading")

        def stop() -> None:
            made.okta.latches.wait_for("reading", seconds=30)
            assert daemon.stop() == 0
            made.okta.reset_faults()
            made.okta.latches.release("reading")

        answer = _synced_while(stop, made)

    assert answer.document["status"] == "succeeded"
    assert "who was asked has ended; the next one is waited for, 1 s" in answer.stderr
    assert "does it itself" in answer.stderr
    assert_carried_out_once(made)


def test_a_request_that_was_changed_by_hand_is_not_carried_out_by_its_command_either(
    made: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    with nobody_comes(made, monkeypatch) as daemon:
        made.forget()

        def alter_and_kill() -> None:
            made.split.latches.wait_for("create", seconds=30)
            with closing(sqlite3.connect(made.store)) as conn:
                raised = arguments_of(SyncRequest(allow={"deactivations": 1000}))
                conn.execute("UPDATE requests SET arguments = ?", (raised,))
                conn.commit()
            _dies(made, daemon)

        answer = _synced_while(alter_and_kill, made, code=3)

    assert "changed behind syncd's back" in answer.stderr
    assert [(each["state"], each["exit_code"]) for each in asked(made)] == [("ended", 3)]
    assert set(made.writes()) <= {"POST /scim/v2/Users"}, "the daemon's own, before it was killed"
    assert creates(made) <= 1


@pytest.mark.parametrize("named", ["by id", "by userName"])
def test_a_link_of_a_person_that_was_done_when_the_daemon_was_killed_is_told_as_done(
    made: Rig, named: str
) -> None:
    with supervised(made.folder, made.config) as first:
        at_rest(made, first)
        made.okta.world.add_user("ada@example.com", "Ada", "Byron", assign=True)
        old = made.split.world.create_local_user("old@example.com")
        made.split.faults.add("hold", method="PATCH", path="/Users", count=-1, latch="adopt")
        account = old if named == "by id" else "old@example.com"
        with here().begun(made, "link", "--user", "ada@example.com", account, "--yes", "--json") as command:
            made.split.latches.wait_for("adopt", seconds=30)
            first.process.kill()
            first.process.wait()
            made.split.reset_faults()
            made.split.latches.release("adopt")
            eventually(lambda: made.split.world.users[old].user_name == "ada@example.com", "it is adopted")
            with running(made):
                out, err = command.communicate(timeout=60)

    assert command.returncode == 0, err
    assert json.loads(out)["status"] == "succeeded"
    assert_carried_out_once(made)


def test_a_command_that_is_killed_leaves_its_request_to_be_carried_out_once(made: Rig) -> None:
    with running(made) as daemon:
        held_create(made)
        made.forget()
        with here().begun(made, "sync", "--user", "ada@example.com") as command:
            made.split.latches.wait_for("create", seconds=30)
            command.kill()
            command.wait()
        let_go(made)
        daemon.logs("request carried out", exit_code=0)

        assert [each["exit_code"] for each in asked(made)] == [0]
        assert made.run("status", "--json").document["runs"][0]["kind"] == "targeted"
    assert creates(made) == 1
    made.assert_exact()


def test_a_command_that_is_stopped_before_anybody_took_its_request_withdraws_it(made: Rig) -> None:
    with running(made) as daemon:
        held_create(made)
        with here().begun(made, "sync", "--user", "ada@example.com") as first:
            made.split.latches.wait_for("create", seconds=30)
            with here().begun(made, "release", "p07@example.com") as second:
                eventually(lambda: len(asked(made)) == 2, "two requests")
                second.send_signal(signal.SIGINT)
                _, err = second.communicate(timeout=60)
            let_go(made)
            first.communicate(timeout=60)
        daemon.logs("request carried out")

        assert second.returncode == 130
        assert "withdrawn" in err
        assert sorted(str(each["state"]) for each in asked(made)) == ["ended", "withdrawn"]
        made.run("release", "p07@example.com")  # it was not


def test_a_command_that_is_stopped_while_its_request_is_carried_out_leaves_it(made: Rig) -> None:
    with running(made) as daemon:
        held_create(made)
        with here().begun(made, "sync", "--user", "ada@example.com") as command:
            made.split.latches.wait_for("create", seconds=30)
            command.send_signal(signal.SIGTERM)
            _, err = command.communicate(timeout=60)
        let_go(made)
        daemon.logs("request carried out", exit_code=0)

    assert command.returncode == 130
    assert "goes on" in err
    made.assert_exact()
