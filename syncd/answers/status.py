"""How a connection is, from the store alone: it answers while another process works and when none does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from datetime import date, datetime, timedelta
from typing import Any

from syncd.answers.failing import failing_documents
from syncd.answers.left_out import FIRST, left_out, left_out_documents
from syncd.answers.request_document import request_fields
from syncd.core.cron import Cron
from syncd.core.drift_news import is_repaired, left_of, news_of, still_so, tally
from syncd.core.left_out import LeftOut, command
from syncd.core.plan import timestamp
from syncd.core.token_age import token_days_left
from syncd.core.windows import Window, next_opening, open_until
from syncd.engine.facts import COMPLETE_READ, LAST_DRIFT, NEXT_RUNS, readable
from syncd.engine.writing.permission import paused
from syncd.engine.writing.quarantine import current
from syncd.ports import HoldRecord, RunRecord, Store, Unproven
from syncd.settings.schema import ConnectionSettings

_REQUESTS = 10
_TOLD_FOR = timedelta(days=1)


def status(store: Store, settings: ConnectionSettings, now: datetime) -> dict[str, Any]:
    """The contract's status document."""
    population = store.population()
    complete = COMPLETE_READ.of(store)
    with readable("the time of the last complete read"):
        age = _age(complete, now)
    waiting = store.waiting()
    left = left_out(store)
    failing = failing_documents(store.failures(), waiting, now)
    sick = current(store)
    pause = paused(store, now)
    holds = store.holds()
    served_by = _served_by(store, now)
    return {
        "schema": "syncd.status/1",
        "connection": settings.name,
        **settings.files,
        "state": _state(
            complete, store, failing=bool(failing), left_out=bool(left), paused=pause is not None
        ),
        "quarantine": sick.document() if sick else None,
        "pause": pause.document() if pause else None,
        "windows": windows_document(settings.schedule.windows, now),
        "managed": {
            "users": population.users,
            "active_users": population.active_users,
            "groups": population.groups,
            "memberships": population.memberships,
        },
        "last_complete_read": complete,
        "last_complete_read_age_seconds": age,
        "served_by": served_by,
        "next_runs": _next_runs(store, settings, complete, now, planned=bool(served_by)),
        "runs": [_run(run) for run in store.runs(limit=5)],
        "held": [_held(hold, settings) for hold in holds],
        "failing": failing,
        "unproven": _unproven(store),
        "left_out": _left_out(left, settings),
        "drift": _drift(store),
        "requests": _requests(store, now),
        "token": token_document(settings.split.token_year_began, now.date()),
    }


def _held(hold: HoldRecord, settings: ConnectionSettings) -> dict[str, Any]:
    return {
        "id": hold.id,
        "check": hold.check,
        "reason": hold.reason,
        "changes": len(hold.changes),
        "way_out": command(settings.named, "approve", hold.id),
    }


def _requests(store: Store, now: datetime) -> list[dict[str, Any]]:
    """Those that nobody has seen the end of for long, the youngest first."""
    return [
        request_fields(each)
        for each in store.last_requests(limit=_REQUESTS)
        if each.is_open or now - each.asked_at < _TOLD_FOR
    ]


def _unproven(store: Store) -> list[dict[str, Any]]:
    """Creates that may have left an object at the target."""
    return [
        {
            "object": _name_of(store, doubt),
            "type": doubt.kind,
            "scim_id": doubt.scim_id,
            "found": doubt.name,
            "reason": doubt.reason,
            "since": timestamp(doubt.since),
        }
        for doubt in store.unproven()
    ]


def _name_of(store: Store, doubt: Unproven) -> str:
    """Whom or what the create was for."""
    if doubt.kind == "group":
        group = store.group(doubt.okta_id)
        return group.wanted.name if group and group.wanted.name else doubt.okta_id
    user = store.user(doubt.okta_id)
    return user.wanted.user_name if user and user.wanted.user_name else doubt.okta_id


def _left_out(left: Sequence[LeftOut], settings: ConnectionSettings) -> dict[str, Any]:
    """How many are left out, by kind too, and the first five, the oldest first; `syncd skipped` has them all."""
    return {
        "count": len(left),
        "by_kind": dict(sorted(Counter(each.kind for each in left).items())),
        "items": left_out_documents(left[:FIRST], settings.named),
    }


