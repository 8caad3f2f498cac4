"""The real executable where others find it hard to tell whether it lives: containers, set clocks, no file locks."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pytest

from tests.e2e.rig import OKTA_TOKEN, SPLIT_TOKEN, Rig
from tests.service.supervisor import eventually

_SYNCD = (sys.executable, "-m", "syncd")
_CONTAINER = ("unshare", "--pid", "--fork", "--kill-child", "--uts", "--mount")
_AS_ROOT = ("--user", "--map-root-user")
_NAMED = 'echo {name} > /proc/sys/kernel/hostname && mount -t proc {proc} proc /proc && exec "$@"'
_ALTERED = """
import errno, fcntl, sys
from datetime import timedelta
import syncd.wiring
syncd.wiring.LOCK_LASTS, syncd.wiring._RENEWED_EVERY = timedelta(seconds={lasts}), {lasts} / 5

def flock(descriptor, operation):
    raise OSError(errno.ENOLCK, "No locks available")

if not {file_locks}:
    fcntl.flock = flock
from syncd.__main__ import main
sys.exit(main())
"""


@dataclass(frozen=True)
class Place:
    """Where a syncd runs: its command line up to the command, and its environment."""

    syncd: tuple[str, ...] = _SYNCD
    environ: Mapping[str, str] = field(default_factory=dict)

    def command(self, made: Rig, *args: str) -> list[str]:
        return [*self.syncd, *args, "-c", str(made.config)]

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "E2E_OKTA": OKTA_TOKEN, "E2E_SPLIT": SPLIT_TOKEN, **self.environ}

    def run(self, made: Rig, *args: str) -> subprocess.CompletedProcess[str]:
        """One command to its end."""
        return subprocess.run(
            self.command(made, *args),
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    @contextmanager
    def begun(self, made: Rig, *args: str) -> Iterator[subprocess.Popen[str]]:
        """One command while it runs; killed at the end if it is still there."""
        with subprocess.Popen(
            self.command(made, *args),
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                yield process
            finally:
                if process.poll() is None:
                    process.kill()


def waits_for(process: subprocess.Popen[str], what: str) -> None:
    """Reads on until it says so."""
    assert process.stderr is not None
    said = []
    while (line := process.stderr.readline()) and what not in line:
        said.append(line)
    assert what in line, said


def here() -> Place:
    return Place()


def altered(*, lasts: float = 1.0, file_locks: bool = True) -> Place:
    """The lock lasts so many seconds; without `file_locks` the file system has none."""
    return Place((sys.executable, "-c", _ALTERED.format(lasts=lasts, file_locks=file_locks)))


@cache
def _container(name: str, proc: str) -> tuple[str, ...]:
    """Skips where it is not permitted."""
    shell = ("sh", "-c", _NAMED.format(name=name, proc=proc), "sh")
    said = ""
    for how in (_CONTAINER, (*_CONTAINER, *_AS_ROOT)):
        try:
            tried = subprocess.run([*how, *shell, "true"], capture_output=True, text=True, check=False)
        except OSError as error:
            said = str(error)
            continue
        if tried.returncode == 0:
            return (*how, *shell)
        said = tried.stderr.strip()
    pytest.skip(f"unshare is not permitted here: {said}")


def container(name: str = "twin", *, hardened: bool = False) -> Place:
    """A pid, mount and host name namespace of its own. `hardened`: of /proc it sees only its own processes."""
    return Place((*_container(name, "-o subset=pid,hidepid=invisible" if hardened else ""), *_SYNCD))


def _faketime() -> str:
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    if not found:
        pytest.skip("libfaketime is not installed (Debian's package of this name)")
    return str(found[0])


def clock_ahead(seconds: int) -> Place:
    """By another wall clock; the clocks that nobody sets go as they go."""
    return Place(environ=_fake(FAKETIME=f"{seconds:+}"))


def clock_set_by(file: Path) -> Place:
    """By a wall clock that is ahead by the seconds in this file, at every moment."""
    return Place(environ=_fake(FAKETIME_TIMESTAMP_FILE=str(file), FAKETIME_NO_CACHE="1"))


def _fake(**variables: str) -> dict[str, str]:
    return {"LD_PRELOAD": _faketime(), "FAKETIME_DONT_FAKE_MONOTONIC": "1", **variables}


def freeze(process: subprocess.Popen[str], store: Path) -> None:
    """Stops it outside of its transactions: within one it would keep everybody out of the store."""

    def is_still() -> bool:
        process.send_signal(signal.SIGSTOP)
        try:
            with closing(sqlite3.connect(store, timeout=0, isolation_level=None)) as conn:
                conn.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            process.send_signal(signal.SIGCONT)
            return False
        return True

    eventually(is_still, "between two transactions")


class Held:
    """Changes for a first writer whose requests the target keeps waiting, until `finish`."""

    def __init__(self, made: Rig, people: int = 12) -> None:
        self.made, self.people = made, people
        made.write_config(split="concurrency = 2")
        made.sync()
        *names, last = sorted(made.wanted_people())
        # Before that one worker alone finds out which form of an update the target takes.
        made.okta.world.update_profile(last, lastName="Renamed")
        made.sync()
        for name in names[:people]:
            made.okta.world.update_profile(name, lastName="Renamed")
        made.forget()
        self.rule = made.split.faults.add("hold", method="PATCH", path="/Users", count=-1, latch="writes")

    def wait(self, process: subprocess.Popen[str]) -> None:
        """Until every worker of the process waits for an answer: none of them is just about to send."""
        waiting = self.made.split.latches.waiting
        eventually(lambda: len(waiting("writes")) == 2 or process.poll() is not None, "writes in flight")
        assert process.poll() is None, process.communicate()

    def let_go(self) -> None:
        self.made.split.reset_faults()
        self.made.split.latches.release("writes")

    def assert_written_once(self) -> None:
        writes = self.made.writes()
        assert len(writes) == len(set(writes)) == self.people
        self.made.assert_exact()
