"""The rows of first syncs: into an empty target, against bare requests, the ideal, and a plain script."""

from __future__ import annotations

from collections.abc import Iterator

from bench.connection import THREADS
from bench.org import Size
from bench.rows import Growth, Row, median, ratios, rig
from syncd.engine.writing.canary import STEPS

_LATENCY = 0.05
"""Seconds until a server answers."""


def groups() -> Iterator[Row]:
    """A first sync with groups: one request for each `member_batch` members, after two to feel its way."""
    size = Size.of(1_000)
    with rig(size, filled=False) as made:
        found = made.measured("first_sync")
        batches = size.groups * -(-size.members // 100)
        counts = found["target_counts"]
        spent = sum(number for what, number in counts.items() if what.startswith("PATCH")) - len(STEPS)
        yield Row(
            f"first sync with {size.groups} groups of {size.members}, after two requests to feel its way: "
            "requests for each 100 members",
            spent / batches,
            "requests",
            1,
            detail=str(counts),
        )


def sync(size: Size, rounds: int) -> Iterator[Row]:
    """Users, groups and members into an empty target, against bare requests that are as many."""
    with rig(size, filled=False) as made:
        mine, bare = [], []
        for _ in range(rounds):
            mine.append(made.measured("first_sync"))
            requests = int(mine[-1]["target_requests"])
            bare.append(made.measured("bare_writes", users=requests)["seconds"])
    growth = Growth.of("first", size.users, mine)
    times = ratios(bare, [run["writing"] for run in mine])
    yield Row(
        f"first sync of {size.users:,} users and {size.groups:,} groups: bare requests pool / writing phase",
        median(times),
        "times",
        detail=f"{growth.seconds:.1f} s in all, CPU {growth.cpu:.1f} s, {growth.peak_mb:.0f} MB, store "
        f"{growth.store_mb:.0f} MB; {growth.okta_requests:,.0f} requests to Okta, "
        f"{growth.target_requests:,.0f} to the target",
        runs=times if rounds > 1 else (),
        growth=growth,
    )


def store(size: Size) -> Iterator[Row]:
    """What the store holds after a first sync, with its whole trail: for each person, and for each membership more."""
    with rig(size, filled=False) as made:
        alone = made.measured("first_sync", groups=False)["store_bytes"]
        whole = made.measured("first_sync")["store_bytes"]
    memberships = size.groups * size.members
    what = f"store after a first sync of {size.users:,} users"
    yield Row(f"{what}: bytes for each", alone / size.users, "bytes", 2_000.0)
    yield Row(
        f"{what} and {size.groups:,} groups: bytes for each membership besides",
        (whole - alone) / memberships,
        "bytes",
        500.0,
        detail=f"{whole / 1e6:.1f} MB, {memberships:,} memberships",
    )


def sync_of_a_million() -> Iterator[Row]:
    """Once: it takes half an hour, and writes a store of 5 GB."""
    [row] = sync(Size.of(1_000_000), 1)
    yield row
    assert row.growth is not None
    yield Row(
        "first sync of 1,000,000 users and 1,000 groups: peak memory of the process",
        row.growth.peak_mb,
        "MB",
        600.0,
    )


def writing(users: int, rounds: int) -> Iterator[Row]:
    """First syncs without a request cap, against the ideal and against bare requests."""
    size = Size(users)
    with rig(size, filled=False) as made:
        mine, bare, last = [], [], {}
        for _ in range(rounds):
            last = made.measured("first_sync")
            mine.append(last["writing"])
            bare.append(made.measured("bare_writes", users=users)["seconds"])
        yield Row(
            f"first sync of {users:,} users, no latency: bare requests pool / writing phase",
            median(ratios(bare, mine)),
            "times",
            0.7,
            at_least=True,
            detail=f"{users / median(mine):,.0f} users/s; bare {users / median(bare):,.0f}; whole "
            f"{last['seconds']:.1f} s, CPU {last['cpu']:.1f} s, {last['peak_mb']:.0f} MB, "
            f"store {last['store_bytes'] / 1e6:.1f} MB",
            runs=ratios(bare, mine),
        )


def writing_with_latency(users: int, rounds: int) -> Iterator[Row]:
    """The ideal takes the latency that the server really had: its timer is late by half a millisecond or more."""
    with rig(Size(users), latency=_LATENCY, filled=False) as made:
        runs, bare = [], []
        for _ in range(rounds):
            runs.append(made.measured("first_sync"))
            bare.append(made.measured("bare_writes", users=users))
    reached = [users * run["latency"] / THREADS / run["writing"] for run in runs]
    bare_reached = [users * run["latency"] / THREADS / run["seconds"] for run in bare]
    yield Row(
        f"first sync of {users:,} users, 50 ms, concurrency {THREADS}: ideal / writing phase",
        median(reached),
        "times",
        0.95,
        at_least=True,
        detail=f"{median([run['writing'] for run in runs]):.1f} s at {runs[0]['latency'] * 1000:.1f} ms; "
        f"bare requests pool reaches {median(bare_reached):.3f}",
        runs=reached,
    )


def naive(rounds: int, users: int = 1_000) -> Iterator[Row]:
    """Against a plain script: typed SDK, one request after the other."""
    with rig(Size(users), latency=0.01, filled=False) as made:
        mine, script = [], []
        for _ in range(rounds):
            mine.append(made.measured("first_sync")["seconds"])
            script.append(made.measured("naive")["seconds"])
    times = ratios(script, mine)
    yield Row(
        f"first sync of {users:,} users, 10 ms: a plain script / syncd",
        median(times),
        "times",
        detail=f"script {median(script):.1f} s, syncd {median(mine):.1f} s",
        runs=times,
    )
