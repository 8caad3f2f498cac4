"""The lease of a worker: of processes that are killed, frozen and cut off, and by a clock in hand."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import psycopg
import pytest

from syncd.core.lease import LeaseTerms
from syncd.errors import LockLost, TemporaryError
from syncd.ports.fleet import WORK, WorkerRecord
from syncd.service.fleet.tenure import Tenure
from syncd.store.postgres.registry import PostgresRegistry
from tests.fleet.making import enrol
from tests.service.supervisor import eventually

SHORT = LeaseTerms(lasts=3.0, renewed_every=0.3, margin=1.0)


class Clock:
    def __init__(self) -> None:
        self.reading = 1000.0

    def __call__(self) -> float:
        return self.reading


def worker(name: str, terms: LeaseTerms = SHORT) -> WorkerRecord:
    return WorkerRecord(name, "here", "0", WORK, 1, terms)


def silent(level: str, event: str, **fields: object) -> None:
    del level, event, fields


@contextmanager
def sender(database: str, name: str, terms: LeaseTerms = SHORT) -> Iterator[subprocess.Popen[str]]:
    given = [str(each) for each in (terms.lasts, terms.renewed_every, terms.margin)]
    with subprocess.Popen(
        [sys.executable, "-m", "tests.fleet.sender", database, name, *given],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.send_signal(signal.SIGCONT)
            process.kill()


def said(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def sent(database: str) -> list[tuple[str, int]]:
    """By worker and epoch, in the order of the database."""
    with psycopg.connect(database) as session:
        return [
            (str(worker), int(epoch))
            for worker, epoch in session.execute("SELECT worker, epoch FROM sent ORDER BY number")
        ]


@pytest.fixture
def registry(database: str) -> Iterator[PostgresRegistry]:
    with psycopg.connect(database) as session:
        session.execute(
            "CREATE TABLE public.sent (number bigint GENERATED ALWAYS AS IDENTITY, worker text, epoch bigint)"
        )
    with PostgresRegistry(database) as one:
        enrol(one, ["acme"])
        yield one


@pytest.mark.parametrize("mishap", [signal.SIGKILL, signal.SIGSTOP])
def test_after_the_owner_is_killed_or_frozen_another_goes_on_and_nothing_is_sent_by_an_old_epoch(
    database: str, registry: PostgresRegistry, mishap: signal.Signals
) -> None:
    with sender(database, "one") as old, sender(database, "two") as new:
        first, second = (old, new), (new, old)
        owner, taker = first if registry_owner(registry) == "one" else second
        assert said(owner) == "owns 1"
        while len(sent(database)) < 3:
            time.sleep(0.05)
        owner.send_signal(mishap)
        assert said(taker) == "owns 2"
        before = sent(database)
        if mishap is signal.SIGSTOP:
            owner.send_signal(signal.SIGCONT)
            assert said(owner) == "stopped"
        while len(sent(database)) < len(before) + 20:
            time.sleep(0.05)
    epochs = [epoch for _, epoch in sent(database)]
    assert epochs.count(1) >= 3
    late = epochs[epochs.index(2) :].count(1)
    assert late <= 1, "only the request that it had begun"


def registry_owner(registry: PostgresRegistry) -> str:
    """Whoever has the connection, once somebody has."""
    while True:
        (found,) = registry.look().connections
        if found.owner:
            return found.owner
        time.sleep(0.05)


def test_a_worker_is_permitted_until_the_margin_before_the_end_of_its_last_renewal(database: str) -> None:
    clock = Clock()
    with PostgresRegistry(database) as registry:
        tenure = Tenure(registry, worker("one", LeaseTerms(renewed_every=600.0)), silent, clock=clock)
        tenure.begin()
        clock.reading += 9.9
        tenure.permit()
        clock.reading += 0.2
        with pytest.raises(LockLost, match="the lease of worker one ran out"):
            tenure.permit()
        assert tenure.left == 0
        assert not tenure.is_lost, "nobody was told yet"
        tenure.end()


def test_a_heartbeat_goes_on_whatever_goes_wrong_with_one(database: str) -> None:
    broken = threading.Event()

    def waiting() -> Sequence[int]:
        return [1 // 0] if broken.is_set() else ()

    with PostgresRegistry(database) as registry:
        tenure = Tenure(registry, worker("one"), silent, waiting=waiting)
        tenure.begin()
        broken.set()
        eventually(lambda: "ZeroDivisionError" in tenure.trouble, "one heartbeat went wrong")
        broken.clear()
        eventually(lambda: tenure.trouble == "", "the next one did not")
        tenure.permit()
        tenure.end()


def test_a_worker_without_a_name_gets_one_that_nobody_had(database: str) -> None:
    names = set()
    with PostgresRegistry(database) as registry:
        for _ in range(3):
            tenure = Tenure(registry, worker(""), silent)
            tenure.begin()
            names.add(tenure.name)
            tenure.end()
    assert len(names) == 3
    assert all(name.startswith("here-") for name in names)


def test_without_a_database_nobody_begins(database: str) -> None:
    with PostgresRegistry(f"{database}_gone host=/nowhere") as registry:
        tenure = Tenure(registry, worker("one"), silent)
        with pytest.raises(TemporaryError):
            tenure.begin()


def test_the_end_of_a_tenure_is_seen_at_once(database: str) -> None:
    with PostgresRegistry(database) as registry:
        tenure = Tenure(registry, worker("one"), silent)
        tenure.begin()
        assert [each.name for each in registry.look().workers] == ["one"]
        tenure.end()
        assert list(registry.look().workers) == []
