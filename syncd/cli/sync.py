"""`syncd sync`: one-shot reconciliation for scripts and timers."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from syncd.cli import exits
from syncd.cli.choices import selection_options
from syncd.cli.interrupts import Interrupted, Stop
from syncd.cli.options import Command, globals_of
from syncd.cli.plan import run_plan
from syncd.cli.requesting import carried_out, changing_options, shown_answer
from syncd.cli.session import Answer, Session
from syncd.core.request import RequestResult, SyncRequest
from syncd.report.text import run_lines

if TYPE_CHECKING:
    from syncd.engine.cycles.result import RunResult
    from syncd.engine.reading.selection import Selection
    from syncd.settings import ConnectionSettings


@click.command(name="sync", cls=Command)
@click.option("--dry-run", is_flag=True, help="Stop before the first write; the same as `syncd plan`.")
@selection_options
@changing_options
@click.pass_context
def command(
    ctx: click.Context,
    selection: Selection,
    allow: Mapping[str, int],
    *,
    dry_run: bool,
    detailed: bool,
    as_json: bool,
    no_wait: bool,
) -> int:
    """Plan, check the limits, apply: once.

    What a safety check stops is held (exit 3) and the rest is applied; objects that fail are retried later
    (exit 4). Safe to run at any time and to interrupt. Beside syncd run it is done by that, and followed.
    """
    with Session(globals_of(ctx), as_json=as_json) as session:
        if dry_run:
            return run_plan(session, selection, allow, detailed=detailed)
        with Stop(session.note) as stop:
            return _sync(session, stop, selection, allow, detailed=detailed, no_wait=no_wait)


def _sync(
    session: Session,
    stop: Stop,
    selection: Selection,
    allow: Mapping[str, int],
    *,
    detailed: bool,
    no_wait: bool,
) -> int:
    def work(settings: ConnectionSettings) -> Answer:
        if stop.asked():
            raise Interrupted(
                "not begun: the connection before it was stopped", hint="Run syncd sync again for the rest."
            )

        def alone() -> Answer:
            from syncd.engine.cycles.sync import sync  # noqa: PLC0415  (the engine)

            with session.writing(settings, stop) as (job, _):
                result = sync(job, selection, allow)
                session.tell(job, selection.kind, result.status, result.problems)
            return run_answer(session, result, stop, detailed=detailed)

        request = SyncRequest(selection.users, selection.groups, selection.full, allow)
        shown = partial(shown_run, session, settings, detailed=detailed)
        return carried_out(session, settings, stop, lambda: request, alone, shown, no_wait=no_wait)

    session.listen()
    return session.each(work)


def run_answer(
    session: Session, result: RunResult, stop: Stop, *, detailed: bool = False, plan_shown: bool = False
) -> Answer:
    """The result of a run; a run that was stopped on request is an interrupted one. `plan_shown`: what is skipped, and
    held, was said with the plan.
    """
    document = result.document()
    for problem in result.problems:
        session.fail(problem, connection=result.connection if session.several else "")
    code = exits.INTERRUPTED if stop.asked() else result.exit_code
    return _run_answer(document, code, detailed=detailed, plan_shown=plan_shown)


def shown_run(
    session: Session,
    settings: ConnectionSettings,
    outcome: RequestResult,
    *,
    detailed: bool = False,
    plan_shown: bool = False,
) -> Answer:
    """What came of a run that somebody else carried out; `plan_shown` as of `run_answer`."""
    answer = shown_answer(session, settings, outcome)
    return _run_answer(answer.document, answer.exit_code, detailed=detailed, plan_shown=plan_shown)


def _run_answer(document: Mapping[str, Any], code: int, *, detailed: bool, plan_shown: bool) -> Answer:
    if detailed and any(document["summary"][outcome] for outcome in ("applied", "failed", "held")):
        code = exits.worst([code, exits.CHANGES])
    return Answer(document, code, run_lines(document, plan_shown=plan_shown))
