"""The Debian package as far as it is told without building it: `make package-test` does the rest on clean roots."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from distribution import deb, fleet_deb
from syncd.store import open_store
from syncd.wiring import utc_now
from tests.packaging.declared import ROOT

RELEASE = deb.Release("0.2.0", "amd64", "3.11")
SCRIPTS = ("postinst", "prerm", "postrm")


def script_of(name: str) -> str:
    return (ROOT / "distribution" / "debian" / name).read_text()


def test_the_control_file_names_what_the_units_need(tmp_path: Path) -> None:
    deb._control(tmp_path, RELEASE)

    text = (tmp_path / "DEBIAN" / "control").read_text()
    fields = dict(line.split(": ", 1) for line in text.splitlines() if not line.startswith(" "))
    needed = [each.split(" ")[0] for each in fields["Depends"].split(", ")]
    assert (fields["Package"], fields["Version"], fields["Architecture"]) == ("syncd", "0.2.0", "amd64")
    # procps: ExecReload= is /bin/kill, which a small system has not.
    assert needed == ["python3", "python3", "ca-certificates", "procps", "tzdata", "systemd"]
    assert "python3 (<< 3.12~)" in fields["Depends"]
    assert sorted(file.name for file in (tmp_path / "DEBIAN").iterdir()) == ["control", *sorted(SCRIPTS)]


def test_what_a_worker_needs_is_a_package_of_its_own_for_the_very_version_beside_it(tmp_path: Path) -> None:
    fleet_deb.control(tmp_path, RELEASE)
    fleet_deb.files_of_the_system(tmp_path)

    text = (tmp_path / "DEBIAN" / "control").read_text()
    assert "Package: syncd-fleet\n" in text
    assert "Depends: python3 (>= 3.11), python3 (<< 3.12~), syncd (= 0.2.0)\n" in text
    assert sorted(file.name for file in (tmp_path / "DEBIAN").iterdir()) == ["control", *sorted(SCRIPTS)]
    [unit] = (tmp_path / "usr/lib/systemd/system").iterdir()
    assert unit.name == "syncd-worker.service"
    assert "ExecStart=/opt/syncd/bin/syncd worker " in unit.read_text()
    assert all("syncd-worker.service" in script_of(f"fleet/{script}") for script in ("postinst", "prerm"))


def test_it_brings_psycopg_in_the_pinned_version_by_its_hashes_and_nothing_that_syncd_brings() -> None:
    pins = list(fleet_deb.only_of_a_fleet())
    assert [each.split("==")[0] for each in pins] == ["psycopg", "psycopg-binary"]
    assert all("--hash=sha256:" in each for each in pins)


def test_the_units_start_what_the_package_brings(tmp_path: Path) -> None:
    deb._files_of_the_system(tmp_path)

    units = sorted(file.name for file in (tmp_path / "usr/lib/systemd/system").iterdir())
    assert units == ["syncd-sync.service", "syncd-sync.timer", "syncd.service", "syncd@.service"]
    for unit in (tmp_path / "usr/lib/systemd/system").glob("*.service"):
        assert "ExecStart=/opt/syncd/bin/syncd " in unit.read_text()
    assert (tmp_path / "usr/bin/syncd").readlink() == Path("/opt/syncd/bin/syncd")
    assert (tmp_path / "usr/lib/sysusers.d/syncd.conf").read_text().count("u syncd ") == 1


def test_the_documentation_has_the_manual_and_the_pages(tmp_path: Path) -> None:
    deb._documentation(tmp_path)

    assert (tmp_path / "usr/share/man/man1/syncd-backup.1.gz").exists()
    assert (tmp_path / "usr/share/doc/syncd/docs/operations.md").exists()
    assert (tmp_path / "usr/share/doc/syncd/copyright").exists()


@pytest.mark.parametrize("script", [*SCRIPTS, *(f"fleet/{script}" for script in SCRIPTS)])
def test_the_maintainers_scripts_are_shell_that_stops_at_the_first_error(script: str) -> None:
    text = script_of(script)

    subprocess.run(["sh", "-n"], input=text, text=True, check=True)
    assert text.startswith("#!/bin/sh\n")
    assert "\nset -e\n" in text


def test_only_a_purge_takes_settings_and_stores_away() -> None:
    assert "rm -rf /etc/syncd /var/lib/syncd" in script_of("postrm").partition("= purge")[2]
    others = [script_of(script) for script in ("postinst", "prerm", *(f"fleet/{each}" for each in SCRIPTS))]
    assert all("rm " not in text for text in others)


def test_a_store_of_0_1_0_is_brought_up_to_date_and_whole(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir(mode=0o700)
    file = tmp_path / "state" / "acme.db"
    with closing(sqlite3.connect(file)) as conn:
        conn.executescript((Path(__file__).parent / "store-0.1.0.sql").read_text(encoding="utf-8"))
        conn.execute("PRAGMA application_id = 0x53594E43")
    file.chmod(0o600)

    with open_store(file, connection="acme", clock=utc_now) as store:
        assert store.verify_journal().intact
        assert (store.population().users, store.population().active_users) == (5, 4)
        assert [group.pushed.name for group in store.groups() if group.pushed] == ["Crew"]


def test_two_packages_of_one_commit_have_the_same_times(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    shutil.copytree(ROOT / "systemd", tmp_path / "tree")

    deb._same_times(tmp_path / "tree")

    assert {int(file.stat().st_mtime) for file in (tmp_path / "tree").rglob("*")} == {1700000000}
    assert {file.stat().st_mode & 0o777 for file in (tmp_path / "tree").rglob("*") if file.is_file()} == {
        0o644
    }
