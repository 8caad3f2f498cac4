"""`syncd backup`: a copy of the store, whole and checked."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from syncd.cli import exits
from syncd.cli.choices import json_option
from syncd.cli.files import OutputFile
from syncd.cli.options import Command, globals_of
from syncd.cli.session import Answer, Session
from syncd.report.copies_text import backup_lines


@click.command(name="backup", cls=Command)
@click.argument("file", type=click.Path(path_type=Path))
@json_option
@click.pass_context
def command(ctx: click.Context, file: Path, *, as_json: bool) -> int:
    """Copy the store into a file, also while the daemon runs.

    The store as it is at one moment, whoever writes meanwhile. FILE (mode 0600) is there once its pages, the audit
    trail's chain and the seals were found whole in it, and not before. Nothing is overwritten. Needs no secret.
    """
    with Session(globals_of(ctx), as_json=as_json) as session:
        settings = session.only_connection("backup")
        OutputFile(file, "the backup", instead="Name a file.").spare(settings)
        from syncd.answers.copies import backup_document  # noqa: PLC0415  (the engine)
        from syncd.custody import back_up  # noqa: PLC0415
        from syncd.wiring import utc_now  # noqa: PLC0415

        at = datetime.now(UTC)
        made = back_up(settings, file, utc_now)
        document = backup_document(settings, file, made.report, size=made.size, at=at)
        return session.one(Answer(document, exits.DONE, backup_lines(document)))
