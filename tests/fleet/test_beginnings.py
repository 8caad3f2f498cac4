"""What a worker does that cannot begin: it says why and what to do, ends with a code, and claims nothing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from syncd.store.postgres import schema
from syncd.store.postgres.sessions import connect
from tests.certificates import self_signed
from tests.fleet.test_commands import url_of
from tests.postgres.fixtures import needs_a_server
from tests.postgres.old_server import old_server
from tests.postgres.pgbouncer import pgbouncer
from tests.postgres.server import Server, running

PASSWORD = "geheim-4711"


@dataclass
class Ended:
    """How `syncd` ended by itself."""

    code: int
    said: str


def syncd(folder: Path, url: str, *command: str) -> Ended:
    """`syncd worker`, or another command, on the database of this URL."""
    secret = folder / "database"
    secret.write_text(url)
    secret.chmod(0o600)
    (folder / "fleet.toml").write_text('[fleet]\ndatabase = { file = "database" }\nlisten = ""\n')
    done = subprocess.run(
        [sys.executable, "-m", "syncd", *(command or ("worker",)), "--fleet", str(folder / "fleet.toml")],
        env={name: value for name, value in os.environ.items() if not name.startswith("SYNCD_")},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert "geheim-4711" not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return Ended(done.returncode, done.stdout + done.stderr)


@pytest.fixture(scope="module")
def walled() -> Iterator[Server]:
    """One that asks for a password, is reached by TCP, and is prepared."""
    needs_a_server()
    with running(password=PASSWORD, tcp=True) as server:
        with connect(f"{server.url()} password={PASSWORD}") as session:
            schema.migrate(session)
        yield server


def nobody_came(server: Server) -> bool:
    with psycopg.connect(f"{server.url()} password={PASSWORD}") as session:
        return session.execute("SELECT count(*) FROM syncd.worker").fetchone() == (0,)


def place(server: Server, options: str = "", *, host: str = "127.0.0.1", password: str = PASSWORD) -> str:
    return f"postgresql://syncd:{password}@{host}:{server.port}/postgres?{options}"


def test_where_nobody_listens(tmp_path: Path) -> None:
    ended = syncd(tmp_path, "postgresql://syncd@127.0.0.1:1/syncd")
    assert ended.code == 1
    assert "the fleet's database syncd on 127.0.0.1 cannot be reached" in ended.said
    assert "check the server, and `database` with its user, password and sslmode" in ended.said


def test_a_wrong_password(walled: Server, tmp_path: Path) -> None:
    ended = syncd(tmp_path, place(walled, password="geheim-4711-not"))
    assert ended.code == 1
    assert 'password authentication failed for user "syncd"' in ended.said
    assert "check the server, and `database` with its user, password and sslmode" in ended.said
    assert nobody_came(walled)


def test_a_server_that_is_too_old_is_asked_nothing(tmp_path: Path) -> None:
    with old_server() as server:
        ended = syncd(tmp_path, server.url)
    assert ended.code == 78
    assert "the fleet's database syncd on 127.0.0.1 is PostgreSQL 14" in ended.said
    assert "syncd needs 15 or newer" in ended.said
    assert set(server.asked) <= {b"X"}


@pytest.mark.parametrize(
    ("version", "oldest_worker", "sentence", "hint"),
    [
        (0, 0, "was prepared by an older syncd (schema 0", "run `syncd fleet migrate` once"),
        (
            99,
            99,
            "was made by a newer syncd, which shuts this version out",
            "install that newer version here",
        ),
    ],
)
def test_a_schema_that_is_not_for_this_version(
    walled: Server, tmp_path: Path, version: int, oldest_worker: int, sentence: str, hint: str
) -> None:
    numbers = "UPDATE syncd.version SET version = %s, oldest_worker = %s"
    with psycopg.connect(f"{walled.url()} password={PASSWORD}", autocommit=True) as session:
        session.execute(numbers, (version, oldest_worker))
        try:
            ended = syncd(tmp_path, place(walled))
        finally:
            session.execute(numbers, (schema.VERSION, schema.OLDEST_WORKER))
    assert ended.code == 78
    assert sentence in ended.said
    assert hint in ended.said
    assert nobody_came(walled)


def test_tls_that_is_asked_for_and_not_offered_or_with_the_certificate_of_another_name(
    walled: Server, tmp_path: Path
) -> None:
    authority, _ = self_signed(tmp_path)
    strict = f"sslmode=verify-full&sslrootcert={authority}"
    ended = syncd(tmp_path, place(walled, strict))
    assert ended.code == 1
    assert "server does not support SSL, but SSL was required" in ended.said

    show_certificate(walled, authority, tmp_path / "key.pem")
    ended = syncd(tmp_path, place(walled, strict, host="localhost"))
    assert ended.code == 1
    assert 'does not match host name "localhost"' in ended.said
    assert "check the server, and `database` with its user, password and sslmode" in ended.said
    assert nobody_came(walled)
    ended = syncd(tmp_path, place(walled, strict), "fleet", "check")
    assert ended.code == 0
    assert "by TLS; the server's certificate is checked" in ended.said


def show_certificate(server: Server, certificate: Path, key: Path) -> None:
    """From now on the server offers TLS with it."""
    for path, name in ((certificate, "server.crt"), (key, "server.key")):
        there = server.directory / "data" / name
        shutil.copy(path, there)
        there.chmod(0o600)
        shutil.chown(there, server.directory.stat().st_uid)
    with psycopg.connect(f"{server.url()} password={PASSWORD}", autocommit=True) as session:
        session.execute("ALTER SYSTEM SET ssl = on")
        session.execute("SELECT pg_reload_conf()")
        while session.execute("SHOW ssl").fetchone() != ("on",):
            pass


def test_a_real_pgbouncer_in_transaction_mode_is_refused_and_one_in_session_mode_is_not(
    postgres: Server, database: str, tmp_path: Path
) -> None:
    name = database.rpartition("=")[2]
    with pgbouncer(postgres, "transaction") as pooler:
        ended = syncd(tmp_path, f"postgresql://syncd@/{name}?host={pooler}&port=6432")
    assert ended.code == 78
    assert "is behind a pooler in transaction mode, which mixes up what sessions have set" in ended.said
    assert "PgBouncer: pool_mode = session" in ended.said
    with psycopg.connect(database) as session:
        assert session.execute("SELECT count(*) FROM syncd.worker").fetchone() == (0,)
    with pgbouncer(postgres, "session") as pooler:
        ended = syncd(tmp_path, f"postgresql://syncd@/{name}?host={pooler}&port=6432", "fleet", "check")
    assert ended.code == 0, ended.said
    assert "are our own from statement to statement" in ended.said


def test_a_settings_file_that_is_wrong_or_for_a_split_that_has_an_owner_changes_nothing(
    database: str, tmp_path: Path
) -> None:
    settings = tmp_path / "connections"
    settings.mkdir()
    good = """name = "{name}"
