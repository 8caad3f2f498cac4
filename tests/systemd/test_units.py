"""The units are judged by systemd itself, on copies whose ExecStart= exists on this machine."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from syncd.core.sickness import Quarantine
from syncd.observe.notices import Facts, Memory, decide
from syncd.service.visitors import SEATS_AT_MOST, seats_of

UNITS = Path(__file__).parents[2] / "systemd"
SERVICES = ("syncd.service", "syncd@.service", "syncd-sync.service")
DAEMONS = SERVICES[:2]
TIMER = "syncd-sync.timer"
LARGEST_EXPOSURE = 1.2

judged_by_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed"
)


@pytest.fixture
def copies(tmp_path: Path) -> Path:
    """The units with an executable that is there, and an instance of the template."""
    for unit in [*UNITS.glob("*.service"), *UNITS.glob("*.timer")]:
        text = re.sub(r"(?m)^ExecStart=\S+", f"ExecStart={sys.executable}", unit.read_text(encoding="utf-8"))
        (tmp_path / unit.name.replace("@.", "@split-prod.")).write_text(text, encoding="utf-8")
    return tmp_path


def analyze(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["systemd-analyze", *words], capture_output=True, text=True, check=False)


def settings_of(unit: str) -> list[tuple[str, str]]:
    lines = (UNITS / unit).read_text(encoding="utf-8").splitlines()
    pairs = (line.partition("=") for line in lines if line and line[0] not in "#[")
    return [(key, value) for key, _, value in pairs]


def values(unit: str, key: str) -> list[str]:
    return [value for name, value in settings_of(unit) if name == key]


def conflicts(unit: str) -> set[str]:
    return {name for value in values(unit, "Conflicts") for name in value.split()}


@judged_by_systemd
def test_systemd_finds_no_fault_in_the_units(copies: Path) -> None:
    verified = analyze("verify", "--man=no", *sorted(copies.iterdir()))
    assert (verified.returncode, verified.stdout + verified.stderr) == (0, "")


@judged_by_systemd
@pytest.mark.parametrize("unit", SERVICES)
def test_every_service_is_locked_in(copies: Path, unit: str) -> None:
    rated = analyze("security", "--offline=true", "--no-pager", copies / unit.replace("@.", "@split-prod."))
    if "unrecognized option" in rated.stderr:
        pytest.skip("this systemd-analyze knows no --offline (before systemd 250)")
    found = re.search(r"Overall exposure level for \S+: ([0-9.]+)", rated.stdout)
    assert found, rated.stderr
    assert float(found[1]) <= LARGEST_EXPOSURE, rated.stdout


@pytest.mark.parametrize("unit", SERVICES[1:])
def test_the_services_are_hardened_alike(unit: str) -> None:
    def hardening(name: str) -> list[tuple[str, str]]:
        return settings_of(name)[[key for key, _ in settings_of(name)].index("User") :]

    ours = [pair for pair in hardening(unit) if pair[0] != "WantedBy"]
    assert ours == [pair for pair in hardening("syncd.service") if pair[0] != "WantedBy"]


@pytest.mark.parametrize("unit", DAEMONS)
def test_a_daemon_is_watched_and_not_restarted_for_what_a_person_must_mend(unit: str) -> None:
    assert values(unit, "Type") == ["notify"]
    assert values(unit, "NotifyAccess") == ["main"]
    assert values(unit, "WatchdogSec")
    assert values(unit, "RestartPreventExitStatus") == ["64 78"]
    assert values(unit, "ExecReload") == ["/bin/kill -HUP $MAINPID"]


@pytest.mark.parametrize("unit", SERVICES)
def test_a_stop_is_given_more_than_the_ten_seconds_that_syncd_promises(unit: str) -> None:
    [given] = values(unit, "TimeoutStopSec")
    assert 10 < int(given.removesuffix("s")) <= 15


@pytest.mark.parametrize("unit", DAEMONS)
def test_a_daemon_and_the_timer_stop_each_other_whichever_is_started(unit: str) -> None:
    """Either may name the other for systemd to act on it; nobody can name every instance, so an instance names all."""
    assert TIMER in conflicts(unit)
    if "@" in unit:
        assert "syncd.service" in conflicts(unit)
    else:
        assert unit in conflicts(TIMER)
    assert "syncd-sync.service" not in conflicts(unit), "one sync by hand does not stop the daemon"


@pytest.mark.parametrize(
    ("starts", "stops"),
    [("syncd.service", TIMER), ("syncd@.service", TIMER), ("syncd@.service", "syncd.service")],
)
def test_who_takes_the_place_of_another_begins_once_that_one_has_ended(starts: str, stops: str) -> None:
    """Conflicts= alone lets both happen at once; with an order between two units, whichever it is, a stop comes before
    a start (systemd.unit(5)). The other way round would be a circle.
    """
    after = {name for value in values(starts, "After") for name in value.split()}
    assert stops in after
    assert starts not in {name for value in values(stops, "After") for name in value.split()}


@pytest.mark.parametrize("unit", SERVICES)
def test_a_service_has_files_enough_for_many_connections_whoever_visits(unit: str) -> None:
    [limit] = values(unit, "LimitNOFILE")
    assert seats_of(int(limit)) == SEATS_AT_MOST
    assert int(limit) > 8 * SEATS_AT_MOST


@pytest.mark.parametrize("unit", SERVICES)
def test_no_unit_holds_a_secret_or_asks_for_a_capability(unit: str) -> None:
    assert values(unit, "Environment") == []
    assert [value.split(":")[0] for value in values(unit, "LoadCredential")] == ["okta-token", "split-token"]
    assert values(unit, "CapabilityBoundingSet") == [""]


def test_whoever_speaks_of_a_new_token_says_that_a_credential_of_systemd_needs_a_restart() -> None:
    """A reload leaves systemd's copy as it is: no text may say that nothing has to be done."""
    alerts = (UNITS.parent / "docs" / "monitoring" / "alerts.yml").read_text(encoding="utf-8")
    operations = (UNITS.parent / "docs" / "operations.md").read_text(encoding="utf-8")
    facts = Facts(kind="full", status="succeeded", token_created="2025-01-01", token_days_left=5)
    sick = Quarantine(
        "split", "Split answers 401", datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)
    )
    told = [
        *decide("acme", Memory(), facts)[0],
        *decide("acme", Memory(), replace(facts, quarantine=sick))[0],
    ]
    assert len({notice.title for notice in told}) > 1
    for text in (alerts, operations, *(notice.text for notice in told)):
        [said] = [line for line in text.splitlines() if "credential" in line and "restart" in line][:1]
        assert "no restart" not in said


