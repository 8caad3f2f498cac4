"""`syncd release`: stop managing an object, leave it at the target as it is."""

from __future__ import annotations

from dataclasses import replace

import click

from syncd.cli import exits
from syncd.cli.choices import json_option
from syncd.cli.deciding import decider
from syncd.cli.interrupts import Stop
from syncd.cli.options import Command, globals_of
from syncd.cli.requesting import carried_out, no_wait_option, shown_answer
from syncd.cli.session import Answer, Session
from syncd.core.request import ReleaseRequest, RequestResult
from syncd.report.held_text import released_lines


@click.command(name="release", cls=Command)
@click.argument("name", metavar="USER|GROUP")
@json_option
@no_wait_option
@click.pass_context
def command(ctx: click.Context, name: str, *, as_json: bool, no_wait: bool) -> int:
    """Stop managing a user or group; leave it at the target.

    USER|GROUP is an e-mail, a group name, an Okta id or a SCIM id. Neither Okta nor Split is asked. A user is managed
    again once they have left the app, a sync has seen that, and they have come back. A group stays released
    until syncd link takes it back.
    """
    if not name.strip():
        raise click.UsageError("release needs the name or id of a user or group")
    with Session(globals_of(ctx), as_json=as_json) as session:
        settings = session.only_connection("release")

        def alone() -> Answer:
            from syncd.answers.decisions import release  # noqa: PLC0415  (the engine)
            from syncd.wiring import open_for_writing  # noqa: PLC0415

            with open_for_writing(settings, redactor=session.redactor, event=session.event) as store:
                document = release(store, settings.name, name, decider())
            return Answer(document, exits.DONE, released_lines(document))

        def shown(result: RequestResult) -> Answer:
            answer = shown_answer(session, settings, result)
            return replace(answer, lines=released_lines(answer.document))

        request = ReleaseRequest(name)
        with Stop(session.note) as stop:
            answer = carried_out(session, settings, stop, lambda: request, alone, shown, no_wait=no_wait)
        return session.one(answer)
