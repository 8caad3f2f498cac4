"""A database that is put back from a real pg_dump: what was allowed when the copy was made is allowed nobody again."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from syncd.errors import LockLost
from syncd.store.postgres.opening import Pools, open_store
from syncd.store.postgres.registry import PostgresRegistry
from syncd.store.postgres.store import StoreClaim
from tests.fleet.machines import fleet, fleet_file
from tests.fleet.making import applicant, enrol
from tests.postgres.fixtures import new_database
from tests.postgres.making import permitted
from tests.postgres.server import Server
from tests.store.making import Clock


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
