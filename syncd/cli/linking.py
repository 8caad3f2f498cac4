"""What `link`, `unlink` and `undo` share: plan, show, ask, apply."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from functools import partial, wraps
from typing import TYPE_CHECKING, Any, Protocol

import click

from syncd.cli.asking import can_ask
from syncd.cli.choices import F, planning_options, reason_option
from syncd.cli.interrupts import Stop
from syncd.cli.planning import shown_lines
from syncd.cli.requesting import carried_out, no_wait_option
from syncd.cli.session import Answer, Session
from syncd.cli.sync import run_answer, shown_run
from syncd.core.request import LinkRequest, LinkUserRequest, UndoRequest, UnlinkRequest
from syncd.errors import RefusedError

if TYPE_CHECKING:
    from syncd.cli.progress import Watcher
    from syncd.engine.cycles.result import RunResult
    from syncd.engine.job import Job
    from syncd.engine.planning.planned import Planned
    from syncd.settings import ConnectionSettings

PlannedRequest = LinkRequest | LinkUserRequest | UnlinkRequest | UndoRequest


class Make(Protocol):
    """Plans it; writes nothing, but with `writing` what interrupted runs left to settle."""

    def __call__(self, job: Job, /, *, writing: bool) -> Planned: ...


@dataclass(frozen=True, slots=True)
class Manner:
    """How it is to be planned, asked about, applied and answered, whatever it is."""

    allow: Mapping[str, int]
    reason: str | None
    yes: bool
    detailed: bool
    as_json: bool
    no_wait: bool


def linking_options(command: F) -> Callable[..., int]:
    """--yes, --no-wait, --reason and what whatever makes a plan takes: given to the command as one `manner`."""

    @wraps(command)
    def with_manner(*args: object, **options: Any) -> int:
        manner = Manner(**{each.name: options.pop(each.name) for each in fields(Manner)})
        return int(command(*args, manner=manner, **options))

    options = no_wait_option(planning_options(with_manner))
    return reason_option(click.option("--yes", is_flag=True, help="Do not ask before applying.")(options))


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
    settings: ConnectionSettings,
    command: str,
    make: Make,
    apply: Callable[[Job, Planned], RunResult],
    *,
    request: PlannedRequest,
    manner: Manner,
) -> int:
    """Shows what `make` planned, asks unless told not to, and has it applied, all under one writer's lock; or asks
    whoever has that to do the same (`request`).
    """
    session.listen()
    ask = partial(_ask, session, command, manner)

    def alone() -> Answer:
        with session.writing(settings, stop) as (job, watcher), make(job, writing=True) as planned:
            ask(planned, watcher)
            result = apply(job, planned)
        return run_answer(session, result, stop, detailed=manner.detailed, plan_shown=not session.as_json)

    def seen() -> PlannedRequest:
        from syncd.wiring import open_job  # noqa: PLC0415  (the engine)

        if manner.yes:
            return request
        with (
            session.watcher(settings) as watcher,
            open_job(settings, writing=False, observer=watcher, redactor=session.redactor) as job,
            make(job, writing=False) as planned,
        ):
            ask(planned, watcher)
            return replace(request, seen=tuple(change.id for change in planned.changes()))

    with Stop(session.note) as stop:
        told = not manner.yes and not session.as_json
        shown = partial(shown_run, session, settings, detailed=manner.detailed, plan_shown=told)
        return session.one(
            carried_out(
                session,
                settings,
                stop,
                seen,
                alone,
                shown,
                no_wait=manner.no_wait,
                reason=manner.reason,
            )
        )


def _ask(session: Session, command: str, manner: Manner, planned: Planned, watcher: Watcher) -> None:
    """Raises RefusedError when a person said no."""
    if not manner.yes or not session.as_json:
        watcher.rest()
        session.show(shown_lines(planned))
    if not manner.yes and not session.confirm("Apply this?"):
        raise RefusedError(f"the {command} was not approved", hint="Nothing was changed at either side.")


def apply_link(job: Job, planned: Planned, reason: str | None = None) -> RunResult:
    """See `engine.cycles.link.apply_link`: imported when it is needed."""
    from syncd.engine.cycles import link  # noqa: PLC0415  (the engine)

    return link.apply_link(job, planned, reason)


def apply_link_user(job: Job, planned: Planned, reason: str | None = None) -> RunResult:
    """See `engine.cycles.link_user.apply_link_user`: imported when it is needed."""
    from syncd.engine.cycles import link_user  # noqa: PLC0415  (the engine)

    return link_user.apply_link_user(job, planned, reason)
