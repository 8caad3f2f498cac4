"""Carries out what a request orders: by the same acts, and to the same document and exit code, as the command does it
alone.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from syncd.answers.decisions import release
from syncd.core.change import change_from_document
from syncd.core.plan import SavedPlan, read_plan
from syncd.core.request import (
    ApplyRequest,
    ApproveRequest,
    DriftRequest,
    ErrorText,
    LinkRequest,
    ReleaseRequest,
    RelinkRequest,
    Request,
    RequestRecord,
    RequestResult,
    RetryRequest,
    SyncRequest,
    TakenState,
    UndoRequest,
    UnlinkRequest,
)
from syncd.engine.cycles.drift import repair
from syncd.engine.cycles.link import apply_link, plan_link, plan_unlink
from syncd.engine.cycles.relink import Relinking, relink, store_relinking
from syncd.engine.cycles.rematch import Sides
from syncd.engine.cycles.result import RunResult
from syncd.engine.cycles.run import settle_interrupted
from syncd.engine.cycles.sync import apply_approved, apply_saved, sync
from syncd.engine.cycles.undo import apply_saved_undo, apply_undo, plan_undo
from syncd.engine.job import Job
from syncd.engine.planning.planned import Planned
from syncd.engine.reading.selection import Selection
from syncd.errors import StaleError, SyncdError
from syncd.ports import RunRecord, Store

Sync = Callable[[Job, Selection, Mapping[str, int]], RunResult]
_SEEN_HINT = "look at the world again: ask once more, and see what would change now"


def carry_out(
    job: Job, request: Request, by: str, *, left: datetime | None = None, sync_all: Sync = sync
) -> tuple[RequestResult, RunResult | None]:
    """Under the writer's lock; the run too, where it is one. `by` is who asked, `left` when somebody began with it who
    died doing so, `sync_all` how everything is synced. Raises what the command raises alone.
    """
    match request:
        case SyncRequest(users, groups, full, allow):
            selection = Selection(users, groups, full)
            return _ran((sync_all if selection.everything else sync)(job, selection, allow))
        case RetryRequest(users, groups):
            return _ran(sync(job, Selection(users, groups), {}))
        case DriftRequest():
            return _repaired(job, request)
        case ApproveRequest(changes):
            with job.turn:
                return _ran(apply_approved(job, [change_from_document(dict(each)) for each in changes]))
        case ReleaseRequest(name):
            with job.turn:
                return RequestResult(release(job.store, job.settings.name, name, by), 0), None
        case RelinkRequest(digest):
            return _relinked(job, digest, by), None
        case ApplyRequest(plan):
            with job.turn:
                return _applied(job, read_plan(plan, "that was sent"), by, left)
        case LinkRequest() | UnlinkRequest() | UndoRequest():
            return _ran(_planned(job, request, by))


def _ran(result: RunResult) -> tuple[RequestResult, RunResult]:
    return run_outcome(result), result


def run_outcome(result: RunResult) -> RequestResult:
    """What came of a run."""
    document = result.document()
    said = tuple(ErrorText(each.message, each.hint, each.exit_code) for each in result.problems)
    return RequestResult({**document, "skipped": list(document["skipped"])}, result.exit_code, said)


_RUNS: Mapping[type[Request], tuple[str, ...]] = {
    LinkRequest: ("link",),
    UnlinkRequest: ("link",),
    UndoRequest: ("undo",),
    ApproveRequest: ("targeted",),
}
"""What cannot be asked for again once it was done: kinds of the run that it is. Of the others the next run finds out by
itself what was done already."""
_ENDS: Mapping[str, int] = {"succeeded": 0, "held": 3, "refused": 3, "partial": 4}


def ended_before(
    store: Store, connection: str, found: RequestRecord, request: Request
) -> RequestResult | None:
    """What came of a request whose last taker ended its run, and died before it could say so. `found` is the request as
    that one left it.
    """
    state, kinds = found.state, _RUNS.get(type(request), ())
    if not isinstance(state, TakenState):
        return None
    for run in store.runs(limit=50):
        if run.kind in kinds and run.started >= state.at and run.finished is not None:
            return _recorded(run, connection)
    return None


def _recorded(run: RunRecord, connection: str) -> RequestResult:
    code = _ENDS.get(run.status or "", 1)
    said = (ErrorText(run.error, "", code),) if run.error else ()
    summary = {outcome: dict(counts) for outcome, counts in run.summary.items()}
    return RequestResult(
        {
            "schema": "syncd.run/1",
            "run_id": run.run_id,
            "connection": connection,
            "status": run.status if run.status in (*_ENDS, "failed") else "failed",
            "summary": {"applied": {}, "failed": {}, "held": {}, "skipped": {}, **summary},
            "requests": {"okta": {}, "target": {}},
            "errors": [],
            "holds": [],
            "skipped": [],
            "quarantine": None,
            "audit": None,
            "duration_seconds": round((run.finished - run.started).total_seconds(), 3)
            if run.finished
            else 0.0,
        },
        code,
        said,
    )


def error_outcome(error: SyncdError) -> RequestResult:
    """What came of a command that this ended."""
    return RequestResult(None, error.exit_code, (ErrorText(error.message, error.hint, error.exit_code),))


def apply_plan(job: Job, saved: SavedPlan, by: str) -> RunResult:
    """Exactly, or not at all."""
    return apply_saved_undo(job, saved, by) if saved.undoes else apply_saved(job, saved)


def _applied(
    job: Job, saved: SavedPlan, by: str, left: datetime | None
) -> tuple[RequestResult, RunResult | None]:
    """What was applied before whoever began with it died is not applied again: the rest is, exactly."""
    done = {} if left is None or saved.undoes else _done_since(job, saved, left)
    if done and len(done) == len(saved.changes):
        run = job.store.run(max(done.values()))
        if run is not None:
            return _recorded(run, saved.connection), None
    rest = [change for change in saved.changes if change.id not in done]
    result = apply_plan(job, replace(saved, changes=rest), by)
    before = Counter(change.kind for change in saved.changes if change.id in done)
    return _ran(replace(result, applied=Counter(result.applied) + before))


def _done_since(job: Job, saved: SavedPlan, since: datetime) -> Mapping[str, str]:
    """Which of the plan's changes were applied, with the run that did it."""
    settle_interrupted(job)
    planned = {change.id for change in saved.changes}
    return {
        change_from_document(entry.asked).id: entry.run_id or ""
        for entry in job.store.journal_entries(since=since)
        if entry.entry == "outcome"
        and entry.applied
        and not entry.body.get("step")
        and entry.asked is not None
        and change_from_document(entry.asked).id in planned
    }


