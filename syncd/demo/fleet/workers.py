"""The fleet of the story: its settings, the commands that a person types, and workers as processes of their own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from syncd.demo.folder import write_private
from syncd.demo.telling import Narrator
from syncd.errors import PermanentError

_STOPS_WITHIN = 30.0


@dataclass
class StartedWorker:
    """One `syncd worker`; its log has a JSON object in each line."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    def events(self, event: str) -> list[dict[str, Any]]:
        """What it has said of this kind so far."""
        found = []
        for text in self.log.read_text(encoding="utf-8", errors="replace").splitlines():
            with suppress(ValueError):
                said = json.loads(text)
                if isinstance(said, dict) and said.get("event") == event:
                    found.append(said)
        return found

    def signal(self, number: signal.Signals) -> None:
        """Sends it."""
        self.process.send_signal(number)

    def stop(self) -> int:
        """SIGTERM; its exit code."""
        self.signal(signal.SIGTERM)
        return self.process.wait(_STOPS_WITHIN)

    def end(self) -> None:
        """It is gone afterwards, whatever state it was in."""
        if self.process.poll() is None:
            self.signal(signal.SIGCONT)
            self.process.kill()
            self.process.wait(_STOPS_WITHIN)


@dataclass
class FleetFolder:
    """`settings` is what stands in each worker's [fleet] beside its database and its name."""

    folder: Path
    url: str
    settings: str
    narrator: Narrator
    workers: list[StartedWorker] = field(default_factory=list)

    @property
    def file(self) -> Path:
        """What commands are given."""
        return self.folder / "fleet.toml"

    def write(self) -> None:
        """The settings, and a file for the database's URL."""
        write_private(self.folder / "database", self.url + "\n")
        self._settings_of("fleet", "")

    def _settings_of(self, stem: str, name: str) -> Path:
        named = f'worker = "{name}"\n' if name else ""
        text = f'[fleet]\ndatabase = {{ file = "database" }}\n{named}listen = ""\n{self.settings}'
        write_private(self.folder / f"{stem}.toml", text)
        return self.folder / f"{stem}.toml"

    def start(self, name: str) -> StartedWorker:
        """A worker of this name."""
        own, log = self._settings_of(name, name), self.folder / f"{name}.log"
        self.narrator.command(f"worker --fleet {own.name} &")
        with log.open("wb") as file:
            process = subprocess.Popen(
                [*_SYNCD, "worker", "--log-format", "json", "--fleet", str(own)],
                env=_environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=file,
            )
        worker = StartedWorker(name, process, log)
        self.workers.append(worker)
        return worker

    def command(self, *arguments: str, shown: str) -> dict[str, Any]:
        """The document of a command, which is said as `shown`. Raises PermanentError."""
        self.narrator.command(shown)
        done = subprocess.run(
            [*_SYNCD, *arguments, "--json", "--fleet", str(self.file)],
            env=_environment(),
            check=False,
            capture_output=True,
            text=True,
        )
        if done.returncode != 0:
            raise PermanentError(f"syncd {shown} ended with {done.returncode}", hint=done.stderr[-2000:])
        found: dict[str, Any] = json.loads(done.stdout)
        return found


_SYNCD: Sequence[str] = (sys.executable, "-m", "syncd")


def _environment() -> Mapping[str, str]:
    """Nothing that somebody has set for another syncd."""
    return {name: value for name, value in os.environ.items() if not name.startswith("SYNCD_")}


@contextmanager
def fleet_folder(folder: Path, url: str, settings: str, narrator: Narrator) -> Iterator[FleetFolder]:
    """No worker of it is there afterwards."""
    fleet = FleetFolder(folder, url, settings, narrator)
    fleet.write()
    try:
        yield fleet
    finally:
        for worker in fleet.workers:
            worker.end()
