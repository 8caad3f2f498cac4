"""Drift, looked for by a person or a timer, and repaired through the ordinary plan, safety checks and journal.

A repair first takes over into the store what was found (as a note in the audit trail), and then is a plain cycle: what
Okta wants is compared with what is really there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from syncd.core.change import Change, ChangeKind
from syncd.core.drift import DriftItem, DriftKind, Side
from syncd.core.drift_news import REPAIRED_BY, without
from syncd.engine.cycles.drift_report import DriftReport, drift_report
from syncd.engine.cycles.result import RunResult
from syncd.engine.cycles.run import CycleRun, settle_interrupted
from syncd.engine.facts import LAST_DRIFT
from syncd.engine.job import Job
from syncd.engine.planning.decide import make_plan
from syncd.engine.planning.draft import Planning
from syncd.engine.planning.plan import checked
from syncd.engine.reading.full import read_everything
from syncd.engine.reading.learned import Reading
from syncd.engine.reading.lookup import found, named_objects
from syncd.engine.reading.named import read_selected
from syncd.engine.reading.selection import Selection
from syncd.engine.writing.other_target import refuse_other_target
from syncd.engine.writing.quarantine import RELINK, RELINK_HINT
from syncd.errors import ConnectionSick, status_after, words_after
from syncd.model import GroupCase, PushedUser
from syncd.ports import Effect, GroupForgotten, MemberPushed, Stage, Store, UserForgotten, UserPushed

ITEMS_KEPT = 1_000
"""Of the last drift document."""
VANISHED_AT_MOST = 5
VANISHED_SHARE = 0.2


def _look(job: Job, selection: Selection, stage: Stage) -> tuple[Reading, DriftReport]:
    """Reads both sides."""
    refuse_other_target(job)
    if selection.everything:
        everything = read_everything(job, stage, every_member_list=True)
        return everything, drift_report(job, stage, everything, narrowed=False)
    users, groups = named_objects(job, selection)
    named = read_selected(job, stage, users, groups)
    return named, drift_report(job, stage, named, narrowed=True, only=users)


def find_drift(job: Job, selection: Selection) -> DriftReport:
    """Reads Okta and the target and compares; writes nothing at either side nor in the store."""
    stage = job.store.stage()
    try:
        _, report = _look(job, selection, stage)
    finally:
        stage.close()
    return report


def remember_comparison(store: Store, report: DriftReport) -> None:
    """A look by hand, remembered as one of the daemon's: in a run of its own, for status, metrics and reports."""
    run_id = store.begin_run("drift")
    _remember_found(store, report, run_id)
    _finish(store, report, run_id)


def drift_cycle(job: Job) -> DriftReport:
    """A drift cycle of the daemon: what it found is remembered for status, metrics, reports and the audit trail."""
    run_id = job.store.begin_run("drift")
    try:
        report = find_drift(job, Selection(full=True))
    except BaseException as error:
        job.store.finish_run(run_id, status=status_after(error), summary={}, error=words_after(error))
        raise
    if accepted := list(_accepted(job, report)):
        job.store.record_found(run_id, accepted, summary={"accepted": len(accepted)})
    _remember_found(job.store, report, run_id)
    _finish(job.store, report, run_id)
    return report


def _remember_found(store: Store, report: DriftReport, run_id: str) -> None:
    """A note in the audit trail only when something was found."""
    LAST_DRIFT.remember(store, _kept(report))
    if report.items:
        said = {"summary": report.summary, "counts": report.counts, "fixed": False}
        store.note({"drift": said}, run_id=run_id)


def _kept(report: DriftReport) -> dict[str, Any]:
    document = report.document()
    return {**document, "items": document["items"][:ITEMS_KEPT]}


def _finish(store: Store, report: DriftReport, run_id: str) -> None:
    status = "failed" if report.problems else "succeeded"
    message = "; ".join(problem.message for problem in report.problems) or None
    store.finish_run(run_id, status=status, summary={"found": report.summary}, error=message)


def repair(
    job: Job, selection: Selection, allow: Mapping[str, int] | None = None, *, remembered: bool = True
) -> tuple[DriftReport | None, RunResult]:
    """Looks, takes over what was found, plans and applies. The report is None when looking failed. `remembered`: it is
    the last comparison from now on. Raises UsageError for a name that nobody knows.
    """
    report = None
    selection = selection if selection.everything else found(job, selection)
    with CycleRun(job, "drift") as run:
        unsettled = settle_interrupted(job)
        with run.reading(lambda stage: _look(job, selection, stage)) as (stage, (reading, report)):
            _take_over(job, report, run.run_id)
            if remembered and selection.everything:
                LAST_DRIFT.remember(job.store, _kept(report))
            planning = make_plan(job, stage, reading, unsettled)
            _rename_back(planning, report)
            run.write(checked(planning, "drift", allow or {}))
    if remembered and report is not None and run.result.exit_code == 0:
        _remember_repaired(job.store, report, run.run_id, whole=selection.everything)
    return report, run.result


