"""Who lives and who owns what, between several sessions of a real PostgreSQL."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import psycopg
import pytest

from syncd.core.balance import LEFT_LYING, balance
from syncd.errors import RefusedError, TemporaryError, UsageError
from syncd.ports.fleet import WATCH, Ownership
from syncd.store.postgres.registry import PostgresRegistry
from syncd.store.postgres.store import WRITERS
from tests.fleet.making import TERMS, applicant, enrol, enrolment, ids, run_out
from tests.service.supervisor import eventually


@pytest.fixture
def other(database: str) -> Iterator[PostgresRegistry]:
    """Another process's."""
    with PostgresRegistry(database) as one:
        yield one


def of_two(registry: PostgresRegistry) -> list[int]:
    """The only connection, which is nobody's yet, and the workers one and two."""
    registry.join(applicant("one"))
    registry.join(applicant("two"))
    return list(enrol(registry, ["acme"]).values())


def fallen_silent(database: str, registry: PostgresRegistry, other: PostgresRegistry) -> list[int]:
    """The connections of worker one, whose lease ran out; worker two, of the other process, is there to take over."""
    numbers = list(enrol(registry, ["acme"]).values())
    registry.join(applicant("one"))
    other.join(applicant("two"))
    registry.claim("one", numbers)
    run_out(database, "one")
    return numbers


def crowd(registry: PostgresRegistry, *, connections: int, workers: int) -> tuple[list[int], list[str]]:
    """So many connections, by number, and so many workers that joined, by name."""
    numbers = list(enrol(registry, [f"c{number}" for number in range(connections)]).values())
    names = [f"w{number}" for number in range(workers)]
    for name in names:
        registry.join(applicant(name))
    return numbers, names


def claimed_at_once(
    database: str, workers: Sequence[str], claims: Sequence[Sequence[int]]
) -> list[Ownership]:
    """What all of these workers got together, each of which made these claims one after the other."""
    begin = threading.Barrier(len(workers))

    def grab(worker: str) -> list[Ownership]:
        with PostgresRegistry(database) as mine:
            begin.wait()
            return [got for numbers in claims for got in mine.claim(worker, numbers)]

    with ThreadPoolExecutor(len(workers)) as threads:
        return [got for found in threads.map(grab, workers) for got in found]


def test_a_worker_that_joined_is_seen_by_all_with_what_is_left_of_its_lease(
    registry: PostgresRegistry, other: PostgresRegistry
) -> None:
    registry.join(applicant("one", capacity=7))
    registry.join(applicant("two", mode=WATCH))
    one, two = other.look().workers
    assert (one.name, one.host, one.version, one.mode, one.capacity) == (
        "one",
        "host.example",
        "0.2.0",
        "work",
        7,
    )
    assert two.mode == "watch"
    assert 0 < one.left <= TERMS.lasts
    assert not one.draining


def test_the_name_of_a_worker_is_never_used_again(registry: PostgresRegistry) -> None:
    registry.join(applicant("one"))
    registry.leave("one")
    with pytest.raises(RefusedError, match="was in this fleet before"):
        registry.join(applicant("one"))


def test_a_claim_brings_the_settings_an_epoch_and_a_token_of_its_own(registry: PostgresRegistry) -> None:
    registry.enrol([enrolment("acme", toml="name = 1")], "ada")
    registry.join(applicant("one"))
    number = ids(registry.look())["acme"]
    (first,) = registry.claim("one", [number])
    assert (first.name, first.toml, first.epoch, first.clean, first.quiet) == (
        "acme",
        "name = 1",
        1,
        True,
        0.0,
    )
    assert first.is_first
    registry.release([first])
    (second,) = registry.claim("one", [number])
    assert (second.epoch, second.clean, second.quiet) == (2, True, 0.0)
    assert second.token != first.token
    assert not second.is_first


def test_what_a_living_worker_has_nobody_else_gets(
    registry: PostgresRegistry, other: PostgresRegistry
) -> None:
    numbers = list(enrol(registry, ["acme", "globex"]).values())
    registry.join(applicant("one"))
    other.join(applicant("two"))
    assert len(registry.claim("one", numbers)) == 2
    assert other.claim("two", numbers) == []
    assert registry.claim("one", numbers) == []


