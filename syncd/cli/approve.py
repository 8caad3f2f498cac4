"""`syncd approve`: held changes that may happen."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import click

from syncd.cli import exits
from syncd.cli.choices import json_option, reason_option
from syncd.cli.deciding import all_option, asked_for, decidable, decider, ids_argument, placed
from syncd.cli.interrupts import Stop
from syncd.cli.options import Command, globals_of
from syncd.cli.requesting import carried_out, no_wait_option
from syncd.cli.session import Answer, Session
from syncd.cli.sync import run_answer, shown_run
from syncd.core.change import change_document
from syncd.core.request import ApproveRequest
from syncd.errors import SyncdError
from syncd.report.held_text import decided_lines

if TYPE_CHECKING:
    from syncd.core.change import Change
    from syncd.settings import ConnectionSettings


@click.command(name="approve", cls=Command)
@ids_argument
@all_option
@reason_option
@click.option("--now", "at_once", is_flag=True, help="Apply them at once instead of in the next cycle.")
@json_option
@no_wait_option
@click.pass_context
def command(
    ctx: click.Context,
    ids: tuple[str, ...],
    reason: str | None,
    *,
    everything: bool,
    at_once: bool,
    as_json: bool,
    no_wait: bool,
) -> int:
    """Release held changes: exactly those, once.

    ID is a hold or a single change (see syncd held), or whom it is about: an e-mail, a group's name, an Okta id. What
    was rejected is approved likewise (see syncd held --decided). Approved changes are applied by the next cycle (with
    --now at once) if they are still wanted and unchanged. Who approved, when and why goes into the audit trail.
    """
    asked = asked_for(ids, everything=everything)
    if no_wait and not at_once:
        raise click.UsageError("an approval waits for nothing: --no-wait goes with --now")
    with Session(globals_of(ctx), as_json=as_json) as session:
        from syncd.answers.decisions import decide  # noqa: PLC0415  (the engine)
        from syncd.wiring import open_for_deciding  # noqa: PLC0415

        def work(settings: ConnectionSettings, asked: tuple[str, ...] = ()) -> Answer:
            with open_for_deciding(settings, redactor=session.redactor) as store:
                document, changes = decide(store, settings.name, asked, "approve", decider(), reason)
            if at_once and changes:
                try:
                    with Stop(session.note) as stop:
                        return _apply(session, stop, settings, changes, no_wait=no_wait)
                except SyncdError:
                    session.note(
                        "What was approved is not applied yet; the approval stands for the next sync."
                    )
                    raise
            return Answer(document, exits.DONE, decided_lines(document, "The next sync applies them."))

        if everything:
            return session.each(work)
        return session.some(work, placed(session, asked, decidable("approve")))


def _apply(
    session: Session, stop: Stop, settings: ConnectionSettings, changes: Sequence[Change], *, no_wait: bool
) -> Answer:
    def alone() -> Answer:
        from syncd.engine.cycles.sync import apply_approved  # noqa: PLC0415  (the engine)

        with session.writing(settings, stop) as (job, _):
            result = apply_approved(job, changes)
        return run_answer(session, result, stop)

    request = ApproveRequest(tuple(change_document(change) for change in changes))
    shown = partial(shown_run, session, settings)
    return carried_out(session, settings, stop, lambda: request, alone, shown, no_wait=no_wait)