def _remember_repaired(store: Store, report: DriftReport, run_id: str, *, whole: bool) -> None:
    """Of some objects only: the last comparison has that much less."""
    if whole:
        LAST_DRIFT.remember(store, {**_kept(report), REPAIRED_BY: run_id})
        return
    with suppress(ValueError, LookupError, TypeError, AttributeError):  # somebody else wrote it
        if (last := LAST_DRIFT.of(store)) is not None:
            LAST_DRIFT.remember(store, without(last, [item.document() for item in report.items]))


def _take_over(job: Job, report: DriftReport, run_id: str) -> None:
    """Into the store, so that the plan begins with what is really there."""
    _refuse_if_they_vanished(job, report)
    effects = [*_effects(job, report.items), *_accepted(job, report)]
    if effects:
        job.store.record_found(run_id, effects, summary=report.summary, counts=report.counts)


def _rename_back(planning: Planning, report: DriftReport) -> None:
    """Groups that somebody renamed at the target; a plan by itself leaves a linked group its name."""
    renamed = [
        item
        for item in report.items
        if item.kind is DriftKind.RENAMED_GROUP and item.remembered and item.found
    ]
    cases = {case.okta_id: case for case in planning.stage.group_cases()} if renamed else {}
    for item in renamed:
        if _keeps_its_name(cases.get(item.okta_id or ""), item):
            planning.add_change(_rename(item))


def _keeps_its_name(case: GroupCase | None, item: DriftItem) -> bool:
    """Linked under the name that is remembered, and not to be called otherwise: that the plan itself sees to."""
    if case is None or case.known is None or case.known.pushed is None or case.wanted is None:
        return False
    name = case.known.pushed.name
    called = case.wanted.target_name if case.wanted.rename else name
    return {"displayName": name} == item.remembered and called == name


def _rename(item: DriftItem) -> Change:
    return Change(
        ChangeKind.RENAME_GROUP,
        item.okta_id or "",
        item.scim_id,
        item.name,
        {"displayName": (item.found or {}).get("displayName")},
        {"displayName": (item.remembered or {}).get("displayName")},
        item.reason,
    )


def _refuse_if_they_vanished(job: Job, report: DriftReport) -> None:
    """Accounts or groups that are gone in number are not made again: SCIM was switched off and on, a person relinks."""
    population = job.store.population()
    for kind, what, known in (
        (DriftKind.MISSING_USER, "accounts", population.users),
        (DriftKind.MISSING_GROUP, "groups", population.groups),
    ):
        gone = sum(item.kind is kind and item.remembered is not None for item in report.items)
        if gone > VANISHED_AT_MOST and gone > VANISHED_SHARE * known:
            message = f"{gone} of {known} known {what} are gone at the target: nobody is created again"
            raise ConnectionSick(message, side=RELINK, hint=RELINK_HINT)


def _effects(job: Job, items: Sequence[DriftItem]) -> Iterator[Effect]:
    for item in items:
        if (
            item.okta_id is None
            or item.remembered in (None, item.found)
            or not _still_remembered(job, item, item.remembered)
        ):
            continue
        if item.kind is DriftKind.MISSING_USER:
            yield UserForgotten(item.okta_id)
        elif item.kind is DriftKind.MISSING_GROUP:
            yield GroupForgotten(item.okta_id)
        elif item.type == "user" and item.found is not None:
            yield from _as_found(job, item.okta_id, item.found)
        elif item.type == "membership" and item.found is not None and item.group_id is not None:
            yield MemberPushed(item.group_id, item.okta_id, present=item.found.get("member") is True)


def _accepted(job: Job, report: DriftReport) -> Iterator[Effect]:
    """Whoever was seen active is no longer merely invited: inactive again, they are drift."""
    for okta_id in report.accepted:
        known = job.store.user(okta_id)
        if known is not None and known.pushed is not None:
            yield UserPushed(okta_id, replace(known.pushed, invited=False))


def _still_remembered(job: Job, item: DriftItem, remembered: Side) -> bool:
    """What another cycle has written since the comparison is younger than what was found, and wins."""
    okta_id = item.okta_id or ""
    if item.type == "membership":
        return (item.group_id in job.store.groups_with(okta_id)) is remembered.get("member")
    if item.type == "group":
        group = job.store.group(okta_id)
        return group is not None and group.pushed is not None and group.pushed.scim_id == item.scim_id
    user = job.store.user(okta_id)
    if user is None or user.pushed is None or user.pushed.scim_id != item.scim_id:
        return False
    now = {**user.pushed.attributes, "active": user.pushed.active}
    return all(now.get(path) == value for path, value in remembered.items())


def _as_found(job: Job, okta_id: str, found: Mapping[str, object]) -> Iterator[Effect]:
    known = job.store.user(okta_id)
    if known is None or known.pushed is None:
        return
    was = known.pushed
    attributes = {**was.attributes, **{k: v for k, v in found.items() if k != "active"}}
    kept = {k: v for k, v in attributes.items() if isinstance(v, str | int | float | bool)}
    active = found.get("active", was.active) is True
    yield UserPushed(okta_id, PushedUser(was.scim_id, kept, active, was.invited and "active" not in found))
