"""The status page's content: one card for each connection, and what needs a person, the worst first. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import reduce
from typing import Any, Literal

from syncd.core.counting import counted
from syncd.core.latency import EventLatency
from syncd.core.left_out import CHOSEN, FAILED
from syncd.core.token_age import warning_mark
from syncd.core.whole_commands import of_document, whole
from syncd.observe.notices import ROTATION
from syncd.report.status_parts import drift_way_out
from syncd.report.text import duration
from syncd.service.board import CycleReport, RateHeadroom, Snapshot
from syncd.service.headroom import shown_buckets
from syncd.service.health import View, overdue

State = Literal[
    "broken",
    "quarantined",
    "failing",
    "unknown",
    "never_synced",
    "partly_synced",
    "held",
    "left_out",
    "paused",
    "well",
]
STATES: Mapping[State, str] = {
    "broken": "with broken settings",
    "quarantined": "quarantined",
    "failing": "failing",
    "unknown": "unknown",
    "never_synced": "never synced",
    "partly_synced": "synced in part",
    "held": "with changes held",
    "left_out": "with somebody left out",
    "paused": "paused",
    "well": "well",
}
"""Every state in words, the worst first."""
Weight = Literal["bad", "warn", "note"]
"""How much it matters: writes stop or fail; somebody must decide; good to know."""

"""Days before the Split token expires (the public contract)."""
CYCLES = ("full", "drift", "delta")
RUNS_SHOWN = 40
"""In the sparkline."""
_WAYS_OUT: Mapping[str, str] = {
    "okta": f"Mend the cause at Okta; it goes on when all is well. To ask now: syncd retry. {ROTATION}",
    "split": f"Mend the cause at Split; it goes on when all is well. To ask now: syncd retry. {ROTATION}",
    "relink": "Was SCIM switched off and on in Split? Then run syncd relink: it shows its result before it stores it.",
}


@dataclass(frozen=True, slots=True)
class Concern:
    """Something a person should know. `connection` is the settings file's stem when the file cannot be used."""

    weight: Weight
    connection: str
    what: str
    detail: str = ""
    way_out: str = ""


@dataclass(frozen=True, slots=True)
class Ran:
    """One finished or interrupted run. `status` is None while nothing is known of its end."""

    kind: str
    started: datetime
    status: str | None
    error: str
    applied: int
    failed: int
    held: int


@dataclass(frozen=True, slots=True)
class Card:
    """One connection; `document` is its `syncd.status/1` document, None when it cannot be had."""

    name: str
    state: State
    document: Mapping[str, Any] | None
    running: Mapping[str, datetime]
    next_runs: Mapping[str, datetime]
    headroom: Mapping[str, RateHeadroom]
    runs: Sequence[Ran]
    """Oldest first; from the store those of before this process began, at most five."""
    token_days: int | None
    concerns: Sequence[Concern]
    latency: EventLatency = field(default_factory=EventLatency)
    """Of all kinds of change, since the process began."""

    @property
    def named(self) -> Sequence[str]:
        """The options that say the connection on a command line."""
        return of_document(self.document) if self.document else ()


@dataclass(frozen=True, slots=True)
class Overview:
    """What the page shows: a card for each connection, and what is wrong, the worst first."""

    cards: Sequence[Card]
    concerns: Sequence[Concern]

    @property
    def weight(self) -> Weight | None:
        """The worst; None when all is well."""
        return self.concerns[0].weight if self.concerns else None

    @property
    def verdict(self) -> str:
        """Five words that answer the only question most visitors have."""
        serious = [concern for concern in self.concerns if concern.weight != "note"]
        if not serious and any(card.state == "paused" for card in self.cards):
            return "All is well; writing is paused"
        if not serious:
            return "All is well" if self.cards else "No connection is served"
        return f"{counted(len(serious), 'thing needs', 'things need')} attention"

    @property
    def summary(self) -> str:
        """How many connections there are, and how they are."""
        said = counted(len(self.cards), "connection")
        states = Counter(card.state for card in self.cards)
        if set(states) == {"well"}:
            ages = [card.document["last_complete_read_age_seconds"] for card in self.cards if card.document]
            return f"{said}; Okta was read completely in the last {duration(max(ages))}"
        return f"{said}: {', '.join(f'{states[one]:,} {STATES[one]}' for one in STATES if one in states)}"


_ORDER: Mapping[Weight, int] = {"bad": 0, "warn": 1, "note": 2}


def overview(view: View) -> Overview:
    """Also what is wrong with the stores or with settings that cannot be used."""
    cards = [_card(view, name) for name in view.names]
    concerns = [concern for card in cards for concern in card.concerns]
    if view.unreadable:
        concerns.append(Concern("bad", "", "The stores cannot be read", view.unreadable, "See syncd's log."))
    for stem, problem in view.broken.items():
        concerns.append(
            Concern("bad", stem, "The settings cannot be used", problem, "syncd check names every problem.")
        )
        if stem not in view.names:
            cards.append(Card(stem, "broken", None, {}, {}, {}, (), None, ()))
    concerns.sort(key=lambda concern: (_ORDER[concern.weight], concern.connection))
    return Overview(sorted(cards, key=lambda card: card.name), concerns)


