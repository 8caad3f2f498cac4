"""Workers as processes of their own, on one database, between both simulators."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.fleet.test_commands import url_of
from tests.schema.judging import problems
from tests.service.supervisor import eventually

SHORT = 'lease = "8s"\nrenew = "1s"\nmargin = "3s"\n'
"""Who takes over is quiet for 17 seconds after the lease ran out."""


class Machine:
    """One `syncd worker`; `log` has the JSON lines of stderr."""

    def __init__(self, name: str, process: subprocess.Popen[str]) -> None:
        self.name, self.process = name, process
        self.log: list[dict[str, Any]] = []
        self._reading = threading.Thread(target=self._read, daemon=True)
        self._reading.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.log.append(json.loads(line) if line.startswith("{") else {"event": line})

    def events(self, event: str, **fields: object) -> list[dict[str, Any]]:
        return [one for one in list(self.log) if one["event"] == event and fields.items() <= one.items()]

    def logs(self, event: str, times: int = 1, *, patience: float = 60.0, **fields: object) -> None:
        eventually(
            lambda: len(self.events(event, **fields)) >= times or self.process.poll() is not None,
            f"{self.name}: {event} {fields} in {self.log[-20:]}",
            patience,
        )
        assert len(self.events(event, **fields)) >= times, (self.name, event, fields, self.log[-20:])

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def stop(self) -> int:
        self.signal(signal.SIGTERM)
        code = self.process.wait(30)
        self._reading.join(10)
        return code


def fleet_file(folder: Path, database: str, more: str = SHORT, *, name: str = "fleet.toml") -> Path:
    """Settings of a fleet, whose database's URL stands in a file beside it."""
    secret = folder / "database"
    secret.write_text(url_of(database))
    secret.chmod(0o600)
    file = folder / name
    file.write_text(f'[fleet]\ndatabase = {{ file = "database" }}\nlisten = ""\n{more}')
    return file


def syncd(*arguments: str | Path, code: int = 0) -> subprocess.CompletedProcess[str]:
    """One command by the real executable, to its end, which is to have this exit code."""
    done = subprocess.run(
        [sys.executable, "-m", "syncd", *map(str, arguments)], check=False, capture_output=True, text=True
    )
    assert done.returncode == code, (arguments, done.stdout, done.stderr)
    return done


def document(*arguments: str | Path, code: int = 0) -> dict[str, Any]:
    """What it says with --json, which is as its schema wants it."""
    found: dict[str, Any] = json.loads(syncd(*arguments, "--json", code=code).stdout)
    assert problems(found) == []
    return found


def fleet(file: Path, *arguments: str | Path) -> dict[str, Any]:
    """The document of `syncd fleet ...`."""
    return document("fleet", *arguments, "--fleet", file)


@contextmanager
def machine(
    file: Path, name: str, environ: Mapping[str, str] | None = None, *, tables: str = ""
) -> Iterator[Machine]:
    """A worker, killed at the end if it is still there. `tables` follow `[fleet]` in its own file."""
    own = file.with_name(f"{name}.toml")
    own.write_text(f'{file.read_text()}worker = "{name}"\n{tables}')
    with subprocess.Popen(
        [sys.executable, "-m", "syncd", "worker", "--log-format", "json", "--fleet", str(own)],
        env={**os.environ, **(environ or {})},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        made = Machine(name, process)
        try:
            yield made
        finally:
            process.send_signal(signal.SIGCONT)
            process.kill()
