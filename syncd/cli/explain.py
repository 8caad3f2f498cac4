"""`syncd explain`: why one user or group is as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from syncd.cli import exits
from syncd.cli.choices import json_option
from syncd.cli.options import Command, globals_of
from syncd.cli.session import Answer, Session
from syncd.report.explain_text import explain_lines

if TYPE_CHECKING:
    from syncd.settings import ConnectionSettings


@click.command(name="explain", cls=Command)
@click.argument("name", metavar="USER|GROUP")
@json_option
@click.pass_context
def command(ctx: click.Context, name: str, *, as_json: bool) -> int:
    """Explain one user or group, step by step; changes nothing.

    USER|GROUP is an e-mail, a group name, an Okta id or a SCIM id. Asks Okta, the store and Split: found, assigned how,
    in scope, mapped to what, matched with whom, held or failed, and what the next sync would send. Also before the
    first sync, and for an app that Okta provisions itself.
    """
    if not name.strip():
        raise click.UsageError("explain needs the name or id of a user or group")

    def work(settings: ConnectionSettings) -> Answer:
        from syncd.answers.explain.explain import explain  # noqa: PLC0415  (the engine)
        from syncd.wiring import open_job  # noqa: PLC0415

        with (
            session.watcher(settings) as observer,
            open_job(
                settings, writing=False, observer=observer, redactor=session.redactor, impatient=True
            ) as job,
        ):
            explanation, problems = explain(job, name)
            observer.close()
        for problem in problems:
            session.fail(problem, connection=settings.name if session.several else "")
        document = explanation.document(settings.name, name)
        return Answer(document, exits.FAILED if problems else exits.DONE, explain_lines(document))

    with Session(globals_of(ctx), as_json=as_json) as session:
        session.listen()
        return session.each(work, somewhere=True)
