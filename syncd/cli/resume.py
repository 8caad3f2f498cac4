"""`syncd resume`: writing goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from syncd.cli import exits
from syncd.cli.choices import json_option
from syncd.cli.deciding import decider
from syncd.cli.options import Command, globals_of
from syncd.cli.pause import reason_of, reason_option
from syncd.cli.session import Answer, Session
from syncd.report.held_text import paused_lines

if TYPE_CHECKING:
    from syncd.settings import ConnectionSettings


@click.command(name="resume", cls=Command)
@reason_option
@json_option
@click.pass_context
def command(ctx: click.Context, reason: str | None, *, as_json: bool) -> int:
    """End a pause: what Okta wants is written again.

    The daemon writes with its next look at Okta, and so does the next syncd sync.
    """
    why = reason_of(reason)
    with Session(globals_of(ctx), as_json=as_json) as session:
        from syncd.answers.decisions import resume  # noqa: PLC0415  (the engine)
        from syncd.wiring import open_for_deciding, utc_now  # noqa: PLC0415

        def work(settings: ConnectionSettings) -> Answer:
            session.learn(settings)
            with open_for_deciding(settings, redactor=session.redactor) as store:
                document = resume(store, settings.name, decider(), session.redactor.kept(why), utc_now())
            return Answer(document, exits.DONE, paused_lines(document))

        return session.each(work)
