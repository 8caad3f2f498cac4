"""SIGHUP of a worker: fleet.toml is read again; what cannot change while it runs is named, a broken file not used."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import requests

from tests.cli.test_stops import ARRIVES
from tests.fleet.machines import Machine, fleet, fleet_file, machine
from tests.service.supervisor import eventually
from tests.serving import free_port

NOT_ALL = "settings not reloaded, or not all of them"


@pytest.fixture
def file(tmp_path: Path, database: str) -> Path:
    return fleet_file(tmp_path, database)


@pytest.fixture
def worker(file: Path) -> Iterator[Machine]:
    """It owns nothing: nobody put a connection in."""
    with machine(file, "one") as one:
        one.logs("running")
        yield one
        assert one.stop() == 0


def hang_up(file: Path, worker: Machine, old: str, new: str) -> None:
    """Its fleet.toml says something else from now on, and it is told."""
    own = file.with_name("one.toml")
    text = own.read_text()
    assert old in text
    own.write_text(text.replace(old, new))
    worker.signal(signal.SIGHUP)


def ready(port: int) -> int:
    return requests.get(f"http://127.0.0.1:{port}/readyz", timeout=30).status_code


def capacity(file: Path) -> int:
    (found,) = fleet(file, "status")["workers"]
    return int(found["capacity"])


def test_room_and_port_change_at_once_and_what_waits_for_the_next_start_is_named_in_one_line(
    file: Path, worker: Machine
) -> None:
    port = free_port()
    hang_up(
        file, worker, 'listen = ""', f'listen = "127.0.0.1:{port}"\ncapacity = 7\ncycles = 5\nmode = "watch"'
    )
    worker.logs(NOT_ALL, level="warning", in_force_anew="capacity, listen", at_next_start="cycles, mode")
    assert ready(port) == 200
    eventually(lambda: capacity(file) == 7, "the fleet knows of it")
    assert fleet(file, "status")["workers"][0]["mode"] == "work"
    assert worker.events("settings reloaded") == []

    worker.signal(signal.SIGHUP)
    worker.logs(NOT_ALL, times=2, at_next_start="cycles, mode")
    assert worker.events(NOT_ALL)[-1]["in_force_anew"] == "none", "it was in force already"
    hang_up(file, worker, 'cycles = 5\nmode = "watch"', "")
    worker.logs("settings reloaded", changed="none")


def test_a_broken_file_leaves_the_old_settings_in_force_and_is_said(file: Path, worker: Machine) -> None:
    hang_up(file, worker, 'listen = ""', 'listen = ""\ncapacity = 7\nnonsense = 1')
    worker.logs("settings not reloaded", level="error")
    (said,) = worker.events("settings not reloaded")
    assert "is an unknown key" in said["error"]
    assert "one.toml" in said["error"]
    assert capacity(file) == 400
    hang_up(file, worker, "nonsense = 1", "")
    worker.logs("settings reloaded", level="info", changed="capacity")
    eventually(lambda: capacity(file) == 7, "the fleet knows of it")


def test_a_port_that_somebody_else_has_is_not_taken_and_it_listens_where_it_did(
    file: Path, worker: Machine
) -> None:
    port = free_port()
    hang_up(file, worker, 'listen = ""', f'listen = "127.0.0.1:{port}"')
    worker.logs("settings reloaded", changed="listen")
    with closing(socket.create_server(("127.0.0.1", 0))) as other:
        taken = other.getsockname()[1]
        hang_up(file, worker, f'listen = "127.0.0.1:{port}"', f'listen = "127.0.0.1:{taken}"')
        worker.logs("listen not changed", level="error")
        assert "fleet.listen" in worker.events("listen not changed")[0]["error"]
        worker.logs(NOT_ALL, in_force_anew="none")
        assert ready(port) == 200
    worker.signal(signal.SIGHUP)
    worker.logs("settings reloaded", times=2, changed="listen")
    assert ready(taken) == 200


def test_a_sighup_that_comes_before_the_worker_runs_is_answered_when_it_does(file: Path) -> None:
    asked = [sys.executable, "-c", ARRIVES, "click", str(int(signal.SIGHUP))]
    command = [*asked, "worker", "--log-format", "json", "--fleet", str(file)]
    with subprocess.Popen(
        command, env=dict(os.environ), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        one = Machine("one", process)
        try:
            one.logs("settings reloaded")
            assert one.stop() == 0
        finally:
            process.kill()
