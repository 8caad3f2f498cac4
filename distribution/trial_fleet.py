"""Tries what a worker of a fleet is made of on clean roots; a part of `distribution.trial`."""

from __future__ import annotations

import json
import re
import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from distribution.image import Image
from distribution.roots import ROOT, Clean, clean, settle, sides, told, wheels

FLEET_CHECK = (
    *("env", "DATABASE=postgresql://syncd@127.0.0.1:1/syncd", "/opt/syncd/bin/syncd"),
    *("fleet", "check", "--fleet", "/etc/syncd/fleet.toml"),
)


def settle_fleet(root: Clean) -> None:
    (root.path / "etc/syncd").mkdir(exist_ok=True)
    (root.path / "etc/syncd/fleet.toml").write_text(
        '[fleet]\ndatabase = { env = "DATABASE" }\n', encoding="ascii"
    )


def try_fleet(deb: Path, fleet: Path) -> None:
    """Without a PostgreSQL: that it is asked for, and by whom."""
    with clean("fleet") as root:
        began = time.monotonic()
        for each in (deb, fleet):
            shutil.copy(each, root.path / "root")
        settle_fleet(root)
        root.run("dpkg", "-i", f"/root/{deb.name}")
        said = root.run(*FLEET_CHECK, code=78)
        assert "a fleet needs psycopg" in said, said  # noqa: S101
        root.run("dpkg", "-i", f"/root/{fleet.name}")
        said = root.run(*FLEET_CHECK, code=1)
        assert "cannot be reached" in said, said  # noqa: S101
        unit = "/usr/lib/systemd/system/syncd-worker.service"
        root.run("systemd-analyze", "verify", "--man=no", unit)
        root.run("dpkg", "--remove", "syncd-fleet")
        root.run(*FLEET_CHECK, code=78)
        root.run("dpkg", "--purge", "syncd-fleet", "syncd")
        assert not (root.path / "opt/syncd").exists()  # noqa: S101
        told(
            f"deb of a fleet: {fleet.stat().st_size / 1e6:.1f} MB, asks for PostgreSQL, and is purged", began
        )


def try_worker(deb: Path, fleet: Path) -> None:
    """With Debian's PostgreSQL beside it: prepared, a connection put in, and served by what the unit starts."""
    with clean("worker") as root:
        began = time.monotonic()
        port = with_postgresql(root)
        for each in (deb, fleet):
            shutil.copy(each, root.path / "root")
        root.run("dpkg", "-i", f"/root/{deb.name}", f"/root/{fleet.name}")
        told("deb of a fleet installed beside Debian's PostgreSQL", began)
        with postgresql(root, port) as url, sides(root, "/usr/bin/syncd") as said:
            began = time.monotonic()
            settle(root, said, "/var/lib/syncd", "syncd:syncd")
            secret = root.path / "etc/syncd/credentials/fleet-database"
            secret.write_text(url, encoding="ascii")
            root.run("chown", "syncd:syncd", "/etc/syncd/credentials/fleet-database")
            root.run("chmod", "600", "/etc/syncd/credentials/fleet-database")
            (root.path / "etc/syncd/fleet.toml").write_text(
                f'[fleet]\ndatabase = {{ file = "/{secret.relative_to(root.path)}" }}\nlisten = ""\n',
                encoding="ascii",
            )
            for command in (("migrate",), ("check",), ("apply", "/etc/syncd/acme.toml", "--yes")):
                root.run("/usr/bin/syncd", "fleet", *command, user="syncd")
            told("fleet migrate, check and apply, as the user of the unit", began)
            began = time.monotonic()
            served_by_a_worker(root)
            told("the worker of the unit syncs, hands over when it is told to stop, and ends with 0", began)
        root.run("dpkg", "--purge", "syncd-fleet", "syncd")