[okta]
org_url = "https://example.okta.com"
app_id = "0oa1gjh63g214q0Hq0g4"
token = {{ env = "OKTA_API_TOKEN" }}
[split]
base_url = "https://split.example/scim/v2"
token = {{ env = "SPLIT_SCIM_TOKEN" }}
"""
    (settings / "acme.toml").write_text(good.format(name="acme"))
    (settings / "globex.toml").write_text(
        good.format(name="globex").replace("https://split", "ftp://split") + "x = 1\n"
    )
    url = url_of(database)
    ended = syncd(tmp_path, url, "fleet", "apply", str(settings), "--yes")
    assert ended.code == 78
    assert "globex.toml" in ended.said
    assert "split.base_url" in ended.said
    assert "split.x" in ended.said
    (settings / "globex.toml").write_text(good.format(name="globex"))
    ended = syncd(tmp_path, url, "fleet", "apply", str(settings / "acme.toml"), "--yes")
    assert ended.code == 0
    ended = syncd(tmp_path, url, "fleet", "apply", str(settings / "globex.toml"), "--yes")
    assert ended.code == 3
    assert "globex and acme would own the same Split organisation https://split.example/scim/v2" in ended.said
    assert "keep one of them in the fleet" in ended.said
    with psycopg.connect(database) as session:
        assert session.execute("SELECT name FROM syncd.connection").fetchall() == [("acme",)]