def test_of_many_that_claim_at_once_each_connection_has_one_owner(
    database: str, registry: PostgresRegistry
) -> None:
    """Rows that another one has just taken are looked at as they are then."""
    numbers, workers = crowd(registry, connections=60, workers=6)
    each_by_itself = [[number] for number in numbers]
    claims = claimed_at_once(database, workers, each_by_itself)
    assert Counter(claim.connection for claim in claims) == Counter(numbers)
    assert all(claim.epoch == 1 for claim in claims)


def test_of_many_that_take_over_from_the_dead_each_connection_has_one_new_owner(
    database: str, registry: PostgresRegistry
) -> None:
    numbers, workers = crowd(registry, connections=40, workers=5)
    registry.claim("w0", numbers)
    run_out(database, "w0")
    claims = claimed_at_once(database, workers[1:], [numbers] * 5)
    assert Counter(claim.connection for claim in claims) == Counter(numbers)
    assert {claim.epoch for claim in claims} == {2}
    assert {claim.clean for claim in claims} == {False}


def test_who_takes_over_an_expired_lease_is_quiet_until_nothing_of_the_old_owner_can_arrive(
    database: str, registry: PostgresRegistry
) -> None:
    numbers = of_two(registry)
    registry.claim("one", numbers)
    run_out(database, "one", seconds=4.0)
    (claim,) = registry.claim("two", numbers)
    assert not claim.clean
    assert 0 < claim.quiet <= TERMS.quiet - 4.0


def test_the_quiet_time_goes_with_a_connection_that_is_given_back_within_it(
    database: str, registry: PostgresRegistry
) -> None:
    numbers = list(enrol(registry, ["acme"]).values())
    for name in ("one", "two", "three"):
        registry.join(applicant(name))
    registry.claim("one", numbers)
    run_out(database, "one", seconds=1.0)
    registry.release(registry.claim("two", numbers))
    (claim,) = registry.claim("three", numbers)
    assert claim.clean
    assert 0 < claim.quiet <= TERMS.quiet - 1.0


def test_a_lease_that_was_renewed_late_but_before_anybody_acted_on_its_end_lives_on(
    database: str, registry: PostgresRegistry, other: PostgresRegistry
) -> None:
    numbers = fallen_silent(database, registry, other)
    assert registry.renew("one")
    assert other.claim("two", numbers) == []


def test_a_lease_whose_end_somebody_acted_on_never_lives_again(
    database: str, registry: PostgresRegistry, other: PostgresRegistry
) -> None:
    numbers = enrol(registry, ["acme", "globex"])
    registry.join(applicant("one"))
    other.join(applicant("two"))
    registry.claim("one", list(numbers.values()))
    run_out(database, "one")
    other.claim("two", [numbers["acme"]])
    assert not registry.renew("one")
    assert registry.claim("one", list(numbers.values())) == []
    assert [claim.name for claim in other.claim("two", list(numbers.values()))] == ["globex"]


def test_a_renewal_under_way_keeps_a_claim_waiting_and_wins(
    database: str, registry: PostgresRegistry, other: PostgresRegistry
) -> None:
    """The end of a lease is written into the row that a renewal updates."""
    numbers = fallen_silent(database, registry, other)
    with psycopg.connect(database) as renewal, ThreadPoolExecutor(1) as thread:
        renewal.execute(
            "UPDATE syncd.worker SET expires = clock_timestamp() + lasts WHERE id = 'one' AND ended IS NULL"
        )
        claiming = thread.submit(other.claim, "two", numbers)
        with pytest.raises(TimeoutError):
            claiming.result(timeout=0.3)
        renewal.commit()
        assert claiming.result(timeout=30) == []


def test_what_was_taken_from_us_meanwhile_we_cannot_give_back(
    database: str, registry: PostgresRegistry
) -> None:
    numbers = of_two(registry)
    old = registry.claim("one", numbers)
    run_out(database, "one")
    registry.claim("two", numbers)
    registry.release(old)
    (found,) = registry.look().connections
    assert (found.owner, found.epoch) == ("two", 2)


def test_who_leaves_without_giving_back_is_taken_over_at_once_and_not_cleanly(
    registry: PostgresRegistry,
) -> None:
    numbers = of_two(registry)
    registry.claim("one", numbers)
    registry.leave("one")
    (claim,) = registry.claim("two", numbers)
    assert not claim.clean
    assert claim.quiet > TERMS.quiet, "its lease had not even run out"


