"""What a worker does with the connections that it owns."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager

import psycopg
import pytest

from syncd.core.request import SyncRequest, arguments_of
from syncd.errors import TemporaryError
from syncd.ports.fleet import WATCH, Fleet, Ownership
from syncd.ports.permit import Permit
from syncd.service.held_store import Held
from syncd.settings import ConnectionSettings, load, scope_fingerprint
from syncd.store.postgres.registry import PostgresRegistry
from syncd.wiring import open_for_deciding
from tests.e2e.rig import Rig
from tests.fleet.making import applicant, enrol, ids
from tests.fleet.working import Working, enrolled, working
from tests.service.supervisor import eventually


@contextmanager
def read_once(database: str, registry: PostgresRegistry, made: Rig) -> Iterator[Working]:
    """Worker one owns the connection, and its first full cycle is done."""
    enrolled(registry, made)
    with working(Working(database, made.folder, "one")) as one:
        one.logs("cycle done", cycle="full")
        yield one


@pytest.fixture
def was_read(database: str, registry: PostgresRegistry, made: Rig) -> None:
    """Worker one read everything, gave the connection back, and is gone."""
    with read_once(database, registry, made):
        pass


def lists_read(made: Rig) -> list[str]:
    """Requests of a full read."""
    return [each for each in made.reads() if each.endswith(f"/apps/{made.okta.world.app.id}/users")]


def test_a_worker_takes_what_is_free_and_syncs_it(
    database: str, registry: PostgresRegistry, made: Rig
) -> None:
    enrolled(registry, made)
    with working(Working(database, made.folder, "one")) as one:
        one.logs("owns a connection", connection="acme", clean=True)
        one.logs("cycle done", cycle="full")
        made.assert_exact()
        made.okta.world.add_user("new@example.com", "New", "Hire", assign=True)
        one.logs("applied", object="new@example.com")
        moment = one.steward.moment()
        assert (moment.owned, moment.not_ready, moment.takeovers) == (1, "", {True: 0, False: 0})
        assert (moment.workers, moment.lost) == (1, 0)
        eventually(lambda: one.steward.moment().renewal is not None, "the lease is renewed")
        eventually(lambda: list(one.steward.moment().unowned) == [], "nobody is without an owner")
        eventually(lambda: registry.look().connections[0].weight > 1, "people are counted")
    (record,) = registry.look().connections
    assert record.owner == ""
    assert list(registry.look().workers) == []


@pytest.mark.usefixtures("was_read")
def test_a_worker_that_stops_hands_over_and_the_next_one_goes_on_with_a_delta(
    database: str, made: Rig
) -> None:
    made.forget()
    made.okta.world.add_user("new@example.com", "New", "Hire", assign=True)
    with working(Working(database, made.folder, "two")) as two:
        two.logs("owns a connection", connection="acme", clean=True, quiet=0.0, epoch=2)
        two.logs("applied", object="new@example.com")
        eventually(lambda: two.daemon.not_begun() == 0, "more can be taken")
        assert lists_read(made) == []
        assert two.steward.moment().takeovers == {True: 1, False: 0}
        made.assert_exact()


class Opener(Working):
    """Whose stores are opened two at a time or not at all."""

    def __post_init__(self) -> None:
        self.both = threading.Barrier(2, timeout=30)
        super().__post_init__()

    def _opens(self, settings: ConnectionSettings, ownership: Ownership, permit: Permit) -> Held:
        self.both.wait()
        return super()._opens(settings, ownership, permit)


def test_no_store_waits_for_another_one_to_be_opened(
    database: str, registry: PostgresRegistry, made: Rig
) -> None:
    enrolled(registry, made)
    enrolled(registry, made, "globex", target="https://split.example/globex")
    with working(Opener(database, made.folder, "one")) as one:
        one.logs("cycle done", connection="acme", cycle="full")
        assert one.events("the store cannot be used") == []


def test_a_worker_tells_which_of_its_connections_others_are_to_look_after_first(
    database: str, registry: PostgresRegistry, made: Rig
) -> None:
    enrolled(registry, made)
    made.config.write_text(made.config.read_text().replace('delta = "1s"', 'delta = "1h"'))
    enrolled(registry, made, "seldom", target="https://split.example/seldom")
    number = ids(registry.look())

    def told() -> list[list[int]]:
        with psycopg.connect(database) as session:
            return [waiting for (waiting,) in session.execute("SELECT waiting FROM syncd.worker")]

    with working(Working(database, made.folder, "one")):
        eventually(
            lambda: told() == [[number["seldom"], number["acme"]]], "who is asked about every hour is first"
        )


class FaultyRegistry(PostgresRegistry):
    """Two of whose acts go wrong in a way that nobody thought of."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.looks, self.hears = threading.Event(), threading.Event()

    def look(self) -> Fleet:
        if self.looks.is_set():
            raise ZeroDivisionError("look")
        return super().look()

    def woken(self, seconds: float) -> AbstractSet[int]:
        if self.hears.is_set():
            raise ZeroDivisionError("hear")
        return super().woken(seconds)


