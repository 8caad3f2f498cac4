"""What a course came to, from the logs of the targets, of the orgs and of the database. Seconds throughout."""

from __future__ import annotations

import re
import statistics
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from syncd.simulators.exchange import RequestRecord
from tests.fleet_long import ledger
from tests.fleet_long.park import CONCURRENCY, Park, Site

UNIX = time.time() - time.monotonic()
"""Adds up with a reading of the monotonic clock to Unix time."""
_EPOCH = re.compile(r"epoch (\d+) of (\d+)")
_SENT = re.compile(r" at (\d+\.\d+)$")


def spread(values: Iterable[float]) -> dict[str, float | int]:
    """Count, median, 95th percentile and the largest."""
    found = sorted(values)
    if not found:
        return {"count": 0}
    return {
        "count": len(found),
        "median": round(statistics.median(found), 2),
        "p95": round(found[min(len(found) - 1, int(len(found) * 0.95))], 2),
        "max": round(found[-1], 2),
    }


def polls(site: Site) -> list[float]:
    """When the System Log was asked, in Unix time."""
    return [each.started + UNIX for each in site.okta.requests if "/api/v1/logs" in each.path]


def gaps(sites: Sequence[Site], began: float, ended: float, *, ends: bool = True) -> list[tuple[float, str]]:
    """Between one look at the System Log and the next, and at both `ends`."""
    found = []
    for site in sites:
        moments = [at for at in polls(site) if began < at < ended]
        if ends:
            moments = [began, *moments, ended]
        found += [(after - before, site.name) for before, after in pairwise(moments)]
    return found


def believed(record: RequestRecord) -> int:
    """The epoch in which a request to the target was sent; 0 where it does not say."""
    found = _EPOCH.search(record.headers.get("user-agent", ""))
    return int(found[1]) if found else 0


def on_the_way(park: Park) -> dict[str, float | int]:
    """Of writes, from when they were made until they arrived at the target."""
    writes = (each for site in park.sites for each in site.split.requests if each.method != "GET")
    return spread(
        each.started - float(sent[1])
        for each in writes
        if (sent := _SENT.search(each.headers.get("user-agent", "")))
    )


@dataclass(frozen=True)
class Late:
    """Requests of old owners to the target: after the takeover, the most of one takeover, and after the first write of
    the new owner. `after_deadline`: after the end of the lease less its margin.
    """

    after_takeover: int
    most_of_one: int
    writes_of_one: int
    after_the_new_ones_first: int
    takeovers: int


def late_requests(park: Park, owned: Sequence[ledger.Owned], *, margin: float | None = None) -> Late:
    """After the takeover; with the `margin` of the lease after the old owner's deadline, which is before it."""
    by_number = {site.number: site for site in park.sites}
    counted: list[int] = []
    writes: list[int] = []
    after_first = 0
    takeovers = [each for each in owned if not each.clean]
    for taken in takeovers:
        log = by_number[taken.connection].split.requests
        over = taken.at if margin is None else taken.expired - margin
        old = [each for each in log if 0 < believed(each) < taken.epoch and each.started + UNIX > over]
        counted.append(len(old))
        writes.append(sum(1 for each in old if each.method != "GET"))
        new = [each.started for each in log if believed(each) >= taken.epoch and each.method != "GET"]
        if new:
            after_first += sum(1 for each in old if each.started > min(new))
    return Late(sum(counted), max(counted, default=0), max(writes, default=0), after_first, len(takeovers))


def in_the_end(park: Park, patience: float = 300.0) -> dict[str, Any]:
    """Whether all that happened arrived, nobody was made twice, all trails are whole, and nothing is under way."""
    differ = park.wait_until_equal(patience)
    whole, open_intents = park.trails()
    twice = [one for site in park.sites for one in site.made_twice()]
    return {
        "changes": sum(site.changes for site in park.sites),
        "differ": differ[:5],
        "differing": len(differ),
        "made_twice": twice,
        "trails_whole": whole,
        "open_intents": open_intents,
        "requests_to_targets": sum(len(site.split.requests) for site in park.sites),
        "of_which_named_their_epoch": sum(
            1 for site in park.sites for each in site.split.requests if believed(each)
        ),
        "concurrency": CONCURRENCY,
    }


def of_ledger(park: Park) -> Mapping[str, Any]:
    found = ledger.written(park.url)
    return {
        "transactions": found.fenced,
        "rows": found.fenced_rows,
        "stale_transactions": found.stale,
        "rows_by_an_old_epoch": found.stale_rows,
        "outcomes_told_late": found.settled_late,
    }
