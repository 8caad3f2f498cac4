"""Workers and connections for the tests."""

from __future__ import annotations

from collections.abc import Iterable

import psycopg

from syncd.core.lease import LeaseTerms
from syncd.ports.fleet import WORK, Enrolment, Fleet, Mode, WorkerRecord
from syncd.store.postgres.registry import PostgresRegistry

TERMS = LeaseTerms()


def applicant(
    name: str, *, mode: Mode = WORK, capacity: int = 100, terms: LeaseTerms = TERMS
) -> WorkerRecord:
    return WorkerRecord(name, "host.example", "0.2.0", mode, capacity, terms)


def enrolment(
    name: str, *, toml: str = "", target: str = "", org: str = "https://example.okta.com"
) -> Enrolment:
    return Enrolment(name, toml, f"digest of {name} {toml}", org, target or f"https://split.example/{name}")


def enrol(registry: PostgresRegistry, names: Iterable[str]) -> dict[str, int]:
    """The ids of the connections, by name."""
    registry.enrol([enrolment(name) for name in names], "ada")
    return ids(registry.look())


def ids(fleet: Fleet) -> dict[str, int]:
    return {each.name: each.id for each in fleet.connections}


def run_out(database: str, worker: str, *, seconds: float = 1.0) -> None:
    """The lease of this worker ran out so many seconds ago, by the database's clock."""
    with psycopg.connect(database) as session:
        session.execute(
            "UPDATE syncd.worker SET expires = clock_timestamp() - make_interval(secs => %s) WHERE id = %s",
            (seconds, worker),
        )