def _drift(store: Store) -> dict[str, Any] | None:
    """What the last comparison with the target found, the first five; None before there was one."""
    with readable("the last look for drift"):
        last = LAST_DRIFT.of(store)
        if last is None:
            return None
        counts = tally(last)
        found = news_of({**last, "items": left_of(last)})
        return {
            "compared_at": last["created_at"],
            "complete": last["complete"] is not False,
            "repaired": is_repaired(last),
            "differs": counts.left,
            "counts": {**asdict(counts), "found": counts.found},
            "told": str(counts),
            "summary": still_so(last),
            "items": [
                {
                    "kind": each.kind,
                    "object": each.object,
                    "okta_id": each.okta_id,
                    "group": each.group,
                    "reason": each.reason,
                    "repair": each.repair,
                }
                for each in found[:5]
            ],
        }


def _served_by(store: Store, now: datetime) -> dict[str, Any] | None:
    """The daemon that does what the schedule says: whoever has the writer's lock, and carries requests out. None when
    nobody has it, or only somebody whose process has ended: what a daemon wrote down before it was killed tells of no
    daemon. `silent` where its end cannot be seen, and its lock has run out.
    """
    writer = store.writer()
    if writer is None or writer.ended or not writer.serves:
        return None
    with readable("until when the writer's lock lasts"):
        silent = datetime.fromisoformat(writer.expires) < now
    return {"named": writer.named, "since": writer.since, "silent": silent}


def _next_runs(
    store: Store, settings: ConnectionSettings, complete: str | None, now: datetime, *, planned: bool
) -> dict[str, str | None]:
    """When the full and the drift cycle come: as the daemon has `planned` them, else by the schedule."""
    schedule = settings.schedule
    with readable("the time of the last look for drift"):
        last = LAST_DRIFT.of(store, {}).get("created_at")
        due = {"full": _due(complete, schedule.full, now), "drift": _due(last, schedule.drift, now)}
    if not planned:
        return due
    with readable("when the daemon's next cycles come"):
        told = {
            kind: str(at)
            for kind, at in NEXT_RUNS.of(store, {}).items()
            if kind in due and datetime.fromisoformat(str(at)) > now
        }
    return due | told


def _due(last: str | None, every: timedelta | Cron, now: datetime) -> str | None:
    """After the last one by its interval; by a calendar, whenever that was."""
    if isinstance(every, Cron):
        following = every.after(now)
        return None if following is None else timestamp(following)
    return None if last is None else timestamp(datetime.fromisoformat(last) + every)


def windows_document(windows: Sequence[Window], now: datetime) -> dict[str, Any] | None:
    """Whether one is open, and until when; None where writing is allowed at any time."""
    if not windows:
        return None
    until = open_until(windows, now)
    return {
        "said": [str(window) for window in windows],
        "open": until is not None,
        "closes": None if until is None else timestamp(until),
        "opens": timestamp(next_opening(windows, now)),
    }


def _state(complete: str | None, store: Store, *, failing: bool, left_out: bool, paused: bool) -> str:
    """The worst that can be said of it; of a pause, that a person wanted it so."""
    if current(store):
        return "quarantined"
    if paused:
        return "paused"
    if complete is None and not store.population().users:
        return "never_synced"
    if failing:
        return "failing"
    if store.holds():
        return "held"
    if complete is None:
        return "partly_synced"
    return "left_out" if left_out else "well"


def _age(moment: str | None, now: datetime) -> int | None:
    return None if moment is None else int((now - datetime.fromisoformat(moment)).total_seconds())


def _run(run: RunRecord) -> dict[str, Any]:
    return {
        "run_id": run.run_id,
        "kind": run.kind,
        "started": timestamp(run.started),
        "finished": timestamp(run.finished) if run.finished else None,
        "status": run.status,
        "summary": {outcome: dict(counts) for outcome, counts in run.summary.items()},
        "error": run.error,
    }


def token_document(created: date | None, today: date) -> dict[str, Any] | None:
    """None when the settings do not say when the token was made."""
    if created is None:
        return None
    return {"created": created.isoformat(), "expires_in_days": token_days_left(created, today)}
