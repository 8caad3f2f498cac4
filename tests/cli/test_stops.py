"""SIGTERM and Ctrl-C at any moment of the real executable's life: the documented exit code, and never a traceback."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.world import World

ARRIVES = """
import os, sys
where, number = sys.argv[1], int(sys.argv[2])
del sys.argv[1:3]

class Arrives:
    '''A signal in the middle of the import of this module.'''
    def find_spec(self, name, *_):
        if name == where:
            sys.meta_path.remove(self)
            os.kill(os.getpid(), number)

sys.meta_path.insert(0, Arrives())
from syncd.__main__ import main
if where == "the first line":
    os.kill(os.getpid(), number)
main()
"""
ALWAYS = ("the first line", "syncd.cli.app", "click", "syncd.cli.options", "pydantic", "syncd.settings.load")
COMMANDS = {
    "run": (
        "syncd.cli.run",
        "structlog",
        "syncd.service.daemon",
        "apscheduler.schedulers.background",
        "aiohttp",
        "syncd.engine.cycles.run",
    ),
    "sync": (
        "syncd.cli.sync",
        "structlog",
        "syncd.engine.cycles.run",
        "sqlite3",
        "requests",
        "okta.request_executor",
    ),
    "link": ("syncd.cli.link", "syncd.engine.cycles.link", "okta.request_executor"),
    "audit": ("syncd.cli.audit", "syncd.answers.audit"),
    "simulate": ("syncd.cli.simulate", "aiohttp", "syncd.simulators.world"),
}
SERVICES = ("run", "simulate")
MOMENTS = [
    (command, moment, number)
    for command, moments in COMMANDS.items()
    for moment in (*ALWAYS[: 4 if command == "simulate" else None], *moments)
    for number in (signal.SIGTERM, signal.SIGINT)
    if number == signal.SIGTERM or moment in (ALWAYS[0], moments[-1])
]


def arguments_of(command: str, world: World) -> list[str]:
    if command == "simulate":
        return [command, "split"]
    if command == "run":  # without a port that another one may have
        with world.config.open("a") as file:
            file.write('\n[server]\nlisten = ""\n')
    more = {"link": ["--yes", "Engineering", "Developers"], "audit": ["verify"]}
    return [command, *more.get(command, []), *world.base]


@pytest.mark.parametrize(("command", "moment", "number"), MOMENTS)
def test_a_stop_while_it_is_still_being_imported_ends_like_any_other(
    world: World, command: str, moment: str, number: signal.Signals
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", ARRIVES, moment, str(int(number)), *arguments_of(command, world)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert done.returncode == (0 if command in SERVICES else 130), done.stderr
    assert "Traceback" not in done.stderr
    assert "ignored" not in done.stderr
    assert ("stopped before it was done" in done.stderr) is (command not in SERVICES)
    assert world.writes() == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_run_that_was_stopped_says_so_in_words_and_not_as_an_exception(
    world: World, number: signal.Signals
) -> None:
    world.okta.faults.add("hold", path=r"/apps/[^/]+/users", latch="reading")
    with subprocess.Popen(
        [sys.executable, "-m", "syncd", *arguments_of("sync", world)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        world.okta.latches.wait_for("reading", seconds=30)
        process.send_signal(number)
        assert process.wait(timeout=60) == 130
    world.okta.latches.release("reading")

    [run] = world.syncd("status", "--json", *world.base).document["runs"]
    assert run["status"] == "interrupted"
    assert run["error"].startswith("stopped on request")
    assert "KeyboardInterrupt" not in world.syncd("status", *world.base).stdout


def _hears(process: subprocess.Popen[str], event: str) -> None:
    assert process.stderr is not None
    said = []
    for line in process.stderr:
        said.append(line)
        if f'"event": "{event}"' in line:
            return
    pytest.fail(f"ended with {process.wait()} before it said: {event}\n{''.join(said)}")


def _runs_and_stops(code: str, *arguments: object, first: str = "") -> None:
    """A daemon of this program runs, says `first`, and ends with 0 when it is asked to."""
    with subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)], stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            _hears(process, "running")
            if first:
                _hears(process, first)
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=60)
            assert process.returncode == 0
        finally:
            process.kill()


@pytest.mark.parametrize("moment", [ALWAYS[0], "click", "pydantic", "syncd.engine.cycles.run"])
def test_a_reload_that_is_asked_for_before_the_daemon_runs_is_made_when_it_does(
    world: World, moment: str
) -> None:
    asked = [*arguments_of("run", world), "--log-format", "json"]
    _runs_and_stops(ARRIVES, moment, str(int(signal.SIGHUP)), *asked, first="settings reloaded")


@pytest.mark.parametrize("moment", [ALWAYS[0], "syncd.settings.load"])
def test_a_hangup_ends_every_other_command_as_the_system_does(world: World, moment: str) -> None:
    asked = [sys.executable, "-c", ARRIVES, moment, str(int(signal.SIGHUP)), *arguments_of("sync", world)]
    heard = ["env", "--default-signal=HUP", *asked]  # whoever runs the tests may ignore it
    assert subprocess.run(heard, capture_output=True, check=False, timeout=60).returncode == -signal.SIGHUP
    ignored = ["sh", "-c", "trap '' HUP; exec \"$@\"", "sh", *asked]
    done = subprocess.run(ignored, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr


def test_a_hangup_in_the_last_moment_of_a_stop_does_not_kill_the_daemon(world: World) -> None:
    code = (
        "import os, signal\n"
        "from syncd import __main__\n"
        "exits = os._exit\n"
        "def last(code):\n"
        "    os.kill(os.getpid(), signal.SIGHUP)\n"
        "    exits(code)\n"
        "os._exit = last\n"
        "__main__.main()\n"
    )
    _runs_and_stops(code, "run", "--log-format", "json", *world.base)


LONG = """
import os, signal, sqlite3, sys, threading
from syncd.service.stopping import stops_heard
signal.signal(signal.SIGTERM, lambda *_: print("the main thread came to it", flush=True))
told = threading.Event()
with stops_heard(told.set, lambda: os._exit(7 if told.is_set() else 8), within=0.2):
    threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGTERM)).start()
    sqlite3.connect(":memory:").execute(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
    ).fetchall()
"""


def test_a_stop_is_heard_though_the_main_thread_is_in_the_middle_of_something_without_end() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LONG], capture_output=True, text=True, check=False, timeout=60
    )

    assert (done.returncode, done.stdout, done.stderr) == (7, "", "")


def test_who_ends_in_time_is_not_ended() -> None:
    code = (
        LONG.partition("    sqlite3")[0] + "    while not told.wait(0.05): pass\nprint('ended', flush=True)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60
    )

    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "ended")


def test_a_stop_that_comes_with_the_answer_changes_its_exit_code_no_more(tmp_path: Path) -> None:
    """On its way out the process has nothing to lose: its code is the one of what it did."""
    code = (
        "import os, signal, sys\n"
        "from syncd import __main__\n"
        "exits = os._exit\n"
        "def last(code):\n"
        "    os._exit = exits\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "    signal.pause()\n"
        "os._exit = last\n"
        "__main__.main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "--version"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("syncd ")
