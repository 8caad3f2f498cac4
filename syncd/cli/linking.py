"""What `link`, `unlink` and `undo` share: plan, show, ask, apply."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from syncd.cli.asking import can_ask
from syncd.cli.choices import F, planning_options
from syncd.cli.interrupts import Stop
from syncd.cli.planning import shown_lines
from syncd.cli.session import Session
from syncd.cli.sync import run_answer
from syncd.errors import RefusedError

if TYPE_CHECKING:
    from syncd.engine.cycles.result import RunResult
    from syncd.engine.job import Job
    from syncd.engine.planning.planned import Planned


def linking_options(command: F) -> F:
    """--yes, and what whatever makes a plan takes."""
    return click.option("--yes", is_flag=True, help="Do not ask before applying.")(planning_options(command))


def need_a_name(*names: str) -> None:
    """Raises click.UsageError for an empty one."""
    if any(not name.strip() for name in names):
        raise click.UsageError("a group or a person needs a name or an id")


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
    yes: bool,
    detailed: bool,
) -> int:
    """Shows what `make` planned, asks unless told not to, and has it applied, all under one writer's lock."""
    settings = session.only_connection(command)
    session.listen()

    with (
        Stop(session.note) as stop,
        session.writing(settings, stop) as (job, watcher),
        make(job) as planned,
    ):
        if not yes or not session.as_json:
            watcher.rest()
            session.show(shown_lines(planned))
        if not yes and not session.confirm("Apply this?"):
            raise RefusedError(f"the {command} was not approved", hint="Nothing was changed at either side.")
        result = apply(job, planned)
        return session.one(
            run_answer(session, result, stop, detailed=detailed, plan_shown=not session.as_json)
        )


def apply_link(job: Job, planned: Planned, reason: str | None = None) -> RunResult:
    """See `engine.cycles.link.apply_link`: imported when it is needed."""
    from syncd.engine.cycles import link  # noqa: PLC0415  (the engine)

    return link.apply_link(job, planned, reason)


def apply_link_user(job: Job, planned: Planned, reason: str | None = None) -> RunResult:
    """See `engine.cycles.link_user.apply_link_user`: imported when it is needed."""
    from syncd.engine.cycles import link_user  # noqa: PLC0415  (the engine)

    return link_user.apply_link_user(job, planned, reason)
