"""`syncd restore`: a backup in the place of the store."""

from __future__ import annotations

from pathlib import Path

import click

from syncd.cli import exits
from syncd.cli.choices import json_option
from syncd.cli.deciding import decider
from syncd.cli.options import Command, globals_of
from syncd.cli.session import Answer, Session
from syncd.report.copies_text import restore_lines


@click.command(name="restore", cls=Command)
@click.argument("file", type=click.Path(path_type=Path))
@json_option
@click.pass_context
def command(ctx: click.Context, file: Path, *, as_json: bool) -> int:
    """Put a backup in the place of the store.

    Refused (exit 3) while anybody writes with the store, and for a file that is damaged, was changed by hand, was made
    by a newer version, or belongs to another connection, app or target. The store that was there is kept beside it.
    Requests, approvals and expectations of the backup are ended, and nothing is written until syncd resume.
    """
    with Session(globals_of(ctx), as_json=as_json) as session:
        settings = session.only_connection("restore")
        from syncd.answers.copies import restore_document  # noqa: PLC0415  (the engine)
        from syncd.custody import restore  # noqa: PLC0415
        from syncd.wiring import utc_now  # noqa: PLC0415

        done = restore(settings, file, utc_now, by=decider())
        document = restore_document(settings, file, done)
        return session.one(Answer(document, exits.DONE, restore_lines(document)))
