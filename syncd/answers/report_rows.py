"""Values of the store as rows of the report's document, secrets still in them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from functools import reduce
from typing import Any

from syncd.answers.audit import entry_document
from syncd.core.latency import EventLatency
from syncd.core.plan import timestamp
from syncd.ports import RunRecord
from syncd.ports.history import DayCount, Done, Grant, HoldStory, Latencies, Outage, Trouble
from syncd.ports.trail import JournalEntry

_DAY: Mapping[str, str] = {
    "adopt_user": "people_added",
    "create_user": "people_added",
    "reactivate_user": "people_added",
    "update_user": "people_changed",
    "deactivate_user": "people_removed",
    "add_member": "members_added",
    "remove_member": "members_removed",
    "create_group": "groups_changed",
    "link_group": "groups_changed",
    "rename_group": "groups_changed",
    "unlink_group": "groups_changed",
    "delete_group": "groups_changed",
}
COUNTED = ("people_added", "people_changed", "people_removed", "members_added", "members_removed")
COLUMNS = (*COUNTED, "people_again", "members_again", "groups_changed", "failed")
_AGAIN: Mapping[str, str] = {"people_added": "people_again", "members_added": "members_again"}
"""What was given back counts apart: nobody has more access by it."""


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else timestamp(moment)


def change_row(done: Done) -> dict[str, Any]:
    """One outcome with the change that it settles. `seconds`: from the beginning of its run to the answer."""
    entry = entry_document(done.entry)
    asked = done.entry.asked if isinstance(done.entry.asked, dict) else {}
    result = "applied" if entry["applied"] else "deferred" if entry["deferred"] else "failed"
    begun = done.run_started or done.intended_at
    return {
        "sequence": entry["sequence"],
        "at": entry["at"],
        "run_id": entry["run_id"],
        "kind": entry["kind"],
        "result": result,
        "object": entry["object"],
        "user": asked.get("user") if entry["group_id"] else None,
        "group": asked.get("group") if entry["group_id"] else None,
        "okta_id": entry["okta_id"],
        "group_id": entry["group_id"],
        "scim_id": entry["scim_id"],
        "change": entry["change"],
        "before": entry["before"],
        "after": entry["after"],
        "reason": entry["reason"],
        "evidence": entry["evidence"],
        "approved_by": entry["approved_by"],
        "approved_at": entry["approved_at"],
        "request": entry["request"],
        "status": entry["status"],
        "note": entry["note"],
        "error": entry["error"],
        "seconds": None if begun is None else round((done.entry.at - begun).total_seconds(), 3),
    }


def grant_row(grant: Grant) -> dict[str, Any]:
    """One access as a row of the report: who, to what, since when and why."""
    return {
        "group": grant.group,
        "group_id": grant.group_id,
        "user": grant.user_name,
        "okta_id": grant.okta_id,
        "scim_id": grant.scim_id,
        "active": grant.active,
        "since": _time(grant.since),
        "by": grant.kind,
        "run_id": grant.run_id,
        "change": grant.change_id,
        "reason": grant.reason,
        "assigned": grant.assigned,
        "rule": grant.rule,
        "approved_by": grant.approved_by,
    }


def trouble_row(trouble: Trouble, now: datetime) -> dict[str, Any]:
    """`seconds` until it ended, or until `now` while it lasts."""
    asked = trouble.asked or {}
    until = trouble.ended or (now if trouble.end == "open" else trouble.last)
    named = f"{asked.get('user')} in {asked['group']}" if asked.get("group") else asked.get("name")
    return {
        "kind": trouble.kind,
        "object": named,
        "okta_id": trouble.okta_id,
        "group_id": trouble.group_id,
        "error": trouble.error,
        "attempts": trouble.attempts,
        "first": timestamp(trouble.first),
        "last": timestamp(trouble.last),
        "ended": _time(trouble.ended),
        "end": trouble.end,
        "seconds": round((until - trouble.first).total_seconds()),
    }


def outage_row(outage: Outage, now: datetime) -> dict[str, Any]:
    """`seconds` until it ended, or until `now` while it lasts."""
    return {
        "first": timestamp(outage.first),
        "last": timestamp(outage.last),
        "ended": _time(outage.ended),
        "runs": outage.runs,
        "error": outage.error,
        "seconds": round(((outage.ended or now) - outage.first).total_seconds()),
    }


def hold_row(hold: HoldStory) -> dict[str, Any]:
    """One hold as a row of the report, with what was decided."""
    return {
        "id": hold.id,
        "check": hold.check,
        "reason": hold.reason,
        "numbers": dict(hold.numbers),
        "raised_at": timestamp(hold.raised_at),
        "expires_at": timestamp(hold.expires_at),
        "state": hold.state,
        "waiting": hold.waiting,
        "approved": hold.approved,
        "rejected": hold.rejected,
    }


def run_row(run: RunRecord) -> dict[str, Any]:
    """One run as a row of the report; moments are ISO 8601 in UTC."""
    return {
        "run_id": run.run_id,
        "kind": run.kind,
        "started": timestamp(run.started),
        "finished": _time(run.finished),
        "status": run.status,
        "summary": {part: dict(counts) for part, counts in run.summary.items()},
        "error": run.error,
        "seconds": None if run.finished is None else round((run.finished - run.started).total_seconds(), 3),
    }


def decision_row(
    note: JournalEntry, known: Mapping[str, Mapping[str, Any]], called: Mapping[str, str]
) -> dict[str, Any]:
    """approve, reject, forget (relink) or release; `known` are documents of changes by id, `called` names of people by
    Okta id.
    """
    body = note.body
    ids = [str(each) for each in body.get("changes", ())]
    what = body.get("decision", "release")
    return {
        "sequence": note.sequence,
        "at": timestamp(note.at),
        "run_id": note.run_id,
        "decision": what,
        "by": body.get("by"),
        "reason": body.get("reason"),
        "asked": list(body.get("asked", ()))
        or [called.get(str(body[key]), str(body[key])) for key in ("name", "okta_id") if key in body][:1],
        "changes": [
            {
                "id": each,
                "kind": known.get(each, {}).get("kind"),
                "object": _named(known.get(each, {})),
            }
            for each in sorted(ids)
        ],
    }


def _named(change: Mapping[str, Any]) -> str | None:
    if change.get("group") is not None:
        return f"{change.get('user')} in {change['group']}"
    name = change.get("name")
    return None if name is None else str(name)


def day_rows(counts: Iterable[DayCount]) -> list[dict[str, Any]]:
    """One row for each day on which something happened."""
    days: dict[str, dict[str, Any]] = {}
    for one in counts:
        day = days.setdefault(one.day, {"day": one.day} | dict.fromkeys(COLUMNS, 0))
        if one.result == "applied" and one.kind in _DAY:
            column = _DAY[one.kind]
            day[_AGAIN.get(column, column) if one.again else column] += one.count
        elif one.result == "failed":
            day["failed"] += one.count
    return [days[day] for day in sorted(days)]


def totals(days: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Over all days, by column of the chart."""
    return {column: sum(int(day[column]) for day in days) for column in COLUMNS}


def event_rows(days: Mapping[str, Mapping[str, EventLatency]], since: date | None) -> list[dict[str, Any]]:
    """How long changes took from the event in Okta to the target's answer, by kind; all kinds last. Whole days."""
    kinds: dict[str, EventLatency] = {}
    for day, found in days.items():
        if since is None or day >= since.isoformat():
            for kind, latency in found.items():
                kinds[kind] = kinds.get(kind, EventLatency()).plus(latency)
    everything = reduce(EventLatency.plus, kinds.values(), EventLatency())
    rows = [*sorted(kinds.items()), *([(None, everything)] if kinds else [])]
    return [
        {
            "kind": kind,
            "changes": latency.changes,
            "p50_seconds": round(latency.percentile(0.5) or 0.0, 2),
            "p99_seconds": round(latency.percentile(0.99) or 0.0, 2),
        }
        for kind, latency in rows
    ]


def latency_rows(latencies: Latencies) -> list[dict[str, Any]]:
    """`up_to_seconds` is None in the last row: longer than every bound."""
    ends: list[float | None] = [*latencies.seconds, None]
    return [
        {"up_to_seconds": end, "changes": count} for end, count in zip(ends, latencies.counts, strict=True)
    ]
