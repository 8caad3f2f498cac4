"""`syncd store`: where the store of a connection is kept."""

from __future__ import annotations

from pathlib import Path

import click

from syncd.cli import exits
from syncd.cli.choices import json_option
from syncd.cli.options import Command, globals_of, group_of
from syncd.cli.session import Answer, Session
from syncd.errors import UsageError
from syncd.report.copies_text import store_copy_lines

_FLEET = "fleet"


command = group_of(
    "store",
    {"copy": "Move a store into a fleet's database, or back into a file."},
    description="Move a connection's store into a fleet, or back into a file.",
)


@click.command(name="copy", cls=Command)
@click.option("--from", "source", metavar="FILE|fleet", required=True, help="Where the store is.")
@click.option("--to", "target", metavar="FILE|fleet", required=True, help="Where it is to go.")
@json_option
@click.pass_context
def copy(ctx: click.Context, source: str, target: str, *, as_json: bool) -> int:
    """Move a store into a fleet's database, or back into a file.

    With --fleet and --connection, whose settings are in the fleet already, paused (syncd fleet pause), while no daemon
    has the file. One side is a file, the other the word fleet. All rows go, with the audit trail; rows, revision, chain
    and seals are compared before either side is told. What is left behind then refuses, and says where the store is.
    Interrupted, it is run again.
    """
    said = globals_of(ctx)
    file = _file(source, target)
    if said.configs or len(said.connections) != 1:
        raise UsageError(
            "a store moves into a fleet or out of one: its connection there is named, and only that one",
            hint="give --connection NAME, with --fleet FILE, and no --config",
        )
    with Session(said, as_json=as_json) as session:
        settings = session.only_connection("store copy")
        from syncd.answers.copies import store_copy_document  # noqa: PLC0415  (the engine)
        from syncd.fleets import move_store  # noqa: PLC0415  (psycopg)
        from syncd.wiring import utc_now  # noqa: PLC0415

        moved, was, now_at, kept = move_store(settings, file, utc_now, into_fleet=target == _FLEET)
        document = store_copy_document(
            settings, was, now_at, head=moved.head, rows=moved.rows, tables=moved.counts, kept=kept
        )
        return session.one(
            Answer(document, exits.DONE, store_copy_lines(document, into_fleet=target == _FLEET))
        )


def _file(source: str, target: str) -> Path:
    files = [each for each in (source, target) if each != _FLEET]
    if len(files) != 1 or not files[0]:
        raise UsageError(
            "one of --from and --to is a file, and the other the word fleet",
            hint="a file called fleet is ./fleet; a copy of a file is made by syncd -c SETTINGS backup",
        )
    return Path(files[0])