def test_a_worker_looks_on_whatever_goes_wrong_with_one_look(
    database: str, registry: PostgresRegistry, made: Rig
) -> None:
    faulty = FaultyRegistry(database)
    with working(Working(database, made.folder, "one", registry=faulty)) as one:
        for fault, event in (
            (faulty.looks, "the fleet cannot be looked at"),
            (faulty.hears, "what somebody asked for was not heard"),
        ):
            fault.set()
            eventually(lambda event=event: one.events(event), event)  # type: ignore[misc]  # a default is no type
            fault.clear()
        enrolled(registry, made)
        one.logs("owns a connection", connection="acme")
    assert [each["error"] for each in one.events("the fleet cannot be looked at")] == [
        "ZeroDivisionError: look"
    ]


class SlowRegistry(PostgresRegistry):
    """Whose answer to a claim comes when the worker was told to stop already."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.claimed, self.told = threading.Event(), threading.Event()

    def claim(self, worker: str, connections: Sequence[int]) -> Sequence[Ownership]:
        found = super().claim(worker, connections)
        if found:
            self.claimed.set()
            assert self.told.wait(60)
        return found


def test_what_is_claimed_in_the_last_moment_is_given_back_too(
    database: str, registry: PostgresRegistry, made: Rig
) -> None:
    slow = SlowRegistry(database)
    enrolled(registry, made)
    with working(Working(database, made.folder, "one", registry=slow)) as one:
        assert slow.claimed.wait(60)
        one.daemon.stop()
        eventually(lambda: one.steward.is_stopping, "it takes nothing any more")
        slow.told.set()
    (record,) = registry.look().connections
    assert (record.owner, record.epoch) == ("", 1)
    [again] = registry.claim(joined(registry, "two"), [record.id])
    assert (again.clean, again.quiet) == (True, 0.0)


class SilentRegistry(PostgresRegistry):
    """Who leaves is not answered until the test is over."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.asked, self.over = threading.Event(), threading.Event()

    def leave(self, worker: str) -> None:
        self.asked.set()
        assert self.over.wait(60)
        super().leave(worker)


def test_who_leaves_does_not_wait_for_a_database_that_does_not_answer(database: str, made: Rig) -> None:
    silent = SilentRegistry(database)
    one = Working(database, made.folder, "one", registry=silent)
    one.steward.begin()
    one.steward.stop()
    one.steward.end()
    assert silent.asked.is_set()
    assert not silent.over.is_set()
    assert one.events("could not leave the fleet", error="the database does not answer")
    silent.over.set()
    eventually(lambda: list(silent.look().workers) == [], "it is answered at last")
    silent.close()


def joined(registry: PostgresRegistry, name: str) -> str:
    registry.join(applicant(name))
    return name


def test_settings_that_change_count_from_the_next_cycle_on_and_wrong_ones_never(
    database: str, registry: PostgresRegistry, made: Rig
) -> None:
    good = made.config.read_text()
    with read_once(database, registry, made) as one:
        made.config.write_text(good.replace('delta = "1s"', 'delta = "no"'))
        enrolled(registry, made)
        one.logs("settings not used", connection="acme")
        made.config.write_text(good.replace('full = "1h"', 'full = "2h"'))
        enrolled(registry, made)
        eventually(
            lambda: one.daemon.settings()[0].schedule.full.total_seconds() == 7200,  # type: ignore[union-attr]
            "the new settings",
        )
        assert registry.look().connections[0].epoch == 1


def test_settings_that_no_worker_can_use_are_given_back_and_hide_no_other(
    database: str, registry: PostgresRegistry, made: Rig
) -> None:
    enrol(registry, ["broken"])
    with read_once(database, registry, made) as one:
        one.logs("settings not used", connection="broken")
        eventually(
            lambda: (
                {each.name: each.owner for each in registry.look().connections}
                == {"acme": "one", "broken": ""}
            ),
            "broken is nobody's",
        )
        assert len(one.events("settings not used")) == 1


def test_who_drains_gives_back_and_another_one_goes_on(
    database: str, registry: PostgresRegistry, made: Rig
) -> None:
    with read_once(database, registry, made) as one:
        with working(Working(database, made.folder, "two")) as two:
            registry.drain("one", draining=True)
            two.logs("owns a connection", connection="acme", clean=True)
            made.okta.world.add_user("new@example.com", "New", "Hire", assign=True)
            two.logs("applied", object="new@example.com")
        assert one.events("gives a connection back", connection="acme") != []


def test_a_connection_moves_where_a_person_sends_it(
    database: str, registry: PostgresRegistry, made: Rig
) -> None:
    with read_once(database, registry, made), working(Working(database, made.folder, "two")) as two:
        eventually(lambda: len(registry.look().workers) == 2, "two workers")
        registry.move("acme", "two")
        two.logs("owns a connection", connection="acme", clean=True)


