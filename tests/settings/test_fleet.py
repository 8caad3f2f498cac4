"""`fleet.toml`: what it says, what is refused, and where the database may be."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from syncd.core.lease import LeaseTerms
from syncd.errors import ConfigurationError
from syncd.settings.fleet import Database, FleetFile, FleetSettings, FleetTable, database_of, load_fleet
from syncd.settings.json_schema import fleet_schema
from syncd.settings.secrets import SecretRef

LEAST = '[fleet]\ndatabase = { env = "DB" }\n'


def read(text: str, directory: Path, environ: Mapping[str, str] | None = None) -> FleetSettings:
    file = directory / "fleet.toml"
    file.write_text(text, encoding="utf-8")
    return load_fleet(file, environ=environ or {})


def refused(text: str, directory: Path) -> str:
    with pytest.raises(ConfigurationError) as caught:
        read(text, directory)
    return caught.value.message.replace(f"{directory}/", "")


def database(url: str) -> Database:
    return database_of(SecretRef("env", "DB", "url", _environ={"DB": url}))


def test_the_shortest_file_has_the_promised_defaults(tmp_path: Path) -> None:
    found = read(LEAST, tmp_path)
    assert found.path == tmp_path / "fleet.toml"
    fleet = found.fleet
    assert (fleet.worker, fleet.mode, fleet.capacity, fleet.cycles) == ("", "work", 400, 32)
    assert fleet.terms == LeaseTerms(lasts=15.0, renewed_every=3.0, margin=5.0)


def test_every_key_can_be_set(tmp_path: Path) -> None:
    more = 'worker = "one"\nmode = "watch"\ncapacity = 7\ncycles = 2\nlease = "1m"\nrenew = "5s"\nmargin = "20s"\n'
    fleet = read(LEAST + more, tmp_path).fleet
    assert (fleet.worker, fleet.mode, fleet.capacity, fleet.cycles) == ("one", "watch", 7, 2)
    assert fleet.terms == LeaseTerms(60.0, 5.0, 20.0)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "fleet.toml:1 fleet: is missing"),
        ("[fleet]\n", "fleet.database: is missing"),
        (LEAST + 'mode = "look"\n', 'fleet.mode: must be "work" or "watch"'),
        (LEAST + "capacity = 0\n", "fleet.capacity: is out of range: it must be at least 1"),
        (LEAST + "lease = 15\n", "fleet.lease: is a bare number"),
        (LEAST + 'lease = "1s"\n', "fleet.lease: is too short: at least 5s"),
        (LEAST + 'renew = "4s"\n', "fleet.toml:3 fleet.renew: is too seldom: 3 times `renew`"),
        (LEAST + 'leese = "15s"\n', 'fleet.leese: is an unknown key; did you mean "lease"?'),
        (LEAST + "qqq = 1\n", "is an unknown key; known here: database, worker, mode"),
        (LEAST + "[okta]\n", "is an unknown key; known here: fleet"),
        ("[fleet\n", "is not TOML"),
        (LEAST + f'worker = "{"x" * 101}"\n', "fleet.worker: is longer than 100 characters"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(text: str, said: str, tmp_path: Path) -> None:
    assert said in refused(text, tmp_path)


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    said = refused(LEAST + 'leese = "15s"\ncapacity = "many"\n', tmp_path)
    assert "2 problems in the settings" in said


def test_a_file_that_is_not_there_is_a_problem_like_others(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="there is no such file"):
        load_fleet(tmp_path / "none.toml", environ={})


@pytest.mark.parametrize(
    ("url", "hosts", "mode", "shown"),
    [
        ("postgresql://s:p@db.example/syncd", ("db.example",), "verify-full", "syncd on db.example"),
        (
            "postgresql://s:p@a.example:5433,b.example/syncd",
            ("a.example", "b.example"),
            "verify-full",
            "syncd on a",
        ),
        ("postgres://s@127.0.0.1:5433/syncd", ("127.0.0.1",), "prefer", "syncd on 127.0.0.1"),
        ("postgresql://s@[::1]:5433/syncd?sslmode=disable", ("::1",), "disable", "syncd on ::1"),
        (
            "postgresql:///syncd?host=/run/postgresql",
            ("/run/postgresql",),
            "prefer",
            "syncd on /run/postgresql",
        ),
        ("postgresql://", (), "prefer", "the default database on this machine"),
    ],
)
def test_to_another_machine_the_certificate_is_always_checked(
    url: str, hosts: tuple[str, ...], mode: str, shown: str
) -> None:
    found = database(url)
    assert found.hosts == hosts
    assert f"sslmode={mode}" in found.url
    assert found.shown.startswith(shown)
    assert ":p@" not in found.shown
    assert ":p@" not in repr(found)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("mysql://s:geheim@db.example/syncd", "is not the URL of a PostgreSQL database"),
        ("host=db.example password=geheim", "is not the URL of a PostgreSQL database"),
        ("postgresql://s:geheim@db.example/syncd?sslmode=require", "says sslmode=require"),
        ("postgresql://s:geheim@127.0.0.1,db.example/syncd?sslmode=prefer", "says sslmode=prefer"),
        ("postgresql://s:geheim@localhost/syncd?host=db.example&sslmode=allow", "says sslmode=allow"),
        ("postgresql://s:geheim@localhost/syncd?hostaddr=192.0.2.1&sslmode=disable", "says sslmode=disable"),
        ("postgresql:///syncd?service=geheim", "names a service"),
    ],
)
def test_a_url_that_is_none_or_trusts_anybody_is_refused_without_being_shown(url: str, why: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        database(url)
    assert why in caught.value.message
    assert "geheim" not in f"{caught.value.message} {caught.value.hint}"
    assert caught.value.exit_code == 78


def test_the_schema_knows_every_key_and_no_other() -> None:
    schema = fleet_schema()
    Draft202012Validator.check_schema(schema)
    judge = Draft202012Validator(schema)
    assert set(schema["properties"]) == set(FleetFile.model_fields)
    assert set(schema["$defs"]["FleetTable"]["properties"]) == set(FleetTable.model_fields)
    assert judge.is_valid({"fleet": {"database": {"env": "DB"}, "lease": "15s"}})
    assert not judge.is_valid({"fleet": {"database": {"env": "DB"}, "leese": "15s"}})
    assert not judge.is_valid({"fleet": {}})
