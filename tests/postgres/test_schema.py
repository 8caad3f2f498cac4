"""The fleet's schema: made once, in steps, by whoever is asked to; guarded like the store's file."""

from __future__ import annotations

import threading

import psycopg
import pytest

from syncd.errors import ConfigurationError
from syncd.store.postgres import schema
from syncd.store.postgres.sessions import connect
from tests.postgres.fixtures import new_database
from tests.postgres.server import Server


def test_a_migration_makes_what_is_missing_once(postgres: Server) -> None:
    url = new_database(postgres, migrated=False)
    with connect(url) as conn:
        with pytest.raises(ConfigurationError, match="not prepared"):
            schema.refuse_unprepared(conn, url)
        assert schema.migrate(conn) == [name for name, _ in schema.STEPS]
        assert schema.migrate(conn) == []
        schema.refuse_unprepared(conn, url)


def test_of_two_migrations_at_once_one_does_the_work(postgres: Server) -> None:
    url = new_database(postgres, migrated=False)
    taken: list[list[str]] = []

    def migrate() -> None:
        with connect(url) as conn:
            taken.append(schema.migrate(conn))

    threads = [threading.Thread(target=migrate) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == [[], [], [name for name, _ in schema.STEPS]]


def test_a_database_that_a_newer_version_closed_is_refused_and_so_is_an_older_one(postgres: Server) -> None:
    url = new_database(postgres, migrated=True)
    with connect(url) as conn:
        conn.execute("UPDATE version SET version = 99")
        schema.refuse_unprepared(conn, url)  # a newer one that still admits this version
        conn.execute("UPDATE version SET oldest_worker = 99")
        with pytest.raises(ConfigurationError, match="newer syncd"):
            schema.refuse_unprepared(conn, url)
        conn.execute("UPDATE version SET version = 0, oldest_worker = 0")
        with pytest.raises(ConfigurationError, match="older syncd"):
            schema.refuse_unprepared(conn, url)


def test_the_journal_is_append_only_also_for_who_comes_by_himself(prepared: str) -> None:
    with connect(prepared) as conn:
        conn.execute("SELECT set_config('syncd.connection', '950', false)")
        conn.execute(
            "INSERT INTO journal (sequence, at, entry, body, previous, hash) VALUES (7, 'now', 'note', '{}', '', '')"
        )
        for statement in ("UPDATE journal SET body = '[]'", "DELETE FROM journal_t", "TRUNCATE journal_t"):
            with pytest.raises(psycopg.IntegrityError, match="append-only"):
                conn.execute(statement)
        with pytest.raises(psycopg.IntegrityError):
            conn.execute(
                "INSERT INTO journal (sequence, at, entry, body, previous, hash)"
                " VALUES (7, 'then', 'note', '{}', '', '')"
            )
        conn.execute("INSERT INTO meta (key, value) VALUES ('journal_checkpoint', '8')")
        assert conn.execute("DELETE FROM journal").rowcount == 1


def test_text_is_ordered_by_its_bytes(prepared: str) -> None:
    with connect(prepared) as conn:
        conn.execute("SELECT set_config('syncd.connection', '951', false)")
        for key in ("a", "B", "_c", "Z", "é"):
            conn.execute("INSERT INTO facts (key, value) VALUES ($1, '')", (key,))
        found = [key for (key,) in conn.execute("SELECT key FROM facts ORDER BY key")]
    assert found == ["B", "Z", "_c", "a", "é"]


def test_a_database_of_the_first_version_is_refused_until_it_is_expanded_and_keeps_what_it_has(
    postgres: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = new_database(postgres, migrated=False)
    first, later = schema.STEPS[:2], schema.STEPS[2:]
    with connect(url) as conn:
        with monkeypatch.context() as before:
            before.setattr(schema, "STEPS", first)
            before.setattr(schema, "VERSION", 1)
            before.setattr(schema, "OLDEST_WORKER", 1)
            assert schema.migrate(conn) == ["001_registry", "002_store"]
            conn.execute("INSERT INTO connection (name) VALUES ('acme')")
        with pytest.raises(ConfigurationError, match="schema 1; this one needs") as refused:
            schema.refuse_unprepared(conn, url)
        assert "syncd fleet migrate" in refused.value.hint

        assert schema.migrate(conn) == [name for name, _ in later]
        schema.refuse_unprepared(conn, url)
        assert conn.execute("SELECT name FROM connection").fetchall() == [("acme",)]
        assert conn.execute("SELECT count(*) FROM hook_event").fetchall() == [(0,)]
