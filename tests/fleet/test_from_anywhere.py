"""The commands on a connection of a fleet: from any machine, while a worker owns it."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from syncd.store.postgres.registry import PostgresRegistry
from tests.e2e.rig import Rig
from tests.fleet.machines import Machine, document, fleet, fleet_file, machine, syncd
from tests.fleet.working import enrolled
from tests.service.connecting import served as served_rig

pytestmark = pytest.mark.timeout(300)


@dataclass
class Anywhere:
    made: Rig
    file: Path
    worker: Machine | None = None

    def run(self, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        return syncd(*arguments, *self._there, code=code)

    def document(self, *arguments: str, code: int = 0) -> dict[str, Any]:
        return document(*arguments, *self._there, code=code)

    @property
    def _there(self) -> list[str]:
        return ["--fleet", str(self.file), "--connection", "acme"]


@contextmanager
def following(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A command whose stderr is read while it waits."""
    command = [sys.executable, "-m", "syncd", *arguments]
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.fixture
def anywhere(tmp_path: Path, database: str) -> Iterator[Anywhere]:
    """A worker owns the connection and has synced it."""
    with served_rig(tmp_path) as made:
        place = tmp_path / "of the fleet"
        place.mkdir()
        file = fleet_file(place, database)
        fleet(file, "apply", made.config, "--yes")
        with machine(file, "one") as worker:
            worker.logs("cycle done", cycle="full")
            yield Anywhere(made, file, worker)
            assert worker.stop() == 0


def test_everything_that_is_read_is_read_from_the_database(anywhere: Anywhere) -> None:
    status = anywhere.document("status")
    assert status["connection"] == "acme"
    assert status["managed"]["users"] == len(anywhere.made.wanted_people())
    assert anywhere.document("audit", "verify")["intact"] is True
    assert anywhere.document("held")["holds"] == []
    assert anywhere.document("skipped")["connection"] == "acme"
    assert anywhere.document("plan")["changes"] == []
    assert anywhere.document("report")["connection"] == "acme"
    one = next(iter(anywhere.made.wanted_people()))
    assert anywhere.document("explain", one)["connection"] == "acme"
    assert anywhere.document("drift")["connection"] == "acme"
    assert anywhere.run("check").returncode == 0


def test_what_is_asked_for_the_owner_carries_out_and_what_is_decided_counts(anywhere: Anywhere) -> None:
    made = anywhere.made
    assert anywhere.document("pause", "--reason", "a move")["decision"] == "pause"
    made.okta.world.add_user("new@example.com", "New", "Hire", assign=True)
    assert anywhere.document("status")["pause"]["reason"] == "a move"
    anywhere.document("resume")
    result = anywhere.document("sync")
    assert result["connection"] == "acme"
    assert result["status"] == "succeeded"
    made.assert_exact()
    assert anywhere.worker is not None
    assert anywhere.worker.events("carries out a request", connection="acme") != []
    assert anywhere.document("audit", "verify")["intact"] is True


def test_who_is_left_out_comes_with_a_command_that_finds_the_fleet(anywhere: Anywhere) -> None:
    made, named = anywhere.made, f"syncd --fleet '{anywhere.file}' --connection acme "
    made.split.world.create_local_user("Mixed.Case@example.com")
    made.okta.world.add_user("mixed.case@example.com", "Mixed", "Case", assign=True)
    anywhere.run("sync")

    way_out = f"{named}link --user mixed.case@example.com"
    assert way_out in [each["way_out"] for each in anywhere.document("skipped")["items"]]
    status = anywhere.document("status")
    assert way_out in [each["way_out"] for each in status["left_out"]["items"]]
    assert way_out in anywhere.run("status").stdout
    assert (status["settings_file"], status["fleet_file"]) == (None, str(anywhere.file))


