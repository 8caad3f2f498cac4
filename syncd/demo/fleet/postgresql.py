"""A PostgreSQL of one's own for a while: Debian's programs, an ordinary user, a directory that is gone afterwards.

Of the demo of fleets and of the tests. It survives no crash of the machine (fsync is off), which nobody asks of it.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

USER = "syncd"
"""Who owns everything in it."""
_PLACES = ("/usr/lib/postgresql", "/usr/local/pgsql", "/usr/local", "/opt/homebrew/opt/postgresql@15")
_SETTINGS: Mapping[str, str] = {
    "listen_addresses": "",
    "fsync": "off",
    "max_connections": "200",
    "shared_buffers": "64MB",
    "autovacuum": "off",
}
_STARTS_WITHIN = 60.0


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
    """`directory` has its socket and its log; with a `port` it listens on 127.0.0.1 as well."""

    directory: Path
    bin_: Path
    as_user: Sequence[str]
    settings: Mapping[str, str] = field(default_factory=dict)
    port: int = 0
    process: subprocess.Popen[bytes] | None = None

    def url(self, database: str = "postgres") -> str:
        """A connection string that leads to its socket."""
        port = f" port={self.port}" if self.port else ""
        return f"host={self.directory}{port} user={USER} dbname={database}"

    def start(self) -> None:
        """Waits until it answers. Raises RuntimeError with its log when it does not."""
        settings = {**_SETTINGS, "unix_socket_directories": str(self.directory), **self.settings}
        if self.port:
            settings |= {"listen_addresses": "127.0.0.1", "port": str(self.port)}
        said = [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]
        command = [*self.as_user, str(self.bin_ / "postgres"), "-D", str(self.directory / "data"), *said]
        with (self.directory / "log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, cwd=self.directory)
        self._wait_until_ready(self.process)

    def stop(self, number: signal.Signals = signal.SIGQUIT) -> None:
        """SIGQUIT: at once; SIGINT: those who are connected are sent away first. May be called twice."""
        if self.process is not None:
            self.process.send_signal(number)
            self.process.wait(30)
            self.process = None

    def _wait_until_ready(self, process: subprocess.Popen[bytes]) -> None:
        asked = [str(self.bin_ / "pg_isready"), "-q", "-h", str(self.directory), "-p", str(self.port or 5432)]
        deadline = time.monotonic() + _STARTS_WITHIN
        while process.poll() is None and time.monotonic() < deadline:
            if subprocess.run(asked, check=False).returncode == 0:
                return
            time.sleep(0.1)
        self.stop()
        raise RuntimeError((self.directory / "log").read_text(errors="replace"))


@contextmanager
def running(
    *, password: str = "", settings: Mapping[str, str] | None = None, tcp: bool = False
) -> Iterator[Server]:
    """Nothing of it stays. Without a password whoever reaches its socket, in a directory of its own, is let in."""
    bin_, user = binaries(), _ordinary_user()
    if bin_ is None:
        raise RuntimeError("no PostgreSQL server (initdb) on this machine")
    # Not a directory below some other one: the path may be too long for a socket, and closed to other users.
    directory = Path(tempfile.mkdtemp(prefix="syncd-pg-"))
    as_user = (
        [] if user is None else [_required("setpriv"), f"--reuid={user}", "--clear-groups", f"--regid={user}"]
    )
    server = Server(directory, bin_, as_user, settings or {})
    try:
        secret = directory / "password"
        secret.write_text(password or "none")
        secret.chmod(0o600)
        if user is not None:
            os.chown(directory, user, user)
            os.chown(secret, user, user)
        auth = ["-A", "scram-sha-256", f"--pwfile={secret}"] if password else ["-A", "trust"]
        given = ["-D", str(directory / "data"), "-U", USER, *auth, "-E", "UTF8", "--locale=C", "--no-sync"]
        subprocess.run(
            [*as_user, str(bin_ / "initdb"), *given], check=True, capture_output=True, cwd=directory
        )
        secret.unlink()
        _start(server, tcp=tcp)
        yield server
    finally:
        server.stop()
        shutil.rmtree(directory, ignore_errors=True)


def _start(server: Server, *, tcp: bool) -> None:
    """Another port when somebody took the one that was free a moment ago."""
    for tries_left in (2, 1, 0):
        server.port = _free_port() if tcp else 0
        try:
            server.start()
        except RuntimeError:
            if not (tcp and tries_left):
                raise
        else:
            return


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


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
    if found is None:
        raise RuntimeError(f"{program} is not on PATH; as an ordinary user it is not needed")
    return found
