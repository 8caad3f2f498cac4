"""`syncd retry`: what failed, once more, without waiting for its delay."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from syncd.cli import exits
from syncd.cli.choices import json_option, reason_option
from syncd.cli.deciding import decider, placed, retriable
from syncd.cli.options import Command, globals_of
from syncd.cli.session import Answer, Session
from syncd.report.held_text import retried_lines

if TYPE_CHECKING:
    from syncd.settings import ConnectionSettings


@click.command(name="retry", cls=Command)
@click.argument("name", required=False, metavar="[ID]")
@reason_option
@json_option
@click.pass_context
def command(ctx: click.Context, name: str | None, reason: str | None, *, as_json: bool) -> int:
    """Try what failed again at the next sync.

    ID is the e-mail (also a former one), the group's name or the Okta id of what failed or waits for another look (see
    syncd skipped); without it, everything that failed is due.
    While the whole connection is quarantined, the daemon asks at once whether that is over.
    """
    with Session(globals_of(ctx), as_json=as_json) as session:
        from syncd.answers.decisions import retry  # noqa: PLC0415  (the engine)
        from syncd.wiring import open_for_deciding, utc_now  # noqa: PLC0415

        def work(settings: ConnectionSettings, asked: tuple[str, ...] = ()) -> Answer:
            with open_for_deciding(settings, redactor=session.redactor) as store:
                document = retry(
                    store, settings.name, asked[0] if asked else None, decider(), utc_now(), reason
                )
            lines = retried_lines(document)
            return Answer(document, exits.DONE, lines)

        if name is None:
            return session.each(work)
        return session.some(work, placed(session, (name,), retriable))