def test_who_drains_gets_nothing_more(registry: PostgresRegistry) -> None:
    numbers = list(enrol(registry, ["acme"]).values())
    registry.join(applicant("one"))
    registry.drain("one", draining=True)
    assert registry.claim("one", numbers) == []
    assert registry.look().workers[0].draining
    registry.drain("one", draining=False)
    assert len(registry.claim("one", numbers)) == 1


def test_connections_are_apart_when_another_worker_has_some_of_their_org(
    database: str, registry: PostgresRegistry
) -> None:
    for name in ("one", "two"):
        registry.join(applicant(name))
    registry.enrol(
        [enrolment(name) for name in ("a", "b")] + [enrolment("c", org="https://c.okta.com")], "ada"
    )
    numbers = ids(registry.look())
    registry.claim("one", [numbers["a"], numbers["c"]])
    assert registry.look().apart("one") == set()
    registry.claim("two", [numbers["b"]])
    assert registry.look().apart("one") == {"a", "b"}
    assert registry.look().apart("two") == {"a", "b", "c"}
    run_out(database, "one")
    assert registry.look().apart("two") == set(), "what a dead one had is asked about at once"


def test_what_is_paused_nobody_gets(registry: PostgresRegistry) -> None:
    numbers = list(enrol(registry, ["acme"]).values())
    registry.join(applicant("one"))
    registry.pause("acme", "ada", paused=True)
    assert registry.claim("one", numbers) == []
    (found,) = registry.look().connections
    assert (found.paused, found.updated_by) == (True, "ada")
    registry.pause("acme", "ada", paused=False)
    assert len(registry.claim("one", numbers)) == 1


def test_a_connection_that_arrived_where_it_was_sent_is_bound_for_nowhere(registry: PostgresRegistry) -> None:
    numbers = list(enrol(registry, ["acme"]).values())
    registry.join(applicant("one"))
    registry.move("acme", "one")
    assert registry.look().connections[0].bound_for == "one"
    registry.claim("one", numbers)
    assert registry.look().connections[0].bound_for == ""


def test_names_that_nobody_has_are_said(registry: PostgresRegistry) -> None:
    enrol(registry, ["acme"])
    with pytest.raises(UsageError, match="no connection called acne"):
        registry.pause("acne", "ada", paused=True)
    with pytest.raises(UsageError, match="no worker called one"):
        registry.drain("one", draining=True)
    with pytest.raises(UsageError, match="no worker called one"):
        registry.move("acme", "one")


def test_settings_take_the_place_of_what_is_there_and_equal_ones_change_nothing(
    registry: PostgresRegistry,
) -> None:
    registry.enrol([enrolment("acme", toml="a = 1")], "ada")
    before = registry.look().connections
    registry.enrol([enrolment("acme", toml="a = 1")], "bob")
    assert [replace(each, seconds=0) for each in registry.look().connections] == [
        replace(each, seconds=0) for each in before
    ]
    registry.enrol([enrolment("acme", toml="a = 2")], "bob")
    (found,) = registry.look().connections
    assert (found.id, found.updated_by) == (before[0].id, "bob")
    assert registry.text_of(found.id) == ("a = 2", found.digest)


def test_two_connections_never_own_one_split_organisation_and_none_of_them_is_written(
    registry: PostgresRegistry,
) -> None:
    enrol(registry, ["acme"])
    twice = enrolment("globex", target="https://split.example/acme")
    with pytest.raises(RefusedError, match="the same Split organisation"):
        registry.enrol([enrolment("initech"), twice], "ada")
    assert list(ids(registry.look())) == ["acme"]


def test_two_that_swap_their_targets_do_so_in_one_go(registry: PostgresRegistry) -> None:
    registry.enrol([enrolment("a", target="https://one"), enrolment("b", target="https://two")], "ada")
    swapped = [
        replace(enrolment("a", target="https://two"), digest="other"),
        replace(enrolment("b", target="https://one"), digest="other"),
    ]
    registry.enrol(swapped, "ada")
    assert {each.name: each.target for each in registry.look().connections} == {
        "a": "https://two",
        "b": "https://one",
    }


