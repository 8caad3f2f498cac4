"""Requests of people to whoever holds the lock (`ports.RequestRecords`)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from syncd.core.request import (
    EndedState,
    RequestRecord,
    RequestResult,
    TakenState,
    WaitingState,
    WithdrawnState,
)
from syncd.errors import LockLost
from syncd.store import SqliteStore
from tests.store.making import ONLY_SQLITE, Place

DONE = RequestResult({"schema": "syncd.run/1"}, 0)
LASTS = timedelta(minutes=1)


def ask(store: SqliteStore, kind: str = "sync") -> RequestRecord:
    return store.ask(kind, "{}", settings="s", by="ada@host", reason="she asked")


def test_a_request_waits_is_taken_and_ends(place: Place) -> None:
    with place.open() as command, place.open() as owner:
        request = ask(command)
        assert request.is_open
        assert request.state == WaitingState()
        assert (request.kind, request.by, request.reason, request.takings) == (
            "sync",
            "ada@host",
            "she asked",
            0,
        )

        owner.lock("syncd run", expires_in=LASTS, serves=True)
        taken = owner.take_request(request.id)
        assert taken is not None
        assert isinstance(taken.state, TakenState)
        assert taken.takings == 1
        assert owner.take_request(request.id) is None, "it is mine already"
        assert owner.requests_to_take() == []
        assert command.open_requests() == [command.request(request.id)]

        owner.end_request(request.id, DONE)
        ended = command.request(request.id)
        assert ended is not None
        assert isinstance(ended.state, EndedState)
        assert command.request_result(request.id) == DONE
        assert command.open_requests() == []


def test_the_oldest_comes_first_and_what_became_of_them_the_youngest(place: Place) -> None:
    with place.open() as store:
        ids = [ask(store, kind).id for kind in ("sync", "release", "sync")]
        assert [each.id for each in store.open_requests()] == ids
        assert [each.id for each in store.last_requests(limit=2)] == ids[:0:-1]


@ONLY_SQLITE
def test_what_another_holder_left_is_taken_again_and_says_when_it_was_left(place: Place) -> None:
    with place.open() as store:
        request = ask(store)
        store.lock("syncd run", expires_in=LASTS, serves=True)
        store.take_request(request.id)
        store._writer.close()  # it died: the kernel lets go of its file, and the row stays
        with place.open() as other:
            other.lock("syncd run", expires_in=LASTS, serves=True)
            (found,) = other.requests_to_take()
            assert other.left_at(found) is not None
            taken = other.take_request(request.id)
            assert taken is not None
            assert taken.takings == 2
            with pytest.raises(LockLost):
                store.end_request(request.id, DONE)
            assert other.request_result(request.id) is None


def test_what_is_put_back_was_not_taken(place: Place) -> None:
    with place.open() as store:
        request = ask(store)
        store.lock("syncd run", expires_in=LASTS, serves=True)
        store.take_request(request.id)
        store.put_back_request(request.id)
        (found,) = store.requests_to_take()
        assert (found.state, found.takings) == (WaitingState(), 0)
        assert store.left_at(found) is None


def test_only_what_nobody_has_taken_is_withdrawn(place: Place) -> None:
    with place.open() as command, place.open() as owner:
        first, second = ask(command), ask(command)
        owner.lock("syncd run", expires_in=LASTS, serves=True)
        assert command.withdraw_request(first.id, stop=True)
        withdrawn = command.request(first.id)
        assert withdrawn is not None
        assert isinstance(withdrawn.state, WithdrawnState)
        assert owner.take_request(first.id) is None

        owner.take_request(second.id)
        assert not owner.tell_progress(second.id, phase="reading", total=9, done=1)
        assert not command.withdraw_request(second.id, stop=False)
        assert not owner.tell_progress(second.id, phase="reading", total=9, done=2)
        assert not command.withdraw_request(second.id, stop=True)
        assert owner.tell_progress(second.id, phase="reading", total=9, done=3)
        taken = command.request(second.id)
        assert taken is not None
        assert isinstance(taken.state, TakenState)
        assert (taken.state.phase, taken.state.total, taken.state.done) == ("reading", 9, 3)
        assert taken.state.stop_asked


def test_nobody_takes_a_request_without_the_lock(place: Place) -> None:
    with place.open() as store:
        request = ask(store)
        with pytest.raises(ValueError, match="under the writer's lock"):
            store.take_request(request.id)


def test_another_processs_write_is_seen_once(place: Place) -> None:
    with place.open() as owner, place.open() as command:
        assert owner.requests_moved(), "nobody has looked yet"
        assert not owner.requests_moved()
        ask(command)
        assert owner.requests_moved()
        assert not owner.requests_moved()


def test_who_has_the_lock_and_whether_it_serves_is_to_be_seen(place: Place) -> None:
    with place.open() as store, place.open() as other:
        assert other.writer() is None
        store.lock("syncd run", expires_in=LASTS, serves=True)
        writer = other.writer()
        assert writer is not None
        assert writer.named.startswith("syncd run (process ")
        assert (writer.serves, writer.ended) == (True, False)
        store.renew_lock()
        renewed = other.writer()
        assert renewed is not None
        assert renewed.mark != writer.mark
        store.unlock()
        store.lock("syncd", expires_in=LASTS)
        alone = other.writer()
        assert alone is not None
        assert not alone.serves


def test_a_week_after_its_end_a_request_goes(place: Place) -> None:
    with place.open() as store:
        request = ask(store)
        store.withdraw_request(request.id, stop=False)
        place.clock.now += timedelta(days=8)
        other = ask(store)
        assert [each.id for each in store.last_requests(limit=9)] == [other.id]
        assert store.verify_journal().intact


def test_the_audit_trail_tells_who_asked_for_what(place: Place) -> None:
    with place.open() as store:
        request = ask(store, "release")
        notes = [entry.body for entry in store.journal_entries() if "request" in entry.body]
        assert [{key: note[key] for key in ("request", "kind", "by", "reason")} for note in notes] == [
            {"request": request.id, "kind": "release", "by": "ada@host", "reason": "she asked"}
        ]
