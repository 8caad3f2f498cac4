"""A database that is put back from a real pg_dump: what was allowed when the copy was made is allowed nobody again."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest

from syncd.core.expectation import Expectation
from syncd.core.request import WithdrawnState
from syncd.engine.cycles.sync import sync
from syncd.engine.facts import PAUSE, RESTORED
from syncd.engine.job import Job
from syncd.engine.reading.selection import Selection
from syncd.engine.writing.done_before import SEEN_DONE
from syncd.errors import LockLost
from syncd.redact import Redactor
from syncd.settings import load
from syncd.store.postgres.opening import Pools, open_for_reading, open_store
from syncd.store.postgres.registry import PostgresRegistry
from syncd.store.postgres.store import PostgresStore, StoreClaim
from syncd.wiring import open_job, utc_now
from tests.e2e.rig import Rig, crew
from tests.fleet.machines import fleet, fleet_file, syncd
from tests.fleet.making import applicant, enrol
from tests.observing import Unheard
from tests.postgres.fixtures import new_database
from tests.postgres.making import permitted
from tests.postgres.server import Server
from tests.store.making import Clock
from tests.store.test_contract_holds import ANN, BEN, CID, hold


def put_back(server: Server, database: str, file: Path) -> str:
    """The URL of another database, with what the first one holds now."""
    url = new_database(server, migrated=False)
    for program, *arguments in (
        ("pg_dump", "-Fc", "-f", str(file), "-d", database),
        ("pg_restore", "--exit-on-error", "-d", url, str(file)),
    ):
        subprocess.run([str(server.bin_ / program), *arguments], check=True, capture_output=True)
    return url


def writes(url: str, number: int, claim: StoreClaim) -> None:
    """Raises LockLost for a claim that does not count there."""
    pools = Pools(url)
    try:
        open_store(pools, number, name="acme", claim=claim, clock=Clock()).close()
    finally:
        pools.close()


def test_an_owner_of_before_a_restore_writes_nothing_after_it(
    postgres: Server, database: str, registry: PostgresRegistry, tmp_path: Path
) -> None:
    number = enrol(registry, ["acme", "globex"])["acme"]
    registry.join(applicant("one"))
    [owned] = registry.claim("one", [number])
    claim = StoreClaim(owned.epoch, owned.token, permitted)
    writes(database, number, claim)

    there = put_back(postgres, database, tmp_path / "copy")
    writes(there, number, claim)  # the danger: the copy believes the worker of then
    said = fleet(fleet_file(tmp_path, there), "restored", "--yes")
    assert said["done"][0] == "no owner and no worker of before counts any more"
    assert [(each["name"], each["state"]) for each in said["connections"]] == [
        ("acme", "paused"),
        ("globex", "paused"),
    ]
    assert said["workers"] == []

    with pytest.raises(LockLost):
        writes(there, number, claim)
    with PostgresRegistry(there) as after:
        assert not after.renew("one"), "its lease is over at the next heartbeat"
        after.join(applicant("two"))
        assert after.claim("two", [number]) == []
        after.pause("acme", "ada", paused=False)
        [again] = after.claim("two", [number])
        assert again.epoch == owned.epoch + 1_000_001
        assert again.quiet > 20, "what was under way may still arrive"
        writes(there, number, StoreClaim(again.epoch, again.token, permitted))
    with pytest.raises(LockLost):
        writes(there, number, claim)


def asked_for_much(database: str, registry: PostgresRegistry) -> int:
    """The number of acme, of whose store people have asked much that nobody carried out yet."""
    number = enrol(registry, ["acme", "globex"])["acme"]
    registry.join(applicant("one"))
    [owned] = registry.claim("one", [number])
    claim, now = StoreClaim(owned.epoch, owned.token, permitted), utc_now()
    expected = Expectation.of_days(
        "deactivations",
        2,
        now.date(),
        now.date() + timedelta(days=1),
        by="ada@host",
        at=now,
        reason="two leave",
    )
    with (
        closing(Pools(database)) as pools,
        open_store(pools, number, name="acme", claim=claim, clock=utc_now) as store,
    ):
        store.raise_holds([hold(ANN, BEN, CID)], whole=True)
        store.decide([ANN.id, BEN.id], "approve", "ada@host")
        store.decide([CID.id], "reject", "ada@host")
        store.expect(expected)
        store.lock("syncd worker", expires_in=timedelta(hours=1), serves=True)
        for _ in range(2):
            store.ask("sync", "{}", settings="s", by="ada@host", reason="she asked")
        store.take_request(store.requests_to_take()[0].id)
    return number


@contextmanager
def reading(url: str, number: int) -> Iterator[PostgresStore]:
    with closing(Pools(url)) as pools, open_for_reading(pools, number, clock=utc_now) as store:
        yield store


def test_what_people_had_allowed_in_the_copy_is_over_and_whoever_was_rejected_stays_so(
    postgres: Server, database: str, registry: PostgresRegistry, tmp_path: Path
) -> None:
    number = asked_for_much(database, registry)
    there = put_back(postgres, database, tmp_path / "copy")
    with reading(there, number) as copy:
        assert copy.decided().approved == {ANN.id, BEN.id}, "the danger: the copy allows it still"

    said = fleet(fleet_file(tmp_path, there), "restored", "--yes")

    assert (
        "of 1 store that came back does not count any more: 2 requests, 2 approvals, 1 expectation"
        in said["done"][1]
    )
    with reading(there, number) as store:
        assert (store.decided().approved, store.decided().rejected) == (frozenset(), {CID.id})
        assert list(store.expectations()) == []
        assert list(store.open_requests()) == []
        assert [type(each.state) for each in store.last_requests(limit=9)] == [WithdrawnState, WithdrawnState]
        assert RESTORED.of(store) is not None
        assert PAUSE.of(store) is None, "the fleet's pause is the only one that has to be ended"
        assert store.altered() == frozenset()
        assert store.verify_journal().intact


def test_the_trail_says_who_ended_what_and_with_which_row_the_copy_ended(
    postgres: Server, database: str, registry: PostgresRegistry, tmp_path: Path
) -> None:
    number = asked_for_much(database, registry)
    there = put_back(postgres, database, tmp_path / "copy")
    with reading(there, number) as copy:
        _, head = copy.journal_head()

    fleet(fleet_file(tmp_path, there), "restored", "--yes")

    with reading(there, number) as store:
        body = list(store.journal_entries())[-1].body
    assert body["decision"] == "restore"
    assert body["head"] == head
    assert body["asked"] == ["requests=2", "approvals=2", "expectations=1"]
    assert sorted(body["over"]) == sorted([ANN.id, BEN.id])
    assert body["pause"]["reason"].endswith("then syncd fleet pause acme --off")


def test_a_connection_that_nobody_ever_served_has_nothing_to_end(
    postgres: Server, database: str, registry: PostgresRegistry, tmp_path: Path
) -> None:
    number = enrol(registry, ["globex"])["globex"]
    there = put_back(postgres, database, tmp_path / "copy")
    said = fleet(fleet_file(tmp_path, there), "restored", "--yes")
    assert [each["state"] for each in said["connections"]] == ["paused"]
    with reading(there, number) as store:
        assert store.journal_head()[0] == 0
        assert RESTORED.of(store) is None


def test_a_store_that_is_damaged_is_named_and_all_others_are_done(
    postgres: Server, database: str, registry: PostgresRegistry, tmp_path: Path
) -> None:
    number = asked_for_much(database, registry)
    broken = enrol(registry, ["aaa"])["aaa"]
    [owned] = registry.claim("one", [broken])
    with closing(Pools(database)) as pools:
        claim = StoreClaim(owned.epoch, owned.token, permitted)
        open_store(pools, broken, name="aaa", claim=claim, clock=utc_now).close()
    with psycopg.connect(database) as session:
        spoilt = "INSERT INTO syncd.meta_t (connection, key, value) VALUES (%s, 'journal_head', 'gone')"
        assert session.execute(spoilt, (broken,)).rowcount == 1
    there = put_back(postgres, database, tmp_path / "copy")

    said = syncd("fleet", "restored", "--yes", "--fleet", fleet_file(tmp_path, there), code=1).stderr

    assert "aaa: what the store remembers as the last row" in " ".join(said.split())
    with reading(there, number) as store:
        assert store.decided().approved == frozenset()
    with PostgresRegistry(there) as after:
        assert all(each.paused for each in after.look().connections)


LEAVERS = ("p00@example.com", "p01@example.com")


@contextmanager
def job_on(made: Rig, url: str, number: int, claim: StoreClaim) -> Iterator[Job]:
    """As a worker has it."""
    (settings,) = load([made.config], environ=os.environ).connections
    with (
        closing(Pools(url)) as pools,
        open_store(pools, number, name="acme", claim=claim, clock=utc_now) as store,
    ):
        store.lock("syncd worker", expires_in=timedelta(hours=1), serves=True)
        with open_job(
            settings, writing=True, observer=Unheard(), redactor=Redactor(), clock=utc_now, store=store
        ) as job:
            yield job


def test_the_next_owner_neither_acts_on_what_the_copy_allowed_nor_writes_what_is_done(
    postgres: Server, database: str, registry: PostgresRegistry, tmp_path: Path
) -> None:
    number = enrol(registry, ["acme"])["acme"]
    registry.join(applicant("one"))
    [owned] = registry.claim("one", [number])
    with crew(tmp_path, people=12, members=5) as made:
        world = made.okta.world
        made.write_config(safety="max_deactivations = 1")
        with job_on(made, database, number, StoreClaim(owned.epoch, owned.token, permitted)) as job:
            assert sync(job, Selection()).exit_code == 0
            for name in LEAVERS:
                world.unassign(name)
            assert sync(job, Selection()).exit_code == 3
            [held] = job.store.holds()
            job.store.decide([each.id for each in held.changes], "approve", "ada@host")
            there = put_back(postgres, database, tmp_path / "copy")
            assert sync(job, Selection()).exit_code == 0
            assert len(made.actual_people()) == 10, "carried out, after the copy was made"
            for name in LEAVERS:
                world.assign(name)
            world.update_profile("p03@example.com", lastName="Married")
            world.add_member("Crew", "p07@example.com")
            sync(job, Selection())
            made.assert_exact()

        file = fleet_file(tmp_path, there)
        fleet(file, "restored", "--yes")
        fleet(file, "pause", "acme", "--off")
        with PostgresRegistry(there) as after:
            after.join(applicant("two"))
            [again] = after.claim("two", [number])
        for name in LEAVERS:
            world.unassign(name)
        made.forget()
        with job_on(made, there, number, StoreClaim(again.epoch, again.token, permitted)) as job:
            assert sync(job, Selection()).exit_code == 3
            assert [each.check for each in job.store.holds()] == ["deactivations"]
            assert made.writes() == [], "whoever left again is held; a name and a member are there already"
            notes = [each.body.get("note") for each in job.store.journal_entries() if each.entry == "outcome"]
            assert notes.count(SEEN_DONE) == 2
            for name in LEAVERS:
                world.assign(name)
            sync(job, Selection())
            assert RESTORED.of(job.store) is None, "a full sync has ended"
            made.assert_exact()