def test_whoever_lost_its_lease_serves_nothing_more_and_comes_back_under_another_name(
    database: str, registry: PostgresRegistry, made: Rig
) -> None:
    with read_once(database, registry, made) as one:
        with psycopg.connect(database) as session:  # as whoever would take over does
            session.execute("UPDATE syncd.worker SET expires = clock_timestamp(), ended = clock_timestamp()")
        one.logs("the lease ran out, and others were told", worker="one")
        one.logs("its name is used up: it goes on under a new one")
        one.logs("owns a connection", connection="acme", epoch=2)
        eventually(lambda: not one.steward.moment().not_ready, "it is ready again")
        assert one.steward.moment().worker != "one"
        made.okta.world.add_user("new@example.com", "New", "Hire", assign=True)
        one.logs("applied", object="new@example.com")


@pytest.mark.usefixtures("was_read")
def test_in_its_quiet_time_a_connection_is_read_and_nothing_is_sent_to_the_target(
    database: str, made: Rig
) -> None:
    with psycopg.connect(database) as session:
        session.execute("UPDATE syncd.owner SET quiet_until = clock_timestamp() + interval '6 s'")
    made.forget()
    made.okta.world.add_user("new@example.com", "New", "Hire", assign=True)
    with working(Working(database, made.folder, "two")) as two:
        two.logs("owns a connection", connection="acme")
        eventually(lambda: any("/logs" in each for each in made.reads()), "Okta is asked")
        asked_at_split = len(made.split.requests)
        with psycopg.connect(database) as session:
            quiet = session.execute("SELECT quiet_until > clock_timestamp() FROM syncd.owner").fetchone()
        assert asked_at_split == 0 or quiet == (False,)
        two.logs("applied", object="new@example.com")


def polls(made: Rig) -> int:
    """Looks at the System Log."""
    return sum("/logs" in each for each in made.reads())


@pytest.mark.usefixtures("was_read")
def test_what_is_found_in_a_quiet_time_keeps_no_thread_until_that_is_over(database: str, made: Rig) -> None:
    with psycopg.connect(database) as session:
        session.execute("UPDATE syncd.owner SET quiet_until = clock_timestamp() + interval '1 h'")
    made.forget()
    made.okta.world.add_user("new@example.com", "New", "Hire", assign=True)
    with working(Working(database, made.folder, "two")) as two:
        two.logs("owns a connection", connection="acme")
        eventually(lambda: polls(made) >= 3, "a delta that found somebody ends, and others follow it")
        assert made.split.requests == []
        assert two.events("applied") == []


@pytest.mark.usefixtures("was_read")
def test_who_only_watches_says_what_it_would_write_and_writes_nothing(
    database: str, registry: PostgresRegistry, made: Rig
) -> None:
    made.okta.world.add_user("new@example.com", "New", "Hire", assign=True)
    made.forget()
    with working(Working(database, made.folder, "watcher", mode=WATCH)) as watcher:
        watcher.logs("would write", kind="create_user", object="new@example.com")
        watcher.logs("planned, and writes nothing", connection="acme", changes=1, create_user=1)
        assert registry.look().connections[0].owner == ""
        assert [each.mode for each in registry.look().workers] == ["watch"]
        with working(Working(database, made.folder, "two")) as two:
            two.logs("applied", object="new@example.com")
    assert made.writes() == ["POST /scim/v2/Users"]
    assert watcher.events("a request could not be taken") == []


def test_a_database_that_comes_back_before_anybody_took_over_finds_everything_go_on(
    database: str, registry: PostgresRegistry, made: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    renew = PostgresRegistry.renew
    gone = threading.Event()

    def renewed(self: PostgresRegistry, worker: str, waiting: Sequence[int] = ()) -> bool:
        if gone.is_set():
            raise TemporaryError("the database is gone")
        return renew(self, worker, waiting)

    monkeypatch.setattr(PostgresRegistry, "renew", renewed)
    with read_once(database, registry, made) as one:
        gone.set()
        one.logs("the lease cannot be renewed")
        eventually(lambda: one.steward.moment().not_ready, "its lease ran out")
        one.logs("the store was taken over")
        made.okta.world.add_user("new@example.com", "New", "Hire", assign=True)
        gone.clear()
        one.logs("the lease is renewed again")
        one.logs("applied", object="new@example.com")
        assert one.steward.moment().worker == "one"
        assert registry.look().connections[0].epoch == 1


def asked_for_a_sync(made: Rig) -> str:
    """The id of a request that waits in the store."""
    (settings,) = load([made.config], environ=os.environ).connections
    with open_for_deciding(settings) as store:
        scope = scope_fingerprint(settings)
        return store.ask("sync", arguments_of(SyncRequest()), settings=scope, by="ada@host", reason="").id


@pytest.mark.usefixtures("was_read")
def test_what_was_asked_for_while_nobody_served_it_is_done_at_once_by_who_takes_it(
    database: str, made: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("syncd.service.fleet.daemon._SWEEPS_EVERY", 10_000.0)
    asked = asked_for_a_sync(made)
    with working(Working(database, made.folder, "two")) as two:
        two.logs("request carried out", request=asked, exit_code=0)
