"""`syncd release`: stop managing an object, leave it at the target as it is."""

from __future__ import annotations

import click

from syncd.cli import exits
from syncd.cli.choices import json_option, reason_option
from syncd.cli.deciding import decider
from syncd.cli.options import Command, globals_of
from syncd.cli.session import Answer, Session
from syncd.report.held_text import released_lines


@click.command(name="release", cls=Command)
@click.argument("name", metavar="USER|GROUP")
@reason_option
@json_option
@click.pass_context
def command(ctx: click.Context, name: str, reason: str | None, *, as_json: bool) -> int:
    """Stop managing a user or group; leave it at the target.

    USER|GROUP is an e-mail, a group name, an Okta id or a SCIM id. Neither Okta nor Split is asked. A user is managed
    again once they have left the app, a sync has seen that, and they have come back, or syncd link --user takes them
    back. A group stays released until syncd link does.
    """
    if not name.strip():
        raise click.UsageError("release needs the name or id of a user or group")
    with Session(globals_of(ctx), as_json=as_json) as session:
        from syncd.answers.decisions import release  # noqa: PLC0415  (the engine)
        from syncd.wiring import open_for_writing  # noqa: PLC0415

        settings = session.only_connection("release")
        with open_for_writing(settings, redactor=session.redactor, event=session.event) as store:
            document = release(store, settings.name, name, decider(), reason)
        return session.one(Answer(document, exits.DONE, released_lines(document)))
