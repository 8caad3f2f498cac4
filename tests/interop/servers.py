"""Independent SCIM servers as targets: scim2-server, django-scim2 (Python), SCIMMY, SAML Jackson (Node).

Each on a free port, in a process of its own, stopped by its pid.
"""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.serving import free_port

ROOT = Path(__file__).parents[2]
SCIMMY = Path(__file__).parent / "scimmy"
JACKSON = Path(__file__).parent / "jackson"


@dataclass(frozen=True)
class Held:
    """What a target holds: active people by userName, and groups with their members' userNames."""

    people: dict[str, tuple[str, str]]
    groups: dict[str, list[str]]


@dataclass(frozen=True)
class ForeignTarget:
    base_url: str
    token: str
    dump: Callable[[], tuple[list[dict[str, Any]], list[dict[str, Any]]]]
    shows_members: bool = True

    def write(self, method: str, path: str, body: dict[str, Any] | None = None) -> None:
        """Somebody else's write, behind syncd's back."""
        request = urllib.request.Request(  # noqa: S310  (a loopback address of our own)
            f"{self.base_url}/{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self.token}", "Content-Type": "application/scim+json"},
        )
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            answer.read()

    def held(self) -> Held:
        users, groups = self.dump()
        names = {user["id"]: user["userName"] for user in users}
        people = {
            user["userName"]: (user["name"].get("givenName", ""), user["name"].get("familyName", ""))
            for user in users
            if user.get("active")
        }
        members = {
            group["displayName"]: sorted(names[member["value"]] for member in group.get("members") or [])
            for group in groups
        }
        assert len(names) == len(set(names.values())), "twins at the target"
        assert len(groups) == len(members), "twins among the groups"
        return Held(people, members)


def _listed(base_url: str, token: str, kind: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while True:
        request = urllib.request.Request(  # noqa: S310  (a loopback address of our own)
            f"{base_url}/{kind}?startIndex={len(found) + 1}&count=100",
            headers={"Authorization": f"Bearer {token}"},
        )
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            page = json.load(answer).get("Resources") or []
        if not page:
            return found
        found += page


def _told_by_lists(base: str, token: str) -> ForeignTarget:
    return ForeignTarget(base, token, lambda: (_listed(base, token, "Users"), _listed(base, token, "Groups")))


def _dumped(port: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Users and groups, from a server that tells what it holds."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/_dump", timeout=10) as answer:
        held = json.load(answer)
    return held["users"], held["groups"]


@contextmanager
def _program(command: Sequence[str], **streams: Any) -> Iterator[subprocess.Popen[Any]]:
    """Ended with the block; `streams` as for Popen."""
    with subprocess.Popen(command, **streams) as process:
        try:
            yield process
        finally:
            process.terminate()


@contextmanager
def scim2_server() -> Iterator[ForeignTarget]:
    port, token = free_port(), "scim2-server-token-9911"
    command = [
        str(Path(sys.executable).with_name("scim2-server")),
        "--bearer-token",
        token,
        "--hostname",
        "127.0.0.1",
        "--port",
        str(port),
    ]
    with _program(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        base = f"http://127.0.0.1:{port}/v2"
        _wait_for(port, process)
        yield _told_by_lists(base, token)


@contextmanager
def scimmy() -> Iterator[ForeignTarget]:
    node = shutil.which("node")
    if node is None or not (SCIMMY / "node_modules" / "scimmy").exists():
        pytest.skip("SCIMMY needs Node.js and the packages that `make test` installs with npm")
    token = "scimmy-token-4242"
    command = [node, "server.mjs", token]
    with _program(command, cwd=SCIMMY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline())

        yield ForeignTarget(f"http://127.0.0.1:{port}/scim", token, partial(_dumped, port))


@contextmanager
def django_scim() -> Iterator[ForeignTarget]:
    """Its user names are unique to the letter; two groups may have one name, which no filter finds."""
    token = "django-scim2-token-3071"
    module = "tests.interop.django_scim.server"
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", module, folder, token]
        with _program(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        ) as process:
            assert process.stdout is not None
            base = f"http://127.0.0.1:{int(process.stdout.readline())}/scim/v2"
            yield _told_by_lists(base, token)


@contextmanager
def jackson() -> Iterator[ForeignTarget]:
    """It shows no members of any group, whatever it has."""
    node = shutil.which("node")
    if node is None or not (JACKSON / "node_modules" / "@boxyhq" / "saml-jackson").exists():
        pytest.skip("SAML Jackson needs Node.js and the packages that `make test` installs with npm")
    with _program(
        [node, "server.mjs"], cwd=JACKSON, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        said = json.loads(process.stdout.readline())
        base = f"http://127.0.0.1:{said['port']}{said['path']}"
        dump = partial(_dumped, said["port"])
        yield ForeignTarget(base, said["token"], dump, shows_members=False)


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(200):
        assert process.poll() is None, "the server ended at once"
        try:
            socket.create_connection(("127.0.0.1", port), timeout=0.2).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError("the server does not listen")
