"""Two servers, of which one follows the other, and the day on which the first one dies."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import psycopg

from tests.postgres.server import Server
from tests.postgres.strait import Strait, strait
from tests.serving import free_port

USER = "syncd"


@dataclass
class Pair:
    """`primary` takes writes, `other` follows it, over `way`. Both keep their ports when they change places."""

    primary: Server
    other: Server
    way: Strait
    synchronous: bool

    @property
    def ports(self) -> Sequence[int]:
        return sorted((self.primary.port, self.other.port))

    def fail_over(self, after: float = 0.0) -> None:
        """The primary is killed with all its processes, and so many seconds later the other one takes its place."""
        kill(self.primary)
        time.sleep(after)
        self.promote()

    def promote(self) -> None:
        with psycopg.connect(self.other.url(), autocommit=True) as session:
            session.execute("SELECT pg_promote(true, 60)")
        self.primary, self.other = self.other, self.primary

    def follow(self) -> None:
        """The other one becomes a standby of the primary, from a copy of it, and has caught up at the end."""
        self.way.leads_to = self.primary.port
        data = self.other.directory / "data"
        shutil.rmtree(data, ignore_errors=True)
        said = f"host=127.0.0.1 port={self.way.port} user={USER} application_name=second"
        copies = [
            "pg_basebackup",
            "-D",
            str(data),
            "-R",
            "-X",
            "stream",
            "-c",
            "fast",
            "--no-sync",
            "-d",
            said,
        ]
        subprocess.run(
            [*self.other.as_user, str(self.primary.bin_ / copies[0]), *copies[1:]],
            check=True,
            capture_output=True,
            cwd=self.other.directory,
        )
        self.other.settings = {**self.primary.settings, "primary_conninfo": said}
        self.other.start()
        with psycopg.connect(self.primary.url(), autocommit=True) as session:
            if self.synchronous:
                session.execute("ALTER SYSTEM SET synchronous_standby_names = 'second'")
                session.execute("SELECT pg_reload_conf()")
            asked = "SELECT sync_state FROM pg_stat_replication WHERE state = 'streaming'"
            wanted = "sync" if self.synchronous else "async"
            deadline = time.monotonic() + 60
            while session.execute(asked).fetchone() != (wanted,):
                assert time.monotonic() < deadline, (self.other.directory / "log").read_text()[-2000:]
                time.sleep(0.1)


def kill(server: Server) -> None:
    """SIGKILL; its children see it and end."""
    assert server.process is not None
    listed = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split()
    server.stop(signal.SIGKILL)
    deadline = time.monotonic() + 60
    while any(Path(f"/proc/{each}").exists() for each in listed):
        assert time.monotonic() < deadline, "they have ended"
        time.sleep(0.05)


@contextmanager
def followed(primary: Server, *, synchronous: bool) -> Iterator[Pair]:
    """`primary` listens on a port. Whoever stops it at the end stops whatever runs in its directory then."""
    directory = Path(tempfile.mkdtemp(prefix="syncd-pg-"))
    if primary.as_user:
        owner = primary.directory.stat().st_uid
        os.chown(directory, owner, owner)
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, directory, ignore_errors=True)
        way = stack.enter_context(strait(primary.port))
        second = replace(primary, directory=directory, port=free_port(), process=None)
        stack.callback(second.stop)
        made = Pair(primary, second, way, synchronous)
        made.follow()
        yield made