def _card(view: View, name: str) -> Card:
    document, board = view.documents.get(name), view.boards.get(name)
    own = of_document(document) if document else ()
    concerns = [
        replace(concern, way_out=whole(concern.way_out, own))
        for concern in _concerns(view, name, document, board)
    ]
    token = document["token"] if document else None
    return Card(
        name=name,
        state=_state(view, name, document, concerns),
        document=document,
        running=board.running if board else {},
        next_runs=_next_runs(document, board),
        headroom=shown_buckets(board.headroom) if board else {},
        runs=_runs(document, board)[-RUNS_SHOWN:],
        token_days=None if token is None else token["expires_in_days"],
        concerns=concerns,
        latency=reduce(EventLatency.plus, board.totals.latencies.values(), EventLatency())
        if board
        else EventLatency(),
    )


def _next_runs(document: Mapping[str, Any] | None, board: Snapshot | None) -> Mapping[str, datetime]:
    """Of full and drift cycles as the status document says; deltas are too many to be written down."""
    planned = dict(board.next_runs) if board else {}
    told = document.get("next_runs", {}) if document else {}
    return planned | {
        kind: datetime.fromisoformat(at) for kind, at in told.items() if at is not None and kind in planned
    }


def _state(view: View, name: str, document: Mapping[str, Any] | None, concerns: Sequence[Concern]) -> State:
    """The document's word, unless this process knows worse: a store does not see that runs fail or do not come."""
    if name in view.broken:
        return "broken"
    if document is None:
        return "unknown"
    said: State = document["state"]
    worse = any(concern.weight == "bad" for concern in concerns)
    return "failing" if worse and said in ("well", "held", "left_out", "partly_synced") else said


def _concerns(
    view: View, name: str, document: Mapping[str, Any] | None, board: Snapshot | None
) -> Iterator[Concern]:
    if document is None:
        if not view.unreadable:
            yield Concern("bad", name, "Its status is not known", "", "syncd status says more.")
    else:
        yield from _of_the_document(view, name, document, board)
    yield from _failed_runs(view, name, document, board)
    for warning in board.warnings if board else ():
        yield Concern("warn", name, "Not as it should be", warning)


def _of_the_document(
    view: View, name: str, document: Mapping[str, Any], board: Snapshot | None
) -> Iterator[Concern]:
    if sick := document["quarantine"]:
        since = duration((view.now - datetime.fromisoformat(sick["since"])).total_seconds())
        probe = "" if sick["side"] == "relink" else f" Asked again at {sick['next_probe']}."
        yield Concern(
            "bad",
            name,
            f"Quarantined for {since}: nothing is written",
            f"{sick['reason']}.{probe}" if probe else sick["reason"],
            _WAYS_OUT.get(sick["side"], ""),
        )
    yield from _not_written(name, document)
    interval = view.full_intervals.get(name)
    if document["last_complete_read_age_seconds"] is None:
        busy = board is not None and "full" in board.running
        yield Concern("note", name, _never_whole(document, busy=busy))
    elif interval is not None and overdue(document, interval):
        age = duration(document["last_complete_read_age_seconds"])
        yield Concern("bad", name, f"No complete read for {age}", f"One is due every {duration(interval)}.")
    if document["failing"]:
        number = counted(len(document["failing"]), "object fails", "objects fail")
        way_out = "syncd tries again by itself, ever more slowly; syncd retry does so now."
        yield Concern("warn", name, number, _named(document["failing"]), way_out)
    for hold in document["held"]:
        yield Concern(
            "warn",
            name,
            f"{counted(hold['changes'], 'change is', 'changes are')} held",
            hold["reason"],
            f"{hold['way_out']} (or reject; syncd held shows them)",
        )
    yield from _left_out(name, document["left_out"])
    yield from _drift(name, document.get("drift"))
    yield from _token(name, document["token"])


def _never_whole(document: Mapping[str, Any], *, busy: bool) -> str:
    if busy:
        return "The first sync is under way"
    return (
        "Never synced yet" if not document["managed"]["users"] else "Synced for some only: no full cycle yet"
    )


def _left_out(name: str, left_out: Mapping[str, Any]) -> Iterator[Concern]:
    """What fails is told as failing already; what a person decided on is only good to know."""
    kinds = Counter(left_out["by_kind"])
    del kinds[FAILED]
    if not kinds:
        return
    weight: Weight = "note" if kinds.keys() <= CHOSEN else "warn"
    number = kinds.total()
    first = [item for item in left_out["items"] if item["kind"] != FAILED]
    detail = "; ".join(f"{item['object']}: {item['reason']}" for item in first[:3])
    what = f"{counted(number, 'object is', 'objects are')} left out"
    alone = number == 1 and bool(first)
    way_out = (
        first[0]["way_out"] if alone else "syncd skipped lists them, each with the command that settles it."
    )
    yield Concern(weight, name, what, detail, way_out)


