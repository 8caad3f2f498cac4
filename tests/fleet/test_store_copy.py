"""`syncd store copy`: a store moves into a fleet and back, by the real command, and nothing is lost."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from syncd.store.postgres.registry import PostgresRegistry
from tests.e2e.rig import Rig, synced_crew
from tests.fleet.machines import document, fleet, fleet_file, syncd
from tests.fleet.making import applicant, ids, run_out
from tests.service.connecting import schedule

pytestmark = pytest.mark.timeout(300)


@dataclass
class Moving:
    """A synced store in a file, and its connection in a fleet, paused."""

    made: Rig
    fleet: Path
    database: str

    @property
    def in_fleet(self) -> list[str]:
        return ["--fleet", str(self.fleet), "--connection", "acme"]

    @property
    def in_file(self) -> list[str]:
        return ["-c", str(self.made.config)]

    def said(self, *arguments: str | Path, code: int) -> str:
        return " ".join(syncd(*arguments, code=code).stderr.split())

    def there(self, file: Path | None = None) -> list[str | Path]:
        return ["store", "copy", "--from", file or self.made.store, "--to", "fleet", *self.in_fleet]

    def back(self, file: Path | None = None) -> list[str | Path]:
        return ["store", "copy", "--from", "fleet", "--to", file or self.made.store, *self.in_fleet]

    def head(self, where: list[str]) -> str:
        found = document("audit", "verify", *where)
        assert found["intact"] is True
        return str(found["head"])


@pytest.fixture
def moving(tmp_path: Path, database: str) -> Iterator[Moving]:
    with synced_crew(tmp_path, people=12, members=5) as made:
        place = tmp_path / "of the fleet"
        place.mkdir()
        file = fleet_file(place, database)
        fleet(file, "apply", made.config, "--yes")
        fleet(file, "pause", "acme")
        yield Moving(made, file, database)


def test_a_store_moves_there_and_back_with_the_same_chain_and_nothing_to_do(moving: Moving) -> None:
    made, head = moving.made, moving.head(moving.in_file)
    there = document(*moving.there())
    assert there["head"] == head
    assert there["rows"] == int(head.partition(":")[0])
    assert there["tables"]["users"] == 12
    assert there["tables"]["members"] == 5
    assert there["from"].startswith(f"the file {made.store} on ")
    assert moving.head(moving.in_fleet) == head
    assert document("plan", *moving.in_fleet)["changes"] == []
    left = moving.said("status", *moving.in_file, code=78)
    assert f"the store {made.store} was moved to {there['to']}, and is not used any more" in left
    assert "was moved to" in moving.said("sync", *moving.in_file, code=78)

    back = document(*moving.back())
    assert (back["head"], back["rows"], back["tables"]) == (head, there["rows"], there["tables"])
    assert Path(back["kept"]).exists()
    assert moving.head(moving.in_file) == head
    assert document("plan", *moving.in_file)["changes"] == []
    for command in (["status"], ["pause"], ["plan"]):
        assert f"was moved to {back['to']}" in moving.said(*command, *moving.in_fleet, code=78)


def test_a_store_that_came_back_and_went_on_moves_there_again(moving: Moving) -> None:
    syncd(*moving.there())
    syncd(*moving.back())
    moving.made.okta.world.add_user("new@example.com", "New", "Hire", assign=True)
    syncd("sync", *moving.in_file)
    head = moving.head(moving.in_file)
    assert document(*moving.there())["head"] == head
    assert moving.head(moving.in_fleet) == head
    assert document("plan", *moving.in_fleet)["changes"] == []


def test_people_read_what_was_moved_and_what_comes_next(moving: Moving) -> None:
    said = syncd(*moving.there()).stdout
    assert "acme: moved from the file" in said
    assert "12 users, 1 group, 5 memberships" in said
    assert "Next: syncd --fleet " in said
    assert " --connection acme plan there, which is empty" in said
    said = syncd(*moving.back()).stdout
    assert "Next: syncd -c SETTINGS plan, with the settings of that file, which is empty" in said


def test_what_was_interrupted_before_it_arrived_is_moved_by_the_next_try(moving: Moving) -> None:
    head, made = moving.head(moving.in_file), moving.made
    there = document(*moving.there())["to"]
    with psycopg.connect(moving.database) as session:  # the fleet's database never heard of the commit
        session.execute("ALTER TABLE syncd.journal_t DISABLE TRIGGER journal_no_change")
        for (table,) in session.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'syncd' AND tablename LIKE '%\\_t'"
        ).fetchall():
            session.execute(sql.SQL("DELETE FROM syncd.{}").format(sql.Identifier(table)))
        session.execute("ALTER TABLE syncd.journal_t ENABLE TRIGGER journal_no_change")
    assert there in moving.said("status", *moving.in_file, code=78)
    assert document(*moving.there())["head"] == head
    assert moving.head(moving.in_fleet) == head

    syncd(*moving.back())
    for lost in made.store.parent.glob("acme.db*"):  # the file never got its name
        lost.unlink()
    assert document(*moving.back())["head"] == head
    assert moving.head(moving.in_file) == head


def test_what_was_killed_at_any_moment_is_moved_by_the_next_try(moving: Moving) -> None:
    head = moving.head(moving.in_file)
    for direction, where in ((moving.there(), moving.in_fleet), (moving.back(), moving.in_file)):
        lives, ended = 0.3, False
        while not ended:
            command = [sys.executable, "-m", "syncd", *map(str, direction)]
            with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as one:
                try:
                    assert one.wait(lives) == 0
                    ended = True
                except subprocess.TimeoutExpired:
                    one.kill()
            lives += 0.1
        assert moving.head(where) == head
        assert document(*direction)["head"] == head
    assert document("plan", *moving.in_file)["changes"] == []


def test_what_has_arrived_is_found_by_the_next_try_and_left_as_it_is(moving: Moving) -> None:
    first = document(*moving.there())
    assert document(*moving.there()) == first
    back = document(*moving.back())
    again = document(*moving.back())
    assert (again["head"], again["tables"]) == (back["head"], back["tables"])


def test_a_store_that_went_elsewhere_or_went_on_there_is_not_moved_again(moving: Moving) -> None:
    syncd(*moving.there())
    syncd("pause", *moving.in_fleet)
    assert "was moved to" in moving.said(*moving.there(), code=78)
    syncd(*moving.back())
    assert "was moved to" in moving.said(*moving.back(moving.made.folder / "other.db"), code=78)


def test_a_connection_that_workers_may_serve_keeps_its_store(moving: Moving) -> None:
    before = moving.made.store.read_bytes()
    fleet(moving.fleet, "pause", "acme", "--off")
    assert "first syncd fleet pause acme" in moving.said(*moving.there(), code=3)
    with PostgresRegistry(moving.database) as registry:
        registry.join(applicant("one"))
        assert registry.claim("one", [ids(registry.look())["acme"]])
    for direction in (moving.there(), moving.back(moving.made.folder / "new.db")):
        assert "worker one serves acme" in moving.said(*direction, code=3)
    run_out(moving.database, "one")
    fleet(moving.fleet, "pause", "acme")
    said = moving.said(*moving.there(), code=3)
    assert "ended without a word" in said
    assert "seconds" in said
    assert moving.made.store.read_bytes() == before
    assert not (moving.made.folder / "new.db").exists()


def test_a_file_that_somebody_writes_with_is_not_moved(moving: Moving) -> None:
    schedule(moving.made)
    moving.made.okta.world.add_user("new@example.com", "New", "Hire", assign=True)
    moving.made.split.faults.add("delay", path=r"/Users", count=-1, seconds=1.0)
    command = [sys.executable, "-m", "syncd", "run", *moving.in_file, "--log-format", "json"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as daemon:
        assert daemon.stderr is not None
        try:
            assert any('"event": "running"' in line for line in daemon.stderr), (
                "it has the store from there on"
            )
            said = moving.said(*moving.there(), code=3)
        finally:
            daemon.kill()
            daemon.communicate()
    assert "has been writing with this store since" in said
    assert "stop it first" in said
    syncd(*moving.there())


def test_a_place_that_has_another_store_keeps_it(moving: Moving) -> None:
    syncd(*moving.there())
    with closing(sqlite3.connect(moving.made.store)) as store:  # a store that lives, in the way
        store.execute("DELETE FROM meta WHERE key = 'moved_to'")
        store.commit()
    head = moving.head(moving.in_file)
    assert "there is a store" in moving.said(*moving.back(), code=3)
    assert "there is a store already" in moving.said(*moving.there(), code=3)
    assert moving.head(moving.in_file) == moving.head(moving.in_fleet) == head
    assert not list(moving.made.store.parent.glob("*.replaced-*"))


def test_a_file_that_is_no_store_or_not_there_is_named(moving: Moving) -> None:
    nothing = moving.made.folder / "nothing.db"
    assert f"there is no store {nothing}" in moving.said(*moving.there(nothing), code=64)
    assert not nothing.exists()
    text = moving.made.folder / "letter.txt"
    text.write_text("Dear reader, this is no store at all." * 40)
    text.chmod(0o600)
    for direction in (moving.there(text), moving.back(text)):
        assert "is not a store of syncd" in moving.said(*direction, code=78)
    assert text.read_text().startswith("Dear reader")


def test_what_nobody_ever_served_in_the_fleet_is_no_store_that_moves(moving: Moving) -> None:
    file = moving.made.folder / "nobodys.db"
    said = moving.said(*moving.back(file), code=64)
    assert "acme has no store in this fleet yet: nobody has served it there, and nothing is moved" in said
    assert not file.exists()
    assert document("status", *moving.in_fleet)["last_complete_read"] is None


def test_a_store_of_another_app_or_another_connection_is_refused(moving: Moving) -> None:
    text = moving.made.config.read_text()
    app = moving.made.okta.world.app.id
    other = moving.made.folder / "renamed"
    other.mkdir()
    (other / "acme.toml").write_text(text.replace(app, "0oaSomeOtherApp00001"))
    fleet(moving.fleet, "apply", other / "acme.toml", "--yes")
    said = moving.said(*moving.there(), code=3)
    assert "the store is not moved: it belongs to" in said
    assert app in said
    (other / "acme.toml").unlink()
    (other / "globex.toml").write_text(
        text.replace('"acme"', '"globex"').replace(moving.made.split.base_url, "http://127.0.0.1:1/scim/v2")
    )
    fleet(moving.fleet, "apply", other / "globex.toml", "--yes")
    fleet(moving.fleet, "pause", "globex")
    words: list[str | Path] = [
        "store",
        "copy",
        "--from",
        moving.made.store,
        "--to",
        "fleet",
        "--fleet",
        moving.fleet,
    ]
    assert "belongs to acme, not to globex" in moving.said(*words, "--connection", "globex", code=78)
    assert "there is no connection called acne" in moving.said(*words, "--connection", "acne", code=64)


def test_what_makes_no_sense_is_said_before_anything_is_opened(moving: Moving, tmp_path: Path) -> None:
    store: str | Path = moving.made.store
    senseless: list[list[str | Path]] = [
        ["--from", store, "--to", tmp_path / "copy.db", *moving.in_fleet],
        ["--from", "fleet", "--to", "fleet", *moving.in_fleet],
    ]
    for words in senseless:
        assert "one of --from and --to is a file" in moving.said("store", "copy", *words, code=64)
    nameless: list[list[str | Path]] = [
        ["--fleet", moving.fleet],
        [*moving.in_file],
        [*moving.in_fleet, "--connection", "globex"],
    ]
    for words in nameless:
        said = moving.said("store", "copy", "--from", store, "--to", "fleet", *words, code=64)
        assert "give --connection NAME" in said
    nowhere: list[str | Path] = ["--fleet", tmp_path / "none.toml", "--connection", "acme"]
    said = moving.said("store", "copy", "--from", store, "--to", "fleet", *nowhere, code=78)
    assert "none.toml: there is no such file" in said