def test_a_hold_is_approved_from_anywhere(anywhere: Anywhere) -> None:
    made = anywhere.made
    for name in list(made.wanted_people()):
        made.okta.world.unassign(made.okta.world.user(name).id, everywhere=True)
    anywhere.document("sync", code=3)
    held = anywhere.document("held")["holds"]
    assert held != []
    anywhere.document("approve", "--all", "--now")
    assert made.actual_people() == {}


@pytest.mark.parametrize("command", [("backup", "copy.db"), ("doctor",), ("run",)])
def test_what_is_for_a_store_of_this_machine_says_what_there_is_instead(
    tmp_path: Path, database: str, command: tuple[str, ...]
) -> None:
    with served_rig(tmp_path) as made:
        file = fleet_file(tmp_path, database)
        fleet(file, "apply", made.config, "--yes")
        said = Anywhere(made, file).run(*command, code=64).stderr
    assert "is for" in said
    assert "fleet" in said


def test_a_connection_that_the_fleet_does_not_have_is_named(tmp_path: Path, database: str) -> None:
    with served_rig(tmp_path) as made:
        file = fleet_file(tmp_path, database)
        said = Anywhere(made, file).run("status", code=64).stderr
    assert "there is no connection called acme in this fleet" in said


def test_whoever_asks_while_no_worker_serves_it_is_told_so(tmp_path: Path, database: str) -> None:
    with served_rig(tmp_path) as made:
        file = fleet_file(tmp_path, database)
        fleet(file, "apply", made.config, "--yes")
        anywhere = Anywhere(made, file)

        asked = anywhere.run("sync", "--no-wait").stderr
        with following("sync", "--fleet", str(file)) as process:
            told = next(iter(process.stderr or ()))
            process.send_signal(signal.SIGINT)
            assert process.wait() == 130

    assert "no worker serves acme now: the next one that does carries it out" in asked
    assert "no worker serves acme now: request r" in told
    assert "waits until one does" in told


def test_the_status_of_a_connection_that_nobody_served_yet_is_told(tmp_path: Path, database: str) -> None:
    with served_rig(tmp_path) as made:
        file = fleet_file(tmp_path, database)
        fleet(file, "apply", made.config, "--yes")
        found = Anywhere(made, file).document("status")
    assert found["last_complete_read"] is None


def test_what_people_decide_before_anybody_served_it_is_a_whole_trail(tmp_path: Path, database: str) -> None:
    with served_rig(tmp_path) as made:
        file = fleet_file(tmp_path, database)
        fleet(file, "apply", made.config, "--yes")
        anywhere = Anywhere(made, file)
        assert anywhere.document("pause")["decision"] == "pause"
        found = anywhere.document("audit", "verify")
    assert (found["rows"], found["intact"]) == (1, True)


def test_whoever_asks_for_what_is_paused_in_the_fleet_is_told_what_ends_that(
    tmp_path: Path, database: str
) -> None:
    with served_rig(tmp_path) as made:
        file = fleet_file(tmp_path, database)
        fleet(file, "apply", made.config, "--yes", "--paused")
        asked = Anywhere(made, file).run("sync", "--no-wait").stderr
    assert "no worker serves acme now, for it is paused (syncd fleet pause acme --off): the next one" in asked


def test_whoever_has_to_name_one_connection_of_several_is_told_by_which_option(
    tmp_path: Path, database: str
) -> None:
    with served_rig(tmp_path) as made:
        file = fleet_file(tmp_path, database)
        with closing(PostgresRegistry(database)) as registry:
            enrolled(registry, made, "acme")
            enrolled(registry, made, "globex", target="another one")
        said = syncd("groups", "--fleet", file, code=0).stdout
        assert "globex" in said
        said = syncd(
            "expect", "deactivations=3", "--on", "2100-01-01", "--reason", "why", "--fleet", file, code=64
        ).stderr
    assert "expect works on one connection, and there are 2: acme, globex" in said
    assert "name one of them with --connection" in said
    assert "--config" not in said
