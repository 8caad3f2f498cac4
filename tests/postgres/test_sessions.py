"""Sessions with the fleet's database: what is set in them, who gets which, and what is said when one cannot be had."""

from __future__ import annotations

import subprocess
import sys
import threading

import psycopg
import pytest

from syncd.errors import ConfigurationError, PermanentError, TemporaryError
from syncd.store.postgres.faults import explain, explained, named
from syncd.store.postgres.sessions import Sessions, connect
from tests.postgres.fixtures import new_database
from tests.postgres.server import Server

EVERY_COMMAND = """
import pkgutil, importlib, sys
import syncd.__main__, syncd.cli.app, syncd.wiring
for each in pkgutil.iter_modules(syncd.cli.__path__, "syncd.cli."):
    importlib.import_module(each.name)
print(sorted(each for each in sys.modules if each.startswith("psycopg")))
"""


def test_psycopg_is_not_imported_without_a_fleet() -> None:
    said = subprocess.run([sys.executable, "-c", EVERY_COMMAND], check=True, capture_output=True, text=True)
    assert said.stdout.strip() == "[]"


def test_a_session_ends_whoever_stands_still_in_a_transaction(prepared: str) -> None:
    with connect(prepared) as conn:
        assert conn.execute("SHOW idle_in_transaction_session_timeout").fetchone() == ("5s",)
        assert conn.execute("SHOW search_path").fetchone() == ("syncd, pg_temp",)
        conn.execute("SET idle_in_transaction_session_timeout = '100ms'")
        conn.execute("BEGIN")
        threading.Event().wait(0.5)
        with pytest.raises(TemporaryError, match="cannot be reached"), explained(prepared):
            conn.execute("SELECT 1")


def test_a_role_that_commits_without_waiting_for_the_disk_is_overruled(postgres: Server) -> None:
    url = new_database(postgres, migrated=False)
    with connect(f"{url} options='-c synchronous_commit=off'") as conn:
        assert conn.execute("SHOW synchronous_commit").fetchone() == ("on",)
    with connect(f"{url} options='-c synchronous_commit=remote_apply'") as conn:
        assert conn.execute("SHOW synchronous_commit").fetchone() == ("remote_apply",)


def test_a_session_shows_one_connection_and_then_another(prepared: str) -> None:
    sessions = Sessions(prepared, at_most=1)
    for number in (901, 902):
        with sessions.borrow(number) as session:
            session.conn.execute("DELETE FROM meta")
            session.conn.execute("INSERT INTO meta (key, value) VALUES ('whose', $1)", (str(number),))
    for number in (901, 902):
        with sessions.borrow(number) as session:
            assert session.conn.execute("SELECT value FROM meta").fetchall() == [(str(number),)]
    sessions.close()


def test_a_session_that_nobody_told_whose_rows_it_shows_shows_none(prepared: str) -> None:
    with connect(prepared) as conn, pytest.raises(psycopg.errors.UndefinedObject):
        conn.execute("SELECT * FROM users")


def test_a_session_left_in_a_transaction_is_not_used_again(prepared: str) -> None:
    sessions = Sessions(prepared, at_most=1)
    with sessions.borrow(903) as session:
        session.conn.execute("BEGIN")
        session.conn.execute("INSERT INTO meta (key, value) VALUES ('half', 'done')")
    with sessions.borrow(903) as another:
        assert another is not session
        assert another.conn.execute("SELECT 1 FROM meta WHERE key = 'half'").fetchone() is None
    sessions.close()


def test_a_session_that_the_server_ended_while_it_lay_idle_is_replaced(prepared: str) -> None:
    sessions = Sessions(prepared, at_most=2)
    with sessions.borrow(904) as session, connect(prepared):
        pid = session.conn.info.backend_pid
    with connect(prepared) as other:
        other.execute("SELECT pg_terminate_backend($1, 5000)", (pid,))
    with sessions.borrow(905) as another:
        assert another.conn.execute("SELECT 1").fetchone() == (1,)
    sessions.close()


def test_after_a_restart_of_the_server_one_act_fails_and_the_next_does_not(prepared: str) -> None:
    sessions = Sessions(prepared, name="restarted", at_most=4)
    with sessions.borrow(907), sessions.borrow(907), sessions.borrow(907):
        pass
    with connect(prepared) as other:
        other.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = 'restarted'"
        )
    with pytest.raises(psycopg.OperationalError), sessions.borrow(907) as session:
        session.conn.execute("SELECT 1")
    for _ in range(3):
        with sessions.borrow(907) as session:
            assert session.conn.execute("SELECT 1").fetchone() == (1,)
    sessions.close()


def test_who_finds_all_sessions_busy_is_told_so(prepared: str) -> None:
    sessions = Sessions(prepared, at_most=1, wait=0.01)
    with sessions.borrow(906), pytest.raises(TemporaryError, match="were busy"), sessions.borrow(906):
        pass
    sessions.close()


def test_a_server_that_is_not_there_is_worth_another_try(postgres: Server) -> None:
    with pytest.raises(TemporaryError, match="cannot be reached"):
        connect("host=/nowhere user=syncd dbname=fleet password=tell-nobody")
    with pytest.raises(TemporaryError, match="does not exist"):
        connect(postgres.url("no_such_database"))
    with pytest.raises(TemporaryError, match="stranger"):
        connect(postgres.url().replace("user=syncd", "user=stranger"))
    with pytest.raises(ConfigurationError, match="no connection string"):
        connect("nonsense")
    assert "tell-nobody" not in named("host=db user=syncd dbname=fleet password=tell-nobody")


@pytest.mark.parametrize(
    ("state", "kind"),
    [
        ("53100", PermanentError),
        ("25006", TemporaryError),
        ("40001", TemporaryError),
        ("57P01", TemporaryError),
        ("08006", TemporaryError),
        ("42501", ConfigurationError),
        ("XX001", PermanentError),
    ],
)
def test_what_the_server_says_becomes_an_error_that_says_what_to_do(
    prepared: str, state: str, kind: type
) -> None:
    with connect(prepared) as conn, pytest.raises(psycopg.Error) as raised:
        conn.execute(f"DO $$ BEGIN RAISE EXCEPTION 'so it is' USING ERRCODE = '{state}'; END $$".encode())
    said = explain(prepared, raised.value)
    assert type(said) is kind
    assert said.hint