def served_by_a_worker(root: Clean) -> None:
    unit = (root.path / "usr/lib/systemd/system/syncd-worker.service").read_text(encoding="utf-8")
    started = re.search(r"(?m)^ExecStart=(.+)$", unit)
    assert started is not None  # noqa: S101
    worker = root.start(*started[1].split(), user="syncd")
    assert worker.stdout is not None  # noqa: S101
    try:
        lines = []
        for line in worker.stdout:
            lines.append(line)
            if '"cycle done"' in line and '"full"' in line:
                break
        else:
            raise SystemExit(f"✗ the worker ended: {''.join(lines)}")
        asked = ("/usr/bin/syncd", "fleet", "status", "--json")
        [owned] = json.loads(root.run(*asked, user="syncd"))["connections"]
        assert owned["owner"], owned  # noqa: S101
        planned = root.run("/usr/bin/syncd", "-q", "plan", "--connection", "acme", "--json", user="syncd")
        assert json.loads(planned)["changes"] == [], planned  # noqa: S101
        worker.terminate()
        worker.communicate(timeout=60)
        assert worker.returncode == 0, worker.returncode  # noqa: S101
        [free] = json.loads(root.run(*asked, user="syncd"))["connections"]
        assert not free["owner"], free  # noqa: S101
    finally:
        worker.kill()
        worker.wait()


def with_postgresql(root: Clean) -> int:
    """Debian's package, whose server nothing starts; the port that it is to have."""
    refuses = root.path / "usr/sbin/policy-rc.d"
    refuses.write_text("#!/bin/sh\nexit 101\n", encoding="ascii")
    refuses.chmod(0o755)
    root.run("apt-get", "install", "-qq", "--yes", "--no-install-recommends", "postgresql")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextmanager
def postgresql(root: Clean, port: int) -> Iterator[str]:
    """The cluster that the package made, with a role and a database of its own; its URL."""
    [place] = (root.path / "etc/postgresql").glob("*/main")
    version = place.parent.name
    directory = f"/var/run/postgresql/{version}-main.pg_stat_tmp"
    root.run("install", "-d", "-o", "postgres", "-g", "postgres", "/var/run/postgresql", directory)
    binary = f"/usr/lib/postgresql/{version}/bin/postgres"
    where = f"config_file=/etc/postgresql/{version}/main/postgresql.conf"
    # Its key is for the group ssl-cert, and a root has no /dev/shm of its own.
    plain = ("-c", "ssl=off", "-c", "dynamic_shared_memory_type=mmap")
    server = root.start(binary, "-c", where, "-p", str(port), *plain, user="postgres")
    assert server.stdout is not None  # noqa: S101
    try:
        said = ""
        while "ready to accept connections" not in said:
            line = server.stdout.readline()
            if not line:
                raise SystemExit(f"✗ PostgreSQL ended: {said}")
            said += line
        made = "CREATE ROLE syncd LOGIN PASSWORD 'of-a-trial'; "
        psql = ("psql", "-q", "-p", str(port), "-c")
        root.run(*psql, made, user="postgres")
        root.run(*psql, "CREATE DATABASE syncd OWNER syncd", user="postgres")
        yield f"postgresql://syncd:of-a-trial@127.0.0.1:{port}/syncd"
    finally:
        server.terminate()
        server.wait()


def try_image_of_a_fleet() -> None:
    """As far as it speaks to PostgreSQL, which nobody answers for."""
    began = time.monotonic()
    with clean("image-build") as build, clean("image") as last:
        shutil.copytree(wheels(), build.path / "wheels")
        file = ROOT / "distribution" / "container" / "Containerfile"
        given = {"CONSTRAINTS": "constraints-fleet.txt"}
        image = Image.made(ROOT, file, [build.path, last.path], [build.run, last.run], given)
        settle_fleet(last)
        said = last.run(*FLEET_CHECK, code=1)
        assert "cannot be reached" in said, said  # noqa: S101
        told(f"the image of a worker asks for PostgreSQL: {image.size / 1e6:.0f} MB of its own", began)
