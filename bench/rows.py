"""The rows of the table: what is measured, against what, and the goal."""

from __future__ import annotations

import shutil
import statistics
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bench import servers
from bench.child import ask
from bench.org import GROUP_PAGE, USER_PAGE, Size


@dataclass(frozen=True, slots=True)
class Growth:
    """What one cycle of a kind costs at one size: medians of whole processes, times in seconds, sizes in MB."""

    cycle: str
    users: int
    seconds: float
    cpu: float
    peak_mb: float
    okta_requests: float
    target_requests: float
    store_mb: float

    @classmethod
    def of(cls, cycle: str, users: int, runs: Sequence[Mapping[str, Any]]) -> Growth:
        def middle(name: str) -> float:
            return median([run[name] for run in runs])

        return cls(
            cycle=cycle,
            users=users,
            seconds=middle("seconds"),
            cpu=middle("cpu"),
            peak_mb=middle("peak_mb"),
            okta_requests=middle("okta_requests"),
            target_requests=middle("target_requests"),
            store_mb=middle("store_bytes") / 1e6,
        )


@dataclass(frozen=True, slots=True)
class Row:
    """`value` against `goal`: both of the same unit; `at_least` says which side is good. No goal: for information."""

    what: str
    value: float
    unit: str
    goal: float | None = None
    at_least: bool = False
    detail: str = ""
    runs: Sequence[float] = field(default_factory=tuple)
    growth: Growth | None = None

    @property
    def met(self) -> bool | None:
        if self.goal is None:
            return None
        return self.value >= self.goal if self.at_least else self.value <= self.goal

    def document(self) -> dict[str, Any]:
        return {**asdict(self), "met": self.met}


def median(values: Sequence[float]) -> float:
    return float(statistics.median(values))


def ratios(above: Sequence[float], below: Sequence[float]) -> list[float]:
    """One for each round: both sides of it ran one after the other."""
    return [a / b for a, b in zip(above, below, strict=True)]


@dataclass(frozen=True, slots=True)
class Rig:
    """Both servers, and a folder with a filled store."""

    size: Size
    okta: str
    scim: str
    folder: Path
    filled: Mapping[str, Any]

    def measured(self, name: str, **more: object) -> dict[str, Any]:
        spec = {
            "okta": self.okta,
            "scim": self.scim,
            "folder": str(self.folder),
            "groups": self.size.groups > 0,
        }
        return servers.measured(name, **{**spec, **more})


@contextmanager
def rig(size: Size, *, latency: float = 0.0, filled: bool = True, compressed: bool = False) -> Iterator[Rig]:
    folder = Path(tempfile.mkdtemp(prefix="syncd-bench-"))
    try:
        with servers.okta(size, compressed=compressed) as okta, servers.scim(latency) as scim:
            made = Rig(size, okta, scim, folder, {})
            yield Rig(size, okta, scim, folder, made.measured("fill_store") if filled else {})
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _turns(made: Rig, rounds: int) -> tuple[list[Mapping[str, Any]], list[Mapping[str, Any]]]:
    """Full cycles and the bare loops, turn by turn."""
    warm = made.size.users <= 100_000
    cycles: list[Mapping[str, Any]] = []
    bare: list[Mapping[str, Any]] = []
    for _ in range(rounds):
        cycles.append(made.measured("full_cycle", warm=warm))
        bare.append(made.measured("bare_reads", warm=warm))
    return cycles, bare


def _each(runs: Sequence[Mapping[str, Any]], name: str) -> list[float]:
    return [run[name] for run in runs]


def _against_bare(
    what: str,
    users: int,
    goal: float | None,
    cycles: Sequence[Mapping[str, Any]],
    bare: Sequence[Mapping[str, Any]],
) -> Row:
    times = ratios(_each(cycles, "seconds"), _each(bare, "executor"))
    cpu = median(ratios(_each(cycles, "cpu"), _each(bare, "executor_cpu")))
    seconds = median(_each(cycles, "seconds"))
    return Row(
        f"{what}: time / bare executor loop",
        median(times),
        "times",
        goal,
        detail=f"{seconds:.2f} s, {users / seconds:,.0f} users/s; bare {median(_each(bare, 'executor')):.2f} s, "
        f"aiohttp alone {median(_each(bare, 'aiohttp')):.2f} s; CPU {cpu:.2f} times",
        runs=times,
    )


