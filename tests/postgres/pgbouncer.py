"""PgBouncer, Debian's, between a client and the tests' server."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.postgres.server import REQUIRED, Server

_PATH = "/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin"
_SETTINGS = """\
[databases]
* = host={server}
[pgbouncer]
unix_socket_dir = {place}
listen_port = 6432
auth_type = trust
auth_file = {place}/users
pool_mode = {mode}
default_pool_size = 20
"""


def needs_pgbouncer() -> str:
    """The program; skips with a reason where there is none, unless the environment says that one must be."""
    found = shutil.which("pgbouncer", path=_PATH)
    if found is None:
        if os.environ.get(REQUIRED):
            pytest.fail(f"{REQUIRED} is set, and there is no pgbouncer")
        pytest.skip("no pgbouncer on this machine")
    return found


@contextmanager
def pgbouncer(server: Server, mode: str) -> Iterator[Path]:
    """The directory of its socket, which has the port 6432; it runs as the server's user, for it refuses to as root."""
    program = needs_pgbouncer()
    place = Path(tempfile.mkdtemp(prefix="syncd-pgbouncer-"))
    try:
        (place / "users").write_text('"syncd" ""\n')
        (place / "ini").write_text(_SETTINGS.format(server=server.directory, place=place, mode=mode))
        if server.as_user:
            owner = server.directory.stat().st_uid
            for path in (place, place / "users", place / "ini"):
                os.chown(path, owner, owner)
        with (place / "log").open("wb") as log:
            process = subprocess.Popen(
                [*server.as_user, program, "-q", str(place / "ini")],
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=place,
            )
        try:
            while not (place / ".s.PGSQL.6432").exists():
                assert process.poll() is None, (place / "log").read_text()
                time.sleep(0.05)
            yield place
        finally:
            process.kill()  # nothing to save; a shell may have had SIGQUIT and SIGINT ignored
            process.wait(30)
    finally:
        shutil.rmtree(place, ignore_errors=True)
