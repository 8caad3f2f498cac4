"""Who asks PostgreSQL waits for no answer for ever, and stays with no server that takes no writes."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from syncd.errors import TemporaryError
from syncd.store.postgres import answering, quick
from syncd.store.postgres.answering import Unanswered
from syncd.store.postgres.registry import PostgresRegistry
from syncd.store.postgres.sessions import Session, Sessions, connect
from tests.postgres.fixtures import needs_a_server, new_database
from tests.postgres.server import Server, running
from tests.postgres.strait import Strait, strait


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    needs_a_server()
    with running(tcp=True) as own:
        yield own


@pytest.fixture
def way(server: Server) -> Iterator[Strait]:
    with strait(server.port) as made:
        yield made


def over(way: Strait, database: str = "postgres") -> str:
    return f"host=127.0.0.1 port={way.port} user=syncd dbname={database}"


def test_an_answer_that_does_not_come_is_waited_for_so_long_and_no_longer(way: Strait) -> None:
    conn = connect(over(way), answers_within=0.3)
    assert conn.execute("SELECT pg_sleep(0.1)").fetchone() == ("",)
    way.cut()
    with pytest.raises(Unanswered, match="no answer within"):
        conn.execute("SELECT 1")
    assert conn.closed


def test_on_a_way_in_doubt_nobody_waits_for_long_and_the_next_who_asks_gets_a_new_one(
    way: Strait, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answering, "DOUBTED_FOR", 0.2)
    asks = threading.Event()
    sessions = Sessions(over(way), at_most=3)
    with sessions.borrow(), sessions.borrow():
        pass

    def ask() -> None:
        with sessions.borrow() as session:
            asks.set()
            session.conn.execute("SELECT pg_sleep(3600)")

    with ThreadPoolExecutor() as pool:
        asking = pool.submit(ask)
        asks.wait(30)
        sessions.doubt()
        with pytest.raises(psycopg.errors.ConnectionFailure):
            asking.result(30)
    way.cut()
    way.mend(forgetting=True)
    with sessions.borrow() as session:
        assert session.conn.execute("SELECT 1").fetchone() == (1,)
    sessions.close()


def test_on_a_way_in_doubt_nor_does_who_is_only_just_given_a_session(
    way: Strait, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answering, "DOUBTED_FOR", 0.2)
    asks, show = threading.Event(), Session.show

    def shown(session: Session, connection: int) -> None:
        asks.set()
        show(session, connection)

    monkeypatch.setattr(Session, "show", shown)
    sessions = Sessions(over(way), at_most=1)
    with sessions.borrow():
        pass
    way.cut()
    with ThreadPoolExecutor() as pool:
        asking = pool.submit(sessions.take, 1)
        assert asks.wait(30)
        sessions.doubt()
        way.mend(forgetting=True)
        try:
            session = asking.result(30)
        finally:
            way.drop()
    assert session.about == 1
    sessions.give_back(session)
    sessions.close()


def test_who_listens_gets_a_new_way_too_and_all_are_told_of_the_loss_and_of_the_return(
    way: Strait, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quick, "ANSWERS_WITHIN", 1.0)
    database = dict(each.split("=", 1) for each in new_database(server, migrated=True).split())["dbname"]
    told: list[str] = []
    with PostgresRegistry(over(way, database), lost=lambda: told.append("lost")) as one:
        one.look()
        one.woken(0.1)
        way.cut()
        with pytest.raises(TemporaryError, match="no answer within"):
            one.look()
        assert told == ["lost"]
        way.mend(forgetting=True)
        for _ in range(2):
            one.look()
            assert told == ["lost", "lost"]
        with pytest.raises(TemporaryError, match="whether it heard everything"):
            one.woken(0.1)
        one.woken(0.1)
        with PostgresRegistry(server.url(database)) as other:
            other.wake(7)
        assert one.woken(30.0) == {7}


def test_a_session_with_a_server_that_takes_no_writes_is_not_used_again(server: Server) -> None:
    """As one with a standby, to which a name led for a moment: it would lead nowhere else until it ends."""
    url = server.url()
    sessions = Sessions(url, at_most=1)
    with sessions.borrow() as session:
        session.conn.execute("SET default_transaction_read_only = on")
    with sessions.borrow() as session, pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        session.conn.execute("CREATE TABLE never (a int)")
    with sessions.borrow() as session:
        session.conn.execute("CREATE TEMP TABLE now_it_may (a int)")
    sessions.close()
