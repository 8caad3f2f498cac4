"""Stands in for systemd: starts the executable with a notification socket and hears what it says."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

PATIENCE = 60.0


def eventually(true: Callable[[], object], what: str, patience: float = PATIENCE) -> None:
    """Waits until it is so. A slow machine only makes it take longer."""
    deadline = time.monotonic() + patience
    while not true():
        assert time.monotonic() < deadline, f"never happened: {what}"
        time.sleep(0.02)


class Supervised:
    """One `syncd run` under supervision. `heard` has the datagrams, `log` the JSON lines of stderr."""

    def __init__(self, process: subprocess.Popen[str], sock: socket.socket) -> None:
        self.process = process
        self.heard: list[str] = []
        self.log: list[dict[str, Any]] = []
        self._sock = sock
        self._threads = [threading.Thread(target=each, daemon=True) for each in (self._hear, self._read)]
        for thread in self._threads:
            thread.start()

    def _hear(self) -> None:
        with suppress(OSError):
            while text := self._sock.recv(4096).decode():
                self.heard.append(text)

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.log.append(json.loads(line) if line.startswith("{") else {"event": line})

    def said(self, word: str) -> list[str]:
        """The notifications with this word ("READY=1", "STATUS=", ...)."""
        return [text for text in list(self.heard) if word in text]

    def events(self, event: str) -> list[dict[str, Any]]:
        return [entry for entry in list(self.log) if entry["event"] == event]

    def hears(self, word: str, times: int = 1) -> None:
        eventually(lambda: len(self.said(word)) >= times or self._is_over(), f"{word} in {self.heard}")
        assert len(self.said(word)) >= times, self.log

    def logs(self, event: str, times: int = 1, **fields: object) -> None:
        def found() -> bool:
            return len([e for e in self.events(event) if fields.items() <= e.items()]) >= times

        eventually(lambda: found() or self._is_over(), f"{event} {fields} in {self.log}")
        assert found(), self.log

    def _is_over(self) -> bool:
        return self.process.poll() is not None

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def ends(self) -> int:
        """Waits for the end; the exit code."""
        code = self.process.wait(timeout=PATIENCE)
        self._threads[1].join(PATIENCE)
        return code

    def stop(self) -> int:
        self.signal(signal.SIGTERM)
        return self.ends()


@contextmanager
def supervised(
    folder: Path,
    *configs: Path,
    environ: Mapping[str, str] | None = None,
    abstract: bool = False,
    descriptors: int | None = None,
) -> Iterator[Supervised]:
    """Starts `syncd run` on these settings, with so many file descriptors; kills it at the end if it is still there."""
    name = f"syncd-test-{os.getpid()}-{time.monotonic_ns()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(f"\0{name}" if abstract else str(folder / f"{name[-12:]}.sock"))
        address = f"@{name}" if abstract else str(folder / f"{name[-12:]}.sock")
        arguments = [part for config in configs for part in ("-c", str(config))]
        limited = [] if descriptors is None else ["sh", "-c", f'ulimit -n {descriptors} && exec "$@"', "sh"]
        process = subprocess.Popen(
            [*limited, sys.executable, "-m", "syncd", "run", "--log-format", "json", *arguments],
            env={**os.environ, "NOTIFY_SOCKET": address, **(environ or {})},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        watched = Supervised(process, sock)
        try:
            yield watched
        finally:
            process.kill()
            process.wait()
            watched._threads[1].join(5)
            if process.stderr:
                process.stderr.close()


@contextmanager
def in_a_thread(run: Callable[[], None], stop: Callable[[], None]) -> Iterator[None]:
    """A daemon of this process; in the end it is told to stop, and does."""
    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop()
        thread.join(30)
        assert not thread.is_alive()
