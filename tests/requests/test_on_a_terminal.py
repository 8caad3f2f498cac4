"""What a person sees and is asked who has the daemon do it."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from tests.e2e.elsewhere import here
from tests.e2e.rig import Rig
from tests.requests.asking import running


class Terminal:
    """One command with a terminal as its stdin and stderr."""

    def __init__(self, process: subprocess.Popen[bytes], ours: int) -> None:
        self.process, self._ours, self.shown = process, ours, ""

    def shows(self, text: str) -> None:
        """Reads on until it does."""
        while text not in self.shown:
            try:
                read = os.read(self._ours, 4096)
            except OSError:  # the other end is closed
                read = b""
            assert read, self.shown
            self.shown += read.decode()

    def types(self, text: str) -> None:
        os.write(self._ours, text.encode())

    def ends(self) -> int:
        return self.process.wait(timeout=60)


@contextmanager
def on_a_terminal(made: Rig, *args: str) -> Iterator[Terminal]:
    ours, theirs = pty.openpty()
    environ = {**here().environment, "TERM": "dumb"}
    command = here().command(made, *args)
    with subprocess.Popen(
        command, stdin=theirs, stdout=subprocess.DEVNULL, stderr=theirs, env=environ
    ) as process:
        os.close(theirs)
        try:
            yield Terminal(process, ours)
        finally:
            if process.poll() is None:
                process.kill()
            os.close(ours)


def someone_new(made: Rig) -> None:
    made.okta.world.add_user("ada@example.com", "Ada", "Byron", assign=True)


def states(made: Rig) -> list[str]:
    return [str(each["state"]) for each in made.run("status", "--json").document["requests"]]


def test_what_a_person_saw_and_agreed_to_is_what_the_daemon_does(made: Rig) -> None:
    made.okta.world.create_group("Support")
    made.split.world.create_local_group("Helpdesk")
    with running(made), on_a_terminal(made, "link", "Support", "Helpdesk") as terminal:
        terminal.shows("Apply this?")
        terminal.types("y\n")
        assert terminal.ends() == 0
        assert states(made) == ["ended"]
        assert made.run("status", "--json").document["runs"][0]["kind"] == "link"


def test_what_became_otherwise_since_a_person_saw_it_is_not_done(made: Rig) -> None:
    someone = made.okta.world.add_user("ada@example.com", "Ada", "Byron", assign=True)
    made.okta.world.create_group("Support")
    made.split.world.create_local_group("Helpdesk")
    with running(made), on_a_terminal(made, "link", "Support", "Helpdesk") as terminal:
        terminal.shows("Apply this?")
        made.okta.world.add_member("Support", someone)
        made.forget()
        terminal.types("y\n")
        terminal.shows("is not what was shown any more")
        assert terminal.ends() == 3
        assert made.writes() == []


def test_a_plan_that_a_person_saw_is_applied_exactly(made: Rig) -> None:
    with running(made):
        someone_new(made)
        with on_a_terminal(made, "apply") as terminal:
            terminal.shows("Apply this plan?")
            terminal.types("y\n")
            assert terminal.ends() == 0
    made.assert_exact()


def test_who_says_no_has_asked_for_nothing(made: Rig) -> None:
    with running(made):
        someone_new(made)
        made.forget()
        with on_a_terminal(made, "apply") as terminal:
            terminal.shows("Apply this plan?")
            terminal.types("n\n")
            assert terminal.ends() == 3
        assert states(made) == []
        assert made.writes() == []


def interrupt(terminal: Terminal, *, withdraw: str) -> None:
    """Ctrl-C, and the answer to whether the request is withdrawn."""
    terminal.process.send_signal(signal.SIGINT)
    terminal.shows("Withdraw the request?")
    terminal.types(f"{withdraw}\n")


def test_ctrl_c_asks_whether_to_withdraw_what_is_being_done_which_then_ends_early(made: Rig) -> None:
    with running(made) as daemon:
        someone_new(made)
        made.okta.faults.add("hold", path=r"/users/", count=1, latch="reading")
        with on_a_terminal(made, "sync", "--user", "ada@example.com") as terminal:
            made.okta.latches.wait_for("reading", seconds=30)
            interrupt(terminal, withdraw="y")
            terminal.shows("asked to end early")
            daemon.logs("a request is to end early")
            made.okta.latches.release("reading")
            assert terminal.ends() == 130
        daemon.logs("request carried out", exit_code=130)
        assert "ada@example.com" not in made.actual_people()
        made.sync()
    made.assert_exact()


def test_ctrl_c_and_no_leaves_the_request_to_the_daemon(made: Rig) -> None:
    with running(made) as daemon:
        someone_new(made)
        made.split.faults.add("hold", method="POST", path="/Users", count=1, latch="create")
        with on_a_terminal(made, "sync", "--user", "ada@example.com") as terminal:
            made.split.latches.wait_for("create", seconds=30)
            interrupt(terminal, withdraw="n")
            terminal.shows("goes on")
            assert terminal.ends() == 130
        made.split.latches.release("create")
        daemon.logs("request carried out", exit_code=0)
    made.assert_exact()
