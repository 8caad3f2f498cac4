"""Boots a machine with the Debian package in it and looks at its service: `python -m distribution.boot DIRECTORY`.

As root, with debootstrap, mkfs.ext4 and qemu-system-x86_64. Debian's packages, its kernel among them, become a disk
below build/boot; it is booted by software emulation, without a network, and a unit in it works the service
(distribution/booted). What that says comes over a second serial port; the console of the machine stays in
build/boot/console.log. Everything that has to be seen was seen, or it ends with 1.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from distribution.booted.steps import STEPS
from distribution.roots import Clean, debootstrapped, told
from distribution.trial import relabelled

ROOT = Path(__file__).parents[1]
PLACE = ROOT / "build" / "boot"
KERNEL = "initramfs-tools,linux-image-cloud-amd64"
PACKAGES = f"ca-certificates,dbus,{KERNEL},postgresql,procps,python3,systemd,systemd-sysv,tzdata,udev"
TOOLS = {"debootstrap": "debootstrap", "mkfs.ext4": "e2fsprogs", "qemu-system-x86_64": "qemu-system-x86"}
DISK, MEMORY = "2G", "1G"
WITHIN = 2 * 3600.0
"""Seconds for the whole; a machine with nothing else to do needs a fifth of it."""
UNIT = """[Unit]
Description=what has to be seen of syncd
After=network.target dbus.socket
[Service]
Type=exec
Environment=PYTHONPATH=/root PYTHONDONTWRITEBYTECODE=1
ExecStart=/usr/bin/python3 -m distribution.booted /dev/ttyS1
[Install]
WantedBy=multi-user.target
"""


def machine(deb: Path, fleet: Path) -> Path:
    """The root of it: the package is installed in there as in any chroot, before the machine ever ran."""
    root = Clean(debootstrapped(PLACE / "root", PACKAGES))
    shutil.copy(deb, root.path / "root" / "syncd.deb")
    shutil.copy(fleet, root.path / "root" / "fleet.deb")
    root.run("dpkg", "-i", "/root/syncd.deb")
    relabelled(deb, "99", root.path / "root").rename(root.path / "root" / "next.deb")
    for part in ("__init__.py", "booted"):
        source, target = ROOT / "distribution" / part, root.path / "root" / "distribution" / part
        target.parent.mkdir(exist_ok=True)
        subprocess.run(["cp", "-rT", str(source), str(target)], check=True)  # noqa: S603, S607
    (root.path / "etc/systemd/system/booted.service").write_text(UNIT, encoding="ascii")
    root.run("systemctl", "enable", "--quiet", "booted.service")
    (root.path / "etc/fstab").write_text("/dev/vda / ext4 defaults 0 1\n", encoding="ascii")
    return root.path


def disk(root: Path) -> Path:
    file = PLACE / "disk.ext4"
    file.unlink(missing_ok=True)
    subprocess.run(["mkfs.ext4", "-q", "-d", str(root), str(file), DISK], check=True)  # noqa: S603, S607
    return file


def qemu(root: Path, image: Path) -> list[str]:
    [kernel], [initrd] = (root / "boot").glob("vmlinuz-*"), (root / "boot").glob("initrd.img-*")
    return [
        *("nice", "-n", "10", "qemu-system-x86_64", "-accel", "tcg", "-cpu", "max", "-m", MEMORY),
        *("-nodefaults", "-display", "none", "-no-reboot"),
        *("-kernel", str(kernel), "-initrd", str(initrd)),
        *("-append", "root=/dev/vda rw console=ttyS0 panic=-1 systemd.show_status=yes"),
        *("-drive", f"file={image},format=raw,if=virtio,cache=unsafe"),
        *("-serial", f"file:{PLACE / 'console.log'}", "-serial", "stdio"),
    ]


def verdict(lines: Iterable[str], wanted: Sequence[str]) -> list[str]:
    """Says each line as it comes; returns which steps were not seen."""
    missing = list(wanted)
    for line in lines:
        try:
            said = json.loads(line)
        except ValueError:
            sys.stdout.write(f"  {line.rstrip()}\n")
            continue
        name, seconds = said["step"], f"  ({said['seconds']:.0f} s)"
        if "seen" in said and name in missing:
            missing.remove(name)
            sys.stdout.write(f"✓ {name}: {said['seen']}{seconds}\n")
        else:
            sys.stdout.write(f"✗ {name}: {said.get('unseen')}{seconds}\n{said.get('journal', '')}\n")
        sys.stdout.flush()
    return missing


def boot(root: Path, image: Path) -> int:
    """0 when every step was seen, and the machine then went down by itself."""
    command = qemu(root, image)
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
        last = threading.Timer(WITHIN, process.kill)
        last.start()
        try:
            missing = verdict(process.stdout or (), list(STEPS))
        except BaseException:
            process.kill()
            raise
        finally:
            last.cancel()
    for name in missing:
        sys.stdout.write(f"✗ not seen: {name}\n")
    if missing or process.returncode != 0:
        console = PLACE / "console.log"
        sys.stdout.write(f"✗ the machine ended with {process.returncode}; its console: {console}\n")
        return 1
    return 0


def main(arguments: Sequence[str]) -> int:
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m distribution.boot DIRECTORY\n")
        return 64
    lacking = [package for tool, package in TOOLS.items() if shutil.which(tool) is None]
    if os.geteuid() != 0 or lacking:
        sys.stderr.write(f"NOT TRIED: this takes root, and {', '.join(TOOLS.values())} (apt-get install)\n")
        return 69
    [deb] = Path(arguments[0]).glob("syncd_*.deb")
    began = time.monotonic()
    [fleet] = Path(arguments[0]).glob("syncd-fleet_*.deb")
    root = machine(deb, fleet)
    image = disk(root)
    told(
        f"a machine of Debian's packages with {deb.name}: {image.stat().st_blocks * 512 / 1e6:.0f} MB on disk",
        began,
    )
    began = time.monotonic()
    code = boot(root, image)
    if code == 0:
        told("booted, everything was seen, and switched off", began)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
