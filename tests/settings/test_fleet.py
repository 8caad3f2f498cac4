"""`fleet.toml`: what it says, what is refused, and where the database may be."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from syncd.core.lease import LeaseTerms
from syncd.errors import ConfigurationError
from syncd.settings import ConnectionSettings, parse
from syncd.settings.fleet import Database, FleetFile, FleetSettings, FleetTable, database_of, load_fleet
from syncd.settings.json_schema import fleet_schema
from syncd.settings.schema import HooksSettings
from syncd.settings.secrets import SecretRef
from tests.connection_text import connection_text

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


HOOKS = '[hooks]\nlisten = "127.0.0.1:9465"\n'
OF_ORG = '[[hooks.org]]\norg_url = "https://acme.okta.com"\nsecret = { env = "HOOK" }\n'


def of_connection(directory: Path, org: str) -> ConnectionSettings:
    text = connection_text(
        "acme",
        okta=(org, "0oa1gjh63g214q0Hq0g4"),
        split="https://acme.example.com/scim/v2",
        tokens=("OKTA", "SPLIT"),
        more='[hooks]\nlisten = "127.0.0.1:9999"\nsecret = { env = "OWN" }\n',
    )
    return parse(text, file=directory / "acme.toml", environ={})


def test_what_a_connection_says_of_hooks_gives_way_to_what_the_fleet_says_of_its_org(tmp_path: Path) -> None:
    more = 'header = "X-Hook"\nprevious_secret = { env = "BEFORE" }\n'
    silent = read(LEAST + OF_ORG + more, tmp_path)
    heard = read(LEAST + HOOKS + OF_ORG + more, tmp_path)
    ours, other = (
        of_connection(tmp_path, "https://acme.okta.com"),
        of_connection(tmp_path, "https://b.okta.com"),
    )

    hooks = silent.rule(ours).hooks
    assert (hooks.come, hooks.listen, hooks.header) == (True, "", "X-Hook")
    assert [str(hooks.secret), str(hooks.previous_secret)] == ['{ env = "HOOK" }', '{ env = "BEFORE" }']
    assert heard.rule(ours).hooks.address == ("127.0.0.1", 9465)
    assert heard.rule(other).hooks == HooksSettings()
    assert not heard.rule(other).hooks.come
    assert heard.rule(other).fleet_file == heard.path


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (HOOKS, "fleet.toml:4 hooks.listen: hears nobody: no [[hooks.org]]"),
        (
            HOOKS + "[[hooks.org]]\n",
            "hooks.org[0].org_url: is missing: add it under [[hooks.org]], after line 5",
        ),
        (OF_ORG.replace("secret", "#"), "fleet.toml:4 hooks.org[0].secret: is missing"),
        (OF_ORG + OF_ORG, "fleet.toml:7 hooks.org[1].org_url: is there twice; while a secret is replaced"),
        (OF_ORG.replace("acme.", "acme-admin."), 'write: org_url = "https://acme.okta.com"'),
        (OF_ORG + 'previous = "a"\n', "hooks.org[0].previous: is an unknown key"),
        (
            HOOKS + 'secret = { env = "A" }\n' + OF_ORG,
            "is an unknown key here; it belongs under [[hooks.org]]",
        ),
        (
            HOOKS.replace("9465", "9464") + OF_ORG,
            "hooks.listen: is also fleet.listen: the status page must not be",
        ),
        (HOOKS.replace("127.0.0.1:", "") + OF_ORG, 'write: listen = "127.0.0.1:9465"'),
        ("[hook]\n", 'hook: is an unknown key; did you mean "hooks"?'),
    ],
)
def test_what_cannot_be_heard_is_refused_with_the_way_out(text: str, said: str, tmp_path: Path) -> None:
    assert said in refused(LEAST + text, tmp_path)


def test_other_machines_that_post_without_tls_and_secrets_in_the_file_are_warned_of(tmp_path: Path) -> None:
    open_to_all = HOOKS.replace("127.0.0.1", "192.0.2.1") + OF_ORG.replace(
        '{ env = "HOOK" }', '"in-the-file-0815"'
    )
    [secret, listen] = read(LEAST + open_to_all, tmp_path).warnings()
    assert secret.startswith("hooks.org[0].secret: ")
    assert listen.startswith("hooks.listen: lets other machines post hooks without TLS")
    assert list(read(LEAST + HOOKS + OF_ORG, tmp_path).warnings()) == []


def test_the_schema_takes_hooks_and_no_other_keys() -> None:
    judge = Draft202012Validator(fleet_schema())
    org = {"org_url": "https://acme.okta.com", "secret": {"env": "HOOK"}}
    least = {"fleet": {"database": {"env": "DB"}}}
    assert judge.is_valid({**least, "hooks": {"listen": "127.0.0.1:9465", "org": [org]}})
    assert not judge.is_valid({**least, "hooks": {"org": [{"org_url": "https://acme.okta.com"}]}})
    assert not judge.is_valid({**least, "hooks": {"secret": {"env": "HOOK"}}})
