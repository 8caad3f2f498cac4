"""One measurement in a process of its own: `python -m bench.child NAME JSON`. Prints one JSON object.

Both sides of a ratio take turns, each in a process of its own: the machine may be slow, but it is equally slow for
both, and neither has the other's objects to look after.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from bench import org
from bench.connection import TOKEN, Stopwatch, fill, opened, settings
from syncd.cli.planning import plan_document_of
from syncd.engine.cycles.delta import delta, follow
from syncd.engine.cycles.seen import Seen
from syncd.engine.cycles.sync import plan, sync
from syncd.engine.job import Job
from syncd.engine.reading.selection import Selection
from syncd.redact import Redactor
from syncd.report import jsondoc
from syncd.wiring import open_job

Numbers = dict[str, Any]


def ask(url: str) -> Numbers:
    """POST to one of the servers' own paths."""
    with urlopen(Request(url, method="POST"), timeout=600) as answer:  # noqa: S310  (loopback)
        found = json.loads(answer.read())
    assert isinstance(found, dict)
    return found


def _peak() -> float:
    """Peak resident memory of this process in MB (10^6 bytes), as the operating system counted it."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise RuntimeError("this system does not tell the peak memory of a process")


def _timed(work: Callable[[], object]) -> float:
    gc.collect()
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def fill_store(spec: Numbers) -> Numbers:
    chosen = settings(spec["okta"], spec["scim"], Path(spec["folder"]), groups=spec["groups"])
    seconds = _timed(lambda: fill(chosen))
    return {"seconds": seconds, "bytes": chosen.store_path.stat().st_size}


def bare_reads(spec: Numbers) -> Numbers:
    """Seconds and CPU of the bare loops over all users, in a process that has nothing else in it."""
    yardsticks = importlib.import_module("bench.yardsticks")
    importlib.import_module("okta.request_executor")  # before the clock starts
    found: Numbers = {}
    for name, loop in (("executor", yardsticks.executor_loop), ("aiohttp", yardsticks.aiohttp_loop)):
        if spec["warm"]:
            loop(spec["okta"])
        cpu = time.process_time()
        found[name] = _timed(lambda loop=loop: loop(spec["okta"]))  # type: ignore[misc]  # a default is no type
        found[f"{name}_cpu"] = time.process_time() - cpu
    return found


def full_cycle(spec: Numbers) -> Numbers:
    """One full cycle: seconds, CPU, requests, and the peak memory of the process."""
    chosen = settings(spec["okta"], spec["scim"], Path(spec["folder"]), groups=spec["groups"])
    before = _counted(spec)
    fleet = spec.get("fleet")
    with opened(chosen, fleet=fleet) as job:
        idle = _peak()
        if spec["warm"]:
            sync(job, Selection())  # connections, caches, statements
        if spec.get("stirred"):
            ask(f"{spec['okta']}/bench/stir")
        asked = sum(job.source.requests().values())
        cpu, served = time.process_time(), _server_cpu(fleet)
        seconds = _timed(lambda: _succeeded(sync(job, Selection())))
        _confirm(spec, job, before)
        return {
            "idle_mb": idle,
            "seconds": seconds,
            "cpu": time.process_time() - cpu,
            "server_cpu": _server_cpu(fleet) - served,
            "peak_mb": _peak(),
            "okta_requests": sum(job.source.requests().values()) - asked,
            "target_requests": sum(job.target.requests().values()),
            "store_bytes": chosen.store_path.stat().st_size,
        }


def _server_cpu(fleet: Numbers | None) -> float:
    """Seconds of a PostgreSQL server and all its processes so far."""
    if fleet is None:
        return 0.0
    ticks = 0
    for each in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it ended meanwhile
            process, _, rest = each.read_text().rpartition(")")
            parent, *spent = [int(part) for part in (rest.split()[1], *rest.split()[11:15])]
            mine = process.split()[0] == str(fleet["server"])
            if mine or parent == fleet["server"]:
                ticks += sum(spent if mine else spent[:2])
    return ticks / os.sysconf("SC_CLK_TCK")


def _counted(spec: Numbers) -> tuple[int, int]:
    """Requests so far, as the two servers count them."""
    okta = ask(f"{spec['okta']}/bench/requests")["requests"]
    return okta, sum(ask(f"{spec['scim']}/bench/requests")["requests"].values())


def _confirm(spec: Numbers, job: Job, before: tuple[int, int]) -> None:
    """Raises RuntimeError unless the servers counted as many requests as syncd says it made."""
    now = _counted(spec)
    counted = now[0] - before[0], now[1] - before[1]
    told = sum(job.source.requests().values()), sum(job.target.requests().values())
    if told != counted:
        raise RuntimeError(f"syncd tells of {told} requests to Okta and the target, the servers of {counted}")


def _succeeded(result: Any) -> None:
    if result.status != "succeeded":
        raise RuntimeError(f"the cycle ended as {result.status}: {result.problems}")


def quiet_delta(spec: Numbers) -> Numbers:
    """Deltas in which nothing happens, over open connections."""
    chosen = settings(spec["okta"], spec["scim"], Path(spec["folder"]), groups=spec["groups"])
    seen = Seen()
    cpu_ms, wall_ms = [], []
    at_first = _counted(spec)
    with opened(chosen) as job:
        follow(job)
        delta(job, seen)
        before = sum(job.source.requests().values())
        for _ in range(spec["rounds"]):
            gc.collect()
            cpu, wall = time.process_time(), time.perf_counter()
            assert delta(job, seen).result is None
            cpu_ms.append((time.process_time() - cpu) * 1000)
            wall_ms.append((time.perf_counter() - wall) * 1000)
        _confirm(spec, job, at_first)
        return {
            "cpu_ms": cpu_ms,
            "wall_ms": wall_ms,
            "okta_requests": (sum(job.source.requests().values()) - before) / spec["rounds"],
            "target_requests": sum(job.target.requests().values()) / spec["rounds"],
            "peak_mb": _peak(),
            "store_bytes": chosen.store_path.stat().st_size,
        }


def changes_by_delta(spec: Numbers) -> Numbers:
    """So many users changed in Okta: requests on both sides for each, by a delta."""
    chosen = settings(spec["okta"], spec["scim"], Path(spec["folder"]), groups=spec["groups"])
    seen, changed = Seen(), spec["changed"]
    before = _counted(spec)
    with opened(chosen) as job:
        follow(job)
        delta(job, seen)
        okta, target = sum(job.source.requests().values()), sum(job.target.requests().values())
        ask(f"{spec['okta']}/bench/change?users={changed}")
        result = delta(job, seen).result
        assert result is not None
        _succeeded(result)
        _confirm(spec, job, before)
        return {
            "okta_requests": sum(job.source.requests().values()) - okta,
            "target_requests": sum(job.target.requests().values()) - target,
            "target_counts": dict(job.target.requests()),
        }


def first_sync(spec: Numbers) -> Numbers:
    """A first sync into an empty target: the writing phase, the whole, memory, requests."""
    ask(f"{spec['scim']}/bench/reset")
    if spec.get("filled"):
        ask(f"{spec['scim']}/bench/fill?users={spec['filled']}")
    chosen = settings(spec["okta"], spec["scim"], Path(spec["folder"]), groups=spec["groups"])
    chosen.store_path.unlink(missing_ok=True)
    watch = Stopwatch()
    before = _counted(spec)
    cpu = time.process_time()
    with opened(chosen, watch) as job:
        whole = _timed(lambda: _succeeded(sync(job, Selection())))
        _confirm(spec, job, before)
        return {
            "writing": watch.last - watch.begun["writing"],
            "latency": ask(f"{spec['scim']}/bench/requests")["latency"],
            "seconds": whole,
            "cpu": time.process_time() - cpu,
            "peak_mb": _peak(),
            "okta_requests": sum(job.source.requests().values()),
            "target_requests": sum(job.target.requests().values()),
            "target_counts": dict(job.target.requests()),
            "store_bytes": chosen.store_path.stat().st_size,
        }


def bare_writes(spec: Numbers) -> Numbers:
    yardsticks = importlib.import_module("bench.yardsticks")
    ask(f"{spec['scim']}/bench/reset")
    cpu = time.process_time()
    seconds = yardsticks.requests_pool(spec["scim"], spec["users"], 8)
    spent = time.process_time() - cpu
    return {"seconds": seconds, "cpu": spent, "latency": ask(f"{spec['scim']}/bench/requests")["latency"]}


def naive(spec: Numbers) -> Numbers:
    yardsticks = importlib.import_module("bench.yardsticks")
    ask(f"{spec['scim']}/bench/reset")
    return {"seconds": yardsticks.naive_script(spec["okta"], spec["scim"])}


def first_plan(spec: Numbers) -> Numbers:
    """A first plan into an empty target, written as one JSON document, as `syncd plan --json` does."""
    ask(f"{spec['scim']}/bench/reset")
    chosen = settings(spec["okta"], spec["scim"], Path(spec["folder"]), groups=True)
    read_only = open_job(chosen, writing=False, observer=Stopwatch(), redactor=Redactor())
    cpu, started = time.process_time(), time.perf_counter()
    with read_only as job, plan(job, Selection()) as planned, Path(os.devnull).open("w") as file:
        file.writelines(jsondoc.pieces(plan_document_of(planned)))
        return {
            "seconds": time.perf_counter() - started,
            "cpu": time.process_time() - cpu,
            "peak_mb": _peak(),
            "changes": sum(planned.header.summary.values()),
        }


def held_plan(spec: Numbers) -> Numbers:
    """A full plan in which every group would lose all its members: seconds from the last answer to the plan."""
    chosen = settings(spec["okta"], spec["scim"], Path(spec["folder"]), groups=True)
    watch = Stopwatch()
    with opened(chosen, watch) as job:
        cpu = time.process_time()
        with plan(job, Selection()) as planned:
            seconds = time.perf_counter() - watch.begun["planning"]
            held = sum(hold.changes for hold in planned.header.holds)
            return {
                "seconds": seconds,
                "cpu": time.process_time() - cpu,
                "held": held,
                "holds": len(planned.header.holds),
                "peak_mb": _peak(),
            }


def raise_holds(spec: Numbers) -> Numbers:
    """The sync that stores the holds of `held_plan`."""
    chosen = settings(spec["okta"], spec["scim"], Path(spec["folder"]), groups=True)
    with opened(chosen) as job:
        result = sync(job, Selection())
        return {"status": result.status, "held": sum(result.held.values())}


def one_person(spec: Numbers) -> Numbers:
    """Runs over one person each who has another surname in Okta: the median of their times."""
    chosen = settings(spec["okta"], spec["scim"], Path(spec["folder"]), groups=True)
    seconds = []
    with opened(chosen) as job:
        for number in range(spec["rounds"]):
            ask(f"{spec['okta']}/bench/change?users={number + 1}")
            selection = Selection(users=(org.user_id(number),))
            seconds.append(_timed(lambda selection=selection: sync(job, selection)))  # type: ignore[misc]
    return {"seconds": seconds}


_MEASUREMENTS: dict[str, Callable[[Numbers], Numbers]] = {
    each.__name__: each
    for each in (
        fill_store,
        bare_reads,
        full_cycle,
        quiet_delta,
        changes_by_delta,
        first_sync,
        bare_writes,
        naive,
        first_plan,
        held_plan,
        raise_holds,
        one_person,
    )
}


if __name__ == "__main__":
    os.environ.update(TOKEN)
    sys.stdout.write(json.dumps(_MEASUREMENTS[sys.argv[1]](json.loads(sys.argv[2]))) + "\n")
