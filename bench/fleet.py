"""A store on PostgreSQL against the same one on SQLite: `python -m bench.fleet [--users N] [--rounds N]`.

The store is filled on SQLite and moved, as `syncd store copy` moves it; what is measured then takes turns on both.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass
from typing import Any

from bench import rows, tables
from bench.child import ask
from bench.connection import TOKEN, settings
from bench.org import Size
from bench.rows import Rig, Row, median
from syncd.store.postgres.moving import copy_table
from syncd.store.postgres.relocating import alone_with
from syncd.store.postgres.sessions import connect
from syncd.store.postgres.tables import TABLES
from syncd.store.sqlite.connection import SqliteDb
from tests.postgres.fixtures import new_database
from tests.postgres.making import PostgresPlace
from tests.postgres.server import Server, binaries, running

_GOAL = 2.5
"""What the second database may cost, in times of the first one."""

_DURABLE = {"fsync": "on", "autovacuum": "on"}
"""What a server does for its data, which tests do without."""


@dataclass(frozen=True, slots=True)
class FleetStore:
    """Whose claim a measurement works with; `server` is the process of the server, on this machine."""

    url: str
    connection: int
    epoch: int
    token: str
    server: int


def moved(made: Rig, server: Server) -> FleetStore:
    """The rig's store as a connection of a fleet; the file stays."""
    file = settings(made.okta, made.scim, made.folder, groups=made.size.groups > 0).store_path
    url = new_database(server, migrated=True)
    with closing(PostgresPlace(url, name="bench")) as place, closing(SqliteDb.of_file(file, "ro")) as source:
        with connect(url) as conn:
            conn.execute("UPDATE connection SET paused = true")
        with alone_with(url, place.number, "bench") as target:
            for table in TABLES:
                copy_table(source, target, table)
        claim, process = place.take_over(), server.process
        assert process is not None
        return FleetStore(url, place.number, claim.epoch, claim.token, process.pid)


def against_sqlite(size: Size, rounds: int) -> Iterator[Row]:
    """Full cycles on both, in turns: with nothing new, and with a list of members of every group."""
    if binaries() is None:
        raise RuntimeError("no PostgreSQL server (initdb) on this machine")
    with rows.rig(size) as made, running(settings=_DURABLE) as server:
        ask(f"{made.scim}/bench/fill?users={size.users}")
        place = asdict(moved(made, server))
        for what, stirred in (("quiet full cycle", False), ("full cycle with every list of members", True)):
            ours, theirs = [], []
            for _ in range(rounds):
                theirs.append(made.measured("full_cycle", warm=True, stirred=stirred))
                ours.append(made.measured("full_cycle", warm=True, stirred=stirred, fleet=place))
            yield _row(f"{what}, {size.users:,} users: PostgreSQL / SQLite", ours, theirs)


def _row(what: str, ours: list[dict[str, Any]], theirs: list[dict[str, Any]]) -> Row:
    """By CPU time, that of the server included: it counts the same on a busy machine."""
    ratios = [_spent(one) / _spent(other) for one, other in zip(ours, theirs, strict=True)]
    requests = {(run["okta_requests"], run["target_requests"]) for run in [*ours, *theirs]}
    if len(requests) != 1:
        raise RuntimeError(f"both should make the same requests: {requests}")
    wall = median([one["seconds"] / other["seconds"] for one, other in zip(ours, theirs, strict=True)])
    server = median([run["server_cpu"] for run in ours])
    return Row(
        what,
        median(ratios),
        "times",
        _GOAL,
        detail=f"CPU {median([_spent(run) for run in ours]):.2f} s, {server:.2f} s of it the server's; on SQLite "
        f"{median([_spent(run) for run in theirs]):.2f} s; time {wall:.2f} times; requests {requests.pop()}",
        runs=ratios,
    )


def _spent(run: Mapping[str, Any]) -> float:
    return float(run["cpu"] + run["server_cpu"])


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.fleet", description=__doc__)
    parser.add_argument("--users", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    os.environ.update(TOKEN)
    tables.printed(against_sqlite(Size.of(options.users), options.rounds))


if __name__ == "__main__":
    main()
