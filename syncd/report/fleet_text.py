"""A renderer for `syncd.fleet/1` documents."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from syncd.core.counting import counted
from syncd.report.lines import BLANK, Line, Span, faint, line, safe, strong

SHOWN = 1000
"""Of more connections `--json` has the rest."""
_STYLES = {"owned": "good", "free": "warn", "silent": "warn", "paused": ""}


def fleet_lines(document: Mapping[str, Any]) -> Iterator[Line]:
    """What was done; the workers, the connections with their owners."""
    for said in document["done"]:
        yield line(safe(said, 1000))
    if document["done"]:
        yield BLANK
    workers, connections = document["workers"], document["connections"]
    for worker in workers:
        yield _worker_line(worker)
    if not workers:
        yield line(Span("no worker lives", "warn"), faint("  → syncd worker"))
    width = max((len(safe(each["name"], 60)) for each in connections), default=0)
    for each in connections[:SHOWN]:
        yield _connection_line(each, width)
    if len(connections) > SHOWN:
        yield line(f"… and {len(connections) - SHOWN:,} more ", faint("(use --json to see all)"))
    yield line(
        strong(f"{safe(document['database'])}: "),
        f"{counted(len(workers), 'worker')}, {counted(len(connections), 'connection')}.",
    )


def _worker_line(worker: Mapping[str, Any]) -> Line:
    state = "draining, " if worker["draining"] else ""
    state += "only watches, " if worker["mode"] == "watch" else ""
    return line(
        "worker ",
        strong(safe(worker["name"])),
        f"  {state}{worker['owned']} of {worker['capacity']} connections",
        faint(
            f", {safe(worker['version'])} on {safe(worker['host'])} since {safe(worker['started'])},"
            f" lease {worker['lease_seconds_left']:.0f} s"
        ),
    )


def _connection_line(each: Mapping[str, Any], width: int) -> Line:
    state = str(each["state"])
    owner = f" by {safe(each['owner'])}" if each["owner"] else ""
    since = f" since {safe(each['since'])}" if each["since"] else ""
    bound = f", bound for {safe(each['bound_for'])}" if each["bound_for"] else ""
    return line(
        f"  {safe(each['name'], 60):<{width}}  ",
        Span(safe(state), _STYLES.get(state, "")),
        f"{owner}{bound}",
        faint(f"{since}, {counted(each['people'], 'person', 'people')}, epoch {each['epoch']}"),
    )
