"""A PostgreSQL of the tests' own, run by an ordinary user, on a socket in a private directory."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

REQUIRED = "SYNCD_TESTS_NEED_POSTGRESQL"
"""An environment variable: where it is set, a test that finds no PostgreSQL fails instead of being skipped."""
_PLACES = ("/usr/lib/postgresql", "/usr/local/pgsql", "/usr/local", "/opt/homebrew/opt/postgresql@15")


def binaries() -> Path | None:
    """The newest server's `bin`, where there is one."""
    found = [path for place in _PLACES for path in sorted(Path(place).glob("*/bin"), reverse=True)]
    on_path = shutil.which("initdb")
    for path in [*found, *([Path(on_path).resolve().parent] if on_path else [])]:
        if (path / "initdb").exists() and (path / "postgres").exists():
            return path
    return None


@dataclass
class Server:
    """`url` leads to its first database."""

    directory: Path
    command: Sequence[str]
    process: subprocess.Popen[bytes]

    def url(self, database: str = "postgres") -> str:
        return f"host={self.directory} user=syncd dbname={database}"

    def stop(self, how: signal.Signals = signal.SIGQUIT) -> None:
        """SIGINT as a restart does it; SIGQUIT and SIGKILL as a crash."""
        self.process.send_signal(how)
        self.process.wait(30)

    def start_again(self) -> None:
        """After `stop`."""
        (self.directory / "data" / "postmaster.pid").unlink(missing_ok=True)
        self.process = _started(self.command, self.directory)


@contextmanager
def running(**more: str) -> Iterator[Server]:
    """Nothing of it stays. It survives no crash of the machine (fsync is off), which no test asks for. `more` are
    settings of the server.
    """
    bin_, user = binaries(), _ordinary_user()
    assert bin_ is not None
    # Not pytest's own directory: its path may be too long for a socket, and is closed to other users.
    directory = Path(tempfile.mkdtemp(prefix="syncd-pg-"))
    as_user = (
        [] if user is None else [_required("setpriv"), f"--reuid={user}", "--clear-groups", f"--regid={user}"]
    )
    try:
        if user is not None:
            os.chown(directory, user, user)
        data = directory / "data"
        given = ["-D", str(data), "-U", "syncd", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]
        subprocess.run(
            [*as_user, str(bin_ / "initdb"), *given], check=True, capture_output=True, cwd=directory
        )
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(directory),
            "fsync": "off",
            "max_connections": "200",
            "shared_buffers": "64MB",
            "autovacuum": "off",
            **more,
        }
        command = [*as_user, str(bin_ / "postgres"), "-D", str(data)]
        command += [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]
        server = Server(directory, command, _started(command, directory))
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _started(command: Sequence[str], directory: Path) -> subprocess.Popen[bytes]:
    with (directory / "log").open("ab") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, cwd=directory)
    try:
        _wait_until_ready(directory, process)
    except BaseException:
        process.kill()
        process.wait()
        raise
    return process


def _wait_until_ready(directory: Path, process: subprocess.Popen[bytes]) -> None:
    bin_ = binaries()
    assert bin_ is not None
    for _ in range(600):
        asked = [str(bin_ / "pg_isready"), "-q", "-h", str(directory)]
        if subprocess.run(asked, check=False).returncode == 0:
            return
        if process.poll() is not None:
            break
        time.sleep(0.1)
    raise RuntimeError((directory / "log").read_text(errors="replace"))


def _ordinary_user() -> int | None:
    """PostgreSQL refuses to run as root: another user's number then, None when we are an ordinary one."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name).pw_uid
        except KeyError:
            continue
    return 65534


def _required(program: str) -> str:
    found = shutil.which(program)
    assert found is not None, program
    return found
