"""A server whose data or whose write-ahead log lies on a small disk of its own. Needs root."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.postgres.server import Server

DATA, LOG = "data", "write-ahead log"


def needs_mounts() -> None:
    """Skips with a reason where nobody may mount."""
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("only root may mount a small disk")


@dataclass(frozen=True)
class Disk:
    place: Path

    def fill(self) -> None:
        """To the last byte."""
        piece = b"\0" * 65536
        with (self.place / "filler").open("ab", buffering=0) as filler:
            while piece:
                try:
                    while filler.write(piece) == len(piece):
                        pass
                except OSError:
                    piece = piece[: len(piece) // 2]

    def free(self) -> None:
        (self.place / "filler").unlink(missing_ok=True)


@contextmanager
def small_disks(server: Server, *, data: int = 400, log: int = 96) -> Iterator[dict[str, Disk]]:
    """Moves what a running server has, which runs on: by DATA and LOG; sizes in MiB. Stopped at the end."""
    here = server.directory / "data"
    sizes = {DATA: data, LOG: log}
    disks = {what: Disk(server.directory / f"disk-{number}") for number, what in enumerate(sizes)}
    server.stop(signal.SIGINT)
    with ExitStack() as undo:
        for what, disk in disks.items():
            disk.place.mkdir()
            subprocess.run(
                ["mount", "-t", "tmpfs", "-o", f"size={sizes[what]}m", "syncd", str(disk.place)], check=True
            )
            undo.callback(subprocess.run, ["umount", str(disk.place)], check=False)
        # Segments of 1 MiB: the next one is soon wanted.
        reset = [str(server.bin_ / "pg_resetwal"), "--wal-segsize=1", "-D", str(here)]
        subprocess.run([*server.as_user, *reset], check=True, capture_output=True, cwd=server.directory)
        moved, logs = disks[DATA].place / "data", disks[LOG].place / "pg_wal"
        subprocess.run(["cp", "-a", str(here), str(moved)], check=True)
        subprocess.run(["cp", "-a", str(moved / "pg_wal"), str(logs)], check=True)
        shutil.rmtree(moved / "pg_wal")
        (moved / "pg_wal").symlink_to(logs)
        shutil.rmtree(here)
        here.symlink_to(moved)
        server.settings = {**server.settings, "max_wal_size": "32MB", "min_wal_size": "2MB"}
        server.start()
        undo.callback(server.stop)
        yield disks
