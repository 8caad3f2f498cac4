"""`syncd release`: stop managing an object, leave it at the target as it is."""

from __future__ import annotations

import click

from syncd.cli import exits
from syncd.cli.choices import json_option
from syncd.cli.options import Command, globals_of
from syncd.cli.session import Answer, Session
from syncd.report.text import decision_lines


@click.command(name="release", cls=Command)
@click.argument("name", metavar="USER|GROUP")
@json_option
@click.pass_context
def command(ctx: click.Context, name: str, *, as_json: bool) -> int:
    """Stop managing a user or group; leave it at the target.

    USER|GROUP is an e-mail, a group name, an Okta id or a SCIM id. Neither Okta nor Split is asked. The object is
    managed again only after it left Okta's list and came back.
    """
    if not name.strip():
        raise click.UsageError("release needs the name or id of a user or group")
    with Session(globals_of(ctx), as_json=as_json) as session:
        from syncd.engine.release import release  # noqa: PLC0415  (the engine)
        from syncd.wiring import open_for_writing  # noqa: PLC0415

        settings = session.only_connection("release")
        with open_for_writing(settings) as store:
            document = release(store, settings.name, name)
        return session.one(Answer(document, exits.DONE, decision_lines(document)))
