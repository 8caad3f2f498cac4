"""`syncd fleet`: the database is prepared, settings are put in, and everybody sees who owns what."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from syncd.store.postgres import schema
from syncd.store.postgres.registry import PostgresRegistry
from tests.cli.invoking import SPLIT_TOKEN, Answer, Invoker, invoker, write_config
from tests.fleet.making import applicant, enrol, ids, run_out
from tests.postgres.fixtures import new_database
from tests.postgres.server import Server
from tests.schema.judging import problems

Fleet = Callable[..., Answer]


def url_of(conninfo: str) -> str:
    """The same as a URL."""
    parts = dict(each.split("=", 1) for each in conninfo.split())
    port = f"&port={parts['port']}" if "port" in parts else ""
    return f"postgresql://{parts['user']}@/{parts['dbname']}?host={parts['host']}{port}"


@pytest.fixture
def syncd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Invoker:
    monkeypatch.delenv("SYNCD_FLEET", raising=False)
    return invoker(tmp_path, monkeypatch, capsys)


@pytest.fixture
def unprepared(postgres: Server, monkeypatch: pytest.MonkeyPatch) -> str:
    """A database that nobody prepared; the settings of the fleet refer to it."""
    found = new_database(postgres, migrated=False)
    monkeypatch.setenv("FLEET_DB", url_of(found))
    return found


@pytest.fixture
def fleet(syncd: Invoker, unprepared: str) -> Fleet:
    """Runs a `syncd fleet` command on it; every document is judged."""
    (syncd.directory / "fleet.toml").write_text('[fleet]\ndatabase = { env = "FLEET_DB" }\n')

    def run(*arguments: str | Path) -> Answer:
        said = syncd("fleet", *arguments)
        if "--json" in arguments:
            assert problems(said.document) == []
        return said

    assert unprepared
    return run


@pytest.fixture
def registry(fleet: Fleet, unprepared: str) -> Iterator[PostgresRegistry]:
    """Of the prepared database."""
    assert fleet("migrate").exit_code == 0
    with PostgresRegistry(unprepared) as one:
        yield one


def folder(syncd: Invoker, *names: str, more: str = "") -> Path:
    place = syncd.directory / "connections"
    place.mkdir(exist_ok=True)
    for name in names:
        write_config(place / f"{name}.toml", base_url=f"http://127.0.0.1:1/{name}", more=more)
    return place


def names(document: dict[str, Any]) -> list[str]:
    return [each["name"] for each in document["connections"]]


def test_a_database_that_nobody_prepared_is_refused_until_it_is(fleet: Fleet) -> None:
    said = fleet("status")
    assert said.exit_code == 78
    assert "is not prepared for syncd" in said.stderr
    assert "syncd fleet migrate" in said.stderr
    first = fleet("migrate", "--json")
    assert first.exit_code == 0
    assert first.document["done"] == [f"steps taken: {', '.join(name for name, _ in schema.STEPS)}"]
    assert fleet("migrate", "--json").document["done"] == ["nothing was to be done: it is up to date"]
    assert fleet("status").exit_code == 0


def test_a_database_of_a_newer_version_or_an_older_one_is_refused(
    fleet: Fleet, registry: PostgresRegistry, unprepared: str
) -> None:
    del registry
    for change, said in (
        ("UPDATE syncd.version SET version = 99, oldest_worker = 99", "newer syncd"),
        ("UPDATE syncd.version SET version = 0, oldest_worker = 0", "older syncd"),
    ):
        with psycopg.connect(unprepared) as session:
            session.execute(change.encode())
        found = fleet("status")
        assert found.exit_code == 78
        assert said in found.stderr


def test_settings_are_put_in_after_asking_and_the_second_time_nothing_changes(
    fleet: Fleet, registry: PostgresRegistry, syncd: Invoker
) -> None:
    place = folder(syncd, "acme", "globex")
    assert fleet("apply", place).exit_code == 64, "there is nobody to ask"
    first = fleet("apply", place, "--yes", "--json")
    assert first.exit_code == 0
    assert names(first.document) == ["acme", "globex"]
    assert first.document["done"] == ["added: 2 connections (acme, globex)"]
    again = fleet("apply", place, "--yes", "--json")
    assert again.document["done"] == ["already so: 2 connections (acme, globex)"]
    folder(syncd, "acme", more='[schedule]\nfull = "1h"\n')
    changed = fleet("apply", place / "acme.toml", "--yes", "--json")
    assert changed.document["done"] == [
        "changed: 1 connection (acme)",
        "in none of the files, left as it is: 1 connection (globex)",
    ]
    text, _ = registry.text_of(ids(registry.look())["acme"])
    assert text == (place / "acme.toml").read_text()


def test_a_new_connection_may_begin_paused_and_one_that_is_there_stays_as_it_is(
    fleet: Fleet, registry: PostgresRegistry, syncd: Invoker
) -> None:
    fleet("apply", folder(syncd, "acme"), "--yes")
    place = folder(syncd, "acme", "globex", more='[schedule]\nfull = "1h"\n')
    said = fleet("apply", place, "--paused", "--yes", "--json").document
    assert {each["name"]: each["state"] for each in said["connections"]} == {
        "acme": "free",
        "globex": "paused",
    }
    assert said["done"] == ["added, paused: 1 connection (globex)", "changed: 1 connection (acme)"]
    registry.join(applicant("one"))
    assert [each.name for each in registry.claim("one", list(ids(registry.look()).values()))] == ["acme"]


def test_of_files_of_which_one_is_wrong_none_is_put_in(
    fleet: Fleet, registry: PostgresRegistry, syncd: Invoker
) -> None:
    place = folder(syncd, "acme")
    (place / "broken.toml").write_text("[okta]\n")
    said = fleet("apply", place, "--yes")
    assert said.exit_code == 78
    assert "broken.toml" in said.stderr
    assert list(registry.look().connections) == []


def test_a_secret_in_a_file_does_not_go_into_the_database(
    fleet: Fleet, registry: PostgresRegistry, syncd: Invoker
) -> None:
    place = folder(syncd, "acme")
    file = place / "acme.toml"
    file.write_text(file.read_text().replace('{ env = "SPLIT_SCIM_TOKEN" }', f'"{SPLIT_TOKEN}"'))
    said = fleet("apply", place, "--yes")
    assert said.exit_code == 78
    assert "would stand in the database" in said.stderr
    assert SPLIT_TOKEN not in said.stderr
    assert list(registry.look().connections) == []


def test_two_connections_of_one_split_organisation_are_refused_with_both_names(
    fleet: Fleet, registry: PostgresRegistry, syncd: Invoker
) -> None:
    place = folder(syncd, "acme")
    assert fleet("apply", place, "--yes").exit_code == 0
    other = syncd.directory / "other.toml"
    other.write_text((place / "acme.toml").read_text().replace('"acme"', '"globex"'))
    said = fleet("apply", other, "--yes")
    assert said.exit_code == 3
    assert "globex and acme would own the same Split organisation" in said.stderr
    assert [each.name for each in registry.look().connections] == ["acme"]


def test_status_shows_who_owns_what_and_who_is_silent(
    fleet: Fleet, registry: PostgresRegistry, syncd: Invoker, unprepared: str
) -> None:
    fleet("apply", folder(syncd, "acme", "globex", "initech", "umbrella"), "--yes")
    numbers = ids(registry.look())
    registry.join(applicant("one"))
    registry.join(applicant("two"))
    registry.claim("one", [numbers["acme"]])
    registry.claim("two", [numbers["globex"]])
    run_out(unprepared, "two")
    fleet("pause", "umbrella")
    document = fleet("status", "--json").document
    assert {each["name"]: (each["state"], each["owner"]) for each in document["connections"]} == {
        "acme": ("owned", "one"),
        "globex": ("silent", "two"),
        "initech": ("free", None),
        "umbrella": ("paused", None),
    }
    assert {each["name"]: each["owned"] for each in document["workers"]} == {"one": 1, "two": 1}
    text = fleet("status").stdout
    assert "acme      owned by one" in text
    assert "2 workers, 4 connections" in text


def test_people_pause_drain_and_move_and_take_it_back(
    fleet: Fleet, registry: PostgresRegistry, syncd: Invoker
) -> None:
    fleet("apply", folder(syncd, "acme"), "--yes")
    registry.join(applicant("one"))
    assert fleet("pause", "acme", "--json").document["connections"][0]["state"] == "paused"
    assert fleet("pause", "acme", "--off", "--json").document["connections"][0]["state"] == "free"
    assert fleet("drain", "one", "--json").document["workers"][0]["draining"] is True
    assert fleet("drain", "one", "--off", "--json").document["workers"][0]["draining"] is False
    assert fleet("move", "acme", "one", "--json").document["connections"][0]["bound_for"] == "one"
    for wrong in (("pause", "acne"), ("drain", "two"), ("move", "acme", "two"), ("move", "acne", "one")):
        said = fleet(*wrong)
        assert said.exit_code == 64
        assert "syncd fleet status names all" in said.stderr


def test_check_says_what_is_well_and_what_is_missing(
    fleet: Fleet, registry: PostgresRegistry, syncd: Invoker
) -> None:
    found = {each["name"]: each["state"] for each in fleet("check", "--json").document["checks"]}
    assert found == {
        "database": "ok",
        "encryption": "ok",
        "standbys": "info",
        "schema": "ok",
        "sessions": "ok",
        "workers": "warn",
        "connections": "info",
    }
    registry.join(applicant("one", capacity=1))
    fleet("apply", folder(syncd, "acme", "globex"), "--yes")
    said = fleet("check")
    assert said.exit_code == 0
    assert "2 connections, more than there is room for" in said.stdout


@pytest.mark.usefixtures("registry")
def test_check_says_that_a_database_takes_no_writes(fleet: Fleet, unprepared: str) -> None:
    with psycopg.connect(unprepared, autocommit=True) as admin:
        name = sql.Identifier(admin.info.dbname)
        admin.execute(sql.SQL("ALTER DATABASE {} SET default_transaction_read_only = on").format(name))
    said = fleet("check", "--json")
    assert said.exit_code == 1
    found = said.document["checks"][0]
    assert (found["name"], found["state"]) == ("database", "fail")
    assert "takes no writes: default_transaction_read_only is on" in found["detail"]


@pytest.mark.parametrize(
    ("listen", "secret", "org", "said"),
    [
        ("127.0.0.1:9465", "s", "https://example.okta.com", ("ok", "heard at 127.0.0.1:9465, of 1 org")),
        ("", "", "https://example.okta.com", ("info", "not heard on this machine")),
        ("127.0.0.1:9465", "", "https://example.okta.com", ("fail", "hooks.org[0].secret cannot be read")),
        ("127.0.0.1:9465", "s", "https://b.okta.com", ("warn", "https://b.okta.com: no connection")),
    ],
)
def test_check_says_whether_event_hooks_can_be_heard_here(
    fleet: Fleet,
    registry: PostgresRegistry,
    syncd: Invoker,
    monkeypatch: pytest.MonkeyPatch,
    listen: str,
    secret: str,
    org: str,
    said: tuple[str, str],
) -> None:
    enrol(registry, ["acme"])
    monkeypatch.setenv("HOOK", secret)
    with (syncd.directory / "fleet.toml").open("a") as file:
        file.write(
            f'[hooks]\nlisten = "{listen}"\n[[hooks.org]]\norg_url = "{org}"\nsecret = {{ env = "HOOK" }}\n'
        )
    answer = fleet("check", "--json")
    [line] = [each for each in answer.document["checks"] if each["name"] == "event hooks"]
    assert (line["state"], line["detail"][: len(said[1])]) == said
    assert answer.exit_code == (1 if said[0] == "fail" else 0)


def test_check_goes_on_where_it_can_when_nobody_prepared_the_database(fleet: Fleet) -> None:
    said = fleet("check", "--json")
    assert said.exit_code == 78
    found = {each["name"]: each["state"] for each in said.document["checks"]}
    assert (found["database"], found["schema"], found["sessions"], found["workers"]) == (
        "ok",
        "fail",
        "ok",
        "skip",
    )


@pytest.mark.parametrize("command", [("status",), ("check",), ("migrate",), ("pause", "acme")])
def test_without_a_database_each_command_says_so(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, command: tuple[str, ...]
) -> None:
    monkeypatch.setenv("FLEET_DB", f"postgresql://syncd:geheim-4711@/syncd?host={tmp_path}")
    said = fleet(*command)
    assert said.exit_code == 1
    assert "cannot be reached" in said.stderr + said.stdout
    assert "geheim-4711" not in said.stderr + said.stdout


def test_a_database_that_is_not_there_is_named_with_the_servers_word(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch, postgres: Server
) -> None:
    monkeypatch.setenv("FLEET_DB", url_of(postgres.url("nowhere")))
    said = fleet("status")
    assert said.exit_code == 1
    assert 'database "nowhere" does not exist' in said.stderr


def test_without_settings_of_a_fleet_the_places_are_named(syncd: Invoker) -> None:
    said = syncd("fleet", "status")
    assert said.exit_code == 78
    assert "neither ./fleet.toml nor /etc/syncd/fleet.toml exists" in said.stderr
    said = syncd("fleet", "status", "--fleet", "other.toml")
    assert said.exit_code == 78
    assert "other.toml: there is no such file" in said.stderr


def worker(folder: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    """`syncd worker`, which has to end by itself."""
    return subprocess.run(
        [sys.executable, "-m", "syncd", "worker", "--fleet", str(folder / "fleet.toml")],
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_a_worker_that_cannot_begin_says_why_and_claims_nothing(
    fleet: Fleet, syncd: Invoker, unprepared: str, tmp_path: Path
) -> None:
    said = worker(syncd.directory, FLEET_DB=url_of(unprepared))
    assert said.returncode == 78
    assert "is not prepared for syncd" in said.stderr
    said = worker(syncd.directory, FLEET_DB=f"postgresql://syncd@/syncd?host={tmp_path}")
    assert said.returncode == 1
    assert "cannot be reached" in said.stderr
    assert fleet("migrate").exit_code == 0
    with psycopg.connect(unprepared) as session:
        session.execute("UPDATE syncd.version SET version = 99, oldest_worker = 99")
    said = worker(syncd.directory, FLEET_DB=url_of(unprepared))
    assert said.returncode == 78
    assert "newer syncd" in said.stderr
    with psycopg.connect(unprepared) as session:
        assert session.execute("SELECT count(*) FROM syncd.worker").fetchone() == (0,)


def test_a_worker_whose_name_was_used_before_is_refused(
    registry: PostgresRegistry, syncd: Invoker, unprepared: str
) -> None:
    registry.join(applicant("one"))
    file = syncd.directory / "fleet.toml"
    file.write_text(f'{file.read_text()}worker = "one"\nlisten = ""\n')
    said = worker(syncd.directory, FLEET_DB=url_of(unprepared))
    assert said.returncode == 3
    assert "was in this fleet before" in said.stderr


@pytest.mark.parametrize("named", [("--connection", "acme"), ("-c", "acme.toml")])
def test_a_worker_is_given_no_connection_of_ones_choice(
    fleet: Fleet, syncd: Invoker, named: tuple[str, str]
) -> None:
    said = syncd("worker", "--fleet", syncd.directory / "fleet.toml", *named)
    assert said.exit_code == 64
    assert "a worker serves whatever of its fleet is free" in said.stderr
