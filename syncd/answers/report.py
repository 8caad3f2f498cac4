"""The audit report of one connection, from its store alone (contract: syncd.report/1)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from syncd.answers import report_rows as rows
from syncd.answers.audit import cleaner, verification
from syncd.answers.left_out import left_out
from syncd.answers.status import token_document
from syncd.core.drift_news import NEVER_WRITTEN, TO_GIVE_BACK, is_repaired, tally
from syncd.core.plan import timestamp
from syncd.engine.facts import COMPLETE_READ, EVENT_LATENCIES, LAST_DRIFT
from syncd.engine.writing.quarantine import current
from syncd.errors import PermanentError, UsageError
from syncd.ports import Store
from syncd.ports.history import DayCount, Reach
from syncd.ports.trail import JournalEntry
from syncd.redact import Redactor, each_text
from syncd.report.view import DRIFT_KINDS, SCHEMA, Report, Row, differing, verdict
from syncd.settings.schema import ConnectionSettings

RUNS_TOLD = 500
WAITS = (1.0, 5.0, 30.0, 120.0, 600.0)
_OURS = frozenset({"at", "since", "approved_at", "run_id", "change", "kind", "result", "by", "sequence"})
"""Digests, times, ids and words that syncd itself makes."""


def report(
    store: Store, settings: ConnectionSettings, redactor: Redactor, *, now: datetime, reach: Reach
) -> Report:
    """What the report shows; its long lists are read from the store while they are walked, which must stay open.

    Raises UsageError for a run that is not known, PermanentError for an unreadable row.
    """
    if reach.run_id is not None and store.run(reach.run_id) is None:
        raise UsageError(
            f"there is no run {reach.run_id}", hint="syncd status and syncd report name the runs"
        )
    clean = cleaner(redactor)

    def walked(made: Iterator[Mapping[str, Any]]) -> Iterator[Row]:
        for row in made:
            yield {key: value if key in _OURS else each_text(value, clean) for key, value in row.items()}

    facts: Any = each_text(_facts(store, settings, now, reach), clean)
    facts["audit"] = _audit(store, settings.name)
    return Report(
        facts=facts | {"verdict": verdict(facts)},
        changes=lambda: walked(map(rows.change_row, store.outcomes(reach))),
        access=lambda: walked(map(rows.grant_row, store.grants())),
        without_group=lambda: walked(map(rows.grant_row, store.without_group())),
    )


def _facts(store: Store, settings: ConnectionSettings, now: datetime, reach: Reach) -> dict[str, Any]:
    counts = store.change_counts(reach)
    days = rows.day_rows(counts)
    since = reach.since
    if reach.run_id is not None and (run := store.run(reach.run_id)) is not None:
        since = run.started
    holds = [rows.hold_row(hold) for hold in store.hold_stories(since)]
    troubles = [rows.trouble_row(one, now) for one in store.troubles(reach)]
    notes = list(store.notes(reach))
    decisions = _decisions(store, notes)
    drift = _drift(store, notes, reach)
    sick = current(store)
    return {
        "schema": SCHEMA,
        "connection": settings.name,
        **settings.files,
        "created_at": timestamp(now),
        "period": _period(reach, now),
        "summary": {
            "runs": dict(store.run_counts(reach)),
            "applied": _applied(counts),
            **rows.totals(days),
            "decisions": _tally(decisions),
            **_sums(drift, troubles, holds),
        },
        "current": _current(store),
        "last_complete_read": COMPLETE_READ.of(store),
        "quarantine": sick.document() if sick else None,
        "token": token_document(settings.split.token_year_began, now.date()),
        "open_writes": len(store.open_intents()),
        "days": days,
        "time_to_apply": rows.latency_rows(store.latencies(reach, WAITS)),
        "event_to_write": rows.event_rows(
            EVENT_LATENCIES.of(store, {}), None if since is None else since.date()
        ),
        "decisions": decisions,
        "drift": drift,
        "failures": troubles,
        "outages": [rows.outage_row(one, now) for one in store.outages(since)],
        "safety": holds,
        "groups": _groups(store),
        "runs": [rows.run_row(run) for run in store.told_runs(reach, limit=RUNS_TOLD)],
    }


def _sums(
    drift: Mapping[str, Any], troubles: Sequence[Mapping[str, Any]], holds: Sequence[Mapping[str, Any]]
) -> dict[str, dict[str, int]]:
    """How much there is of what the report then tells one by one."""
    return {
        "drift": {
            "found": differing(drift["found"]),
            "repaired": sum(one["given_back"] for one in drift["checks"]),
        },
        "failures": {
            "objects": len(troubles),
            "open": sum(one["end"] == "open" for one in troubles),
        },
        "holds": {
            "raised": len(holds),
            "waiting_changes": sum(one["waiting"] for one in holds if one["state"] == "waiting"),
        },
    }


def _period(reach: Reach, now: datetime) -> dict[str, Any]:
    since = None if reach.since is None else timestamp(reach.since)
    return {"since": since, "until": timestamp(now), "run_id": reach.run_id}


def _applied(counts: Iterable[DayCount]) -> dict[str, int]:
    """How many changes of each kind."""
    applied: Counter[str] = Counter()
    for one in counts:
        if one.result == "applied":
            applied[one.kind] += one.count
    return dict(sorted(applied.items()))


def _decisions(store: Store, notes: Sequence[JournalEntry]) -> list[dict[str, Any]]:
    told = [
        note for note in notes if isinstance(note.body, dict) and {"decision", "release"} & note.body.keys()
    ]
    ids = sorted({str(each) for note in told for each in note.body.get("changes", ())})
    known = store.known_changes(ids) if ids else {}
    released = sorted({str(note.body["okta_id"]) for note in told if note.body.get("release") == "user"})
    called = {okta_id: user.wanted.user_name for okta_id, user in store.users(released).items()}
    return [rows.decision_row(note, known, called) for note in told]


def _tally(decisions: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """How many decisions of each sort people made."""
    counts = {"approve": 0, "reject": 0, "release": 0, "forget": 0}
    for one in decisions:
        counts[one["decision"]] = counts.get(one["decision"], 0) + 1
    return counts


def _drift(store: Store, notes: Sequence[JournalEntry], reach: Reach) -> dict[str, Any]:
    """Comparisons with the target in the period, and the last one whenever it was."""
    checks = []
    found: dict[str, int] = {}
    before: Mapping[str, int] = {}
    for note in notes:
        said = note.body.get("drift") if isinstance(note.body, dict) else None
        if not isinstance(said, dict):
            continue
        summary = _kinds(_without_never_written(said))
        checks.append(
            {
                "at": timestamp(note.at),
                "run_id": note.run_id,
                "found": differing(summary),
                "fixed": bool(said.get("fixed")),
                "given_back": _given_back(store, note, said),
                "summary": summary,
            }
        )
        for kind, count in summary.items():
            # A repair finds again what the comparison before it found.
            again = before.get(kind, 0) if said.get("fixed") else 0
            found[kind] = found.get(kind, 0) + max(count - again, 0)
        before = {} if said.get("fixed") else summary
    last = _last_drift(store)
    return {
        "comparisons": store.comparisons(reach),
        "checks": checks,
        "found": {kind: count for kind, count in sorted(found.items()) if count},
        "repaired": dict(store.repairs(reach)),
        "last": last,
    }


def _given_back(store: Store, note: JournalEntry, said: Mapping[str, Any]) -> int:
    """How many differences the repair gave back that this note is of. An older version did not say how many there
    were: then what it changed.
    """
    run = store.run(note.run_id) if said.get("fixed") and note.run_id else None
    if run is None:
        return 0
    counts = said.get("counts")
    kinds = counts.get(TO_GIVE_BACK) if isinstance(counts, dict) else None
    if isinstance(kinds, dict):
        return sum(kinds.values()) if run.status == "succeeded" else 0
    return sum(run.summary.get("applied", {}).values())


def _without_never_written(said: Mapping[str, Any]) -> dict[str, Any]:
    """What a note of the trail says was found, by kind. An older version did not tell the two apart."""
    summary, counts = said.get("summary"), said.get("counts")
    never = counts.get(NEVER_WRITTEN) if isinstance(counts, dict) else None
    if not isinstance(summary, dict) or not isinstance(never, dict):
        return summary if isinstance(summary, dict) else {}
    return {kind: count - never.get(kind, 0) for kind, count in summary.items() if isinstance(count, int)}


def _kinds(summary: object) -> dict[str, int]:
    if not isinstance(summary, dict):
        return {}
    return {
        kind: summary[kind] for kind in DRIFT_KINDS if isinstance(summary.get(kind), int) and summary[kind]
    }


def _last_drift(store: Store) -> dict[str, Any] | None:
    try:
        found = LAST_DRIFT.of(store)
    except ValueError:
        return None
    if not isinstance(found, dict) or not isinstance(found.get("items"), list):
        return None
    try:
        counts = tally(found)
    except (LookupError, TypeError, AttributeError):  # somebody else wrote it
        return None
    return {
        "fixed": is_repaired(found),
        "counts": {**asdict(counts), "found": counts.found},
        "told": str(counts),
        "created_at": found.get("created_at"),
        "complete": found.get("complete") is not False,
        "summary": _kinds(found.get("summary")),
        "items": found["items"],
    }


def _current(store: Store) -> dict[str, int]:
    population = store.population()
    return {
        "users": population.users,
        "active_users": population.active_users,
        "groups": population.groups,
        "memberships": population.memberships,
        "without_group": store.people_without_group(),
        "left_out": len(left_out(store)),
    }


def _groups(store: Store) -> list[dict[str, Any]]:
    """The groups at the target, and how many people are in each."""
    sizes = store.population().by_group
    linked = [
        {
            "group": group.pushed.name,
            "okta_id": group.okta_id,
            "scim_id": group.pushed.scim_id,
            "rule": group.wanted.rule,
            "members": sizes.get(group.okta_id, 0),
        }
        for group in store.groups()
        if group.pushed is not None
    ]
    return sorted(linked, key=lambda one: (str(one["group"]).lower(), str(one["okta_id"])))


def _audit(store: Store, connection: str) -> dict[str, Any]:
    try:
        found = verification(store, connection, None)
    except PermanentError:
        return {
            "intact": False,
            "length": None,
            "head": None,
            "broken": None,
            "altered": [],
            "pruned_until": None,
        }
    return {key: found[key] for key in ("intact", "length", "head", "broken", "altered", "pruned_until")}
