"""`syncd plan`: a full cycle up to the first write."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from syncd.cli import exits
from syncd.cli.choices import output_to, planning_options, selection_options
from syncd.cli.files import OutputFile
from syncd.cli.options import Command, globals_of
from syncd.cli.planning import plan_document_of, shown_lines
from syncd.cli.session import Answer, Session
from syncd.report import jsondoc

if TYPE_CHECKING:
    from syncd.engine.planning.planned import Planned
    from syncd.engine.reading.selection import Selection
    from syncd.settings import ConnectionSettings


@click.command(name="plan", cls=Command)
@output_to("Save the plan for `syncd apply FILE`.")
@click.option(
    "--against",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Show what the settings would change that those of FILE do not.",
)
@click.option("--all", "everything", is_flag=True, help="Every line, not the first 50 of each kind only.")
@selection_options
@planning_options
@click.pass_context
def command(
    ctx: click.Context,
    output: Path | None,
    against: Path | None,
    selection: Selection,
    allow: Mapping[str, int],
    *,
    everything: bool,
    detailed: bool,
    as_json: bool,
) -> int:
    """Show what would change and why; changes nothing.

    Reads Okta, compares with the store, matches what is new at the target. Nothing is written at either side or in
    the store. Exit 3 when a safety check holds changes; --allow shows the plan under a raised limit, and saved with -o
    it is applied under it.

    -c new.toml --against current.toml reads Okta once and shows what the new settings would change: people, attribute
    by attribute, and the changes that only one of the two plans has.
    """
    if against is not None and output is not None:
        raise click.UsageError("--against compares two plans: neither can be saved, leave -o out")
    with Session(globals_of(ctx), as_json=as_json) as session:
        if against is not None:
            from syncd.cli.against import run_against  # noqa: PLC0415

            return run_against(session, against, selection, allow, detailed=detailed, everything=everything)
        return run_plan(session, selection, allow, output=output, detailed=detailed, everything=everything)


def run_plan(
    session: Session,
    selection: Selection,
    allow: Mapping[str, int],
    *,
    output: Path | None = None,
    detailed: bool = False,
    everything: bool = False,
) -> int:
    """`plan`, and `sync --dry-run`. Raises SyncdError for a plan file that cannot be written."""
    file = None
    if output is not None:
        file = OutputFile(output, "the plan", instead="For the plan on stdout use --json.")
    if file is not None:
        file.spare(session.only_connection("plan -o"))

    def work(settings: ConnectionSettings) -> Answer:
        from syncd.core.left_out import command as command_line  # noqa: PLC0415
        from syncd.engine.cycles.sync import plan  # noqa: PLC0415  (the engine)
        from syncd.engine.writing import quarantine  # noqa: PLC0415
        from syncd.wiring import open_job  # noqa: PLC0415

        with (
            session.watcher(settings) as observer,
            open_job(settings, writing=False, observer=observer, redactor=session.redactor) as job,
            plan(job, selection, allow) as planned,
        ):
            observer.close()
            for problem in planned.problems:
                session.fail(problem, connection=settings.name if session.several else "")
            if file is not None:
                saved_to(file, session, planned)
            if sick := quarantine.current(job.store):
                session.note(
                    f"{settings.name} is quarantined since {sick.since:%Y-%m-%d %H:%M} UTC, and nothing of this is"
                    f" written until that is over: {sick.reason}",
                    "warn",
                )
            if planned.header.holds:
                raising, deciding = (
                    command_line(settings.named, *words) for words in (("sync",), ("approve", "ID"))
                )
                session.note(
                    f"A plan holds nothing yet. To raise what it would hold: {raising}. Then: {deciding} (or reject)."
                )
            return answer_with(session, planned, detailed=detailed, everything=everything)

    session.listen()
    return session.each(work)


def saved_to(file: OutputFile, session: Session, planned: Planned) -> None:
    """Writes the plan there, and says how to apply it."""
    file.write(jsondoc.pieces(plan_document_of(planned)))
    way = session.whole("syncd apply")
    session.note(f"The plan is saved in {file.path}. To apply exactly this: {way} {file.path}")


def answer_with(session: Session, planned: Planned, *, detailed: bool, everything: bool = False) -> Answer:
    """Only what will be printed is made, and while the plan is still open."""
    code = planned.exit_code
    if detailed and planned.has_changes:
        code = exits.worst([code, exits.CHANGES])
    if not session.as_json:
        return Answer({}, code, shown_lines(planned, everything=everything))
    if session.several:
        return Answer(planned.document(), code, exact=True)
    session.console.data(jsondoc.pieces(plan_document_of(planned)))
    return Answer({}, code, said=True)
