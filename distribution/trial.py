"""Tries what was packaged on clean roots made from Debian's packages: `python -m distribution.trial DIRECTORY`.

As root, with debootstrap. The roots lie in build/roots; the first one takes minutes, the others are copies of it. Each
step says what was seen; the first one that fails ends it with its output. No service manager runs in such a root: the
units are verified by systemd-analyze, and what they start is started by hand.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from distribution.image import Image
from distribution.roots import ROOT, ROOTS, Clean, base, clean, settle, sides, told, wheels
from distribution.trial_fleet import try_fleet, try_image_of_a_fleet, try_worker

UNITS = ("syncd.service", "syncd@split-prod.service", "syncd-sync.service", "syncd-sync.timer")
OLD_STORE = ROOT / "tests" / "packaging" / "store-0.1.0.sql"


# the Debian package


def old_store(root: Clean, target: str) -> None:
    """A store as 0.1.0 left it, belonging to `target`."""
    file = root.path / "var/lib/syncd/old.db"
    with closing(sqlite3.connect(file)) as conn:
        conn.executescript(OLD_STORE.read_text(encoding="utf-8").replace("'acme'", "'old'"))
        conn.execute("PRAGMA application_id = 0x53594E43")
    file.chmod(0o600)
    root.run("chown", "syncd:syncd", "/var/lib/syncd/old.db")
    settings = (root.path / "etc/syncd/acme.toml").read_text(encoding="ascii")
    (root.path / "etc/syncd/old.toml").write_text(
        settings.replace('"acme"', '"old"').replace(target, "https://split.example/scim/v2"), encoding="ascii"
    )


def relabelled(deb: Path, version: str, into: Path) -> Path:
    """The same package under another version."""
    tree = into / "relabelled"
    shutil.rmtree(tree, ignore_errors=True)
    subprocess.run(["dpkg-deb", "-R", str(deb), str(tree)], check=True)  # noqa: S603, S607
    control = tree / "DEBIAN" / "control"
    control.write_text(
        re.sub(r"(?m)^Version: .*$", f"Version: {version}", control.read_text()), encoding="utf-8"
    )
    made = into / f"syncd_{version}.deb"
    command = ["dpkg-deb", "--root-owner-group", "-Znone", "--build", str(tree), str(made)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)  # noqa: S603
    shutil.rmtree(tree)
    return made


def try_debian(deb: Path) -> None:
    with clean("deb") as root:
        began = time.monotonic()
        older = relabelled(deb, "0.0.1", root.path / "root")
        shutil.copy(deb, root.path / "root")
        root.run("dpkg", "-i", f"/root/{older.name}")
        modes = root.run("stat", "-c", "%a %U:%G", "/etc/syncd", "/etc/syncd/credentials", "/var/lib/syncd")
        assert modes.split("\n")[:3] == ["750 root:syncd", "711 root:root", "700 syncd:syncd"], modes  # noqa: S101
        told(f"deb installed: {deb.stat().st_size / 1e6:.1f} MB, user and directories made", began)
        began = time.monotonic()
        root.run(
            "systemd-analyze",
            "verify",
            "--man=no",
            *(f"/usr/lib/systemd/system/{unit}" for unit in UNITS[:1]),
        )
        root.run("systemd-analyze", "verify", "--man=no", *UNITS[1:])
        told("units verified by systemd", began)
        began = time.monotonic()
        with sides(root, "/usr/bin/syncd") as said:
            settle(root, said, "/var/lib/syncd", "syncd:syncd")
            acme = ("/usr/bin/syncd", "-c", "/etc/syncd/acme.toml")
            root.run(*acme, "check", user="syncd")
            first = json.loads(root.run(*acme, "-q", "sync", "--json", user="syncd"))
            told(f"check is green, sync applied {sum(first['summary']['applied'].values())} changes", began)
            began = time.monotonic()
            old_store(root, said["split"])
            root.run("dpkg", "-i", f"/root/{deb.name}")
            root.run(
                "/usr/bin/syncd", "-c", "/etc/syncd/old.toml", "retry", user="syncd"
            )  # the first writer upgrades it
            for name in ("acme", "old"):
                settings = ("/usr/bin/syncd", "-c", f"/etc/syncd/{name}.toml")
                root.run(*settings, "audit", "verify", user="syncd")
                root.run(*settings, "backup", f"/var/lib/syncd/{name}.saved", user="syncd")
            second = json.loads(root.run(*acme, "-q", "sync", "--json", user="syncd"))
            assert second["summary"]["applied"] == {}, second  # noqa: S101
        told(
            "upgraded with its store and one of 0.1.0: both verified and copied, the next sync is empty",
            began,
        )
        began = time.monotonic()
        root.run("dpkg", "--remove", "syncd")
        assert (root.path / "var/lib/syncd/acme.db").exists()  # noqa: S101
        root.run("dpkg", "--purge", "syncd")
        left = [
            place
            for place in ("opt/syncd", "etc/syncd", "var/lib/syncd", "usr/bin/syncd")
            if (root.path / place).exists()
        ]
        assert left == [], left  # noqa: S101
        told("removed (the stores stay) and purged (they go)", began)


# the wheel, and the image


def try_wheel(wheel: Path) -> None:
    with clean("wheel") as root:
        began = time.monotonic()
        shutil.copytree(wheels(), root.path / "wheels")
        shutil.copy(wheel, root.path / "wheels")
        root.run("python3", "-m", "venv", "/opt/tools")
        pip = (
            "/opt/tools/bin/python",
            "-m",
            "pip",
            "install",
            "--quiet",
            "--no-index",
            "--find-links",
            "/wheels",
        )
        root.run(*pip, f"/wheels/{wheel.name}")
        root.run("/opt/tools/bin/python", "-m", "pip", "check")
        size = sum(file.lstat().st_size for file in (root.path / "opt/tools").rglob("*")) / 1e6
        told(
            f"wheel installed with what it declares: {wheel.stat().st_size / 1e6:.1f} MB, {size:.0f} MB with all",
            began,
        )
        began = time.monotonic()
        with sides(root, "/opt/tools/bin/syncd") as said:
            settle(root, said, "/root/state", "root:root")
            root.run("/opt/tools/bin/syncd", "-c", "/etc/syncd/acme.toml", "sync")
        told("its sync between its own simulators is done", began)


def try_pipx(wheel: Path) -> None:
    """Debian's pipx. What the wheel declares comes from beside it, so pipx cannot renew its own tools, and says so."""
    with clean("pipx") as root:
        root.run("apt-get", "install", "-qq", "--yes", "--no-install-recommends", "pipx")
        shutil.copytree(wheels(), root.path / "wheels")
        shutil.copy(wheel, root.path / "wheels")
        began = time.monotonic()
        offline = ("env", "PIP_NO_INDEX=1", "PIP_FIND_LINKS=/wheels")
        root.run(*offline, "pipx", "install", f"/wheels/{wheel.name}")
        told("pipx install takes the file", began)
        began = time.monotonic()
        with sides(root, "/root/.local/bin/syncd") as said:
            settle(root, said, "/root/state", "root:root")
            root.run("/root/.local/bin/syncd", "-c", "/etc/syncd/acme.toml", "sync")
        root.run("pipx", "uninstall", "syncd")
        assert not (root.path / "root/.local/bin/syncd").is_symlink()  # noqa: S101
        told("its sync is done too, and pipx uninstall takes the command away", began)