def reading(size: Size, rounds: int) -> Iterator[Row]:
    """Quiet cycles: time against the bare loops, CPU, requests, memory."""
    of = f"{size.users:,} users"
    with rig(size) as made:
        cycles, bare = _turns(made, rounds)
        goal = 1.5 if size.users == 100_000 else None
        yield _against_bare(f"full read and diff, {of}", size.users, goal, cycles, bare)
        growth = Growth.of("full", size.users, cycles)
        yield Row(
            f"full cycle, {of}: peak memory of the process",
            growth.peak_mb,
            "MB",
            {100_000: 250.0, 1_000_000: 600.0}.get(size.users),
            detail=f"{median(_each(cycles, 'idle_mb')):.0f} MB before it; {growth.cpu:.1f} s CPU; store "
            f"{growth.store_mb:.0f} MB; {size.groups:,} groups",
            runs=_each(cycles, "peak_mb"),
            growth=growth,
        )
        # The app, its users, its groups; no group has moved.
        needed = 1 + -(-size.users // USER_PAGE) + max(1, -(-size.groups // GROUP_PAGE))
        yield Row(
            f"quiet full cycle, {of}: Okta requests",
            growth.okta_requests,
            "requests",
            needed,
            detail=f"{needed} pages needed",
        )
        yield Row(f"quiet full cycle, {of}: target requests", growth.target_requests, "requests", 0)
        yield from _quiet_delta(made, of)


def compressed_pages(users: int, rounds: int) -> Iterator[Row]:
    """The same with pages that Okta compresses, which every client here asks for."""
    with rig(Size(users), compressed=True) as made:
        cycles, bare = _turns(made, rounds)
    yield _against_bare(f"full read and diff, {users:,} users, compressed pages", users, None, cycles, bare)


def _quiet_delta(made: Rig, of: str) -> Iterator[Row]:
    found = made.measured("quiet_delta", rounds=20)
    spent = {
        **found,
        "seconds": median(found["wall_ms"]) / 1000,
        "cpu": median(found["cpu_ms"]) / 1000,
    }
    yield Row(f"quiet delta cycle, {of}: Okta requests", found["okta_requests"], "requests", 1)
    yield Row(f"quiet delta cycle, {of}: target requests", found["target_requests"], "requests", 0)
    yield Row(
        f"quiet delta cycle, {of}: CPU",
        median(found["cpu_ms"]),
        "ms",
        50,
        runs=found["cpu_ms"],
        growth=Growth.of("quiet delta", made.size.users, [spent]),
    )


def changing(changed: int = 40) -> Iterator[Row]:
    """Requests for each changed user, seen by a delta and by a full cycle."""
    size = Size.of(10_000)
    with rig(size) as made:
        ask(f"{made.scim}/bench/fill?users={size.users}")
        found = made.measured("changes_by_delta", changed=changed)
        yield Row(
            f"{changed} changed users in a delta: target requests for each",
            found["target_requests"] / changed,
            "requests",
            1,
            detail=str(found["target_counts"]),
        )
        yield Row(
            f"{changed} changed users in a delta: Okta requests for each",
            (found["okta_requests"] - 2) / changed,  # the poll, and the app's status
            "requests",
            2,
        )


def matching() -> Iterator[Row]:
    """A lost store, everybody at the target already: found by one listing."""
    size = Size(1_000)
    with rig(size, filled=False) as made:
        found = made.measured("first_sync", filled=size.users)
        counts = found["target_counts"]
        pages = size.users // 100 + 1  # and the empty one that proves the end
        yield Row(
            f"{size.users:,} unlinked users matched: target requests",
            sum(counts.values()),
            "requests",
            pages,
            detail=str(counts),
        )


def first_plan(size: Size, rounds: int) -> Iterator[Row]:
    """Everybody is new, and so is every group; the plan is one JSON document."""
    with rig(size, filled=False) as made:
        plans = [made.measured("first_plan") for _ in range(rounds)]
    # Who is in a group is asked of the groups: as many memberships as the groups have members.
    wanted = size.users + size.groups * (1 + size.members)
    if {plan["changes"] for plan in plans} != {wanted}:
        raise RuntimeError(f"{wanted} changes should be planned: {plans}")
    whole = size.users == 100_000
    of = f"first plan of {size.users:,} people, {size.groups:,} groups and {size.groups * size.members:,} memberships"
    yield Row(
        f"{of} as JSON",
        median(_each(plans, "seconds")),
        "s",
        10.0 if whole else None,
        detail=f"CPU {median(_each(plans, 'cpu')):.1f} s",
        runs=_each(plans, "seconds"),
    )
    yield Row(
        f"{of}: peak memory of the process",
        median(_each(plans, "peak_mb")),
        "MB",
        200.0 if whole else None,
        runs=_each(plans, "peak_mb"),
    )


def holding(rounds: int, groups: int = 200, members: int = 100) -> Iterator[Row]:
    """Every group would lose all its members: one hold for each. Against a quarter of the groups; and a run over one
    person beside these holds, against the same while nothing is held.
    """
    few, _, _ = _held(rounds, groups // 4, members)
    many, before, beside = _held(rounds, groups, members)
    of = f"{groups * members:,} held changes in {groups} groups"
    seconds = median(_each(many, "seconds"))
    yield Row(
        f"planning with {of}",
        seconds,
        "s",
        5.0,
        detail=f"CPU of the whole plan {median(_each(many, 'cpu')):.1f} s, {median(_each(many, 'peak_mb')):.0f} MB",
        runs=_each(many, "seconds"),
    )
    growth = [ratio / 4 for ratio in ratios(_each(many, "seconds"), _each(few, "seconds"))]
    yield Row(
        f"planning with {of}: time for each / with {groups // 4} groups",
        median(growth),
        "times",
        1.3,
        detail=f"{seconds:.2f} s; a quarter of it {median(_each(few, 'seconds')):.2f} s",
        runs=growth,
    )
    yield Row(
        f"a run over one person beside {of}: time / while nothing is held",
        median(beside) / median(before),
        "times",
        1.5,
        detail=f"{median(beside) * 1000:.0f} ms; without {median(before) * 1000:.0f} ms",
    )


def _held(
    rounds: int, groups: int, members: int
) -> tuple[list[Mapping[str, Any]], Sequence[float], Sequence[float]]:
    """Plans that hold everything, and runs over one person each before and after these holds were stored."""
    size = Size(groups * members, groups, members)
    with rig(size) as made:
        ask(f"{made.scim}/bench/fill?users={size.users}")
        before = made.measured("one_person", rounds=rounds)["seconds"]
        ask(f"{made.okta}/bench/empty")
        plans: list[Mapping[str, Any]] = [made.measured("held_plan") for _ in range(rounds)]
        stored = made.measured("raise_holds")
        if {plan["held"] for plan in plans} != {groups * members} or stored["held"] != groups * members:
            raise RuntimeError(f"{groups * members} changes should be held: {plans}, {stored}")
        return plans, before, made.measured("one_person", rounds=rounds)["seconds"]
