"""`syncd apply`: a saved plan exactly, or plan, show, ask, apply."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from syncd.cli import planfile
from syncd.cli.asking import can_ask
from syncd.cli.choices import planning_options, selection_options
from syncd.cli.deciding import decider
from syncd.cli.interrupts import Stop
from syncd.cli.options import Command, globals_of
from syncd.cli.planning import plan_document_of, shown_lines
from syncd.cli.requesting import carried_out, no_wait_option
from syncd.cli.session import Answer, Session
from syncd.cli.sync import run_answer, shown_run
from syncd.core.request import ApplyRequest, Request, SyncRequest
from syncd.errors import RefusedError, SyncdError, UsageError
from syncd.report import jsondoc

if TYPE_CHECKING:
    from syncd.cli.progress import Watcher
    from syncd.core.plan import SavedPlan
    from syncd.engine.planning.planned import Planned
    from syncd.engine.reading.selection import Selection
    from syncd.settings import ConnectionSettings


@click.command(name="apply", cls=Command)
@click.argument("file", type=click.Path(path_type=Path), required=False)
@click.option("--yes", is_flag=True, help="Without FILE: do not ask before applying.")
@selection_options
@planning_options
@no_wait_option
@click.pass_context
def command(
    ctx: click.Context,
    file: Path | None,
    selection: Selection,
    allow: Mapping[str, int],
    *,
    yes: bool,
    detailed: bool,
    as_json: bool,
    no_wait: bool,
) -> int:
    """Apply a saved plan exactly, or plan, ask and apply.

    With FILE (from `syncd plan -o FILE`) every object of the plan is read again on both sides; when one of them moved
    or the scope settings changed, the plan is refused as stale (exit 3) before the first write. Without FILE it plans,
    shows the plan, asks and applies.
    """
    if file is not None and (not selection.everything or selection.full or allow):
        raise click.UsageError(
            "a saved plan is applied as it is: --user, --group, --full and --allow belong to plan"
        )
    if file is None and not yes and not can_ask():
        raise click.UsageError(
            "there is no terminal to ask on: give --yes, or a plan saved with `syncd plan -o FILE`"
        )
    with Session(globals_of(ctx), as_json=as_json) as session, Stop(session.note) as stop:
        session.listen()
        if file is not None:
            return _saved(session, stop, file, detailed=detailed, no_wait=no_wait)
        settings = session.only_connection("apply")
        fresh = _Fresh(session, settings, stop, selection, allow, yes, detailed)
        told = not yes and not session.as_json
        shown = partial(shown_run, session, settings, detailed=detailed, plan_shown=told)
        return session.one(
            carried_out(session, settings, stop, fresh.asked, fresh.here, shown, no_wait=no_wait)
        )


def _saved(session: Session, stop: Stop, file: Path, *, detailed: bool, no_wait: bool) -> int:
    from syncd.core.plan import read_plan  # noqa: PLC0415

    text = planfile.read(file)
    saved = read_plan(text, str(file))
    if saved.kind == "relink":
        raise UsageError(
            f"{file} is what a relink found, and no plan to apply", hint="syncd relink --yes stores it"
        )
    settings = _named(session, saved)

    def alone() -> Answer:
        from syncd.answers.requests import apply_plan  # noqa: PLC0415  (the engine)

        with session.writing(settings, stop) as (job, _):
            result = apply_plan(job, saved, decider())
            session.tell(job, "targeted", result.status, result.problems)
        return run_answer(session, result, stop, detailed=detailed)

    shown = partial(shown_run, session, settings, detailed=detailed)
    answer = carried_out(session, settings, stop, lambda: ApplyRequest(text), alone, shown, no_wait=no_wait)
    if saved.holds:
        said = "What the plan holds is not applied. To decide on it: `syncd sync`, then `syncd approve ID`."
        session.note(session.whole(said, settings.name))
    return session.one(answer)


def _named(session: Session, saved: SavedPlan) -> ConnectionSettings:
    """The settings of the connection that the plan was made for. Raises RefusedError when there are none."""
    from syncd.settings import configuration_error  # noqa: PLC0415  (pydantic)

    loaded = session.load()
    for settings in loaded.connections:
        if settings.name == saved.connection:
            return settings
    if loaded.problems:
        raise configuration_error(loaded.problems)
    names = ", ".join(one.name for one in loaded.connections)
    raise RefusedError(
        f"the plan was made for the connection {saved.connection}, and the settings are those of {names}",
        hint=f"name it with {session.naming}",
    )


@dataclass(frozen=True)
class _Fresh:
    """A plan that is made now, shown, asked about and applied: by the daemon that has the store, else here."""

    session: Session
    settings: ConnectionSettings
    stop: Stop
    selection: Selection
    allow: Mapping[str, int]
    yes: bool
    detailed: bool

    def asked(self) -> Request:
        """Of the daemon. Unless `yes`, for a plan that was shown here and approved."""
        from syncd.engine.cycles.sync import plan  # noqa: PLC0415  (the engine)
        from syncd.wiring import open_job  # noqa: PLC0415

        chosen = self.selection
        if self.yes:
            return SyncRequest(chosen.users, chosen.groups, chosen.full, self.allow)
        with (
            self.session.watcher(self.settings) as watcher,
            open_job(self.settings, writing=False, observer=watcher, redactor=self.session.redactor) as job,
            plan(job, chosen, self.allow) as planned,
        ):
            self._ask(planned, watcher)
            return ApplyRequest("".join(jsondoc.pieces(plan_document_of(planned))))

    def here(self) -> Answer:
        """By this process, which takes the store."""
        from syncd.engine.cycles.sync import apply_planned, not_planned, plan_to_apply  # noqa: PLC0415  (the engine)

        kind, plan_shown = self.selection.kind, False
        with ExitStack() as stack:
            job, watcher = stack.enter_context(self.session.writing(self.settings, self.stop))
            try:
                planned = stack.enter_context(plan_to_apply(job, self.selection, self.allow))
            except UsageError:
                raise
            except SyncdError as error:
                result = not_planned(job, kind, error)
            else:
                self._ask(planned, watcher)
                plan_shown = not self.session.as_json
                result = apply_planned(job, planned)
            self.session.tell(job, kind, result.status, result.problems)
        return run_answer(self.session, result, self.stop, detailed=self.detailed, plan_shown=plan_shown)

    def _ask(self, planned: Planned, watcher: Watcher) -> None:
        """Raises RefusedError for a no."""
        if not self.yes or not self.session.as_json:
            watcher.rest()
            self.session.show(shown_lines(planned))
        changes_something = any(planned.header.summary.values())
        if not self.yes and changes_something and not self.session.confirm("Apply this plan?"):
            raise RefusedError("the plan was not approved", hint="Nothing was written at either side.")
