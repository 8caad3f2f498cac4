"""`syncd retry`: what failed, once more, without waiting for its delay."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from syncd.cli import exits
from syncd.cli.choices import json_option
from syncd.cli.deciding import decider
from syncd.cli.options import Command, globals_of
from syncd.cli.session import Answer, Session
from syncd.report.held_text import retried_lines

if TYPE_CHECKING:
    from syncd.settings import ConnectionSettings


@click.command(name="retry", cls=Command)
@click.argument("name", required=False, metavar="[ID]")
@json_option
@click.pass_context
def command(ctx: click.Context, name: str | None, *, as_json: bool) -> int:
    """Try what failed again at the next sync.

    ID is the name or Okta id of an object that failed (see syncd status); without it, everything that failed is due.
    While the whole connection is quarantined, the daemon asks at once whether that is over.
    """
    with Session(globals_of(ctx), as_json=as_json) as session:
        from syncd.answers.decisions import retry  # noqa: PLC0415  (the engine)
        from syncd.wiring import open_for_deciding, utc_now  # noqa: PLC0415

        def work(settings: ConnectionSettings) -> Answer:
            with open_for_deciding(settings, redactor=session.redactor) as store:
                document = retry(store, settings.name, name, decider(), utc_now())
            lines = retried_lines(document)
            return Answer(document, exits.DONE, lines)

        if name is None:
            return session.each(work)
        return session.one(work(session.only_connection("retry")))
