"""`syncd skipped`: who and what is left out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from syncd.cli import exits
from syncd.cli.choices import json_option
from syncd.cli.options import Command, globals_of
from syncd.cli.session import Answer, Session
from syncd.report.left_out_text import skipped_document_lines

if TYPE_CHECKING:
    from syncd.settings import ConnectionSettings


@click.command(name="skipped", cls=Command)
@json_option
@click.pass_context
def command(ctx: click.Context, *, as_json: bool) -> int:
    """List who and what is left out, why, and what settles it.

    Conflicts, refused names, what cannot be read or trusted, what failed, what a person rejected, released or unlinked,
    and protected people who left: each with its reason, since when, and the command that settles it. Reads only the
    store: neither Okta nor Split is asked, and a sync that runs is not disturbed.
    """

    def work(settings: ConnectionSettings) -> Answer:
        from syncd.answers.left_out import skipped  # noqa: PLC0415  (the engine)
        from syncd.wiring import open_for_status  # noqa: PLC0415

        session.learn(settings)
        with open_for_status(settings) as store:
            document = skipped(store, settings.name, settings.named)
        return Answer(document, exits.DONE, skipped_document_lines(document))

    with Session(globals_of(ctx), as_json=as_json) as session:
        return session.each(work)