def _drift(name: str, drift: Mapping[str, Any] | None) -> Iterator[Concern]:
    if not drift or not drift["differs"]:
        return
    named = ", ".join(f"{item['object']} ({item['kind'].replace('_', ' ')})" for item in drift["items"][:3])
    more = f" and {drift['differs'] - 3:,} more" if drift["differs"] > 3 else ""
    what = f"Split was changed behind syncd's back ({drift['told']})"
    compared = f"{named}{more}; compared {drift['compared_at']}."
    yield Concern("warn", name, what, compared, drift_way_out(drift))


def _not_written(name: str, document: Mapping[str, Any]) -> Iterator[Concern]:
    """What a person decided, or the schedule: good to know, and no trouble."""
    if pause := document.get("pause"):
        until = f"until {pause['until']}" if pause["until"] else "until somebody resumes"
        why = f": {pause['reason']}" if pause["reason"] else ""
        said = f"By {pause['by']} since {pause['since']}, {until}{why}"
        yield Concern("note", name, "Paused: nothing is written", said, "syncd resume ends it.")
    windows = document.get("windows")
    if windows and not windows["open"]:
        named = ", ".join(windows["said"])
        what = f"Nothing is written before {windows['opens']}"
        yield Concern("note", name, what, f"It is outside the windows of the schedule: {named}.")


def _named(failing: Sequence[Mapping[str, Any]]) -> str:
    first = ", ".join(str(failure["object"]) for failure in failing[:3])
    return f"{first} and {len(failing) - 3:,} more" if len(failing) > 3 else first


def _token(name: str, token: Mapping[str, Any] | None) -> Iterator[Concern]:
    if token is None or warning_mark(token["expires_in_days"]) is None:
        return
    days = token["expires_in_days"]
    way_out = "Make a new one in Split (Admin settings, Security, SCIM) and put it where split.token points."
    if days <= 0:
        yield Concern(
            "bad", name, "The Split token has expired", f"It was made on {token['created']}.", way_out
        )
    else:
        what = f"The Split token expires in {counted(days, 'day')}"
        yield Concern("warn", name, what, f"It was made on {token['created']}.", way_out)


def _failed_runs(
    view: View, name: str, document: Mapping[str, Any] | None, board: Snapshot | None
) -> Iterator[Concern]:
    """Of each kind of cycle the last run, if it failed; a quarantine says so itself.

    What a person ran for single objects failed before that person's eyes.
    """
    if document is not None and document["quarantine"]:
        return
    last = {run.kind: run for run in _runs(document, board) if run.status is not None}
    # Quiet deltas are no runs, but they say that an earlier failure is over.
    last |= {kind: _of_board(report) for kind, report in (board.last if board else {}).items()}
    full, delta = last.get("full"), last.get("delta")
    if full and delta and full.status != "failed" and full.started >= delta.started:
        del last["delta"]
    for kind in CYCLES:
        run = last.get(kind)
        if run is None:
            continue
        ago = duration((view.now - run.started).total_seconds())
        if run.status == "failed":
            yield Concern("bad", name, f"The last {run.kind} run failed, {ago} ago", run.error)
        elif run.status == "refused" and not (document and (document["held"] or _waits(document))):
            yield Concern("warn", name, f"The last {run.kind} run was refused, {ago} ago", run.error)


def _waits(document: Mapping[str, Any]) -> bool:
    """Nothing may be written now, so that runs only read and plan."""
    windows = document.get("windows")
    return bool(document.get("pause") or (windows and not windows["open"]))


def _runs(document: Mapping[str, Any] | None, board: Snapshot | None) -> list[Ran]:
    cycles = board.cycles if board else ()
    known = {cycle.run_id for cycle in cycles}
    stored = document["runs"] if document else ()
    # The store's come newest first, by the second; runs of one second must stay in order.
    runs = [_of_store(run) for run in reversed(stored) if run["run_id"] not in known]
    runs += [_of_board(cycle) for cycle in cycles]
    return sorted(runs, key=lambda run: run.started)


def _of_store(run: Mapping[str, Any]) -> Ran:
    sums = {outcome: sum(counts.values()) for outcome, counts in run["summary"].items()}
    return Ran(
        kind=run["kind"],
        started=datetime.fromisoformat(run["started"]),
        status=run["status"],
        error=run["error"] or "",
        applied=sums.get("applied", 0),
        failed=sums.get("failed", 0),
        held=sums.get("held", 0),
    )


def _of_board(cycle: CycleReport) -> Ran:
    sums = {"applied": 0, "failed": 0, "held": 0}
    for (_, outcome), number in cycle.changes.items():
        sums[outcome] = sums.get(outcome, 0) + number
    return Ran(
        cycle.kind, cycle.started, cycle.status, cycle.error, sums["applied"], sums["failed"], sums["held"]
    )
