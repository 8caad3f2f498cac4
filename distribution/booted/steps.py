"""What has to be seen, in order. Each step returns what it saw, or raises UnseenError."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from distribution.booted.machine import (
    DAEMON,
    PORTS,
    act,
    active_people,
    as_syncd,
    control,
    event,
    give_token,
    http,
    journal,
    main_pid,
    of,
    run,
    runs,
    seen,
    settle,
    started_anew,
    status_with,
    token,
    until,
    until_answered,
)
from distribution.booted.worker import worker

LARGEST_EXPOSURE = 1.2
STOPS_WITHIN = 10.0
INSTANCE, SYNC, TIMER = "syncd@acme.service", "syncd-sync.service", "syncd-sync.timer"
CREDENTIALS = ("okta-token", "split-token")


def simulators() -> str:
    for side, port in PORTS.items():
        people = ["--users", "20", "--groups", "2"] if side == "okta" else []
        serving = ["/usr/bin/syncd", "simulate", side, "--port", str(port), "--token", token(side), *people]
        run("systemd-run", "--quiet", f"--unit=simulate-{side}", *serving)
    for port in PORTS.values():
        until_answered(port, "/_control/state")
    settle()
    for side in PORTS:
        give_token(side, token(side))
    return "an Okta org and a Split organisation on loopback, settings and tokens as docs/operations.md says"


def ready() -> str:
    began = time.monotonic()
    run("systemctl", "enable", "--now", "--quiet", DAEMON)
    seconds = time.monotonic() - began
    seen(runs(), f"systemctl start came back, and it is {of(DAEMON, 'SubState')}")
    event("running", main_pid())
    return f"systemctl start came back with READY after {seconds:.0f} s; Type={of(DAEMON, 'Type')}, active (running)"


def credentials() -> str:
    until_answered(9464, "/readyz")
    for name in CREDENTIALS:
        mode = run("stat", "-c", "%a %U", f"/etc/syncd/credentials/{name}").strip()
        seen(mode == "600 root", f"{name} is {mode}")
        run("setpriv", "--reuid=syncd", "--clear-groups", "cat", f"/etc/syncd/credentials/{name}", code=1)
    environment = Path(f"/proc/{main_pid()}/environ").read_bytes().split(b"\0")
    [place] = [each.split(b"=", 1)[1] for each in environment if each.startswith(b"CREDENTIALS_DIRECTORY=")]
    given = sorted(each.name for each in Path(place.decode()).iterdir())
    seen(given == sorted(CREDENTIALS), f"{place.decode()} has {given}")
    return (
        f"both sides read with the tokens of {place.decode()}; the files are root's, 0600, and not for syncd"
        f" itself; {len(active_people())} people are active in Split"
    )


def status_text() -> str:
    text = status_with("acme: last", "succeeded")
    shown = run("systemctl", "status", "--no-pager", "--lines=0", DAEMON)
    seen(text.split(";")[0] in shown, shown)
    return f"STATUS={text}"


def exposure() -> str:
    said = run("systemd-analyze", "security", "--no-pager", DAEMON)
    found = re.search(r"Overall exposure level for \S+: ([0-9.]+) (\w+)", said)
    if found is None or float(found[1]) > LARGEST_EXPOSURE:
        seen(False, said)  # noqa: FBT003
    assert found is not None  # noqa: S101
    return f"systemd-analyze security of the running unit: {found[1]} {found[2]}"


def journal_fields() -> str:
    pid = main_pid()
    event("running", pid)
    ours = [each for each in journal(pid=pid) if str(each["MESSAGE"]).startswith("{")]
    for entry in ours:
        said = json.loads(entry["MESSAGE"])
        seen({"timestamp", "level", "event"} <= said.keys(), f"lacks a field: {entry['MESSAGE']}")
        where = (entry["_SYSTEMD_UNIT"], entry["SYSLOG_IDENTIFIER"], entry["_TRANSPORT"])
        seen(where == (DAEMON, "syncd", "stdout"), f"from elsewhere: {where}")
    others = [each["MESSAGE"] for each in journal(pid=pid) if each not in ours]
    seen(others == [], f"not JSON: {others}")
    whole = run("journalctl", "--no-pager", "-o", "json")
    for side in PORTS:
        lines = [
            line for line in whole.splitlines() if token(side) in line and f"simulate-{side}" not in line
        ]
        seen(lines == [], f"the token of {side} is in the journal: {lines}")
    return f"{len(ours)} lines, all JSON with timestamp, level, event, and no token; {ours[-1]['MESSAGE']}"


def by_hand() -> str:
    act("okta", "add_user", email="by.hand@example.com", first_name="By", last_name="Hand", assign=True)
    done = as_syncd("sync", "--user", "by.hand@example.com")
    seen("by.hand@example.com" in active_people(), f"the daemon was asked, and did nothing: {done}")
    state = as_syncd("status")["state"]
    given = [f"-pLoadCredential={name}:/etc/syncd/credentials/{name}" for name in CREDENTIALS]
    asking = ["systemd-run", "--pipe", "--wait", "--collect", "--quiet", "-pUser=syncd", *given]
    checked = json.loads(run(*asking, "/opt/syncd/bin/syncd", "-q", "-c", "/etc/syncd", "check", "--json"))
    seen(checked["ok"], f"check says {checked}")
    return f"a sync that the daemon carries out: {done['status']}; status: {state}; check by systemd-run: ok"


def kept_alive() -> str:
    pid, first = main_pid(), int(of(DAEMON, "WatchdogTimestampMonotonic"))
    limit = of(DAEMON, "WatchdogUSec")
    seen(limit == "1min", f"WatchdogUSec={limit}")
    time.sleep(90)
    last = int(of(DAEMON, "WatchdogTimestampMonotonic"))
    seen(last > first and runs() and main_pid() == pid, f"no sign of life in 90 s: {first}, {last}")
    return f"watched ({limit}), alive for 90 s, the same process; two signs of life {(last - first) / 1e6:.0f} s apart"


def reload() -> str:
    pid = main_pid()
    settle(listen="127.0.0.1:9465")
    run("systemctl", "reload", DAEMON)
    until_answered(9465, "/healthz")
    seen(http(9464, "GET", "/healthz")[0] == 0, "the old address answers still")
    event("settings reloaded", pid)
    settle(listen="nowhere")
    run("systemctl", "reload", DAEMON)
    refused = event("settings not used", pid)
    text = status_with("old settings stay")
    seen(http(9465, "GET", "/healthz")[0] == 200, "what it reloaded wrongly is in force")
    settle()
    run("systemctl", "reload", DAEMON)
    until_answered(9464, "/healthz")
    seen(runs() and main_pid() == pid, "it is another process")
    return f"in force at once in the same process; wrong ones are not: {refused['problem'][:90]} | STATUS={text[:100]}"


def rotated() -> str:
    pid, new = main_pid(), "another-split-token-0123456789"
    give_token("split", new)
    said = event("an old credential is used", pid)
    act("split", "regenerate_token", token=new)
    act("okta", "add_user", email="by.token@example.com", first_name="By", last_name="Token", assign=True)
    status_with("in quarantine")
    run("systemctl", "restart", DAEMON)
    until_answered(9464, "/readyz")
    until("who came meanwhile has an account", lambda: "by.token@example.com" in active_people())
    return f"said: {said['error'][:100]}...; quarantined without it, and well after the restart"


def restarted_after(signal: str) -> tuple[int, int, float]:
    """The process that got the signal, the one that systemd started instead, and how many seconds that took."""
    pid, restarts = main_pid(), int(of(DAEMON, "NRestarts"))
    run("kill", signal, str(pid))
    began = time.monotonic()
    new = started_anew(pid, restarts)
    return pid, new, time.monotonic() - began


def stopped_process() -> str:
    pid, new, seconds = restarted_after("-STOP")
    messages = [str(each.get("MESSAGE")) for each in journal()]
    said = [each for each in messages if "Watchdog timeout" in each]
    seen(said, "no word of the watchdog")
    return f"SIGSTOP: {said[-1]}; process {pid} is gone, {new} ready after {seconds:.0f} s"


def killed() -> str:
    _, new, seconds = restarted_after("-KILL")
    as_syncd("audit", "verify")
    act("okta", "add_user", email="after.kill@example.com", first_name="After", last_name="Kill", assign=True)
    until("the new process goes on", lambda: "after.kill@example.com" in active_people())
    return f"kill -9: {new} ready after {seconds:.0f} s, the trail is whole, and the next person came"


def stop() -> str:
    control(
        "split", "POST", "faults", {"action": "hold", "latch": "stop", "method": "POST", "path": "/Users"}
    )
    act("okta", "add_user", email="in.flight@example.com", first_name="In", last_name="Flight", assign=True)
    until("a write waits for its answer", lambda: control("split", "GET", "latches"))
    began = time.monotonic()
    run("systemctl", "stop", DAEMON)
    seconds = int(of(DAEMON, "ExecMainExitTimestampMonotonic")) / 1e6 - began
    ended = {name: of(DAEMON, name) for name in ("Result", "ExecMainStatus", "ActiveState")}
    seen(ended == {"Result": "success", "ExecMainStatus": "0", "ActiveState": "inactive"}, f"{ended}")
    seen(seconds <= STOPS_WITHIN, f"it took {seconds:.1f} s")
    control("split", "POST", "release", {})
    run("systemctl", "start", DAEMON)
    until("whose answer was open is settled", lambda: "in.flight@example.com" in active_people())
    return f"gone {seconds:.1f} s after systemctl stop, with a write that nobody answered; {ended['Result']}, exit 0"


def began_after(unit: str, other: str) -> None:
    """It was started when the other had ended: both at once would want the same store and the same port."""
    seen(of(other, "ActiveState") == "inactive", f"{other} is {of(other, 'ActiveState')} beside {unit}")
    began, ended = of(unit, "InactiveExitTimestampMonotonic"), of(other, "InactiveEnterTimestampMonotonic")
    seen(int(began) >= int(ended), f"{unit} began at {began}, and {other} ended at {ended}")


def instance() -> str:
    run("systemctl", "start", INSTANCE)
    seen(runs(INSTANCE), f"it is {of(INSTANCE, 'SubState')}")
    began_after(INSTANCE, DAEMON)
    text = until("its STATUS", lambda: of(INSTANCE, "StatusText"))
    run("systemctl", "start", DAEMON)
    began_after(DAEMON, INSTANCE)
    return f"{INSTANCE} takes the daemon's place ({text}), and gives it back"


def timer() -> str:
    """As on a machine that was off while a sync was due: the last one is long ago, and no delay at random."""
    act("okta", "add_user", email="by.timer@example.com", first_name="By", last_name="Timer", assign=True)
    edit = Path("/etc/systemd/system") / f"{TIMER}.d" / "now.conf"
    edit.parent.mkdir(parents=True, exist_ok=True)
    edit.write_text("[Timer]\nRandomizedDelaySec=0\n", encoding="ascii")
    run("touch", "-d", "2026-01-01", f"/var/lib/systemd/timers/stamp-{TIMER}")
    run("systemctl", "daemon-reload")
    run("systemctl", "start", TIMER)
    began_after(TIMER, DAEMON)
    until(
        "the timer's sync has ended",
        lambda: of(SYNC, "ExecMainExitTimestampMonotonic") != "0" and of(SYNC, "ActiveState") != "activating",
    )
    ended = (of(SYNC, "Result"), of(SYNC, "ExecMainStatus"))
    seen(ended == ("success", "0"), f"{ended}: {[each.get('MESSAGE') for each in journal(SYNC)][-5:]}")
    seen("by.timer@example.com" in active_people(), "it ended well and did nothing")
    following = run("systemctl", "list-timers", "--no-pager", TIMER).splitlines()[1].strip()
    run("systemctl", "start", DAEMON)
    began_after(DAEMON, TIMER)
    return f"what was missed is made up for: {ended[0]}; {following}"


def upgraded() -> str:
    pid = main_pid()
    run("dpkg", "-i", "/root/next.deb")
    until("the daemon goes on as another process", lambda: runs() and main_pid() != pid)
    until_answered(9464, "/readyz")
    return (
        f"dpkg -i of {run('dpkg-query', '-Wf', '${Version}', 'syncd')}: the daemon that ran goes on with it"
    )


def purged() -> str:
    run("dpkg", "--remove", "syncd")
    seen(of(DAEMON, "LoadState") == "not-found", "the unit is still there")
    seen(run("pgrep", "-u", "syncd", code=None) == "", "something of it runs")
    run("dpkg", "--purge", "syncd")
    left = [each for each in ("/etc/syncd", "/var/lib/syncd", "/opt/syncd") if Path(each).exists()]
    seen(left == [], f"left: {left}")
    return "dpkg --remove stops the daemon and takes the units, --purge settings and stores"


STEPS: Mapping[str, Callable[[], str]] = {
    "simulators": simulators,
    "READY": ready,
    "credentials": credentials,
    "STATUS": status_text,
    "exposure": exposure,
    "journal": journal_fields,
    "commands by hand": by_hand,
    "watchdog, alive": kept_alive,
    "reload": reload,
    "new token": rotated,
    "watchdog, stopped": stopped_process,
    "kill -9": killed,
    "stop": stop,
    "instance": instance,
    "timer": timer,
    "worker of a fleet": worker,
    "upgrade": upgraded,
    "purge": purged,
}
