"""What Prometheus is told (docs/monitoring.md): the only module that knows its client library.

Nothing is counted here. Counters are the board's totals since the process began, gauges are the stores' word at the
moment of the question, so there is no registry that could disagree with either.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from itertools import accumulate, product
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import Collector

import syncd
from syncd.core.drift import DriftKind
from syncd.core.latency import STEPS
from syncd.core.lateness import STEPS as LATE_STEPS
from syncd.core.left_out import KINDS as LEFT_OUT_KINDS
from syncd.service.board import Snapshot
from syncd.service.fleet.moment import FleetMoment
from syncd.service.headroom import shown_buckets
from syncd.service.health import View, not_ready

KINDS = ("delta", "full", "drift")
SIDES = ("okta", "target")
STATUSES = ("succeeded", "held", "partial", "refused", "interrupted", "failed")
_OTHER = "other"
_WORD = re.compile(r"[1-5][0-9]{2}|[a-z_]{1,20}")


def metrics(view: View, accept: str = "") -> tuple[bytes, str]:
    """The page and its content type; OpenMetrics for a scraper whose Accept header asks for it."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_ViewCollector(view))
    # The library's own choice repeats what the header says and stumbles over a version that is none.
    if "application/openmetrics-text" in accept:
        page: bytes = openmetrics.generate_latest(registry)  # type: ignore[no-untyped-call]
        return page, openmetrics.CONTENT_TYPE_LATEST
    return generate_latest(registry), CONTENT_TYPE_PLAIN_0_0_4


class _ViewCollector(Collector):
    def __init__(self, view: View) -> None:
        self._view = view

    def collect(self) -> Iterator[Metric]:
        yield from _of_the_process(self._view)
        if self._view.fleet is not None:
            yield from _of_the_fleet(self._view.fleet)
        yield from _of_the_boards(self._view)
        yield from _of_the_documents(self._view)


def _of_the_process(view: View) -> Iterator[Metric]:
    build = GaugeMetricFamily("syncd_build_info", "Always 1; the version is a label.", labels=["version"])
    build.add_metric([syncd.__version__], 1)
    yield build
    yield GaugeMetricFamily(
        "syncd_ready", "1 while /readyz answers 200, else 0.", value=int(not not_ready(view))
    )
    yield GaugeMetricFamily(
        "syncd_broken_settings_files", "Settings files that cannot be used.", value=len(view.broken)
    )
    hooks = CounterMetricFamily(
        "syncd_hook_requests", "Answers of the listener of event hooks, by HTTP status.", labels=["code"]
    )
    for status, number in sorted(view.hook_answers.items()):
        hooks.add_metric([str(status)], number)
    yield hooks
    yield _lateness(view)
    intervals = GaugeMetricFamily(
        "syncd_full_interval_seconds",
        "The setting schedule.full; of a calendar, the longest time between two of its firings.",
        labels=["connection"],
    )
    for name, seconds in sorted(view.full_intervals.items()):
        intervals.add_metric([name], seconds)
    yield intervals


def _lateness(view: View) -> Metric:
    family = HistogramMetricFamily(
        "syncd_cycle_late_seconds",
        "From the moment a cycle was due until it began, by kind of cycle.",
        labels=["kind"],
    )
    ends = [*map(str, LATE_STEPS), "+Inf"]
    for kind, late in sorted(view.lateness.items()):
        family.add_metric([kind], list(zip(ends, accumulate(late.counts), strict=True)), late.total)
    return family


def _of_the_fleet(fleet: FleetMoment) -> Iterator[Metric]:
    yield GaugeMetricFamily(
        "syncd_owned_connections", "Connections that this worker owns now.", value=fleet.owned
    )
    yield GaugeMetricFamily(
        "syncd_lease_seconds_left",
        "Seconds for which this worker may write without a renewal of its lease.",
        value=fleet.left,
    )
    takeovers = CounterMetricFamily(
        "syncd_takeovers",
        "Connections that another worker had before, by whether that one gave them back.",
        labels=["clean"],
    )
    for clean, number in sorted(fleet.takeovers.items()):
        takeovers.add_metric([str(clean).lower()], number)
    yield takeovers
    fenced = CounterMetricFamily(
        "syncd_fenced", "Writes that were stopped because the lease had run out.", labels=["where"]
    )
    for where, number in sorted(fleet.fenced.items()):
        fenced.add_metric([where], number)
    yield fenced
    yield CounterMetricFamily(
        "syncd_leases_lost",
        "Leases of this worker that ran out, and that others were told of.",
        value=fleet.lost,
    )
    yield from _of_the_whole_fleet(fleet)


