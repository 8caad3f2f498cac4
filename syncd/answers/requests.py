"""Carries out what a request orders: by the same acts, and to the same document and exit code, as the command does it
alone.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from syncd.answers.decisions import decided_on, decision_document, release, unlink_user
from syncd.core.change import change_from_document
from syncd.core.counting import counted
from syncd.core.plan import SavedPlan, read_plan
from syncd.core.request import (
    GOOD_FOR,
    TAKEN_AT_MOST,
    ApplyRequest,
    ApproveRequest,
    DriftRequest,
    ErrorText,
    LinkRequest,
    LinkUserRequest,
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
    UnlinkUserRequest,
    read_request,
)
from syncd.engine.cycles.drift import repair
from syncd.engine.cycles.link import apply_link, plan_link, plan_unlink
from syncd.engine.cycles.link_user import apply_link_user, plan_link_user
from syncd.engine.cycles.relink import Relinking, relink, store_relinking
from syncd.engine.cycles.rematch import Sides
from syncd.engine.cycles.result import RunResult
from syncd.engine.cycles.run import settle_interrupted
from syncd.engine.cycles.sync import apply_approved, apply_saved, sync
from syncd.engine.cycles.undo import apply_saved_undo, apply_undo, plan_undo
from syncd.engine.job import Job
from syncd.engine.planning.planned import Planned
from syncd.engine.reading.selection import Selection
from syncd.errors import RefusedError, StaleError, SyncdError, UsageError
from syncd.ports import RunRecord, Store
from syncd.settings import ConnectionSettings, scope_fingerprint

Sync = Callable[[Job, Selection, Mapping[str, int]], RunResult]
_SEEN_HINT = "look at the world again: ask once more, and see what would change now"


def request_in(store: Store, taken: RequestRecord, settings: ConnectionSettings, now: datetime) -> Request:
    """What the row that was taken just now asks for, whoever took it: `syncd run`, or in its place the command itself,
    with the `settings` that it would be carried out with. Raises RefusedError for what nobody carries out.
    """
    request = read_request(taken.version, taken.kind, taken.arguments)
    if store.altered_requests():
        raise RefusedError(
            "the requests in the store were changed behind syncd's back: none of them is carried out",
            hint="`syncd audit verify` names what was changed; go back to a backup of the store",
        )
    if taken.settings != scope_fingerprint(settings):
        raise RefusedError(
            "`syncd run` has other scope settings (app, target, provisioning, attributes, push groups) than the"
            " settings file that this command read",
            hint="have it read the file again (systemctl reload syncd, or kill -HUP), and repeat the command",
        )
    if now - taken.asked_at > GOOD_FOR:
        raise RefusedError(
            "nobody carried it out for a day: it is not done any more", hint="ask for it again"
        )
    if taken.takings > TAKEN_AT_MOST:
        raise RefusedError(
            f"{counted(TAKEN_AT_MOST, 'time')} whoever carried it out ended in the middle of it: it is not tried again",
            hint="`syncd status` shows the runs; the log of `syncd run` tells how it ended",
        )
    return request


def carry_out_once(
    job: Job, found: RequestRecord, request: Request, *, sync_all: Sync = sync
) -> tuple[RequestResult, RunResult | None]:
    """What was taken just now. `found` is the row as it was before: what somebody did with it who died is not done
    again. Raises what the command raises alone.
    """
    before = ended_before(job.store, job.settings.name, found, request)
    if before is not None:
        return before, None
    left = found.state.at if isinstance(found.state, TakenState) else None
    return carry_out(job, request, found.by, found.reason or None, left=left, sync_all=sync_all)


def carry_out(
    job: Job,
    request: Request,
    by: str,
    reason: str | None = None,
    *,
    left: datetime | None = None,
    sync_all: Sync = sync,
) -> tuple[RequestResult, RunResult | None]:
    """Under the writer's lock; the run too, where it is one. `by` is who asked, with the `reason` that they gave;
    `left` when somebody began with it who died doing so; `sync_all` how everything is synced. Raises what the command
    raises alone.
    """
    match request:
        case SyncRequest(users, groups, full, allow):
            selection = Selection(users, groups, full)
            return _ran((sync_all if selection.everything else sync)(job, selection, allow))
        case RetryRequest((), ()):
            raise UsageError("nothing was named to be tried again")
        case RetryRequest(users, groups):
            return _ran(sync(job, Selection(users, groups), {}))
        case DriftRequest():
            return _repaired(job, request)
        case ApproveRequest(changes):
            with job.turn:
                return _ran(apply_approved(job, [change_from_document(dict(each)) for each in changes]))
        case ReleaseRequest(name):
            with job.turn:
                return RequestResult(_released(job, name, by, reason, left), 0), None
        case UnlinkUserRequest(user):
            with job.turn:
                return RequestResult(_untied_user(job, user, by, reason, left), 0), None
        case RelinkRequest(digest):
            return _relinked(job, digest, by, reason), None
        case ApplyRequest(plan):
            with job.turn:
                return _applied(job, read_plan(plan, "that was sent"), by, left)
        case LinkRequest() | LinkUserRequest() | UnlinkRequest() | UndoRequest():
            return _ran(_planned(job, request, by, reason, left))


def _ran(result: RunResult) -> tuple[RequestResult, RunResult]:
    return run_outcome(result), result


def run_outcome(result: RunResult) -> RequestResult:
    """What came of a run."""
    document = result.document()
    said = tuple(ErrorText(each.message, each.hint, each.exit_code) for each in result.problems)
    return RequestResult({**document, "skipped": list(document["skipped"])}, result.exit_code, said)


_RUNS: Mapping[type[Request], tuple[str, ...]] = {
    LinkRequest: ("link",),
    LinkUserRequest: ("link",),
    UnlinkRequest: ("link",),
    UndoRequest: ("undo",),
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
    state, kinds, until = found.state, _RUNS.get(type(request), ()), store.left_at(found)
    if not isinstance(state, TakenState) or until is None:
        return None
    for run in store.runs(limit=50):
        if run.kind in kinds and state.at <= run.started < until and run.finished is not None:
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
        if run is not None and run.finished is not None:
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


def refuse_what_was_not_seen(planned: Planned, seen: Sequence[str] | None, *, begun: bool) -> None:
    """A person agreed to these changes (by id) and to no others; `begun`: some of them may be done already. Raises
    StaleError.
    """
    now = {change.id for change in planned.changes()}
    if seen is not None and (now - set(seen) if begun else now != set(seen)):
        raise StaleError(
            "what would change is not what was shown any more: nothing was done", hint=_SEEN_HINT
        )


def _planned(
    job: Job,
    request: LinkRequest | LinkUserRequest | UnlinkRequest | UndoRequest,
    by: str,
    reason: str | None,
    left: datetime | None,
) -> RunResult:
    with job.turn:
        if left is not None and isinstance(request, UnlinkRequest):
            settle_interrupted(job)
            if untied := _untied(job, request.group):  # which no plan would find any more
                return sync(job, Selection(groups=(untied,)))
        if left is not None and isinstance(request, LinkUserRequest):
            settle_interrupted(job)
            if tied := _tied_since(job, request, left):  # whose link would be refused: they are tied
                return sync(job, Selection(users=(tied,)))
        with _plan_for(job, request, by) as planned:
            refuse_what_was_not_seen(planned, request.seen, begun=left is not None)
            match request:
                case UndoRequest():
                    return apply_undo(job, planned, by, reason)
                case LinkUserRequest():
                    return apply_link_user(job, planned, reason)
                case LinkRequest() | UnlinkRequest():
                    return apply_link(job, planned, reason)


def _untied(job: Job, text: str) -> str | None:
    """The Okta id of a group that a person had untied: it is left alone like one that was released."""
    found = [
        group.okta_id for group in job.store.find_groups(text) if group.pushed is None and group.released
    ]
    return found[0] if len(found) == 1 else None


def _tied_since(job: Job, request: LinkUserRequest, since: datetime) -> str | None:
    """The Okta id of the person whom whoever began with it tied to the account that was asked for: by the word of the
    trail, since the account may be called otherwise by now.
    """
    noted = {
        (entry.body["okta_id"], entry.body["scim_id"])
        for entry in job.store.journal_entries(since=since)
        if entry.body.get("decision") == "link"
        and "okta_id" in entry.body
        and request.account in (None, entry.body["scim_id"], entry.body["name"])
    }
    found = [
        user.okta_id
        for user in job.store.find_users(request.user)
        if user.pushed is not None and (user.okta_id, user.pushed.scim_id) in noted
    ]
    return found[0] if len(found) == 1 else None


def _released(job: Job, name: str, by: str, reason: str | None, left: datetime | None) -> Mapping[str, Any]:
    """Once is enough, also when whoever released it died before it could say so."""
    try:
        return release(job.store, job.settings.name, name, by, reason)
    except UsageError:
        users = [user for user in job.store.find_users(name) if user.released]
        groups = [group for group in job.store.find_groups(name) if group.released]
        if left is None or len(users) + len(groups) != 1:
            raise
        items = [decided_on(f"user:{user.okta_id}", user.wanted.user_name) for user in users]
        items += [decided_on(f"group:{group.okta_id}", group.wanted.name) for group in groups]
        return decision_document(job.settings.name, "release", by, items, reason)


def _untied_user(
    job: Job, user: str, by: str, reason: str | None, left: datetime | None
) -> Mapping[str, Any]:
    """As `_released`."""
    try:
        return unlink_user(job.store, job.settings.name, user, by, job.clock(), reason)
    except UsageError:
        found = [each for each in job.store.find_users(user) if each.released and each.pushed is None]
        if left is None or len(found) != 1:
            raise
        items = [decided_on(f"user:{each.okta_id}", each.wanted.user_name) for each in found]
        return decision_document(job.settings.name, "unlink", by, items, reason)


def _plan_for(
    job: Job, request: LinkRequest | LinkUserRequest | UnlinkRequest | UndoRequest, by: str
) -> Planned:
    match request:
        case LinkRequest(group, target, allow=allow):
            return plan_link(job, group, target, by, allow)
        case LinkUserRequest(user, account, allow=allow):
            planned, _ = plan_link_user(job, user, account, by, allow)
            return planned
        case UnlinkRequest(group, delete, allow=allow):
            return plan_unlink(job, group, by, allow, delete=delete)
        case UndoRequest(run, allow=allow):
            return plan_undo(job, run, by, allow)


def _repaired(job: Job, request: DriftRequest) -> tuple[RequestResult, RunResult]:
    report, result = repair(job, Selection(request.users, request.groups, request.full), request.allow)
    run = run_outcome(result)
    if report is None:
        return run, result
    return replace(run, document={**report.document(), "run": run.document}), result


def _relinked(job: Job, digest: str | None, by: str, reason: str | None) -> RequestResult:
    sides = Sides(job.settings, job.store, job.target, job.observer, job.cancelled)
    with job.turn, relink(sides, job.clock()) as found:
        if digest is not None and digest != what_was_found(found):
            raise StaleError(
                "who is where is not what was shown any more: nothing was stored", hint=_SEEN_HINT
            )
        store_relinking(sides, found, by, reason)
        return RequestResult({"stored": not found.nothing_to_store}, 0)


def what_was_found(found: Relinking) -> str:
    """A digest of what a relink would store, the same whenever it is found."""
    ids = sorted(change.id for change in found.changes())
    told = [*ids, "users", *sorted(found.lost_users), "groups", *sorted(found.lost_groups)]
    return hashlib.sha256("\n".join(told).encode()).hexdigest()
