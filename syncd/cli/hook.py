"""`syncd hook`: what to enter in Okta for event hooks; a sample to the own listener."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from syncd.cli.choices import json_option
from syncd.cli.exits import DONE
from syncd.cli.options import Command, globals_of
from syncd.cli.session import Answer, Session
from syncd.report.hook_text import hook_lines

if TYPE_CHECKING:
    from syncd.settings import ConnectionSettings


def _host(ctx: click.Context, param: click.Parameter, value: str | None) -> str:
    """Raises click.UsageError for what is no origin."""
    del ctx, param
    bare = (value or "").rstrip("/")
    if bare and (not bare.startswith(("https://", "http://")) or bare.count("/") > 2):
        raise click.UsageError(
            "--host is the address of the proxy, without a path: https://hooks.example.com"
        )
    return bare


@click.command(name="hook", cls=Command)
@click.argument("act", type=click.Choice(["test"]), required=False, metavar="[test]")
@click.option(
    "--host",
    metavar="URL",
    callback=_host,
    help="Address under which Okta reaches the proxy before the listener.",
)
@json_option
@click.pass_context
def command(ctx: click.Context, act: str | None, host: str, *, as_json: bool) -> int:
    """Say what to enter in Okta for event hooks; test the listener.

    The address, the header with the secret, and the events to tick, for the org of the connection. One hook serves all
    connections of an org. syncd enters nothing itself: it never writes to Okta.

    With test it asks the own listener what Okta asks it, and posts a sample that names nobody: done when the challenge
    came back, the sample was stored, and a wrong secret was refused. With --host through the proxy, as Okta comes.
    """
    with Session(globals_of(ctx), as_json=as_json) as session:

        def work(settings: ConnectionSettings) -> Answer:
            from syncd.answers.hook import hook_document, tested  # noqa: PLC0415  (the engine)

            session.learn(settings)
            document = hook_document(settings, session.load().connections, host)
            if act == "test":
                document["test"] = tested(settings, host, datetime.now(UTC))
            return Answer(document, DONE, hook_lines(document))

        return session.each(work)