def test_the_user_and_the_directories_of_the_units_are_made() -> None:
    sysusers = (UNITS / "syncd.sysusers").read_text(encoding="utf-8")
    assert re.search(r"(?m)^u syncd - ", sysusers)
    made = dict(
        re.findall(r"(?m)^d (\S+) (\S+) ", (UNITS / "syncd.tmpfiles").read_text(encoding="utf-8")),
    )
    assert made == {"/etc/syncd": "0750", "/etc/syncd/credentials": "0711", "/var/lib/syncd": "0700"}


@pytest.mark.skipif(shutil.which("systemd-sysusers") is None, reason="systemd-sysusers is not installed")
def test_systemd_understands_who_the_user_is(tmp_path: Path) -> None:
    """In an empty root, so that this machine stays as it is."""
    (tmp_path / "etc").mkdir()
    shown = subprocess.run(
        ["systemd-sysusers", "--dry-run", f"--root={tmp_path}", UNITS / "syncd.sysusers"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert shown.returncode == 0, shown.stderr
    assert "syncd" in shown.stdout + shown.stderr


WORKER = "syncd-worker.service"
OTHERWISE = {"StateDirectory", "StateDirectoryMode", "LoadCredential", "LimitNOFILE", "WantedBy"}
"""A worker keeps nothing on its machine, has the secrets of many connections, and sessions with PostgreSQL."""


def test_a_worker_is_hardened_like_the_daemon() -> None:
    def hardening(name: str) -> list[tuple[str, str]]:
        found = settings_of(name)[[key for key, _ in settings_of(name)].index("User") :]
        return [pair for pair in found if pair[0] not in OTHERWISE]

    assert hardening(WORKER) == hardening("syncd.service")
    assert values(WORKER, "Environment") == []
    assert values(WORKER, "Type") == ["notify"]
    assert values(WORKER, "WatchdogSec")
    assert values(WORKER, "ExecReload") == values("syncd.service", "ExecReload")
    assert values(WORKER, "RestartPreventExitStatus") == ["64 78"]
    assert 10 < int(values(WORKER, "TimeoutStopSec")[0].removesuffix("s")) <= 15
    assert int(values(WORKER, "LimitNOFILE")[0]) > 8 * SEATS_AT_MOST


@judged_by_systemd
def test_a_worker_is_locked_in(copies: Path) -> None:
    rated = analyze("security", "--offline=true", "--no-pager", copies / WORKER)
    if "unrecognized option" in rated.stderr:
        pytest.skip("this systemd-analyze knows no --offline (before systemd 250)")
    found = re.search(r"Overall exposure level for \S+: ([0-9.]+)", rated.stdout)
    assert found, rated.stderr
    assert float(found[1]) <= LARGEST_EXPOSURE, rated.stdout