def _of_the_whole_fleet(fleet: FleetMoment) -> Iterator[Metric]:
    """As this worker sees it; what it cannot see is absent."""
    yield GaugeMetricFamily(
        "syncd_fleet_database_up",
        "1 while this worker reaches the fleet's database, else 0.",
        value=int(not fleet.trouble),
    )
    if fleet.renewal is not None:
        yield GaugeMetricFamily(
            "syncd_lease_renewal_seconds",
            "How long the last renewal of the lease took, also one that failed.",
            value=fleet.renewal,
        )
    if fleet.workers is None:
        return
    yield GaugeMetricFamily("syncd_fleet_workers", "Workers that live and write.", value=fleet.workers)
    unowned = GaugeMetricFamily(
        "syncd_connection_unowned",
        "1 for each connection that is to be served and that no living worker has.",
        labels=["connection"],
    )
    for name in fleet.unowned:
        unowned.add_metric([name], 1)
    yield unowned


def _of_the_boards(view: View) -> Iterator[Metric]:
    boards = [board for _, board in sorted(view.boards.items())]
    yield _counter("runs", "Finished runs; quiet deltas are none.", ["kind", "status"], boards, _runs)
    yield _counter("polls", "Looks at the System Log, quiet ones included.", [], boards, _polls)
    yield _counter(
        "hook_names_left",
        "Names of event hooks that were left to the System Log's own poll.",
        [],
        boards,
        _hook_names_left,
    )
    yield _counter("changes", "Changes by what came of them.", ["kind", "outcome"], boards, _changes)
    yield _counter(
        "okta_list_contradictions",
        "What a list of Okta said and an answer by id, which counts, did not.",
        [],
        boards,
        _contradictions,
    )
    yield _counter("requests", "Requests by side and HTTP status.", ["side", "status"], boards, _requests)
    yield _counter(
        "rate_limit_wait_seconds", "Time spent waiting for rate limits.", ["side"], boards, _waited
    )
    yield _latencies(boards)
    labels = ["connection", "bucket"]
    remaining = GaugeMetricFamily(
        "syncd_rate_limit_remaining", "Requests left in the bucket, at the last answer.", labels=labels
    )
    limit = GaugeMetricFamily(
        "syncd_rate_limit_limit", "Requests the bucket holds when it is full.", labels=labels
    )
    for board in boards:
        for bucket, headroom in shown_buckets(board.headroom).items():
            remaining.add_metric([board.name, bucket], headroom.remaining)
            limit.add_metric([board.name, bucket], headroom.limit)
    yield remaining
    yield limit


def _latencies(boards: list[Snapshot]) -> Metric:
    family = HistogramMetricFamily(
        "syncd_change_latency_seconds",
        "From the event in Okta to the target's answer, by kind of change.",
        labels=["connection", "kind"],
    )
    for board in boards:
        for kind, latency in sorted(board.totals.latencies.items()):
            ends = [*map(str, STEPS), "+Inf"]
            buckets = list(zip(ends, accumulate(latency.counts), strict=True))
            family.add_metric([board.name, kind], buckets, latency.total)
    return family


Counted = Mapping[tuple[str, ...], float]


def _counter(
    name: str, text: str, labels: list[str], boards: list[Snapshot], counted: Callable[[Snapshot], Counted]
) -> Metric:
    family = CounterMetricFamily(f"syncd_{name}", text, labels=["connection", *labels])
    for board in boards:
        for values, number in sorted(counted(board).items()):
            family.add_metric([board.name, *values], number)
    return family


