"""Clean roots made from Debian's packages, and what is tried in them: settings, and both simulators."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
ROOTS = ROOT / "build" / "roots"
PACKAGES = "ca-certificates,procps,python3,python3-venv,systemd,tzdata"
SETTINGS = """name = "acme"
state = "{state}"
[okta]
org_url = "{okta}"
app_id = "{app}"
token = {{ file = "/etc/syncd/okta-token" }}
[split]
base_url = "{split}"
token = {{ file = "/etc/syncd/split-token" }}
"""


@dataclass(frozen=True)
class Clean:
    """One root. `run` raises SystemExit with the output of a command that ends otherwise than with `code`."""

    path: Path

    def run(self, *command: str, code: int = 0, user: str = "") -> str:
        whole = self._inside(*_as(user), *command)
        done = subprocess.run(whole, capture_output=True, text=True, check=False)  # noqa: S603
        if done.returncode != code:
            raise SystemExit(f"✗ {' '.join(command)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout + done.stderr

    def start(self, *command: str, user: str = "") -> subprocess.Popen[str]:
        return subprocess.Popen(  # noqa: S603
            self._inside(*_as(user), *command), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def _inside(self, *command: str) -> list[str]:
        environment = ["env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8", "HOME=/root"]
        own = ["unshare", "--mount", f"--mount-proc={self.path}/proc"]
        return [*own, "chroot", str(self.path), *environment, *command]


def _as(user: str) -> list[str]:
    return ["setpriv", "--reuid", user, "--regid", user, "--clear-groups", "--"] if user else []


def debootstrapped(path: Path, packages: str) -> Path:
    """A root of this machine's own release, made once."""
    if not (path / "etc" / "debian_version").exists():
        release = re.search(r"VERSION_CODENAME=(\w+)", Path("/etc/os-release").read_text(encoding="utf-8"))
        assert release is not None  # noqa: S101
        path.parent.mkdir(parents=True, exist_ok=True)
        command = ["debootstrap", "--variant=minbase", f"--include={packages}", release[1], str(path)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)  # noqa: S603
    return path


def base() -> Path:
    return debootstrapped(ROOTS / "base", PACKAGES)


@contextmanager
def clean(name: str) -> Iterator[Clean]:
    """A copy that is gone afterwards."""
    path = ROOTS / name
    shutil.rmtree(path, ignore_errors=True)
    subprocess.run(["cp", "-a", "--reflink=auto", str(base()), str(path)], check=True)  # noqa: S603, S607
    try:
        yield Clean(path)
    finally:
        shutil.rmtree(path, ignore_errors=True)


@contextmanager
def sides(root: Clean, syncd: str) -> Iterator[dict[str, str]]:
    """Both simulators of the installed package, inside: their addresses, the app and the tokens."""
    running = [root.start(syncd, "simulate", side, "--port", "0") for side in ("okta", "split")]
    try:
        said: dict[str, str] = {}
        for side, process in zip(("okta", "split"), running, strict=True):
            text = ""
            while "token" not in text.lower():
                line = process.stdout.readline() if process.stdout else ""
                if not line:
                    raise SystemExit(f"✗ simulate {side} ended: {text}")
                text += line
            url, token = re.search(r"http://\S+", text), re.search(r"(?i)token\W+(\S+)", text)
            app = re.search(r"0oa\w+", text)
            assert url is not None and token is not None  # noqa: S101, PT018
            said |= {side: url[0].rstrip("."), f"{side}-token": token[1], **({"app": app[0]} if app else {})}
        yield said
    finally:
        for process in running:
            process.terminate()
            process.wait()


def told(what: str, began: float) -> None:
    sys.stdout.write(f"✓ {what}  ({time.monotonic() - began:.0f} s)\n")
    sys.stdout.flush()


def settle(root: Clean, said: dict[str, str], state: str, owner: str) -> None:
    """Settings and tokens of both simulators in /etc/syncd."""
    place = root.path / "etc/syncd"
    place.mkdir(exist_ok=True)
    text = SETTINGS.format(state=state, okta=said["okta"], app=said.get("app", "0oa1"), split=said["split"])
    for name, content in (
        ("acme.toml", text),
        ("okta-token", said["okta-token"]),
        ("split-token", said["split-token"]),
    ):
        (place / name).write_text(content, encoding="ascii")
        root.run("chown", owner, f"/etc/syncd/{name}")
        root.run("chmod", "600", f"/etc/syncd/{name}")


def wheels() -> Path:
    """Everything that constraints-fleet.txt pins, and so constraints.txt, to be installed without an index."""
    place = ROOT / "build" / "wheels-fleet"
    if not place.exists():
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"]
        pinned = ["--only-binary", ":all:", "-r", str(ROOT / "constraints-fleet.txt"), "-d", f"{place}.new"]
        subprocess.run([*pip, *pinned], check=True)  # noqa: S603
        Path(f"{place}.new").rename(place)
    return place
