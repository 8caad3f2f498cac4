"""The step that sees the worker of a fleet, under its unit, beside Debian's PostgreSQL."""

from __future__ import annotations

import re
import time
from pathlib import Path

from distribution.booted.machine import (
    DAEMON,
    act,
    active_people,
    main_pid,
    of,
    run,
    runs,
    seen,
    settings_text,
    started_anew,
    token,
    until,
    until_answered,
)

WORKER = "syncd-worker.service"
LARGEST_EXPOSURE = 1.2
STOPS_WITHIN = 10.0
_AS_POSTGRES = ("setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "--")
_CREDENTIAL = "-pLoadCredential=fleet-database:/etc/syncd/credentials/fleet-database"


def _in_the_fleet(*words: str) -> str:
    """A command on the fleet, with the credential that the unit has."""
    asking = ["systemd-run", "--pipe", "--wait", "--collect", "--quiet", "-pUser=syncd", _CREDENTIAL]
    return run(*asking, "/usr/bin/syncd", "-q", "fleet", *words)


def _prepared() -> None:
    """As docs/fleet.md says: a role with a database, its URL and the tokens as root's credentials."""
    until("PostgreSQL answers", lambda: "accepting" in run(*_AS_POSTGRES, "pg_isready", code=None))
    for asked in ("CREATE ROLE syncd LOGIN PASSWORD 'of-a-trial'", "CREATE DATABASE syncd OWNER syncd"):
        run(*_AS_POSTGRES, "psql", "-q", "-c", asked)
    place = Path("/etc/syncd/credentials")
    (place / "tokens").mkdir(mode=0o700)
    for name, text in (
        ("fleet-database", "postgresql://syncd:of-a-trial@127.0.0.1/syncd"),
        ("tokens/okta", token("okta")),
        ("tokens/split", "another-split-token-0123456789"),
    ):
        (place / name).touch(mode=0o600)
        (place / name).write_text(text, encoding="ascii")
    Path("/etc/syncd/fleet.toml").write_text(
        '[fleet]\ndatabase = { credential = "fleet-database" }\n', encoding="ascii"
    )
    folder = Path("/etc/syncd/fleet")
    folder.mkdir()
    text = settings_text().replace('"okta-token"', '"tokens_okta"').replace('"split-token"', '"tokens_split"')
    (folder / "acme.toml").write_text(text, encoding="ascii")


def worker() -> str:
    """It takes the daemon's place for a while: both would own the same Split organisation."""
    run("systemctl", "disable", "--now", "--quiet", DAEMON)
    run("dpkg", "-i", "/root/fleet.deb")
    _prepared()
    for words in (("migrate",), ("check",), ("apply", "/etc/syncd/fleet", "--yes")):
        _in_the_fleet(*words)
    run("systemctl", "enable", "--now", "--quiet", WORKER)
    seen(runs(WORKER), f"systemctl start came back, and it is {of(WORKER, 'SubState')}")
    until_answered(9464, "/readyz")
    _sees("by.worker@example.com")
    said = run("systemd-analyze", "security", "--no-pager", WORKER)
    found = re.search(r"Overall exposure level for \S+: ([0-9.]+)", said)
    if found is None or float(found[1]) > LARGEST_EXPOSURE:
        seen(False, said)  # noqa: FBT003
    pid, restarts = main_pid(WORKER), int(of(WORKER, "NRestarts"))
    run("kill", "-KILL", str(pid))
    started_anew(pid, restarts, WORKER)
    _sees("after.worker@example.com")
    began = time.monotonic()
    run("systemctl", "stop", WORKER)
    seconds = int(of(WORKER, "ExecMainExitTimestampMonotonic")) / 1e6 - began
    ended = (of(WORKER, "Result"), of(WORKER, "ExecMainStatus"))
    seen(ended == ("success", "0") and seconds <= STOPS_WITHIN, f"{ended} after {seconds:.1f} s")
    run("dpkg", "--purge", "syncd-fleet")
    seen(of(WORKER, "LoadState") == "not-found", "its unit is still there")
    run("systemctl", "enable", "--now", "--quiet", DAEMON)
    return (
        f"READY, syncs, goes on after kill -9, gone {seconds:.1f} s after systemctl stop; exposure"
        f" {found[1] if found else ''}; purged, and the daemon goes on"
    )


def _sees(mail: str) -> None:
    act("okta", "add_user", email=mail, first_name="Of", last_name="Worker", assign=True)
    until(f"{mail} has an account", lambda: mail in active_people())
