"""Two writers of one connection: the order is PostgreSQL's, and the one before writes nothing more."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta

import psycopg
import pytest

from syncd.core.change import ChangeKind
from syncd.errors import LockHeld, LockLost, TemporaryError
from syncd.model import PushedUser
from syncd.ports import Settled, UserPushed
from syncd.store.postgres.opening import open_for_reading, open_store
from syncd.store.postgres.sessions import connect
from syncd.store.postgres.store import StoreClaim
from tests.postgres.making import PostgresPlace
from tests.store.making import absorb, change, wanted

ANN = wanted("00u-ann")
UPDATE = change(ChangeKind.UPDATE_USER, "00u-ann", title="Dr")
LASTS = timedelta(minutes=1)


@pytest.fixture
def place(prepared: str) -> Iterator[PostgresPlace]:
    with closing(PostgresPlace(prepared)) as made:
        yield made


def test_who_was_overtaken_writes_nothing_more_but_how_its_run_ended(place: PostgresPlace) -> None:
    with place.open() as first:
        absorb(first, users=[ANN])
        first.lock("syncd worker", expires_in=LASTS)
        run_id = first.begin_run("full")
        place.take_over()
        with place.open() as second:
            head = second.journal_head()
            for write in (
                lambda: first.intend(run_id, [UPDATE]),
                lambda: first.remember("log_cursor", "old"),
                lambda: first.note({"decision": "x"}),
                lambda: first.begin_run("delta"),
                lambda: absorb(first, users=[]),
                first.renew_lock,
            ):
                with pytest.raises(LockLost, match="worker owns it since"):
                    write()
            assert second.journal_head() == head
            assert second.recall("log_cursor") is None
            first.finish_run(run_id, status="failed", summary={}, error="the connection was lost")
            assert second.runs()[0].status == "failed"
            assert second.verify_journal().intact


def test_what_was_written_to_the_target_is_recorded_by_who_wrote_it_unless_the_new_owner_settled_it(
    place: PostgresPlace,
) -> None:
    with place.open() as first:
        absorb(first, users=[ANN])
        run_id = first.begin_run("full")
        told, asked = first.intend(run_id, [UPDATE, UPDATE])
        place.take_over()
        with place.open() as second:
            pushed = UserPushed("00u-ann", PushedUser("scim-ann", {"title": "Dr"}, active=True))
            assert first.settle([Settled(told, UPDATE, (pushed,), status=200)]) == []
            assert [each.sequence for each in second.open_intents()] == [asked]
            assert second.user_by_scim_id("scim-ann") is not None
            second.settle([Settled(asked, UPDATE, note="asked the target")])
            late = Settled(asked, UPDATE, status=200)
            head = second.journal_head()
            assert first.settle([late]) == [late]
            assert second.journal_head() == head


def test_a_takeover_waits_for_the_transaction_under_way(place: PostgresPlace) -> None:
    with place.open() as first, connect(place.url) as other:
        other.execute("SET lock_timeout = '100ms'")
        taken = "UPDATE owner SET epoch = epoch + 1 WHERE connection = $1"
        with first.writing() as db:
            db.execute("INSERT INTO facts (key, value) VALUES ('half', '1')")
            with pytest.raises(psycopg.errors.LockNotAvailable):
                other.execute(taken, (place.number,))
        assert other.execute(taken, (place.number,)).rowcount == 1
        with pytest.raises(LockLost):
            first.remember("whole", "2")
        assert first.recall("half") is not None


def test_who_stands_still_inside_a_transaction_is_ended_and_nothing_of_it_stays(place: PostgresPlace) -> None:
    def stand_still() -> None:
        with first.writing() as db:
            db.session.conn.execute("SET LOCAL idle_in_transaction_session_timeout = '100ms'")
            db.execute("INSERT INTO facts (key, value) VALUES ('half', '1')")
            threading.Event().wait(0.5)

    with place.open() as first:
        with pytest.raises(TemporaryError, match="cannot be reached"):
            stand_still()
        place.take_over()
        assert first.recall("half") is None
        with pytest.raises(LockLost):
            first.remember("half", "1")


def test_a_lost_session_is_worth_another_try(place: PostgresPlace) -> None:
    def write_while_it_is_ended() -> None:
        with first.writing() as db, connect(place.url) as other:
            db.execute("INSERT INTO facts (key, value) VALUES ('half', '1')")
            other.execute("SELECT pg_terminate_backend($1, 5000)", (db.session.conn.info.backend_pid,))

    with place.open() as first:
        with pytest.raises(TemporaryError, match="cannot be reached"):
            write_while_it_is_ended()
        assert first.recall("half") is None
        first.remember("half", "no")
        assert first.verify_journal().intact


def test_a_token_that_was_guessed_or_an_epoch_that_came_back_opens_nothing(place: PostgresPlace) -> None:
    claim = place.take_over()
    other = StoreClaim(claim.epoch, "00000000-0000-0000-0000-000000000000", claim.permit)
    with pytest.raises(LockLost):
        open_store(place.pools, place.number, name="split-prod", claim=other, clock=place.clock)


def test_who_owns_nothing_reads_and_asks_and_writes_nothing(place: PostgresPlace) -> None:
    with place.open() as owner, open_for_reading(place.pools, place.number, clock=place.clock) as reader:
        absorb(owner, users=[ANN])
        assert reader.user("00u-ann") is not None
        with pytest.raises(LockHeld, match="opened to be read"):
            reader.remember("a", "b")
        asked = reader.ask("sync", "{}", settings="s", by="ada@host", reason="she asked")
        assert [each.id for each in owner.open_requests()] == [asked.id]
        assert owner.verify_journal().intact


def test_connections_know_nothing_of_each_other(place: PostgresPlace, prepared: str) -> None:
    with closing(PostgresPlace(prepared)) as another, place.open() as one, another.open() as other:
        absorb(one, users=[ANN])
        assert other.user("00u-ann") is None
        absorb(other, users=[wanted("00u-ann", name="Other")])
        assert one.user("00u-ann") != other.user("00u-ann")
        assert one.verify_journal().intact
        assert other.verify_journal().intact


def test_two_who_append_at_once_make_one_chain(place: PostgresPlace) -> None:
    with place.open() as store:
        readers = [open_for_reading(place.pools, place.number, clock=place.clock) for _ in range(4)]

        def ask(reader: object) -> None:
            for _ in range(5):
                reader.ask("sync", "{}", settings="s", by="ada", reason="r")  # type: ignore[attr-defined]

        threads = [threading.Thread(target=ask, args=(each,)) for each in readers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(store.open_requests()) == 20
        assert store.verify_journal().intact
