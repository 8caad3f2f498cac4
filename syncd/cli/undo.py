"""`syncd undo`: give back what one run changed at the target."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from syncd.cli.choices import output_to
from syncd.cli.deciding import decider, knows_run, placed_one
from syncd.cli.files import OutputFile
from syncd.cli.linking import Manner, linking_options, need_an_answer, plan_ask_apply
from syncd.cli.options import Command, globals_of
from syncd.cli.plan import answer_with, saved_to
from syncd.cli.session import Session
from syncd.core.request import UndoRequest

if TYPE_CHECKING:
    from syncd.engine.cycles.result import RunResult
    from syncd.engine.job import Job
    from syncd.engine.planning.planned import Planned


@click.command(name="undo", cls=Command)
@click.argument("run", metavar="RUN")
@output_to("Only save the plan, for `syncd apply FILE`.")
@linking_options
@click.pass_context
def command(
    ctx: click.Context,
    run: str,
    output: Path | None,
    *,
    manner: Manner,
) -> int:
    """Give back what one run changed at the target.

    RUN is the id of a run (see syncd report, syncd status). Each object is read first: what was changed since stays as
    it is and is named, and so is what nothing gives back. Shows the plan, asks, and applies it under the usual limits.
    Okta still wants what was given back: it is held (undone) until somebody approves it or changes it in Okta.
    """
    if output is None:
        need_an_answer(yes=manner.yes)
    elif manner.no_wait:
        raise click.UsageError("-o only saves the plan: there is nothing to wait for, leave --no-wait out")

    def make(job: Job, *, writing: bool) -> Planned:
        from syncd.engine.cycles.undo import plan_undo  # noqa: PLC0415  (the engine)

        return plan_undo(job, run, decider(), manner.allow, writing=writing)

    def apply(job: Job, planned: Planned) -> RunResult:
        from syncd.engine.cycles.undo import apply_undo  # noqa: PLC0415  (the engine)

        return apply_undo(job, planned, decider(), manner.reason)

    with Session(globals_of(ctx), as_json=manner.as_json) as session:
        settings = placed_one(session, run, knows_run)
        if output is None:
            request = UndoRequest(run, allow=manner.allow)
            return plan_ask_apply(session, settings, "undo", make, apply, request=request, manner=manner)
        file = OutputFile(output, "the plan", instead="For the plan on stdout use --json.")
        file.spare(settings)
        session.listen()

        from syncd.wiring import open_job  # noqa: PLC0415

        with (
            session.watcher(settings) as observer,
            open_job(settings, writing=False, observer=observer, redactor=session.redactor) as job,
            make(job, writing=False) as planned,
        ):
            observer.close()
            saved_to(file, session, planned)
            return session.one(answer_with(session, planned, detailed=manner.detailed))