def test_a_wake_is_heard_by_everybody(registry: PostgresRegistry, other: PostgresRegistry) -> None:
    number = enrol(registry, ["acme"])["acme"]
    assert other.woken(0.0) == frozenset()  # from here on it listens
    registry.wake(number)
    assert number in other.woken(30.0)


def test_a_session_that_was_ended_is_replaced_and_meanwhile_the_error_says_so(
    database: str, registry: PostgresRegistry
) -> None:
    registry.join(applicant("one"))
    with psycopg.connect(database, autocommit=True) as session:
        session.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
            " AND pid <> pg_backend_pid()"
        )
    with pytest.raises(TemporaryError):
        registry.renew("one")
    assert registry.renew("one")


def test_weights_are_people_and_one(registry: PostgresRegistry) -> None:
    number = enrol(registry, ["acme"])["acme"]
    registry.weigh({number: 41})
    assert registry.look().connections[0].charge.weight == 42


def test_what_a_silent_worker_has_is_free_for_the_balance(database: str, registry: PostgresRegistry) -> None:
    numbers = list(enrol(registry, ["acme"]).values())
    registry.join(applicant("one"))
    registry.claim("one", numbers)
    assert registry.look().connections[0].charge.owner == "one"
    run_out(database, "one")
    found = registry.look().connections[0]
    assert (found.owner, found.silent, found.charge.owner) == ("one", True, "")


def test_what_a_silent_worker_had_lies_free_only_since_its_lease_ran_out(
    database: str, registry: PostgresRegistry
) -> None:
    numbers = list(enrol(registry, ["acme", "globex", "initech"]).values())
    for name in ("one", "two", "three", "four"):
        registry.join(applicant(name))
    registry.claim("one", numbers)
    with psycopg.connect(database) as session:
        session.execute("UPDATE syncd.owner SET since = clock_timestamp() - interval '1 hour'")
    run_out(database, "one", seconds=2.0)
    fleet = registry.look()
    assert all(2 <= each.charge.since < LEFT_LYING for each in fleet.connections)
    charges = [replace(each.charge, since=0.0) for each in fleet.connections]
    found = balance("two", fleet.sharers, charges, busy=frozenset(), moved_lately=0)
    assert len(found.take) == 1, "the others take theirs"


def told(database: str) -> dict[str, list[int]]:
    with psycopg.connect(database) as session:
        return dict(session.execute("SELECT id, waiting FROM syncd.worker").fetchall())


def test_what_a_silent_worker_had_is_known_in_the_order_in_which_it_waits(
    database: str, registry: PostgresRegistry
) -> None:
    numbers, _ = crowd(registry, connections=4, workers=1)
    registry.claim("w0", numbers[:3])
    assert registry.renew("w0", [numbers[2], numbers[0], numbers[1]])
    registry.claim("w0", numbers[3:])
    assert {each.turn for each in registry.look().connections} == {0}, "as long as it lives"
    run_out(database, "w0")
    turns = {each.id: each.charge.turn for each in registry.look().connections}
    assert [turns[number] for number in numbers] == [2, 3, 1, 0], "the last one was taken after its last sign"
    registry.join(applicant("w1"))
    assert told(database)["w0"], "as long as others do not have them all"
    registry.claim("w1", numbers)
    assert {each.turn for each in registry.look().connections} == {0}
    registry.join(applicant("w2"))
    assert told(database)["w0"] == []


def test_who_was_frozen_in_the_middle_of_a_statement_keeps_no_lock(
    database: str, registry: PostgresRegistry
) -> None:
    (number,) = of_two(registry)
    registry.claim("one", [number])
    with psycopg.connect(database) as frozen, ThreadPoolExecutor(1) as thread:
        frozen.execute("SELECT pg_advisory_xact_lock(%s::int, %s)", (WRITERS, number))
        asked = thread.submit(
            frozen.execute, "SELECT pg_sleep(60)"
        )  # active, as between two parts of a statement
        eventually(lambda: asked.running(), "it is under way")
        threading.Event().wait(4.5)
        assert registry.claim("two", [number]) == [], "as long as its owner lives nobody is sent away"
        assert not asked.done()
        run_out(database, "one")
        assert len(registry.claim("two", [number])) == 1
        with pytest.raises(psycopg.OperationalError):
            asked.result(timeout=30)