def _runs(board: Snapshot) -> Counted:
    """Every pair from the start, as 0: a rate over the first failure needs the value before it."""
    found: dict[tuple[str, ...], float] = dict.fromkeys(product(KINDS, STATUSES), 0)
    found.update(board.totals.runs.items())
    return found


def _polls(board: Snapshot) -> Counted:
    return {(): board.totals.polls}


def _hook_names_left(board: Snapshot) -> Counted:
    return {(): board.totals.left_to_the_log}


def _changes(board: Snapshot) -> Counted:
    return {(*pair,): number for pair, number in board.totals.changes.items()}


def _contradictions(board: Snapshot) -> Counted:
    return {(): board.totals.changes.get(("contradicted", "skipped"), 0)}


def _requests(board: Snapshot) -> Counted:
    """A server may answer with any status; the number of time series stays bounded."""
    found: dict[tuple[str, ...], float] = {}
    for (side, status), number in board.totals.requests.items():
        key = (side, status if _WORD.fullmatch(status) else _OTHER)
        found[key] = found.get(key, 0) + number
    return found


def _waited(board: Snapshot) -> Counted:
    """Both sides from the start, as 0, like the runs."""
    return {(side,): board.totals.waited_seconds.get(side, 0.0) for side in SIDES}


def _seconds(stamp: str) -> float:
    return datetime.fromisoformat(stamp).timestamp()


def _by_kind(name: str, text: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"syncd_{name}", text, labels=["connection", "kind"])


def _values(document: Mapping[str, Any]) -> Mapping[str, float | None]:
    """Of each gauge of a connection; None: not shown."""
    token, drift, windows = document["token"], document.get("drift"), document.get("windows")
    return {
        "last_complete_read_age_seconds": document["last_complete_read_age_seconds"],
        "held_changes": sum(hold["changes"] for hold in document["held"]),
        "quarantined_objects": len(document["failing"]),
        "connection_quarantined": int(document["quarantine"] is not None),
        "connection_paused": int(document.get("pause") is not None),
        "window_open": int(windows["open"]) if windows else None,
        "last_comparison_timestamp_seconds": None if drift is None else _seconds(drift["compared_at"]),
        "token_expiry_days": None if token is None else token["expires_in_days"],
    }


def _of_the_documents(view: View) -> Iterator[Metric]:
    gauges = {
        name: GaugeMetricFamily(f"syncd_{name}", text, labels=["connection"])
        for name, text in (
            (
                "last_complete_read_age_seconds",
                "Age of the last complete read of Okta; absent before the first.",
            ),
            ("held_changes", "Changes that a safety check stopped until a person decides."),
            ("quarantined_objects", "Objects that failed and wait for their next try."),
            ("connection_quarantined", "1 while the whole connection is quarantined."),
            ("connection_paused", "1 while a person has paused the writing (syncd pause)."),
            ("window_open", "1 while a window of schedule.windows is open; absent without windows."),
            (
                "last_comparison_timestamp_seconds",
                "When the target was last compared (Unix time); absent before the first.",
            ),
            ("token_expiry_days", "Days until the Split token expires; absent without split.token_created."),
        )
    }
    managed = _by_kind("managed_objects", "What syncd manages at the target.")
    left_out = _by_kind("left_out_objects", "Who and what is left out (syncd skipped).")
    drifted = _by_kind("drift_items", "What the last comparison with the target found, until it is repaired.")
    for name, document in sorted(view.documents.items()):
        for kind in LEFT_OUT_KINDS:  # every one from the start, as 0
            left_out.add_metric([name, kind], document["left_out"]["by_kind"].get(kind, 0))
        if (drift := document.get("drift")) is not None:
            for drift_kind in DriftKind:
                drifted.add_metric([name, drift_kind.value], drift["summary"].get(drift_kind.value, 0))
        for gauge, value in _values(document).items():
            if value is not None:
                gauges[gauge].add_metric([name], value)
        for kind, number in sorted(document["managed"].items()):
            managed.add_metric([name, kind], number)
    yield from gauges.values()
    yield managed
    yield left_out
    yield drifted
