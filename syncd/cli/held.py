"""`syncd held`: what waits for a person's decision."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from syncd.cli import exits
from syncd.cli.choices import json_option
from syncd.cli.options import Command, globals_of
from syncd.cli.session import Answer, Session
from syncd.report.held_text import held_lines

if TYPE_CHECKING:
    from syncd.settings import ConnectionSettings


@click.command(name="held", cls=Command)
@click.option("--decided", is_flag=True, help="Also what was decided on and counts: who, when, why.")
@json_option
@click.pass_context
def command(ctx: click.Context, *, decided: bool, as_json: bool) -> int:
    """Show what safety checks hold, with numbers and reasons.

    One hold gathers all changes that one check stopped. Decide on a whole hold by its id, or on single changes by
    theirs, or by whom they are about. A hold expires after 7 days and is raised anew if its changes are still wanted.
    --decided also lists what was approved and not applied yet, and what was rejected: syncd approve and syncd reject
    take a decision back.
    """

    def work(settings: ConnectionSettings) -> Answer:
        from syncd.answers.decisions import ALTERED, held  # noqa: PLC0415  (the engine)
        from syncd.wiring import open_for_status  # noqa: PLC0415

        session.learn(settings)
        with open_for_status(settings) as store:
            document = held(store, settings.name, decided=decided)
            if store.altered_holds():
                session.note(f"{settings.name}: {ALTERED}")
        return Answer(document, exits.DONE, held_lines(document))

    with Session(globals_of(ctx), as_json=as_json) as session:
        return session.each(work)