def try_uv(wheel: Path) -> None:
    uv = Path(sys.executable).with_name("uv")
    began = time.monotonic()
    place = ROOTS / "uv"
    shutil.rmtree(place, ignore_errors=True)
    environment = {**os.environ, "UV_TOOL_DIR": str(place / "tools"), "UV_TOOL_BIN_DIR": str(place / "bin")}
    offline = ["--offline", "--no-index", "--find-links", str(wheels())]
    command = [str(uv), "tool", "install", "--quiet", *offline, str(wheel)]
    subprocess.run(command, check=True, env=environment)  # noqa: S603
    subprocess.run([str(place / "bin" / "syncd"), "--version"], check=True, stdout=subprocess.DEVNULL)  # noqa: S603
    shutil.rmtree(place)
    told("uv tool install takes the file too", began)


def try_image() -> None:
    began = time.monotonic()
    with clean("image-build") as build, clean("image") as last:
        shutil.copytree(wheels(), build.path / "wheels")
        file = ROOT / "distribution" / "container" / "Containerfile"
        image = Image.made(ROOT, file, [build.path, last.path], [build.run, last.run])
        told(f"the image's steps ran in two roots: {image.size / 1e6:.0f} MB of its own", began)
        began = time.monotonic()
        with sides(last, "/opt/syncd/bin/syncd") as said:
            settle(last, said, "/var/lib/syncd", "10001:10001")
            (last.path / "etc/syncd").chmod(0o755)
            seconds = image.runs_read_only(last.path)
        told(f"as {image.user}, on a read-only root: healthy, and stopped within {seconds:.1f} s", began)


def main(arguments: Sequence[str]) -> int:
    """0 when every step was seen."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m distribution.trial DIRECTORY\n")
        return 64
    if os.geteuid() != 0 or shutil.which("debootstrap") is None:
        sys.stderr.write("NOT TRIED: this takes root, and debootstrap (apt-get install debootstrap)\n")
        return 69
    [deb], [wheel] = Path(arguments[0]).glob("syncd_*.deb"), Path(arguments[0]).glob("*.whl")
    [fleet] = Path(arguments[0]).glob("syncd-fleet_*.deb")
    began = time.monotonic()
    base()
    told("a clean root of Debian's packages", began)
    try_debian(deb)
    try_fleet(deb, fleet)
    try_worker(deb, fleet)
    try_wheel(wheel)
    try_pipx(wheel)
    try_uv(wheel)
    try_image()
    try_image_of_a_fleet()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