def refuse_what_was_not_seen(planned: Planned, seen: Sequence[str] | None) -> None:
    """A person agreed to these changes (by id) and to no others. Raises StaleError."""
    if seen is not None and {change.id for change in planned.changes()} != set(seen):
        raise StaleError(
            "what would change is not what was shown any more: nothing was done", hint=_SEEN_HINT
        )


def _planned(job: Job, request: LinkRequest | UnlinkRequest | UndoRequest, by: str) -> RunResult:
    with job.turn, plan_for(job, request, by) as planned:
        refuse_what_was_not_seen(planned, request.seen)
        undoes = isinstance(request, UndoRequest)
        return apply_undo(job, planned, by) if undoes else apply_link(job, planned)


def plan_for(
    job: Job, request: LinkRequest | UnlinkRequest | UndoRequest, by: str, *, writing: bool = True
) -> Planned:
    """What it would change. Writes nothing, but with `writing` what interrupted runs left to settle."""
    match request:
        case LinkRequest(group, target, allow):
            return plan_link(job, group, target, by, allow, writing=writing)
        case UnlinkRequest(group, delete, allow):
            return plan_unlink(job, group, by, allow, delete=delete, writing=writing)
        case UndoRequest(run, allow):
            return plan_undo(job, run, by, allow, writing=writing)


def _repaired(job: Job, request: DriftRequest) -> tuple[RequestResult, RunResult]:
    report, result = repair(job, Selection(request.users, request.groups, request.full), request.allow)
    run = run_outcome(result)
    if report is None:
        return run, result
    return replace(run, document={**report.document(), "run": run.document}), result


def _relinked(job: Job, digest: str | None, by: str) -> RequestResult:
    sides = Sides(job.settings, job.store, job.target, job.observer, job.cancelled)
    with job.turn, relink(sides, job.clock()) as found:
        if digest is not None and digest != what_was_found(found):
            raise StaleError(
                "who is where is not what was shown any more: nothing was stored", hint=_SEEN_HINT
            )
        store_relinking(sides, found, by)
        return RequestResult({"stored": not found.nothing_to_store}, 0)


def what_was_found(found: Relinking) -> str:
    """A digest of what a relink would store, the same whenever it is found."""
    ids = sorted(change.id for change in found.changes())
    told = [*ids, "users", *sorted(found.lost_users), "groups", *sorted(found.lost_groups)]
    return hashlib.sha256("\n".join(told).encode()).hexdigest()
