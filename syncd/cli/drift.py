"""`syncd drift`: three sides compared, and repaired on request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from syncd.cli import exits
from syncd.cli.choices import object_options
from syncd.cli.interrupts import Stop
from syncd.cli.options import Command, globals_of
from syncd.cli.requesting import carried_out, changing_options, shown_answer
from syncd.cli.session import Answer, Session
from syncd.core.drift import REPORTED_ONLY
from syncd.core.request import DriftRequest, RequestResult
from syncd.errors import SyncdError
from syncd.report.drift_text import drift_lines
from syncd.report.lines import BLANK
from syncd.report.text import run_lines

if TYPE_CHECKING:
    from syncd.engine.cycles.drift_report import DriftReport
    from syncd.engine.reading.selection import Selection
    from syncd.settings import ConnectionSettings


@click.command(name="drift", cls=Command)
@click.option("--fix", is_flag=True, help="Repair what was found, through the same safety checks as sync.")
@object_options
@changing_options
@click.pass_context
def command(
    ctx: click.Context,
    users: tuple[str, ...],
    groups: tuple[str, ...],
    allow: Mapping[str, int],
    *,
    fix: bool,
    detailed: bool,
    as_json: bool,
    no_wait: bool,
) -> int:
    """Find what was changed at the target behind syncd's back.

    Compares three sides: what Okta wants, what the store remembers, what the target has.

    Reads everything on both sides and changes nothing there, unless --fix asks for the repair; what was found is
    remembered for status and reports. Users and groups that nobody manages are reported and never touched. What Okta
    wants and was never written is on the list with why. Also works beside Okta's own provisioning, before any sync:
    then Okta's wishes are compared with the target.
    """
    from syncd.engine.reading.selection import Selection  # noqa: PLC0415  (the engine)

    if any(not text.strip() for text in (*users, *groups)):
        raise click.UsageError("--user and --group need a name")
    if allow and not fix:
        raise click.UsageError("--allow raises a limit for a repair: use it with --fix")
    if no_wait and not fix:
        raise click.UsageError("--no-wait is about the repair: use it with --fix")
    selection = Selection(users, groups, full=not users and not groups)
    with Session(globals_of(ctx), as_json=as_json) as session:
        session.listen()
        if fix:
            with Stop(session.note) as stop:
                return _fix(session, stop, selection, allow, detailed=detailed, no_wait=no_wait)
        return _look(session, selection, detailed=detailed)


def _look(session: Session, selection: Selection, *, detailed: bool) -> int:
    def work(settings: ConnectionSettings) -> Answer:
        from syncd.engine.cycles.drift import find_drift  # noqa: PLC0415
        from syncd.wiring import open_job  # noqa: PLC0415

        with (
            session.watcher(settings) as observer,
            open_job(settings, writing=False, observer=observer, redactor=session.redactor) as job,
        ):
            report = find_drift(job, selection)
        if selection.everything:
            _remember(session, settings, report)
        for problem in report.problems:
            session.fail(problem, connection=settings.name if session.several else "")
        code = exits.FAILED if report.problems else exits.DONE
        if detailed and report.differs:
            code = exits.worst([code, exits.CHANGES])
        document = report.document()
        return Answer(document, code, drift_lines(document))

    return session.each(work)


def _remember(session: Session, settings: ConnectionSettings, report: DriftReport) -> None:
    """Beside whoever holds the writer's lock; where there is no store yet, none is made."""
    from syncd.engine.cycles.drift import remember_comparison  # noqa: PLC0415
    from syncd.wiring import open_for_deciding  # noqa: PLC0415

    if settings.fleet is None and not settings.store_path.exists():
        return
    try:
        with open_for_deciding(settings, redactor=session.redactor) as store:
            remember_comparison(store, report)
    except SyncdError as error:
        session.note(f"The comparison is not remembered: {error.message}", "warn")


def _fix(
    session: Session,
    stop: Stop,
    selection: Selection,
    allow: Mapping[str, int],
    *,
    detailed: bool,
    no_wait: bool,
) -> int:
    def work(settings: ConnectionSettings) -> Answer:
        def alone() -> Answer:
            from syncd.engine.cycles.drift import repair  # noqa: PLC0415

            with session.writing(settings, stop) as (job, _):
                report, result = repair(job, selection, allow)
                kind = "drift" if selection.everything else "targeted"
                session.tell(job, kind, result.status, result.problems)
            for problem in result.problems:
                session.fail(problem, connection=settings.name if session.several else "")
            run = result.document()
            if report is None:
                return Answer(run, result.exit_code, run_lines(run))
            code = exits.INTERRUPTED if stop.asked() else result.exit_code
            return _fixed({**report.document(), "run": run}, code, detailed=detailed)

        def shown(result: RequestResult) -> Answer:
            answer = shown_answer(session, settings, result)
            if "run" not in answer.document:  # it could not look
                return replace(answer, lines=run_lines(answer.document))
            return _fixed(answer.document, answer.exit_code, detailed=detailed)

        request = DriftRequest(selection.users, selection.groups, selection.full, allow)
        return carried_out(session, settings, stop, lambda: request, alone, shown, no_wait=no_wait)

    return session.each(work)


def _fixed(document: Mapping[str, Any], code: int, *, detailed: bool) -> Answer:
    if detailed and any(item["kind"] not in REPORTED_ONLY for item in document["items"]):
        code = exits.worst([code, exits.CHANGES])
    return Answer(document, code, [*drift_lines(document), BLANK, *run_lines(document["run"])])
