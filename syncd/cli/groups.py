"""`syncd groups`: the target's groups and what is linked to them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from syncd.cli import exits
from syncd.cli.choices import json_option
from syncd.cli.options import Command, globals_of
from syncd.cli.session import Answer, Session
from syncd.report.groups_text import groups_lines

if TYPE_CHECKING:
    from syncd.settings import ConnectionSettings


@click.command(name="groups", cls=Command)
@json_option
@click.pass_context
def command(ctx: click.Context, *, as_json: bool) -> int:
    """List Split's groups with their link state and members.

    What Okta calls Refresh App Groups: reads Split's groups now, one request for each to count its members, and the
    member lists of the groups in scope in Okta. Changes nothing.
    """

    def work(settings: ConnectionSettings) -> Answer:
        from syncd.answers.groups import app_groups  # noqa: PLC0415  (the engine)
        from syncd.wiring import open_job  # noqa: PLC0415

        with (
            session.watcher(settings) as observer,
            open_job(settings, writing=False, observer=observer, redactor=session.redactor) as job,
        ):
            document, problems = app_groups(job)
            observer.close()
        for problem in problems:
            session.fail(problem, connection=settings.name if session.several else "")
        code = exits.FAILED if problems else exits.DONE
        return Answer(document, code, groups_lines(document))

    with Session(globals_of(ctx), as_json=as_json) as session:
        session.listen()
        return session.each(work)
