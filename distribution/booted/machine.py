"""How the steps ask the machine: commands, what systemd says of a unit, its journal, both simulators."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")

DAEMON = "syncd.service"
WITHIN = 600.0
"""Seconds for what is a moment on a real machine: this one is emulated, and others share its processor."""
PORTS = {"okta": 8801, "split": 8802}


class UnseenError(Exception):
    """What should have been seen and was not."""


def seen(is_so: object, otherwise: str) -> None:
    if not is_so:
        raise UnseenError(otherwise)


def run(*command: str, code: int | None = 0) -> str:
    """What it wrote. Raises UnseenError where it ends otherwise than with `code` (None: however it ends)."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=3 * WITHIN)  # noqa: S603
    if code not in (None, done.returncode):
        raise UnseenError(f"{' '.join(command)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout + done.stderr


def as_syncd(*words: str) -> Any:
    """A command by hand, as the owner of the store; its document."""
    owner = ["setpriv", "--reuid=syncd", "--regid=syncd", "--clear-groups", "--"]
    command = [*owner, "/usr/bin/syncd", "-q", "-c", "/etc/syncd", *words, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=3 * WITHIN)  # noqa: S603
    seen(done.returncode == 0, f"{' '.join(command)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return json.loads(done.stdout)


def until(what: str, ask: Callable[[], T], within: float = WITHIN) -> T:
    """The first answer that is true. Raises UnseenError after so many seconds."""
    deadline = time.monotonic() + within
    while not (answer := ask()):
        if time.monotonic() > deadline:
            raise UnseenError(f"not within {within:.0f} s: {what}")
        time.sleep(0.5)
    return answer


def of(unit: str, name: str) -> str:
    """One property of a unit (org.freedesktop.systemd1(5))."""
    return run("systemctl", "show", "--value", "-p", name, unit).strip()


def main_pid(unit: str = DAEMON) -> int:
    return int(of(unit, "MainPID"))


def runs(unit: str = DAEMON) -> bool:
    return (of(unit, "ActiveState"), of(unit, "SubState")) == ("active", "running")


def started_anew(before: int, restarts: int, unit: str = DAEMON) -> int:
    """Waits until systemd itself has started it again and it said READY; its process."""

    def look() -> int:
        pid = main_pid(unit)
        return pid if pid not in (0, before) and runs(unit) else 0

    pid = until(f"{unit} started again by systemd and ready", look)
    counted = int(of(unit, "NRestarts"))
    seen(counted == restarts + 1, f"NRestarts is {counted}, and was {restarts}")
    return pid


def status_with(*words: str) -> str:
    """Waits until the daemon's STATUS has all of these."""

    def look() -> str:
        text = of(DAEMON, "StatusText")
        return text if all(word in text for word in words) else ""

    return until(f"STATUS with {' and '.join(words)}", look)


def journal(unit: str = DAEMON, pid: int = 0) -> list[Mapping[str, Any]]:
    """Its entries as journalctl gives them, oldest first; with `pid` what that process wrote."""
    by_process = [f"_PID={pid}"] if pid else []
    said = run("journalctl", "--no-pager", "-o", "json", "-u", unit, *by_process)
    return [json.loads(line) for line in said.splitlines() if line.startswith("{")]


def events(unit: str = DAEMON, pid: int = 0) -> Iterator[Mapping[str, Any]]:
    """What syncd itself said in them."""
    for entry in journal(unit, pid):
        message = entry.get("MESSAGE")
        if isinstance(message, str) and message.startswith("{"):
            yield json.loads(message)


def event(name: str, pid: int) -> Mapping[str, Any]:
    """Waits for an event that this process logs; the last one of that name."""

    def look() -> list[Mapping[str, Any]]:
        return [each for each in events(DAEMON, pid) if each["event"] == name]

    return until(f"the event {name!r} in the journal", look)[-1]


def http(port: int, method: str, path: str, body: object = None) -> tuple[int, str]:
    """Status 0 where nobody answers."""
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request(method, path, None if body is None else json.dumps(body))
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    except OSError:
        return 0, ""
    finally:
        connection.close()


def until_answered(port: int, path: str) -> None:
    """Waits for 200: of /readyz, that everything was read whole."""
    until(f"{path} at {port} answers 200", lambda: http(port, "GET", path)[0] == 200)


def control(side: str, method: str, path: str, body: object = None) -> Any:
    """The control interface of a simulator (docs/simulators.md)."""
    status, text = http(PORTS[side], method, f"/_control/{path}", body)
    seen(status == 200, f"{side} answers {method} {path} with {status}: {text}")
    return json.loads(text)


def active_people() -> set[str]:
    """The accounts that are active in Split, by userName."""
    users = control("split", "GET", "state")["world"]["users"]
    return {each["userName"] for each in users if each.get("active", True)}


def act(side: str, name: str, **arguments: object) -> None:
    control(side, "POST", "act", {"act": name, **arguments})


# the settings, as docs/operations.md says

SETTINGS = """name = "acme"
state = "/var/lib/syncd"
[okta]
org_url = "http://127.0.0.1:8801"
app_id = "{app}"
token = {{ credential = "okta-token" }}
[split]
base_url = "http://127.0.0.1:8802/scim/v2"
token = {{ credential = "split-token" }}
[schedule]
delta = "10s"
[server]
listen = "{listen}"
"""


def settings_text(listen: str = "127.0.0.1:9464") -> str:
    app = control("okta", "GET", "state")["world"]["app"]["id"]
    return SETTINGS.format(app=app, listen=listen)


def settle(listen: str = "127.0.0.1:9464") -> None:
    place = Path("/etc/syncd/acme.toml")
    new = place.with_suffix(".new")
    new.write_text(settings_text(listen), encoding="ascii")
    run("chown", "root:syncd", str(new))
    new.chmod(0o640)
    new.rename(place)


def token(side: str) -> str:
    """What the simulator takes at first."""
    return f"{side}-token-of-the-trial-0123456789"


def give_token(side: str, text: str) -> None:
    """Into the file that LoadCredential= names: root's alone."""
    place = Path("/etc/syncd/credentials") / f"{side}-token"
    new = place.with_suffix(".new")
    new.touch(mode=0o600)
    new.write_text(text, encoding="ascii")
    new.rename(place)
