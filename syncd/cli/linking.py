"""What `link`, `unlink` and `undo` share: plan, show, ask, apply."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import click

from syncd.cli.asking import can_ask
from syncd.cli.choices import F, planning_options
from syncd.cli.deciding import decider
from syncd.cli.interrupts import Stop
from syncd.cli.planning import shown_lines
from syncd.cli.requesting import carried_out, no_wait_option
from syncd.cli.session import Answer, Session
from syncd.cli.sync import run_answer, shown_run
from syncd.core.request import LinkRequest, UndoRequest, UnlinkRequest
from syncd.errors import RefusedError

if TYPE_CHECKING:
    from syncd.cli.progress import Watcher
    from syncd.engine.cycles.result import RunResult
    from syncd.engine.job import Job
    from syncd.engine.planning.planned import Planned

PlannedRequest = LinkRequest | UnlinkRequest | UndoRequest


def linking_options(command: F) -> F:
    """--yes, --no-wait, and what whatever makes a plan takes."""
    options = no_wait_option(planning_options(command))
    return click.option("--yes", is_flag=True, help="Do not ask before applying.")(options)


def need_a_name(*names: str) -> None:
    """Raises click.UsageError for an empty one."""
    if any(not name.strip() for name in names):
        raise click.UsageError("a group needs a name or an id")


def need_an_answer(*, yes: bool) -> None:
    """Raises click.UsageError when nobody can be asked and nobody has to be."""
    if not yes and not can_ask():
        raise click.UsageError("there is no terminal to ask on: give --yes")


def plan_ask_apply(
    session: Session,
    command: str,
    make: Callable[[Job], Planned],
    apply: Callable[[Job, Planned], RunResult],
    *,
    request: PlannedRequest,
    yes: bool,
    detailed: bool,
    no_wait: bool,
) -> int:
    """Shows what `make` planned, asks unless told not to, and has it applied, all under one writer's lock; or asks
    whoever has that to do the same (`request`).
    """
    settings = session.only_connection(command)
    session.listen()

    def ask(planned: Planned, watcher: Watcher) -> None:
        if not yes or not session.as_json:
            watcher.rest()
            session.show(shown_lines(planned))
        if not yes and not session.confirm("Apply this?"):
            raise RefusedError(f"the {command} was not approved", hint="Nothing was changed at either side.")

    def alone() -> Answer:
        with session.writing(settings, stop) as (job, watcher), make(job) as planned:
            ask(planned, watcher)
            result = apply(job, planned)
        return run_answer(session, result, stop, detailed=detailed)

    def seen() -> PlannedRequest:
        from syncd.answers.requests import plan_for  # noqa: PLC0415  (the engine)
        from syncd.wiring import open_job  # noqa: PLC0415

        if yes:
            return request
        with (
            session.watcher(settings) as watcher,
            open_job(settings, writing=False, observer=watcher, redactor=session.redactor) as job,
            plan_for(job, request, decider(), writing=False) as planned,
        ):
            ask(planned, watcher)
            return replace(request, seen=tuple(change.id for change in planned.changes()))

    with Stop(session.note) as stop:
        shown = partial(shown_run, session, settings, detailed=detailed)
        answer = carried_out(session, settings, stop, seen, alone, shown, no_wait=no_wait)
        return session.one(answer)


def apply_link(job: Job, planned: Planned) -> RunResult:
    """See `engine.cycles.link.apply_link`: imported when it is needed."""
    from syncd.engine.cycles import link  # noqa: PLC0415  (the engine)

    return link.apply_link(job, planned)
