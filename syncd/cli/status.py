"""`syncd status`: how every connection is, from its store alone."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from syncd.cli import exits
from syncd.cli.choices import json_option
from syncd.cli.options import Command, globals_of
from syncd.cli.session import Answer, Session
from syncd.report.text import status_lines

if TYPE_CHECKING:
    from syncd.settings import ConnectionSettings


@click.command(name="status", cls=Command)
@json_option
@click.pass_context
def command(ctx: click.Context, *, as_json: bool) -> int:
    """Show runs, held changes and failing objects.

    Reads only the store: neither Okta nor Split is asked, and a sync that runs is not disturbed.
    """

    def work(settings: ConnectionSettings) -> Answer:
        from syncd.answers.status import status  # noqa: PLC0415  (the engine)
        from syncd.wiring import open_for_status  # noqa: PLC0415

        session.learn(settings)
        with open_for_status(settings) as store:
            document = status(store, settings, datetime.now(UTC))
        return Answer(document, exits.DONE, status_lines(document))

    with Session(globals_of(ctx), as_json=as_json) as session:
        return session.each(work)
